-- columns.lua - a table as text: the first column to the left, numbers to the
-- right.

-- columns(rows): rows are lists of texts or numbers; the first is the head. The
-- last cell of a row that is shorter is a remark, and runs on to the right.
return function(rows)
  local widths = {}
  local function is_remark(row, i) return i == #row and #row < #rows[1] end
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do
      if not is_remark(row, i) then
        widths[i] = math.max(widths[i] or 0, utf8.len(tostring(cell)))
      end
    end
  end
  local lines = {}
  for _, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      local text = tostring(cell)
      local blanks = (" "):rep(widths[i] - utf8.len(text))
      local left = i == 1 or is_remark(row, i)
      cells[i] = left and text .. blanks or blanks .. text
    end
    lines[#lines + 1] = table.concat(cells, "  "):gsub(" +$", "")
  end
  return table.concat(lines, "\n")
end
