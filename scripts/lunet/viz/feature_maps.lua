-- feature_maps.lua - what a layer makes of an image, channel by channel.
--
-- Source: Yosinski, Clune, Nguyen, Fuchs and Lipson, "Understanding neural
-- networks through deep visualization", 2015.

local core = require "lunet_core"
local options = require "lunet.options"
local pass = require "lunet.viz.pass"

local most_shown = 64

-- feature_maps(net, layer or its name, image) -> { maps (N,C,h,w), picture }.
-- The picture is of the first image, zero in white, one scale for all maps.
return function(net, layer, x)
  x = pass.images("viz.feature_maps", net, x)
  options.argument("viz.feature_maps", "the second argument", layer,
                   "a layer or its name", '"conv1"')
  local maps = pass.run(net, function(tap)
    local watched = tap(net:tap(layer))
    net:forward(x)
    return watched.output
  end)
  local shape = maps:shape()
  if #shape ~= 4 then
    core.raise("viz.feature_maps: the layer gives (%s), it must give maps "
               .. "(N,C,H,W)", table.concat(shape, ","))
  end
  local n = math.min(shape[2], most_shown)
  local name = type(layer) == "string" and layer or layer.name or layer.word
  local title = ("maps of %s"):format(name)
  if n < shape[2] then title = ("%s: %d of %d"):format(title, n, shape[2]) end
  return { maps = maps, picture = {
    weight = maps[1]:narrow(1, 1, n):view { n, 1, shape[3], shape[4] },
    title = title } }
end
