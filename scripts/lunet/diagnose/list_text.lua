-- list_text.lua - "a, b and c", of a long list "a, b and 7 more".

local most = 3

return function(names)
  if #names == 1 then return names[1] end
  local kept = #names <= most and #names - 1 or most - 1
  local last = #names <= most and names[#names] or
               ("%d more"):format(#names - kept)
  return table.concat(names, ", ", 1, kept) .. " and " .. last
end
