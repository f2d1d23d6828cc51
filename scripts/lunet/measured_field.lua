-- measured_field.lua - which pixels a unit of a layer sees, measured: the
-- gradient of that unit is sent back to the input, and arrives there.
--
-- What arrives must be 0 where, and only where, nothing is seen. So the layers
-- are asked one by one, from the unit's back to the first, each as it stands
-- in the net, but
--   - all weights are 1 for the while, so that nothing cancels;
--   - from one layer to the next only goes whether a gradient is 0, so that a
--     deep net does not lose it to rounding;
--   - max pooling hands its gradient to the winner alone, so each layer is
--     asked twice: with inputs that grow towards the end of the image, where
--     the last place of each window wins, and with inputs that shrink, where
--     the first wins. What lies between the two is seen as well.
-- All channels of the unit's place are asked at once. Dropout and batch norm
-- behave as in evaluation.

local core = require "lunet_core"
local options = require "lunet.options"
local receptive_field = require "lunet.receptive_field"

local measured_field = {}

-- ---- tensors -------------------------------------------------------------

local function count_of(shape)
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  return n
end

-- Numbers in (0, 1] that grow row by row, or shrink.
local function ramp(shape, grows)
  local n = count_of(shape)
  local places = core.arange(n)
  return ((grows and places + 1 or n - places) / n):view(shape)
end

-- 1, 2, 3, 1, … along each dim where the mask is 1: unequal, so that a softmax,
-- which sees differences only, passes them on; whole, so that sums are exact.
local function unequal(mask)
  local shape, places = mask:shape(), 0
  for d, size in ipairs(shape) do
    local along = {}
    for other = 1, #shape do along[other] = other == d and size or 1 end
    places = core.arange(size):view(along) + places
  end
  return mask * (places - (places / 3):floor() * 3 + 1)
end

-- A mask of the unit at the place {y, x}, of all channels.
local function mask_of_unit(shape, place)
  local mask = core.zeros(shape)
  local unit = mask
  for i, p in ipairs(place) do unit = unit:narrow(i + 2, p, 1) end
  unit:fill(1)
  return mask
end

-- ---- one layer -----------------------------------------------------------

-- Makes a layer plain for the while of f: weights 1, evaluation, no gradients
-- of weights. Whatever happens, it is put back.
local function with_plain_layer(layer, f)
  local core_layer, kept = layer.core_layer, {}
  local training, frozen = core_layer:training(), core_layer:frozen()
  local step = core_layer:step()
  for _, t in ipairs(core_layer:tensors()) do
    if t.trained then
      kept[t.value] = t.value:clone()
      t.value:fill(1)
    end
  end
  core_layer:set_training(false)
  core_layer:set_frozen(true)
  local results = table.pack(pcall(f))
  for value, before in pairs(kept) do value:copy(before) end
  core_layer:set_training(training)
  core_layer:set_frozen(frozen)
  core_layer:set_step(step)
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

local function net_of_one(node)
  local net, values = core.net(), {}
  for i = 1, #node.inputs do values[i] = net:add_input() end
  local first, n = net:add_layer(node.layer.core_layer, node.label, values)
  local outputs = {}
  for i = 1, n do outputs[i] = first + i - 1 end
  net:set_outputs(outputs)
  net:requires_grad(true)
  return net
end

local function shapes_of(core_net, values)
  local shapes = {}
  for i, value in ipairs(values) do shapes[i] = core_net:shape(value) end
  return shapes
end

local function ask_once(node, shapes, dy, grows)
  local net, x = net_of_one(node), {}
  for i, shape in ipairs(shapes) do x[i] = ramp(shape, grows) end
  net:forward(table.unpack(x))
  return { net:backward(table.unpack(dy, 1, node.n_outputs)) }
end

-- Adds to the masks of a node's inputs what its outputs' masks reach.
local function send_back(core_net, node, masks)
  local shapes, dy = shapes_of(core_net, node.inputs), {}
  for k = 1, node.n_outputs do
    local mask = masks[node.value + k - 1]
    dy[k] = mask and unequal(mask)
  end
  if next(dy) == nil then return end
  with_plain_layer(node.layer, function()
    for _, grows in ipairs { true, false } do
      local dx = ask_once(node, shapes, dy, grows)
      for k, value in ipairs(node.inputs) do
        local reached = dx[k]:ne(0)
        local before = masks[value]
        masks[value] = before and before:maximum(reached) or reached
      end
    end
  end)
end

-- ---- the whole -----------------------------------------------------------

-- Along dim d: the first and last place of a 1, nil where there is none.
local function ends_along(mask, d)
  for other = mask:dim(), 1, -1 do
    if other ~= d then mask = mask:max(other) end
  end
  local first, last
  for i, seen in ipairs(mask:tolist()) do
    if seen > 0 then first, last = first or i, i end
  end
  return first, last
end

local function box_of(mask)
  local box = { first = {}, last = {}, size = {} }
  for d = 3, mask:dim() do
    local first, last = ends_along(mask, d)
    if not first then return nil end
    box.first[d - 2], box.last[d - 2] = first, last
    box.size[d - 2] = last - first + 1
  end
  return box
end

-- The place asked for, in the middle where it was left out.
local function complete_place(shape, place)
  local complete = {}
  for d = 3, #shape do
    local p = place[d - 2] or (shape[d] + 1) // 2
    if math.type(p) ~= "integer" or p < 1 or p > shape[d] then
      local word = d == #shape and #shape > 3 and "column" or "row"
      core.raise("measured_receptive_field: there is no unit in %s %s; the "
                 .. "layer has the %ss 1 to %d", word, options.shown(p), word,
                 shape[d])
    end
    complete[d - 2] = p
  end
  return complete
end

function measured_field.measured(net, number, place, input)
  receptive_field.check_input(net, input)
  local core_net, builder = net:core_net()
  if not receptive_field.of_nodes(net, input) then
    receptive_field.refuse_no_image(net, input)
  end
  number = number or #builder.nodes
  local value = builder.nodes[number].value
  local shape = core_net:shape(value)
  local masks = { [value] = mask_of_unit(shape, complete_place(shape, place)) }
  for i = number, 1, -1 do send_back(core_net, builder.nodes[i], masks) end
  local seen = masks[input - 1]
  return seen and box_of(seen)
end

return measured_field
