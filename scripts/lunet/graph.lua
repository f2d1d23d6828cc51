-- graph.lua - a net whose layers form a graph: nn.graph(inputs, outputs).

local core = require "lunet_core"
local module = require "lunet.module"
local node = require "lunet.node"
local sequential = require "lunet.sequential"

local graph = module.class("graph", function(object, key)
  if math.type(key) == "integer" then
    local part = rawget(object, "list")[key]
    return part and part.module
  end
end)
graph.word = "graph"

local function as_list(nodes, what)
  if node.is_node(nodes) then nodes = { nodes } end
  if type(nodes) ~= "table" or #nodes == 0 then
    core.raise("nn.graph: %s must be a node or a list of nodes", what)
  end
  for i, n in ipairs(nodes) do
    if not node.is_node(n) then
      core.raise("nn.graph: %s %d is a %s, it must be a node, as nn.input{…} "
                 .. "or layer(node) give it", what, i, type(n))
    end
  end
  return nodes
end

-- All calls on the way from the inputs to the outputs, in order of creation.
local function collect(inputs, outputs)
  local known, list = {}, {}
  for i, n in ipairs(inputs) do
    if not node.is_input(n) then
      core.raise("nn.graph: input %d is no nn.input{…}", i)
    end
    known[n] = true
  end
  local function visit(n)
    if node.is_input(n) and not known[n] then
      core.raise("nn.graph: an output depends on %s, which is not among the "
                 .. "inputs", tostring(n))
    end
    if node.is_input(n) or known[n.call] then return end
    known[n.call] = true
    list[#list + 1] = n.call
    for _, before in ipairs(n.call.inputs) do visit(before) end
  end
  for _, n in ipairs(outputs) do visit(n) end
  table.sort(list, function(a, b) return a.order < b.order end)
  return list
end

-- Unnamed parts are called word_N, N from 0 in order of creation.
local function name_parts(calls)
  local list, counts, names = {}, {}, {}
  for _, call in ipairs(calls) do
    local m = call.module
    if not names[m] then
      local word = m.word
      if not m.name then
        counts[word] = (counts[word] or -1) + 1
      end
      names[m] = m.name or ("%s_%d"):format(word, counts[word])
      list[#list + 1] = { name = names[m], module = m }
    end
  end
  sequential.check_names(list)
  return list
end

-- Infers the shapes, unless an input leaves its own open.
local function build_if_known(self)
  local shapes = {}
  for i, n in ipairs(self.inputs) do
    if not n.shape then return self end
    shapes[i] = n.shape
  end
  return self:build(table.unpack(shapes))
end

-- nn.graph(inputs, outputs [, { name = … }]): a net of nodes, each one or a
-- list. nn.input{3, 32, 32} makes the first node, layer(node) the next:
--   a = nn.input{3, 32, 32}; b = nn.relu{}(a); net = nn.graph(a, b)
function graph.new(inputs, outputs, options)
  inputs = as_list(inputs, "input")
  outputs = as_list(outputs, "output")
  local calls = collect(inputs, outputs)
  return build_if_known(setmetatable({
    inputs = inputs, outputs = outputs, calls = calls,
    list = name_parts(calls), name = options and options.name,
  }, graph))
end

function graph:parts() return self.list end

function graph:n_inputs() return #self.inputs end

function graph:n_outputs() return #self.outputs end

function graph:wire(builder, values)
  local given, results = {}, {} -- values of inputs; of the outputs of calls
  for i, n in ipairs(self.inputs) do given[n] = values[i] end
  local function value_of(n) return given[n] or results[n.call][n.output] end
  local function values_of(nodes)
    local list = {}
    for i, n in ipairs(nodes) do list[i] = value_of(n) end
    return list
  end
  for _, call in ipairs(self.calls) do
    results[call] = call.module:wire(builder, values_of(call.inputs))
  end
  return values_of(self.outputs)
end

function graph:__tostring() return require("lunet.net_text")(self) end

return graph
