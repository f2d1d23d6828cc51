-- bars.lua - numbers as bars, one below the other, each with its name.

local canvas = require "lunet.canvas"
local options = require "lunet.options"

local rules = {
  { "bars", "a list", required = true,
    example = 'bars = { { name = "relu", value = 21.5 } }' },
  { "title", "a text", default = "" },
  { "unit", "a text", default = "" },
  { "limit", "a number" },
  { "limit_name", "a text", default = "" },
  { "width", "a whole number", default = 1000, min = 400 },
}
local bar_rules = {
  { "name", "a text", required = true, example = 'name = "relu"' },
  { "value", "a number", required = true, example = "value = 21.5" },
  { "group", "a whole number", default = 1, min = 1 },
}

local ink, pale, warm, paper = 0x202020, 0x606060, 0xd9480f, 0xffffff
local colours = { 0x1f5fbf, 0x74a9e8, 0x2b8a3e, 0x846000, 0xc92a2a }
local text_scale, row_height, top, margin = 2, 30, 84, 16

local function number_text(value)
  if value >= 100 then return ("%.0f"):format(value) end
  return (value >= 10 and "%.1f" or "%.2f"):format(value)
end

local function checked(o)
  local list = {}
  for i, bar in ipairs(o.bars) do
    list[i] = options.check("picture.bars, bar " .. i, bar, bar_rules)
    list[i].text = number_text(list[i].value)
  end
  return list
end

-- Where bars begin, and how many dots a unit is: the longest bar and the text
-- behind it just fit.
local function scale_of(list, o)
  local names, texts, most = 0, 0, o.limit or 0
  for _, bar in ipairs(list) do
    names = math.max(names, (canvas.text_size(bar.name, text_scale)))
    texts = math.max(texts, (canvas.text_size(bar.text, text_scale)))
    most = math.max(most, bar.value)
  end
  local left = names + 2 * margin
  local room = o.width - left - texts - 2 * margin
  return left, most > 0 and room / most or 0
end

local function draw_bar(picture, bar, left, y, dots_a_unit)
  local length = math.floor(bar.value * dots_a_unit + 0.5)
  picture:text(left - margin // 2, y + 6, bar.name,
               { scale = text_scale, colour = ink, align = "right" })
  picture:fill(left, y + 2, length, row_height - 8,
               colours[(bar.group - 1) % #colours + 1])
  local text_left = left + length + margin // 2
  local width, height = canvas.text_size(bar.text, text_scale)
  picture:fill(text_left - 2, y + 4, width + 4, height + 4, paper)
  picture:text(text_left, y + 6, bar.text,
               { scale = text_scale, colour = pale })
end

local function draw_limit(picture, o, left, dots_a_unit)
  local x = left + math.floor(o.limit * dots_a_unit + 0.5)
  picture:fill(x, top - 6, 2, picture.height - top - margin + 12, warm)
  local width = canvas.text_size(o.limit_name, text_scale)
  local text_left = math.min(x - width // 2, o.width - width - margin)
  picture:text(math.max(text_left, margin), top - 28, o.limit_name,
               { scale = text_scale, colour = warm })
end

-- bars{ bars = { { name =, value = [, group =] }, … } [, title =, unit =,
-- limit = number, limit_name =, width =] }: a picture (3,H,W). Bars of a group
-- have one colour; the limit is a line across all.
return function(given)
  local o = options.check("picture.bars", given, rules)
  local list = checked(o)
  local left, dots_a_unit = scale_of(list, o)
  local picture = canvas.new(o.width, top + #list * row_height + margin)
  if o.limit then draw_limit(picture, o, left, dots_a_unit) end
  for i, bar in ipairs(list) do
    draw_bar(picture, bar, left, top + (i - 1) * row_height, dots_a_unit)
  end
  picture:fill(left, top - 6, 2, #list * row_height + 12, ink)
  picture:text(o.width // 2, 16, o.title,
               { scale = text_scale, colour = ink, align = "center" })
  picture:text(left - margin // 2, top - 28, o.unit,
               { scale = text_scale, colour = pale, align = "right" })
  return picture:tensor()
end
