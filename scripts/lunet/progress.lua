-- progress.lua - tells how far training is: on a terminal one line that is
-- drawn again and again, elsewhere a line an epoch, and one now and then within
-- a long epoch. run.lua calls it.

local colour = require "lunet.colour"
local core = require "lunet_core"
local loss_text = require "lunet.loss_text"
local sparkline = require "lunet.sparkline"

local progress = {}
progress.__index = progress

local bar_width, line_width, spark_width = 12, 79, 8
local redraw_seconds, plain_seconds = 0.1, 30
local most_lines, most_losses = 100, 64

-- o: { epochs =, items = samples an epoch }.
function progress.new(o)
  local now = core.clock()
  return setmetatable({ epochs = o.epochs, items = o.items,
                        terminal = core.is_terminal(), started = now,
                        drawn = 0, told = now, length = 0, losses = {},
                        loss_sum = 0, loss_count = 0, steps_a_loss = 1 },
                      progress)
end

-- Answers the same calls, and shows nothing.
function progress.silent()
  local function nothing() end
  return setmetatable({ batch = nothing, epoch = nothing, finish = nothing },
                      { __close = nothing })
end

-- "1:05" or "2:03:04"
local function time_text(seconds)
  local s = math.floor(seconds + 0.5)
  if s < 3600 then return ("%d:%02d"):format(s // 60, s % 60) end
  return ("%d:%02d:%02d"):format(s // 3600, s // 60 % 60, s % 60)
end

-- ---- the losses of the sparkline -------------------------------------------

-- When there are too many, neighbours become one: their mean.
local function halve(list)
  local half = {}
  for i = 1, #list, 2 do half[#half + 1] = (list[i] + list[i + 1]) / 2 end
  return half
end

function progress:keep_loss(loss)
  self.loss_sum, self.loss_count = self.loss_sum + loss, self.loss_count + 1
  if self.loss_count < self.steps_a_loss then return end
  self.losses[#self.losses + 1] = self.loss_sum / self.loss_count
  self.loss_sum, self.loss_count = 0, 0
  if #self.losses < most_losses then return end
  self.losses, self.steps_a_loss = halve(self.losses), 2 * self.steps_a_loss
end

-- ---- one line, drawn again -------------------------------------------------

local function cut(text, width)
  if utf8.len(text) <= width then return text end
  return text:sub(1, utf8.offset(text, width + 1) - 1)
end

-- Draws the line again: a bar and what stands behind it. What was longer
-- before is wiped out.
function progress:redraw(part, text)
  local full = math.floor(math.min(part, 1) * bar_width + 1e-9)
  text = cut(text, line_width - bar_width - 1)
  local length = utf8.len(text)
  io.write("\r", colour(("#"):rep(full), "blue"), ("-"):rep(bar_width - full),
           " ", text, (" "):rep(self.length - length))
  io.flush()
  self.length = length
end

-- Leaves the open line as it is and goes to the next.
function progress:finish()
  if self.length > 0 then io.write("\n") end
  self.length = 0
end

progress.__close = progress.finish

-- What is known of an epoch, as the line has it.
function progress:numbers(now)
  local text = ("%d/%d loss %s"):format(now.epoch, self.epochs,
                                        loss_text(now.loss, "%.3f"))
  if now.accuracy then
    text = ("%s acc %.1f%%"):format(text, 100 * now.accuracy)
  end
  if now.validation then
    text = ("%s val %.1f%%"):format(text, 100 * now.validation)
  end
  return text .. " " .. sparkline(self.losses, spark_width)
end

-- ---- lines, one below the other --------------------------------------------

local function plain_text(now)
  local text = "loss " .. loss_text(now.loss, "%.4f")
  if now.accuracy then
    text = ("%s  accuracy %.2f %%"):format(text, 100 * now.accuracy)
  end
  if now.validation then
    text = ("%s  validation %.2f %%"):format(text, 100 * now.validation)
  end
  return text
end

-- Of a thousand epochs, every tenth.
function progress:is_told(epoch)
  return epoch == self.epochs or epoch == 1 or
         epoch % math.ceil(self.epochs / most_lines) == 0
end

-- ---- what happens ----------------------------------------------------------

-- How many samples a second so far, and the seconds that are left.
function progress:speed(now, time)
  local done = (now.epoch - 1) * self.items + now.seen
  local rate = done / math.max(time - self.started, 1e-9)
  return rate, math.max(0, self.epochs * self.items - done) / rate
end

-- After each batch; now = { epoch =, seen = samples of this epoch, loss = mean
-- of the epoch so far, accuracy = or nil }, loss: of this batch alone.
function progress:batch(now, loss)
  self:keep_loss(loss)
  local time = core.clock()
  local since = time - (self.terminal and self.drawn or self.told)
  if since < (self.terminal and redraw_seconds or plain_seconds) then return end
  self.drawn, self.told = time, time
  local rate, left = self:speed(now, time)
  local part = now.seen / self.items
  if self.terminal then
    self:redraw(part, ("%s %.0f/s %s left"):format(self:numbers(now), rate,
                                                   time_text(left)))
  else
    io.write(("epoch %d/%d, %.0f %%  %s  %.0f/s  %s left\n"):format(
      now.epoch, self.epochs, 100 * part, plain_text(now), rate,
      time_text(left)))
    io.flush()
  end
end

-- After each epoch; now has validation (or nil) and seconds, too.
function progress:epoch(now)
  local rate = now.seen / math.max(now.seconds, 1e-9)
  self.told = core.clock()
  if self.terminal then
    self:redraw(1, ("%s %.0f/s"):format(self:numbers(now), rate))
  elseif self:is_told(now.epoch) then
    io.write(("epoch %d/%d  %s  %.0f/s\n"):format(now.epoch, self.epochs,
                                                  plain_text(now), rate))
    io.flush()
  end
end

return progress
