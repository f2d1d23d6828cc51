-- zoo.lua - well-known networks, one file each in scripts/zoo.
--
--   net = lunet.zoo.resnet18 { classes = 10, shape = { 3, 64, 64 } }
--
-- gives an untrained net of that form, and the shape of its pictures as a
-- second result; lunet.zoo.names() lists what there is.

local core = require "lunet_core"

local zoo = {}

local folder = core.folder .. "/../zoo/"

-- The names of the nets that are there.
function zoo.names()
  local names = {}
  for _, file in ipairs(core.list_folder(folder) or {}) do
    names[#names + 1] = file:match("^([%w_]+)%.lua$")
  end
  return names
end

local function refuse(name)
  local names = zoo.names()
  local nearest = core.nearest(tostring(name), names)
  core.raise("the zoo has no '%s'%s\n  it has: %s", tostring(name),
             nearest and ("; did you mean '%s'?"):format(nearest) or "",
             table.concat(names, ", "))
end

local function has(name)
  for _, other in ipairs(zoo.names()) do
    if other == name then return true end
  end
  return false
end

return setmetatable(zoo, {
  __index = function(_, name)
    if not has(name) then refuse(name) end
    local make = dofile(folder .. name .. ".lua")
    zoo[name] = make
    return make
  end,
  __names = function() return { "names", table.unpack(zoo.names()) } end,
})
