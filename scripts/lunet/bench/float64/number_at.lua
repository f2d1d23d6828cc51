-- number_at.lua - the number of a nested list at a place.

local function number_at(list, i, ...)
  if not i then return list end
  return number_at(list[i], ...)
end

return number_at
