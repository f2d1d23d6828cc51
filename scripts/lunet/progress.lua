-- progress.lua - tells how far training is: on a terminal one line that is
-- drawn again and again, elsewhere one line an epoch.

local core = require "lunet_core"

local progress = {}
progress.__index = progress

local bar_width, line_width, redraw_seconds = 20, 79, 0.1

-- Written over text: blue where colours are wanted (see no-color.org).
local function painted(text)
  if os.getenv("NO_COLOR") or os.getenv("TERM") == "dumb" then return text end
  return "\27[34m" .. text .. "\27[0m"
end

-- o: { epochs =, items = samples an epoch }.
function progress.new(o)
  return setmetatable({ epochs = o.epochs, items = o.items,
                        terminal = core.is_terminal(), started = core.clock(),
                        drawn = 0, length = 0 }, progress)
end

-- Answers the same calls, and shows nothing.
function progress.silent()
  local function nothing() end
  return setmetatable({ batch = nothing, epoch = nothing },
                      { __close = nothing })
end

-- "1:05" or "2:03:04"
local function time_text(seconds)
  local s = math.floor(seconds + 0.5)
  if s < 3600 then return ("%d:%02d"):format(s // 60, s % 60) end
  return ("%d:%02d:%02d"):format(s // 3600, s // 60 % 60, s % 60)
end

-- Draws the line again: a bar and what stands behind it. What was longer
-- before is wiped out.
function progress:redraw(part, text)
  local full = math.floor(part * bar_width + 1e-9)
  text = text:sub(1, line_width - bar_width - 1)
  io.write("\r", painted(("#"):rep(full)), ("-"):rep(bar_width - full), " ",
           text, (" "):rep(self.length - #text))
  io.flush()
  self.length = #text
end

-- Leaves the open line as it is and goes to the next.
function progress:finish()
  if self.length > 0 then io.write("\n") end
  self.length = 0
end

progress.__close = progress.finish

-- After each batch; now = { epoch =, batch =, seen =, loss =, accuracy = }.
function progress:batch(now)
  local time = core.clock()
  if not self.terminal or time - self.drawn < redraw_seconds then return end
  self.drawn = time
  local done = (now.epoch - 1) * self.items + now.seen
  local rate = done / math.max(time - self.started, 1e-9)
  local left = (self.epochs * self.items - done) / rate
  self:redraw(now.seen / self.items,
    ("%d/%d batch %d loss %.3f acc %.1f%% %.0f/s %s left"):format(
      now.epoch, self.epochs, now.batch, now.loss, 100 * now.accuracy, rate,
      time_text(left)))
end

-- After each epoch; now = { epoch =, loss =, accuracy =, validation = or nil,
-- seconds = }.
function progress:epoch(now)
  local rate = self.items / math.max(now.seconds, 1e-9)
  if self.terminal then
    local text = now.validation and (" val %.1f%%"):format(100 * now.validation)
    self:redraw(1, ("%d/%d loss %.3f acc %.1f%%%s %.0f/s"):format(now.epoch,
      self.epochs, now.loss, 100 * now.accuracy, text or "", rate))
  else
    local text = now.validation and
                 ("  validation %.2f %%"):format(100 * now.validation)
    io.write(("epoch %d/%d  loss %.4f  accuracy %.2f %%%s  %.0f/s\n"):format(
      now.epoch, self.epochs, now.loss, 100 * now.accuracy, text or "", rate))
    io.flush()
  end
end

return progress
