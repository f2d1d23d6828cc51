-- filters.lua - the weights of a layer as pictures. Only the first layer's
-- filters look at the image; those of later layers look at maps, so that their
-- pictures mean little by themselves.
--
-- Source: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep
-- convolutional neural networks", 2012, figure 3.

local core = require "lunet_core"
local few_tiles = require "lunet.few_tiles"
local options = require "lunet.options"
local pass = require "lunet.viz.pass"

local function has_filters(layer)
  return layer.weight and layer.weight:dim() == 4
end

-- Weights whose sizes come from the first input are not there before.
local function refuse(net, who)
  core.raise("viz.filters: %s a weight (filters, channels, rows, columns)%s",
             who, net:core_net():shape(0) and "" or "\n  the net is not built "
             .. "yet: call net:build{…} with the shape of one item first")
end

local function layer_of(net, wanted)
  if type(wanted) == "string" then return net:get(wanted) end
  if wanted then
    return options.argument("viz.filters", "the second argument", wanted,
                            "a layer or its name", '"conv1"')
  end
  for _, layer in ipairs(net:layers()) do
    if has_filters(layer) then return layer end
  end
  refuse(net, "no layer of the net has")
end

-- filters(net [, layer or its name]) -> { weight, picture }; left out, the
-- layer is the first that has filters.
return function(net, wanted)
  pass.check_net("viz.filters", net)
  local layer = layer_of(net, wanted)
  if not has_filters(layer) then
    refuse(net, ("the layer %s has not"):format(layer.word))
  end
  local part, left_out = few_tiles(layer.weight)
  local title = "filters of " .. (layer.name or layer.word)
  if left_out ~= "" then title = title .. ": " .. left_out end
  return { weight = layer.weight, picture = { weight = part, title = title } }
end
