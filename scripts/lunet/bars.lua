-- bars.lua - numbers as bars, one below the other, each with its name.

local core = require "lunet_core"
local cut_text = require "lunet.cut_text"
local options = require "lunet.options"

local rules = {
  { "bars", "a list", required = true,
    example = 'bars = { { name = "relu", value = 21.5 } }' },
  { "title", "a text", default = "" },
  { "unit", "a text", default = "" },
  { "limit", "a finite number", min = 0 },
  { "limit_name", "a text", default = "" },
  { "width", "a whole number", min = 400, max = 4000 },
}
local bar_rules = {
  { "name", "a text", required = true, example = 'name = "relu"' },
  { "value", "a finite number", min = 0, required = true,
    example = "value = 21.5" },
  { "group", "a whole number", default = 1, min = 1 },
}

local warm = 0xd9480f
local colours = { 0x1f5fbf, 0x74a9e8, 0x2b8a3e, 0x846000, 0xc92a2a }
local marks = { "#", "=", "*", "%", "+" }

local function number_text(value)
  if value >= 1e6 or value < 0.1 then return ("%.2g"):format(value) end
  if value >= 100 then return ("%.0f"):format(value) end
  return (value >= 10 and "%.1f" or "%.2f"):format(value)
end

local function checked(o, page, width)
  if #o.bars == 0 then
    core.raise("picture.bars: there are no bars, nothing to draw")
  end
  local list = {}
  for i, bar in ipairs(o.bars) do
    list[i] = options.check("picture.bars, bar " .. i, bar, bar_rules)
    list[i].text = number_text(list[i].value)
    -- a name takes at most two fifths of the width
    list[i].name = cut_text(list[i].name, width * 2 // 5, page)
  end
  return list
end

local function widest(list, field, page)
  local most = 0
  for _, bar in ipairs(list) do
    most = math.max(most, (page.text_size(bar[field], page.scale)))
  end
  return most
end

-- Where bars begin, and how many dots a unit is: the longest bar and the text
-- behind it just fit.
local function scale_of(list, o, page, width)
  local margin, most = page.bars.margin, o.limit or 0
  for _, bar in ipairs(list) do most = math.max(most, bar.value) end
  local left = math.max(widest(list, "name", page),
                        (page.text_size(o.unit, page.scale))) + 2 * margin
  local room = width - left - widest(list, "text", page) - 2 * margin
  return left, most > 0 and room / most or 0
end

-- Where the first bar is: in a terminal below as many lines as there is text.
local function top_of(o, page)
  if not page.columns then return page.bars.top end
  local lines = o.title == "" and 0 or 1
  if o.unit .. o.limit_name ~= "" then lines = lines + 1 end
  return lines * page.line_height
end

local function draw_bar(picture, bar, left, y, dots_a_unit, page)
  local layout = page.bars
  local length = math.floor(bar.value * dots_a_unit + 0.5)
  local group = (bar.group - 1) % #colours + 1
  picture:text(left - layout.gap, y + layout.inset, bar.name,
               { scale = page.scale, colour = page.ink, align = "right" })
  picture:fill(left, y + layout.inset // 3, length, layout.height,
               colours[group], marks[group])
end

-- The number behind a bar, on paper of its own, as the limit may cross it.
local function draw_number(picture, bar, left, y, dots_a_unit, page)
  local layout = page.bars
  local x = left + math.floor(bar.value * dots_a_unit + 0.5) + layout.gap
  local width, height = page.text_size(bar.text, page.scale)
  if not page.columns then
    picture:fill(x - 2, y + 4, width + 4, height + 4, 0xffffff)
  end
  picture:text(x, y + layout.inset, bar.text,
               { scale = page.scale, colour = page.pale })
end

-- A line across all bars: of dots, or of strokes in a terminal.
local function draw_limit(picture, o, left, top, bottom, dots_a_unit, page)
  local x = left + math.floor(o.limit * dots_a_unit + 0.5)
  local width, margin = page.text_size(o.limit_name, page.scale),
                        page.bars.margin
  if page.columns then
    for y = top, bottom - 1, page.bars.row do
      picture:text(x, y, "│", { colour = warm })
    end
  else
    picture:fill(x, top - 6, 2, bottom - top + 12, warm)
  end
  local text_left = math.min(x - width // 2, picture.width - width - margin)
  picture:text(math.max(text_left, margin), top - page.line_height,
               o.limit_name, { scale = page.scale, colour = warm })
end

local function draw_axis(picture, left, top, bottom, page)
  if page.columns then
    for y = top, bottom - 1, page.bars.row do
      picture:text(left - 1, y, "│", {})
    end
  else
    picture:fill(left, top - 6, 2, bottom - top + 12, page.ink)
  end
end

-- bars{ bars = { { name =, value = [, group =] }, … } [, title =, unit =,
-- limit = number, limit_name =, width =] }. Bars of a group have one colour;
-- the limit is a line across all.
return function(given, page)
  local o = options.check("picture.bars", given, rules)
  local layout = page.bars
  local width = page.columns and layout.width or o.width or layout.width
  local list = checked(o, page, width)
  local left, dots_a_unit = scale_of(list, o, page, width)
  local top = top_of(o, page)
  local bottom = top + #list * layout.row
  local picture = page.new(width, bottom + page.bars.below)
  local function each(draw)
    for i, bar in ipairs(list) do
      draw(picture, bar, left, top + (i - 1) * layout.row, dots_a_unit, page)
    end
  end
  each(draw_bar)
  if o.limit then
    draw_limit(picture, o, left, top, bottom, dots_a_unit, page)
  end
  each(draw_number)
  draw_axis(picture, left, top, bottom, page)
  local title = cut_text(o.title, width - 2 * layout.margin, page)
  picture:text(width // 2, layout.title, title,
               { scale = page.scale, colour = page.ink, align = "center" })
  picture:text(left - layout.gap, top - page.line_height, o.unit,
               { scale = page.scale, colour = page.pale, align = "right" })
  return picture
end
