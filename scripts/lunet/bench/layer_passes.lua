-- layer_passes.lua - the passes of a single layer, each as a call to be timed:
-- forward, the gradient of the input alone, that of the weights alone.

local lunet = require "lunet"
local net_step = require "lunet.bench.net_step"

local function numel(shape)
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  return n
end

-- Bytes that a pass must move at least: x, y and the weights, each once.
local function least_bytes(spec, mode)
  if spec.traffic then return 4 * numel(spec.x) * spec.traffic[mode] end
  return 4 * (numel(spec.x) + numel(spec.y) + spec.weights)
end

local layer_passes = { least_bytes = least_bytes }

local function inputs_of(spec)
  local x = lunet.randn(spec.x)
  if not spec.classes then return { x } end
  return { x, net_step.random_labels(spec.x[1], spec.classes) }
end

-- All backwards follow one forward, which is not timed. Gradients of weights
-- are new each time, as in a training step: added to nothing.
local function backward_pass(layer, inputs, wanted)
  layer:requires_grad(wanted)
  local y = layer:forward(table.unpack(inputs))
  local dy = not layer.loss and lunet.randn(y:shape()) or nil
  return function()
    layer:zero_grad()
    return layer:backward(dy)
  end
end

-- A list of { mode, call = }, made one after the other by next():
-- for pass in layer_passes.each(layer, inputs) do … end
function layer_passes.each(layer, inputs, trains)
  return coroutine.wrap(function()
    local pass = trains and layer.forward or layer.predict
    coroutine.yield { mode = "forward", call = function()
      return pass(layer, table.unpack(inputs))
    end }
    layer:retain_graph(true)
    coroutine.yield { mode = "backward_data", call = backward_pass(
      layer, inputs, { inputs = true, parameters = false }) }
    if #layer:parameters() == 0 then return end
    coroutine.yield { mode = "backward_weights", call = backward_pass(
      layer, inputs, { inputs = false, parameters = true }) }
  end)
end

-- The passes of a layer of the list, with flops, traffic (where memory bounds
-- it) and batch.
function layer_passes.of_workload(spec)
  local layer = lunet.nn[spec.word](spec.options)
  local passes = layer_passes.each(layer, inputs_of(spec), spec.trains)
  return function()
    local pass = passes()
    if not pass then return end
    pass.flops, pass.batch = spec.flops, spec.x[1]
    pass.traffic = spec.traffic and least_bytes(spec, pass.mode)
    return pass
  end
end

return layer_passes
