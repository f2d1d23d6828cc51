-- guided_backpropagation.lua - the gradient of the score, where each rectifier
-- hands back only what is positive, on the way up and on the way down:
--
--   dx = dy  where x > 0 and dy > 0,  else 0
--
-- A sharper picture than the gradient. It shows what the filters respond to
-- more than what the decision rests on (see sanity_check.lua).
--
-- Source: Springenberg, Dosovitskiy, Brox and Riedmiller, "Striving for
-- simplicity: the all convolutional net", 2014.

local core = require "lunet_core"
local maps = require "lunet.viz.maps"
local one_layer = require "lunet.explain.one_layer"
local options = require "lunet.options"
local pass = require "lunet.viz.pass"

local rules = { { "class", "any" } }

-- A rectifier is told by what it does: it has no parameters, turns -1 to 0 and
-- lets 2 pass; so anyone's own relu is one, too.
local function is_rectifier(layer, shapes)
  local shape = shapes[1]
  if #shapes > 1 or #layer.core_layer:tensors() > 0 then return false end
  shape[1] = 1
  local works, low, high = pcall(function()
    local function probe(value)
      local x = core.full(shape, value)
      return one_layer.run(layer, x, "probe", function(_, _, y) return y end)
    end
    return probe(-1), probe(2)
  end)
  if not works then return false end
  local same = table.concat(low:shape(), ",") == table.concat(shape, ",")
  return same and low:abs():max() == 0 and high:min() == 2 and high:max() == 2
end

-- Taps on the outputs of all rectifiers, which keep the positive gradients.
local function guide(net, tap)
  local core_net, builder = net:core_net()
  local count = 0
  for _, node in ipairs(builder.nodes) do
    local shapes = {}
    for k, value in ipairs(node.inputs) do
      shapes[k] = core_net:shape(value)
    end
    if is_rectifier(node.layer, shapes) then
      count = count + 1
      tap(core_net:add_tap(node.value, function(dy) return dy:maximum(0) end))
    end
  end
  if count == 0 then
    core.raise("viz.guided_backpropagation: the net has no rectifier, such as "
               .. "nn.relu{}, to guide\n  try lunet.viz.saliency")
  end
end

-- guided_backpropagation(net, x [, { class = id or list }]) -> { map, gradient,
-- classes, picture } as saliency gives them.
return function(net, x, given)
  x = pass.images("viz.guided_backpropagation", net, x)
  local o = options.check("viz.guided_backpropagation", given, rules)
  local shape = table.move(x:shape(), 2, 4, 1, {})
  if not net:core_net():shape(0) then net:build(shape) end
  local gradient, classes = pass.run(net, function(tap)
    guide(net, tap)
    local wanted, dy = pass.targets("viz.guided_backpropagation",
                                    net:forward(x), o.class)
    return net:backward(dy), wanted
  end)
  local result = maps.result(x, maps.over_channels(gradient), classes,
                             "guided backpropagation")
  result.gradient = gradient
  return result
end
