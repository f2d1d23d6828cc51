-- legend.lua - the names of what a chart shows, above its right end, in as many
-- rows as they need.

local cut_text = require "lunet.cut_text"

local legend = {}

-- names: a list of texts, of which empty ones are left out. o: y_title and
-- width of the chart, sample: the room for one of the line in front of a name,
-- between: the room between two names. Returns the rows, each a list of
-- { number, text, width }, and what they need above a single row, in dots.
function legend.rows(names, o, page)
  local layout, rows, used = page.chart, {}, math.huge
  local room = o.width - layout.right - layout.y_title - o.between
    - page.text_size(o.y_title, page.scale)
  for number, name in ipairs(names) do
    local text = cut_text(name, room - o.sample, page)
    local width = page.text_size(text, page.scale) + o.sample
    if name ~= "" then
      if used + o.between + width > room then
        rows[#rows + 1], used = {}, -o.between
      end
      used = used + o.between + width
      table.insert(rows[#rows], { number = number, text = text, width = width })
    end
  end
  return rows, math.max(0, #rows - 1) * page.line_height
end

-- Writes the names, from `right` to the left, the last row at `bottom`. `look`
-- gives a name's colour; draw_sample(number, left, top), where given, draws in
-- front of it.
function legend.draw(picture, rows, right, bottom, o, page, look, draw_sample)
  for i, row in ipairs(rows) do
    local left, top = right, bottom - (#rows - i) * page.line_height
    for k = #row, 1, -1 do
      local item = row[k]
      picture:text(left, top, item.text, { scale = page.scale, align = "right",
                                           colour = look(item.number) })
      left = left - item.width
      if draw_sample then draw_sample(item.number, left, top) end
      left = left - o.between
    end
  end
end

return legend
