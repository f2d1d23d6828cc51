-- combinations.lua - every combination of some values of some options.
--
--   for options in combinations { stride = { 1, 2 }, bias = { true, false } }
--
-- gives the four tables of options, one after the other.

-- All ways to extend `options` by the names from number i on.
local function extend(names, values, i, options)
  local name = names[i]
  if not name then
    local copy = {}
    for key, value in pairs(options) do copy[key] = value end
    coroutine.yield(copy)
    return
  end
  for _, value in ipairs(values[name]) do
    options[name] = value
    extend(names, values, i + 1, options)
  end
end

return function(values)
  local names = {}
  for name in pairs(values) do names[#names + 1] = name end
  table.sort(names)
  return coroutine.wrap(function() extend(names, values, 1, {}) end)
end
