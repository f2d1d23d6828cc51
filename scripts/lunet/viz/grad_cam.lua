-- grad_cam.lua - where in the image a layer sees what counts for a class:
--
--   weight[c] = mean over y,x of d score_class / d A[c,y,x]
--   map[y,x]  = max(0, sum over c of weight[c] * A[c,y,x])
--
-- with A the layer's output; then made as large as the image.
--
-- Source: Selvaraju and others, "Grad-CAM: visual explanations from deep
-- networks via gradient-based localization", 2017.

local colour_map = require "lunet.colour_map"
local core = require "lunet_core"
local maps = require "lunet.viz.maps"
local options = require "lunet.options"
local pass = require "lunet.viz.pass"

local rules = { { "class", "any" }, { "layer", "a layer or its name" } }

-- The last layer whose output is still a map of more than one place.
local function last_with_maps(net)
  local core_net, builder = net:core_net()
  for i = #builder.nodes, 1, -1 do
    local shape = core_net:shape(builder.nodes[i].value)
    if #shape == 4 and shape[3] * shape[4] > 1 then
      return builder.nodes[i].layer
    end
  end
  core.raise("viz.grad_cam: no layer of the net gives maps (N,C,H,W)")
end

local function check_maps(shape)
  if #shape == 4 then return end
  core.raise("viz.grad_cam: the layer gives (%s), it must give maps (N,C,H,W)",
             table.concat(shape, ","))
end

-- grad_cam(net, x [, { class =, layer = name or layer }]) -> { map (N,1,H,W),
-- small (N,1,h,w), classes, picture }. Left out, the layer is the last that
-- gives maps of more than one place.
return function(net, x, given)
  x = pass.images("viz.grad_cam", net, x)
  local o = options.check("viz.grad_cam", given, rules)
  if not net:core_net():shape(0) then
    net:build(table.move(x:shape(), 2, 4, 1, {}))
  end
  local layer = o.layer or last_with_maps(net)
  local a, gradient, classes = pass.run(net, function(tap)
    local watched = tap(net:tap(layer))
    local wanted, dy = pass.targets("viz.grad_cam", net:forward(x), o.class)
    check_maps(watched.output:shape())
    net:backward(dy)
    return watched.output, watched.gradient, wanted
  end)
  local shape = a:shape()
  local weight = gradient:mean(3):view { shape[1], shape[2], shape[4] }:mean(3)
  local weighted = a * weight:view { shape[1], shape[2], 1, 1 }
  local small = weighted:sum(2):maximum(0):view {
    shape[1], 1, shape[3], shape[4] }
  local result = maps.result(x, maps.enlarge(small, x), classes, "Grad-CAM",
                             colour_map.overlay)
  result.small = small
  return result
end
