-- node.lua - the nodes of which nn.graph makes a net: nn.input{…}, and what
-- calling a layer on nodes gives.

local core = require "lunet_core"

local node = { __name = "node" }
node.__index = node

local created = 0 -- nodes so far: their order is that of creation

local function new(fields)
  created = created + 1
  fields.order = created
  return setmetatable(fields, node)
end

function node.is_node(v) return getmetatable(v) == node end

-- An input of a graph; shape of one item, without the batch.
function node.input(shape)
  if type(shape) ~= "table" then
    core.raise("nn.input takes the shape of one item, such as nn.input{3, 32, "
               .. "32}; got %s", type(shape))
  end
  for i, size in ipairs(shape) do
    if math.type(size) ~= "integer" or size < 1 then
      core.raise("nn.input: size %d is %s; sizes are whole numbers >= 1", i,
                 tostring(size))
    end
  end
  return new { shape = shape }
end

-- A module called on nodes.
function node.apply(module, ...)
  local inputs = { ... }
  for i = 1, select("#", ...) do
    if not node.is_node(inputs[i]) then
      core.raise("input %d is a %s, but the first is a node of a graph: a call "
                 .. "takes either nodes or tensors", i, type(inputs[i]))
    end
  end
  return new { module = module, inputs = inputs }
end

function node:__tostring()
  if self.shape then
    return ("nn.input{%s}"):format(table.concat(self.shape, ", "))
  end
  return ("node of %s"):format(self.module.word or "a net")
end

return node
