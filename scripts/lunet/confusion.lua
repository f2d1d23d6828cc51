-- confusion.lua - which class was taken for which: a table of counts. A row
-- is a true class, a column what it was seen as; the diagonal is right. A
-- square is the darker the larger its share of its row.

local canvas = require "lunet.canvas"
local core = require "lunet_core"
local options = require "lunet.options"

local rules = {
  { "counts", "a tensor", required = true,
    example = "counts = lunet.viz.confusion(net, test).counts" },
  { "classes", "a list" },
  { "title", "a text", default = "" },
}

local right, wrong = 0x2b8a3e, 0xd9480f

local function check(o)
  local shape = o.counts:shape()
  if #shape ~= 2 or shape[1] ~= shape[2] or shape[1] == 0 then
    core.raise("picture.confusion: the counts have shape (%s), they must be "
               .. "(classes, classes): true class by seen class",
               table.concat(shape, ","))
  end
  local least = o.counts:min()
  if not (least >= 0 and o.counts:max() < math.huge) then
    core.raise("picture.confusion: the counts must be finite numbers >= 0; the "
               .. "least of these is %s, the largest %s", options.shown(least),
               options.shown(o.counts:max()))
  end
  if o.classes and #o.classes ~= shape[1] then
    core.raise("picture.confusion: %d names for %d classes", #o.classes,
               shape[1])
  end
end

-- Names of classes that are counted, as the data sets count them, from 0.
local function names_of(o)
  if o.classes then return o.classes end
  local names = {}
  for i = 1, #o.counts do names[i] = tostring(i - 1) end
  return names
end

local function widest(page, texts)
  local width = 0
  for _, text in ipairs(texts) do
    width = math.max(width, (page.text_size(tostring(text), page.scale)))
  end
  return width
end

-- Shares, too, may stand in the table.
local function number_text(number)
  return (number % 1 == 0 and "%.0f" or "%.2f"):format(number)
end

local function sum_of(numbers)
  local sum = 0
  for _, number in ipairs(numbers) do sum = sum + number end
  return sum
end

-- How the squares lie: left, top, width and height of one.
local function layout_of(counts, names, page, o)
  local texts = table.move(names, 1, #names, 1, {})
  for _, row in ipairs(counts) do
    for _, number in ipairs(row) do
      texts[#texts + 1] = number_text(number)
    end
  end
  local m, line = page.matrix, page.line_height
  local label = math.max(widest(page, names), widest(page, { "true" }))
  local titles = o.title == "" and 0 or line
  return { left = page.border + label + m.label,
           top = page.border + titles + 2 * line,
           width = widest(page, texts) + m.cell_width, height = m.cell_height,
           titles = titles }
end

local function draw_square(picture, at, row, column, number, share, page)
  local left = at.left + (column - 1) * at.width
  local top = at.top + (row - 1) * at.height
  local colour = row == column and right or wrong
  local shade = canvas.blend(0xffffff, colour, math.sqrt(share))
  if share > 0 or not page.columns then
    picture:fill(left, top, at.width - page.rim_width,
                 at.height - page.rim_width, shade, " ")
  end
  local ink = share > 0.25 and 0xffffff or 0x202020
  if page.columns and share == 0 then ink = nil end
  local text = number > 0 and number_text(number) or "·"
  if number == 0 and not page.columns then text = "." end
  picture:text(left + at.width // 2, top + page.matrix.inset, text,
               { scale = page.scale, colour = ink, align = "center" })
end

local function draw_names(picture, at, names, page, o)
  local function write(left, top, text, align)
    picture:text(left, top, tostring(text),
                 { scale = page.scale, colour = page.ink, align = align })
  end
  write(picture.width // 2, page.border, o.title, "center")
  write(at.left - page.matrix.label, at.top - page.line_height, "true",
        "right")
  write(at.left + #names * at.width // 2, page.border + at.titles, "seen as",
        "center")
  for i, name in ipairs(names) do
    write(at.left - page.matrix.label,
          at.top + (i - 1) * at.height + page.matrix.inset, name, "right")
    write(at.left + (i - 1) * at.width + at.width // 2,
          at.top - page.line_height, name, "center")
  end
end

-- confusion{ counts = tensor (K,K) [, classes = {…}, title =] }
return function(given, page)
  local o = options.check("picture.confusion", given, rules)
  check(o)
  local counts, names = o.counts:tolist(), names_of(o)
  local at = layout_of(counts, names, page, o)
  local least = page.text_size(o.title, page.scale)
  local width = math.max(at.left + #names * at.width, least) + page.border
  local picture = page.new(width, at.top + #names * at.height + page.border)
  draw_names(picture, at, names, page, o)
  for row, numbers in ipairs(counts) do
    local all = sum_of(numbers)
    for column, number in ipairs(numbers) do
      draw_square(picture, at, row, column, number,
                  all > 0 and number / all or 0, page)
    end
  end
  return picture
end
