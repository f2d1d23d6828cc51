-- sequential.lua - modules one after another.

local core = require "lunet_core"
local module = require "lunet.module"

-- net[1] is the first part.
local sequential = module.class("sequential", function(object, key)
  if math.type(key) == "integer" then
    local part = rawget(object, "list")[key]
    return part and part.module
  end
end)
sequential.word = "sequential"

function sequential:__len() return #self.list end

-- Is it a layer or a net?
local function is_module(v)
  return type(v) == "table" and type(v.wire) == "function"
end

-- Refuses two parts of one name; the same part twice is shared, not doubled.
function sequential.check_names(list)
  local seen = {}
  for i, part in ipairs(list) do
    local other = seen[part.name]
    if other and other.module ~= part.module then
      core.raise("two parts are called '%s' (%d and %d); names must differ",
                 part.name, other.place, i)
    end
    seen[part.name] = { module = part.module, place = i }
  end
end

-- nn.sequential{ layer, layer, … [, name = "features"] }: each gets what the
-- one before it gives. net[1] is the first part, #net their number.
function sequential.new(parts)
  if type(parts) ~= "table" or is_module(parts) then
    core.raise("nn.sequential takes a list of layers: nn.sequential{ "
               .. "nn.conv2d{ … }, nn.relu{} }")
  end
  local list, places = {}, {}
  for key in pairs(parts) do
    if key ~= "name" and math.type(key) ~= "integer" then
      core.raise("nn.sequential has no option '%s'; it takes layers and a name",
                 tostring(key))
    end
  end
  for i = 1, #parts do
    if not is_module(parts[i]) then
      core.raise("nn.sequential: part %d is a %s, it must be a layer or a "
                 .. "net%s",
                 i, type(parts[i]), type(parts[i]) == "function" and
                 "; call it: nn.relu{}" or "")
    end
    -- the place counts from 0, as in PyTorch's files
    local name = places[parts[i]] or parts[i].name or tostring(i - 1)
    places[parts[i]] = name
    list[i] = { name = name, module = parts[i] }
  end
  sequential.check_names(list)
  return setmetatable({ list = list, name = parts.name }, sequential)
end

function sequential:parts() return self.list end

function sequential:n_inputs()
  local first = self.list[1]
  return first and first.module:n_inputs() or 1
end

function sequential:n_outputs()
  local last = self.list[#self.list]
  return last and last.module:n_outputs() or 1
end

function sequential:wire(builder, values)
  for _, part in ipairs(self.list) do
    values = part.module:wire(builder, values)
  end
  return values
end

function sequential:__tostring() return require("lunet.net_text")(self) end

return sequential
