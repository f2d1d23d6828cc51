-- node.lua - the nodes of which nn.graph makes a net: nn.input{…}, and what
-- calling a layer on nodes gives.
--
-- A node is one output of a call: node.call = { module, inputs, order }, and
-- node.output says which, from 1. An input has no call, but the shape of one
-- item, if that is known.

local core = require "lunet_core"

local node = { __name = "node" }
node.__index = node

local calls = 0 -- so far: their order is that of creation

function node.is_node(v) return getmetatable(v) == node end

function node.is_input(v) return node.is_node(v) and v.call == nil end

-- An input of a graph; shape of one item, without the batch. Left out, it is
-- left open: such a graph becomes a part of a net, which tells its shapes.
function node.input(shape)
  if shape == nil then return setmetatable({}, node) end
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
  return setmetatable({ shape = shape }, node)
end

-- A module called on nodes: as many nodes as it has outputs.
function node.apply(module, ...)
  local inputs = { ... }
  for i = 1, select("#", ...) do
    if not node.is_node(inputs[i]) then
      core.raise("input %d is a %s, but the first is a node of a graph: a call "
                 .. "takes either nodes or tensors", i, type(inputs[i]))
    end
  end
  calls = calls + 1
  local call, outputs = { module = module, inputs = inputs, order = calls }, {}
  for i = 1, module:n_outputs() do
    outputs[i] = setmetatable({ call = call, output = i }, node)
  end
  return table.unpack(outputs)
end

function node:__tostring()
  if node.is_input(self) then
    return self.shape and ("nn.input{%s}"):format(
      table.concat(self.shape, ", ")) or "nn.input()"
  end
  return ("a node of %s"):format(self.call.module.word)
end

return node
