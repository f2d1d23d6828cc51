-- chart.lua - the frame of a chart: a pair of axes with ticks, and titles.

local cut_text = require "lunet.cut_text"

local chart = {}

-- ---- numbers ---------------------------------------------------------------

function chart.finite(v) return v == v and v > -math.huge and v < math.huge end

-- The range around a single number; as wide as its digits can tell.
function chart.room_around(value)
  local room = math.max(0.5, math.abs(value) * 1e-6)
  return value - room, value + room
end

-- 1, 2 or 5 times a power of ten, so that about `wanted` steps fill the range.
local function round_step(low, high, wanted)
  local rough = (high - low) / wanted
  local power = 10 ^ math.floor(math.log(rough, 10))
  for _, factor in ipairs { 1, 2, 5 } do
    if rough <= factor * power * 1.0001 then return factor * power end
  end
  return 10 * power
end

-- A number with the decimals that its step has.
local function tick_text(value, step)
  if math.max(math.abs(value), step) >= 1e6 or step < 1e-4 then
    return (("%.2g"):format(value):gsub("e([+-])0", "e%1"))
  end
  local decimals = math.max(0, -math.floor(math.log(step, 10) + 1e-6))
  return ("%." .. decimals .. "f"):format(value)
end

-- ---- scales ----------------------------------------------------------------

-- A scale: low and high, part(value) in 0..1 between them, ticks { value,
-- text }. `round`: it is to begin and end at a tick.
function chart.linear(low, high, wanted, round, least_step)
  local step = math.max(round_step(low, high, wanted), least_step or 0)
  if round then
    low = round.low and low or math.floor(low / step + 1e-6) * step
    high = round.high and high or math.ceil(high / step - 1e-6) * step
  end
  local ticks = {}
  for k = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6) do
    ticks[#ticks + 1] = { value = k * step, text = tick_text(k * step, step) }
  end
  return { low = low, high = high, ticks = ticks, part = function(value)
    return (value - low) / (high - low)
  end }
end

-- Equal factors are equally far apart. Ticks are powers of ten, and where
-- those are few 2 and 5 times such.
function chart.logarithmic(low, high, wanted)
  local first = math.floor(math.log(low, 10) + 1e-9)
  local last = math.ceil(math.log(high, 10) - 1e-9)
  if first == last then last = first + 1 end
  local every = math.ceil((last - first) / wanted)
  local factors = last - first <= 2 and { 1, 2, 5 } or { 1 }
  local ticks = {}
  for power = first, last, every do
    for _, factor in ipairs(factors) do
      local value = factor * 10.0 ^ power
      if value <= 10.0 ^ last * 1.0001 then
        ticks[#ticks + 1] = { value = value, text = ("%g"):format(value) }
      end
    end
  end
  return { low = 10.0 ^ first, high = 10.0 ^ last, ticks = ticks,
           part = function(value)
             return (math.log(value, 10) - first) / (last - first)
           end }
end

-- ---- drawing ---------------------------------------------------------------

local function lay(scale, first, last)
  scale.first, scale.last = first, last
  function scale.place(value)
    return math.floor(first + scale.part(value) * (last - first) + 0.5)
  end
end

local function widest_tick(page, scale)
  local widest = 0
  for _, tick in ipairs(scale.ticks) do
    widest = math.max(widest, (page.text_size(tick.text, page.scale)))
  end
  return widest
end

-- Axes of dots: lines, and a pale one at each tick of y.
local function draw_lines(picture, x, y, page)
  for _, tick in ipairs(y.ticks) do
    picture:fill(x.first, y.place(tick.value), x.last - x.first, 1, page.faint)
  end
  for _, tick in ipairs(x.ticks) do
    picture:fill(x.place(tick.value), y.first, 1, 7, page.pale)
  end
  picture:fill(x.first, y.last, 2, y.first - y.last, page.ink)
  picture:fill(x.first, y.first, x.last - x.first, 2, page.ink)
end

-- Axes of characters, left of the chart and below it.
local function draw_strokes(picture, x, y)
  local corner = y.first + 1
  for line = y.last, y.first, 2 do picture:text(x.first - 1, line, "│", {}) end
  picture:text(x.first - 1, corner, "└" .. ("─"):rep(x.last - x.first + 1), {})
  for _, tick in ipairs(y.ticks) do
    picture:text(x.first - 1, y.place(tick.value), "┤", {})
  end
  for _, tick in ipairs(x.ticks) do
    picture:text(x.place(tick.value), corner, "┬", {})
  end
end

local function draw_ticks(picture, x, y, page)
  local layout = page.chart
  local function write(left, top, text, align)
    picture:text(left, top, text,
                 { scale = page.scale, colour = page.pale, align = align })
  end
  for _, tick in ipairs(y.ticks) do
    write(x.first - layout.tick_left, y.place(tick.value) - layout.tick_up,
          tick.text, "right")
  end
  for _, tick in ipairs(x.ticks) do
    write(x.place(tick.value), y.first + layout.tick_down, tick.text, "center")
  end
end

local function draw_titles(picture, x, y, page, o)
  local layout = page.chart
  local function write(left, top, text, align)
    picture:text(left, top, text,
                 { scale = page.scale, colour = page.ink, align = align })
  end
  write(picture.width // 2, layout.title,
        cut_text(o.title, picture.width - 2 * layout.y_title, page), "center")
  write((x.first + x.last) // 2, picture.height - layout.x_title, o.x_title,
        "center")
  write(layout.y_title, y.last - layout.above, o.y_title)
end

-- The width of a chart for which one was asked, or not.
function chart.width(asked, page)
  return page.columns and page.chart.width or asked or page.chart.width
end

-- Draws the frame for two scales; o: title, x_title, y_title, width, height.
-- `extra` dots above it are for a legend of several rows. Returns the picture;
-- the scales know their places then.
function chart.draw(x, y, page, o, extra)
  local layout, width = page.chart, chart.width(o.width, page)
  local height = page.columns and layout.height or o.height or layout.height
  local picture = page.new(width, height)
  lay(y, height - layout.bottom, layout.top + (extra or 0))
  lay(x, layout.left + widest_tick(page, y), width - layout.right)
  local draw_axes = page.columns and draw_strokes or draw_lines
  draw_axes(picture, x, y, page)
  draw_ticks(picture, x, y, page)
  draw_titles(picture, x, y, page, o)
  return picture
end

return chart
