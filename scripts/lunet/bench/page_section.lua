-- page_section.lua - the part of a page between the lines <!-- NAME --> and
-- <!-- end of NAME -->, which a command writes.

local core = require "lunet_core"

local page_section = {}

-- The page up to the section, and from its end on; nil and a sentence where
-- there is none.
local function parts(path, name)
  local file, wrong = io.open(path)
  if not file then return nil, wrong end
  local page = file:read("a")
  file:close()
  local first, last = ("<!-- %s -->"):format(name),
                      ("<!-- end of %s -->"):format(name)
  local _, before = page:find(first .. "\n", 1, true)
  local after = page:find(last, before or 1, true)
  if before and after then return page:sub(1, before), page:sub(after) end
  return nil, ("%s has no lines %s and %s"):format(path, first, last)
end

-- Raises an error that names all of the pages that cannot be written.
function page_section.check(paths, name)
  local flaws = {}
  for _, path in ipairs(paths) do
    local fine, wrong = parts(path, name)
    if not fine then flaws[#flaws + 1] = wrong end
  end
  if #flaws > 0 then core.raise("%s", table.concat(flaws, "\n")) end
end

function page_section.write(path, name, text)
  local before, after = assert(parts(path, name))
  local file = assert(io.open(path, "w"))
  file:write(before, text, after)
  file:close()
end

return page_section
