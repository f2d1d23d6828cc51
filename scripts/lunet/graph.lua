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

-- All nodes on the way from the inputs to the outputs, in order of creation.
local function collect(inputs, outputs)
  local known, list = {}, {}
  for i, n in ipairs(inputs) do
    if not n.shape then
      core.raise("nn.graph: input %d is no nn.input{…}", i)
    end
    known[n] = true
  end
  local function visit(n)
    if known[n] then return end
    if n.shape then
      core.raise("nn.graph: an output depends on %s, which is not among the "
                 .. "inputs", tostring(n))
    end
    known[n] = true
    list[#list + 1] = n
    for _, before in ipairs(n.inputs) do visit(before) end
  end
  for _, n in ipairs(outputs) do visit(n) end
  table.sort(list, function(a, b) return a.order < b.order end)
  return list
end

-- Unnamed parts are called word_N, N from 0 in order of creation.
local function name_parts(nodes)
  local list, counts, names = {}, {}, {}
  for _, n in ipairs(nodes) do
    local m = n.module
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

function graph.new(inputs, outputs, options)
  inputs = as_list(inputs, "input")
  outputs = as_list(outputs, "output")
  local nodes = collect(inputs, outputs)
  local self = setmetatable({
    inputs = inputs, outputs = outputs, nodes = nodes,
    list = name_parts(nodes), name = options and options.name,
  }, graph)
  local shapes = {}
  for i, n in ipairs(inputs) do shapes[i] = n.shape end
  return self:build(table.unpack(shapes))
end

function graph:parts() return self.list end

function graph:n_inputs() return #self.inputs end

function graph:wire(builder, values)
  local value = {}
  for i, n in ipairs(self.inputs) do value[n] = values[i] end
  for _, n in ipairs(self.nodes) do
    local given = {}
    for i, before in ipairs(n.inputs) do given[i] = value[before] end
    value[n] = n.module:wire(builder, given)[1]
  end
  local results = {}
  for i, n in ipairs(self.outputs) do results[i] = value[n] end
  return results
end

local function names_of(self)
  local names = {}
  for _, part in ipairs(self.list) do names[part.module] = part.name end
  return names
end

function graph:__tostring()
  local names, numbers = names_of(self), {}
  local lines = { "nn.graph" }
  for i, n in ipairs(self.inputs) do
    numbers[n] = "x" .. i
    lines[#lines + 1] = ("  x%d = %s"):format(i, tostring(n))
  end
  for i, n in ipairs(self.nodes) do
    numbers[n] = "v" .. i
    local given = {}
    for k, before in ipairs(n.inputs) do given[k] = numbers[before] end
    lines[#lines + 1] = ("  v%d = %s(%s)  -- %s"):format(
      i, names[n.module], table.concat(given, ", "),
      tostring(n.module):match("[^\n]*"))
  end
  local results = {}
  for i, n in ipairs(self.outputs) do results[i] = numbers[n] end
  lines[#lines + 1] = "  gives " .. table.concat(results, ", ")
  return table.concat(lines, "\n")
end

return graph
