-- one_layer.lua - a layer by itself: what it gives for an input, which window
-- it looks through, how its weights meet the input, and the slopes of one of
-- its outputs. What the explanations share.

local core = require "lunet_core"
local options = require "lunet.options"

local one_layer = {}

local function check_layer(layer, what)
  if rawget(layer, "core_layer") then return end
  core.raise("%s works on one layer, got a %s", what, layer.word)
end

local function list_of(x, what)
  local list = type(x) == "table" and not x.forward and x or { x }
  for i, t in ipairs(list) do
    options.argument(what, "input " .. i, t, "a tensor")
  end
  if #list == 0 then core.raise("%s needs an input x", what) end
  return list
end

-- Runs the layer in a context of its own, in evaluation mode, and gives what
-- `use(net, info, y)` does. Nothing of the layer is changed by it.
function one_layer.run(layer, x, what, use)
  check_layer(layer, what)
  local inputs = list_of(x, what)
  local net, values = core.net(), {}
  for i = 1, #inputs do values[i] = net:add_input() end
  local first = net:add_layer(layer.core_layer, layer.word, values)
  net:set_outputs { first }
  net:requires_grad(true)
  local training = layer.core_layer:training()
  local frozen, step = layer.core_layer:frozen(), layer.core_layer:step()
  layer.core_layer:set_training(false)
  layer.core_layer:set_frozen(true)
  local results = table.pack(pcall(function()
    local shapes = {}
    for i, t in ipairs(inputs) do shapes[i] = t:shape() end
    net:build(shapes)
    local y = net:forward(table.unpack(inputs))
    return use(net, net:node_info(1), y, inputs)
  end))
  layer.core_layer:set_training(training)
  layer.core_layer:set_frozen(frozen)
  layer.core_layer:set_step(step)
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

-- The element of t at this place.
function one_layer.at(t, place)
  for _, i in ipairs(place) do t = t[i] end
  return type(t) == "number" and t or t:item()
end

-- The part of t at this place.
function one_layer.part(t, place)
  for _, i in ipairs(place) do t = t[i] end
  return t
end

-- The place of the j-th element, row by row, in a tensor of this shape.
function one_layer.unravel(j, shape)
  local place, left = {}, j - 1
  for d = #shape, 1, -1 do
    place[d] = left % shape[d] + 1
    left = left // shape[d]
  end
  return place
end

-- The place in a tensor of this shape; what is left out in front is 1.
function one_layer.place(place, shape, what, letters)
  if type(place) ~= "table" or #place > #shape or #place == 0 then
    core.raise("%s: the place must be a list of up to %d numbers %s, counted "
               .. "from 1, such as {%s}", what, #shape, letters,
               ("1, "):rep(#shape):sub(1, -3))
  end
  local complete, ahead = {}, #shape - #place
  for d, size in ipairs(shape) do
    local i = d <= ahead and 1 or place[d - ahead]
    if math.type(i) ~= "integer" or i < 1 or i > size then
      core.raise("%s: place %s along dim %d is not there; the shape is (%s), "
                 .. "places count from 1", what, tostring(i), d,
                 table.concat(shape, ","))
    end
    complete[d] = i
  end
  return complete
end

-- ---- how weights meet the input --------------------------------------------

local function only_weight_and_bias(layer)
  for _, t in ipairs(layer.core_layer:tensors()) do
    if t.name ~= "weight" and t.name ~= "bias" then return false end
  end
  return layer.weight ~= nil
end

-- Are the last sizes of the shape the window's?
local function ends_with_window(shape, window)
  for i, axis in ipairs(window) do
    if shape[#shape - #window + i] ~= axis.kernel then return false end
  end
  return true
end

-- Told by the shapes alone, so that it holds for anyone's layer:
--   "shared"    weight (K, C/G, KH, KW), a convolution
--   "unshared"  weight (OH, OW, K, C, KH, KW), locally connected
--   "dense"     weight (K, C) on x (N, C)
-- nil: in no such way.
function one_layer.kind(layer, info, x)
  if not only_weight_and_bias(layer) then return nil end
  local w, y, axes = layer.weight:shape(), info.shape, info.window
  if not axes then
    local dense = #w == 2 and #y == 2 and w[1] == y[2] and x:dim() == 2 and
                  w[2] == x:shape()[2]
    return dense and "dense" or nil
  end
  if not ends_with_window(w, axes) then return nil end
  if #w == #axes + 2 and w[1] == y[2] then return "shared" end
  if #w == 2 * #axes + 2 and w[#axes + 1] == y[2] then return "unshared" end
end

-- ---- windows ---------------------------------------------------------------

-- Calls visit(offset) for each place of the window, from { 1, 1 } on, row by
-- row.
function one_layer.each_offset(window, visit)
  local offset = {}
  local function walk(axis)
    if axis > #window then return visit(table.move(offset, 1, axis, 1, {})) end
    for i = 1, window[axis].kernel do
      offset[axis] = i
      walk(axis + 1)
    end
  end
  walk(1)
end

-- Where the window of output `o` (from { 1, 1 }) meets the input with this
-- offset; and whether that is inside an image of these sizes.
function one_layer.pixel(window, o, offset, sizes)
  local pixel, inside = {}, true
  for i, axis in ipairs(window) do
    pixel[i] = (o[i] - 1) * axis.stride - axis.pad_before
      + (offset[i] - 1) * axis.dilation + 1
    inside = inside and pixel[i] >= 1 and pixel[i] <= sizes[i]
  end
  return pixel, inside
end

-- The sizes of an image in a shape (N,C,H,W): { H, W }.
function one_layer.image(shape) return table.move(shape, 3, #shape, 1, {}) end

return one_layer
