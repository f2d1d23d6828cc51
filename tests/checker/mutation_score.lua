-- mutation_score.lua - how many of the faulty plugins does check-plugin find?
--
--   build/lunet tests/checker/mutation_score.lua [PATTERN]
--
-- prints a line for each that is not found by the check meant for it, and the
-- score at the end.
package.path = "tests/?.lua;" .. package.path
local faulty = require "checker.faulty"

local pattern = arg[1] or ""
local total, caught, elsewhere = 0, 0, 0

local function words(set)
  local list = {}
  for word in pairs(set) do list[#list + 1] = word end
  table.sort(list)
  return #list > 0 and table.concat(list, ", ") or "nothing"
end

for _, name in ipairs(faulty.names()) do
  if name:find(pattern) then
    local meant = faulty.meant_for(name)
    local found = faulty.check(name)
    total = total + 1
    if found[meant] then
      caught = caught + 1
    else
      if next(found) then elsewhere = elsewhere + 1 end
      print(("%s: meant for %s, found by %s"):format(name, meant, words(found)))
    end
  end
end

if total == 0 then
  print(("no faulty plugin is called like '%s'"):format(pattern))
  os.exit(1)
end
print(("%d of %d faulty plugins are found by the check meant for them: %.1f %%")
  :format(caught, total, 100 * caught / total))
print(("%d more are found by another check"):format(elsewhere))
