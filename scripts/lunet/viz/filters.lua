-- filters.lua - the weights of a layer as pictures. Only the first layer's
-- filters look at the image; those of later layers look at maps, so that their
-- pictures mean little by themselves.
--
-- Source: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep
-- convolutional neural networks", 2012, figure 3.

local core = require "lunet_core"
local few_tiles = require "lunet.few_tiles"

local function has_filters(layer)
  return layer.weight and layer.weight:dim() == 4
end

local function layer_of(net, wanted)
  if type(wanted) == "string" then return net:get(wanted) end
  if wanted then return wanted end
  for _, layer in ipairs(net:layers()) do
    if has_filters(layer) then return layer end
  end
  core.raise("viz.filters: no layer of the net has a weight (filters, "
             .. "channels, rows, columns)\n  a net that is not built yet: call "
             .. "net:build{…} first")
end

-- filters(net [, layer or its name]) -> { weight, picture }; left out, the
-- layer is the first that has filters.
return function(net, wanted)
  local layer = layer_of(net, wanted)
  if not has_filters(layer) then
    core.raise("viz.filters: %s has no weight (filters, channels, rows, "
               .. "columns)", layer.word)
  end
  local part, left_out = few_tiles(layer.weight)
  local title = "filters of " .. (layer.name or layer.word)
  if left_out ~= "" then title = title .. ": " .. left_out end
  return { weight = layer.weight, picture = { weight = part, title = title } }
end
