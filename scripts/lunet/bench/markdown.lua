-- markdown.lua - a table in Markdown.

-- markdown(head, rows [, words]): the first columns hold words, by default two,
-- the others numbers, which stand to the right.
return function(head, rows, words)
  words = words or 2
  local lines = { "| " .. table.concat(head, " | ") .. " |",
                  ("|---"):rep(words) .. "|" .. ("--:|"):rep(#head - words) }
  for _, row in ipairs(rows) do
    lines[#lines + 1] = "| " .. table.concat(row, " | ") .. " |"
  end
  return table.concat(lines, "\n")
end
