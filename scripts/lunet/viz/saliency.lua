-- saliency.lua - which pixels would change the score most, if they changed a
-- little:
--
--   map[y,x] = max over c of | d score_class / d image[c,y,x] |
--
-- Source: Simonyan, Vedaldi and Zisserman, "Deep inside convolutional
-- networks", 2013.

local maps = require "lunet.viz.maps"
local options = require "lunet.options"
local pass = require "lunet.viz.pass"

local rules = { { "class", "any" } }

-- saliency(net, x [, { class = id or list }]) -> { map (N,1,H,W), gradient
-- (N,C,H,W), classes, picture }. Left out, the class is the one that the net
-- decides for.
return function(net, x, given)
  x = pass.images("viz.saliency", net, x)
  local o = options.check("viz.saliency", given, rules)
  local gradient, classes = pass.run(net, function()
    local wanted, dy = pass.targets("viz.saliency", net:forward(x), o.class)
    return net:backward(dy), wanted
  end)
  local result = maps.result(x, maps.over_channels(gradient), classes,
                             "saliency")
  result.gradient = gradient
  return result
end
