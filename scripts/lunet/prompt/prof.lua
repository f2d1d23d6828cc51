-- prof.lua - prof(net, x): where the time of a training step goes.
--
-- Each layer of a copy of the net runs alone, on what it gets in the net for
-- the batch x, forward and backward. The net itself stays as it was.

local checkpoint = require "lunet.checkpoint"
local columns = require "lunet.bench.columns"
local core = require "lunet_core"
local options = require "lunet.options"

local least_calls, least_seconds = 3, 0.02

-- The shortest of some calls: what other programs take away is not counted.
local function seconds_of(call, prepare)
  local shortest, start, n = math.huge, core.clock(), 0
  while n < least_calls or core.clock() - start < least_seconds do
    if prepare then prepare() end
    local before = core.clock()
    call()
    shortest = math.min(shortest, core.clock() - before)
    n = n + 1
  end
  return shortest
end

-- Value of the core net -> tensor, for all that layers read.
local function inputs_of(net, x)
  local core_net, builder = net:core_net()
  local taps, given = {}, { [0] = x }
  for _, node in ipairs(builder.nodes) do
    taps[node.value] = core_net:add_tap(node.value)
  end
  net:forward(x)
  for value, tap in pairs(taps) do
    given[value] = tap:output()
    tap:remove()
  end
  return given
end

local function time_node(node, given, is_first)
  local layer, inputs = node.layer, {}
  for i, value in ipairs(node.inputs) do
    inputs[i] = given[value]
    if not inputs[i] then return nil end
  end
  layer:requires_grad { inputs = not is_first }
  local function forward() return layer:forward(table.unpack(inputs)) end
  local y = forward()
  local up = seconds_of(forward)
  if is_first and #layer:parameters() == 0 then return up, 0 end
  local dy = core.randn(y:shape())
  return up, seconds_of(function() layer:backward(dy) end, forward)
end

local function rate(flops, seconds)
  if flops == 0 or seconds == 0 then return "-" end
  return ("%.1f"):format(flops / seconds / 1e9)
end

local function milliseconds(s) return ("%.3f"):format(1e3 * s) end

local function kilobytes(bytes) return ("%.0f"):format(bytes / 1000) end

-- The rows of all layers, and the sum of their seconds.
local function measure(net, x)
  local core_net, builder = net:core_net()
  local given, names = inputs_of(net, x), {}
  net:walk(function(layer, name) names[layer] = name end)
  local list, all = {}, 0
  for i, node in ipairs(builder.nodes) do
    local up, down = time_node(node, given, i == 1)
    local name, word = names[node.layer], node.layer.word
    list[i] = { name = name == word and name or name .. " " .. word, up = up,
                down = down, info = core_net:node_info(i) }
    all = all + (up or 0) + (down or 0)
  end
  return list, all
end

local head = { "layer", "forward ms", "GFLOP/s", "backward ms", "share",
               "output kB", "kept kB", "method" }

local function row_of(r, all)
  if not r.up then return { r.name, "-", "-", "-", "-" } end
  return { r.name, milliseconds(r.up), rate(r.info.flops, r.up),
           milliseconds(r.down),
           ("%.1f %%"):format(100 * (r.up + r.down) / all),
           kilobytes(r.info.activation_bytes), kilobytes(r.info.saved_bytes),
           r.info.method }
end

-- Prints, for the batch x, a line a layer: milliseconds, GFLOP/s, memory.
return function(net, x)
  options.argument("prof", "the first argument", net, "a net",
                   "prof(net, lunet.randn{32, 1, 8, 8})")
  options.argument("prof", "the second argument", x, "a tensor",
                   "a batch, such as lunet.randn{32, 1, 8, 8}")
  net:core_net():build { x:shape() }
  local copy = checkpoint.copy(net)
  copy:core_net():build { x:shape() }
  local list, all = measure(copy, x)
  local rows, up, down = { head }, 0, 0
  for i, r in ipairs(list) do
    rows[i + 1] = row_of(r, all)
    up, down = up + (r.up or 0), down + (r.down or 0)
  end
  rows[#rows + 1] = { "all layers", milliseconds(up), "", milliseconds(down) }
  print(columns(rows))
end
