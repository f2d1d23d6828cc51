-- profile.lua - `lunet bench --profile NET`: where the time of a training step
-- goes, layer by layer.
--
-- Each layer runs alone, on random numbers of the shapes it has in the net;
-- the last line is the net as a whole. What the two differ by is what the
-- engine adds, or saves by running layers together.
--
-- A net has dozens of layers and two passes of each, so a pass gets a few
-- short samples and is never tried again: enough to see which layers matter.

local lunet = require "lunet"
local columns = require "lunet.bench.columns"
local sample = require "lunet.bench.sample"

local hurry = { reps = 5, max_s = 0.05, tries = 1, warm_up = 0.005,
                shortest = 0.002 }

local function seconds_of(call)
  return sample.median(sample.run(call, hurry).seconds)
end

-- Seconds of forward and backward of a module; inputs: a list of tensors.
local function time_passes(module, inputs)
  local y = module:retain_graph(true):forward(table.unpack(inputs))
  local dy = lunet.rand(y:shape()) - 0.5
  local function forward() return module:forward(table.unpack(inputs)) end
  local function backward() return module:backward(dy) end
  return seconds_of(forward), seconds_of(backward)
end

local function random_inputs(core_net, values)
  local list = {}
  for i, value in ipairs(values) do
    list[i] = lunet.rand(core_net:shape(value)) - 0.5
  end
  return list
end

-- A layer without a gradient to compute has no backward pass.
local function time_node(core_net, node, is_first)
  local layer = node.layer
  local inputs = random_inputs(core_net, node.inputs)
  layer:requires_grad { inputs = not is_first }
  if is_first and #layer:parameters() == 0 then
    local function forward() return layer:forward(table.unpack(inputs)) end
    return seconds_of(forward), 0
  end
  return time_passes(layer, inputs)
end

local function rate(flops, seconds)
  if flops == 0 or seconds == 0 then return "-" end
  return ("%.1f"):format(flops / seconds / 1e9)
end

local function kilobytes(bytes) return ("%.0f"):format(bytes / 1024) end

-- The operations of backward: as declared, or twice those of forward, which a
-- first layer only needs half of.
local function backward_flops(info, is_first)
  local all = info.flops_backward > 0 and info.flops_backward or
              2 * info.flops
  return is_first and all / 2 or all
end

local function row_of(name, info, forward, backward, share, is_first)
  return { name, "(" .. table.concat(info.shape, ",") .. ")",
           ("%.1f"):format(1e6 * forward), rate(info.flops, forward),
           ("%.1f"):format(1e6 * backward),
           rate(backward_flops(info, is_first), backward),
           ("%.1f %%"):format(100 * share), kilobytes(info.activation_bytes),
           kilobytes(info.saved_bytes), kilobytes(info.workspace_bytes),
           info.method }
end

local function sum_row(name, forward, backward)
  return { name, "", ("%.1f"):format(1e6 * forward), "",
           ("%.1f"):format(1e6 * backward) }
end

-- A list of { name, info, forward, backward } and the sums of both times.
local function time_nodes(net)
  local core_net, builder = net:core_net()
  local list, forward, backward = {}, 0, 0
  local names = {}
  net:walk(function(layer, name) names[layer] = name end)
  for i, node in ipairs(builder.nodes) do
    local f, b = time_node(core_net, node, i == 1)
    local word, name = node.layer.word, names[node.layer]
    list[i] = { name = name == word and name or name .. " " .. word,
                info = core_net:node_info(i), forward = f, backward = b }
    forward, backward = forward + f, backward + b
  end
  return list, forward, backward
end

return function(o)
  lunet.set_num_threads(o.threads[1])
  local net = lunet.zoo[o.profile] {}
  local shape = net:core_net():shape(0)
  shape[1] = o.batch
  net:core_net():build { shape }
  local x = lunet.randn(shape)
  local net_forward, net_backward = time_passes(net, { x })
  local list, forward, backward = time_nodes(net)

  local rows = { { "layer", "output", "forward us", "GFLOP/s", "backward us",
                   "GFLOP/s", "share", "y KB", "kept KB", "work KB",
                   "method" } }
  for i, r in ipairs(list) do
    local share = (r.forward + r.backward) / (forward + backward)
    rows[#rows + 1] = row_of(r.name, r.info, r.forward, r.backward, share,
                             i == 1)
  end
  rows[#rows + 1] = sum_row("sum of the layers, each alone", forward, backward)
  rows[#rows + 1] = sum_row("the net as a whole", net_forward, net_backward)
  print(("%s, batch %d, threads: %d"):format(o.profile, o.batch, o.threads[1]))
  print(columns(rows))
  return true
end
