-- columns.lua - a table as text: the first column to the left, numbers to the
-- right.

-- columns(rows): rows are lists of texts or numbers; the first is the head.
return function(rows)
  local widths = {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do
      widths[i] = math.max(widths[i] or 0, utf8.len(tostring(cell)))
    end
  end
  local lines = {}
  for _, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      local text = tostring(cell)
      local blanks = (" "):rep(widths[i] - utf8.len(text))
      cells[i] = i == 1 and text .. blanks or blanks .. text
    end
    lines[#lines + 1] = table.concat(cells, "  "):gsub(" +$", "")
  end
  return table.concat(lines, "\n")
end
