-- checkpoint.lua - a whole net in one .safetensors file: the tensors under
-- their names, and in the metadata the graph, the options and the counters of
-- random numbers, as JSON: with the same seed a dropout goes on where it was.
-- Equal nets give equal bytes.

local core = require "lunet_core"
local graph = require "lunet.graph"
local layer = require "lunet.layer"
local node = require "lunet.node"
local sequential = require "lunet.sequential"

local checkpoint = {}

local FORMAT = 1

-- ---- from a net to its description ---------------------------------------

local describe = {}

-- A module that was described already is named by its number.
local function describe_module(m, seen)
  if seen[m] then return { kind = "shared", number = seen[m] } end
  seen.count = seen.count + 1
  seen[m] = seen.count
  local kind = m.core_layer and "layer" or m.word
  local d = describe[kind](m, seen)
  d.kind, d.name = kind, m.name
  return d
end

function describe.layer(m)
  return { word = m.word, options = m.core_layer:options(),
           step = m.core_layer:step(),
           random_user = m.core_layer:random_user() }
end

function describe.sequential(m, seen)
  local parts = {}
  for i, part in ipairs(m.list) do
    parts[i] = describe_module(part.module, seen)
  end
  return { parts = parts }
end

-- A node is named by two numbers: input or call, inputs first, and output.
function describe.graph(m, seen)
  local number, inputs, calls = {}, {}, {}
  local function named(nodes)
    local list = {}
    for i, n in ipairs(nodes) do
      list[i] = { number[n.call or n], n.output or 1 }
    end
    return list
  end
  for i, n in ipairs(m.inputs) do
    number[n], inputs[i] = i, n.shape or false -- false: left open
  end
  for i, call in ipairs(m.calls) do
    calls[i] = { module = describe_module(call.module, seen),
                 inputs = named(call.inputs) }
    number[call] = #inputs + i
  end
  return { inputs = inputs, calls = calls, outputs = named(m.outputs) }
end

function checkpoint.save(net, path)
  if type(path) ~= "string" or not path:match("%.safetensors$") then
    core.raise("save: a net is written to a .safetensors file, not to %s",
               tostring(path))
  end
  local described = describe_module(net, { count = 0 })
  local metadata = core.json_encode {
    lunet = core.json_encode { format = FORMAT, net = described },
  }
  core.save_safetensors(path, net:state(), metadata)
end

-- ---- from the description to a net ---------------------------------------

local rebuild = {}

local function rebuild_module(d, made)
  if d.kind == "shared" then return made[d.number] end
  if not rebuild[d.kind] then
    core.raise("nn.load: the file describes a part of kind '%s'; this version "
               .. "knows layer, sequential, graph and shared",
               tostring(d.kind))
  end
  made.count = made.count + 1
  local number = made.count
  local m = rebuild[d.kind](d, made)
  made[number] = m
  return m
end

function rebuild.layer(d)
  local options = d.options
  options.name = d.name
  local m = layer.new(d.word, options)
  m.core_layer:set_step(d.step)
  if d.random_user then m.core_layer:set_random_user(d.random_user) end
  return m
end

function rebuild.sequential(d, made)
  local parts = { name = d.name }
  for i, part in ipairs(d.parts) do parts[i] = rebuild_module(part, made) end
  return sequential.new(parts)
end

function rebuild.graph(d, made)
  local results, inputs = {}, {} -- of inputs and calls: their nodes
  local function nodes(list)
    local found = {}
    for i, at in ipairs(list) do found[i] = results[at[1]][at[2]] end
    return found
  end
  for i, shape in ipairs(d.inputs) do
    inputs[i] = node.input(shape or nil)
    results[i] = { inputs[i] }
  end
  for i, call in ipairs(d.calls) do
    local m = rebuild_module(call.module, made)
    results[#inputs + i] = { node.apply(m, table.unpack(nodes(call.inputs))) }
  end
  return graph.new(inputs, nodes(d.outputs), { name = d.name })
end

local function read_description(path, metadata)
  local text = metadata and core.json_decode(metadata).lunet
  if not text then
    core.raise("%s holds tensors, but no net\n  lunet.load reads the tensors; "
               .. "net:load_state puts them into a net", path)
  end
  local d = core.json_decode(text)
  if d.format ~= FORMAT then
    core.raise("%s has net format %s; this version reads format %d", path,
               tostring(d.format), FORMAT)
  end
  return d.net
end

function checkpoint.load(path)
  local tensors, metadata = core.load_safetensors(path)
  local net = rebuild_module(read_description(path, metadata), { count = 0 })
  net:load_state(tensors, { strict = true })
  return net
end

-- A net of its own with the same layers, weights and state.
function checkpoint.copy(net)
  local copy = rebuild_module(describe_module(net, { count = 0 }),
                              { count = 0 })
  copy:load_state(net:state(), { strict = true })
  return copy
end

return checkpoint
