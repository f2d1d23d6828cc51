-- fading_gradient.lua - the gradient of the first weights is far smaller than
-- that of the last: it fades on its way back.

local weights = require "lunet.diagnose.weights"

local least = 1e-4

-- The usual |gradient| / |weight|, and the name; nil where it is 0.
local function usual(run, place)
  local ratio = weights.median(weights.gradient_ratios(run, place))
  return ratio and ratio > 0 and ratio or nil, run.record.names[place]
end

return function(run)
  local places = weights.trained(run)
  if #places < 3 then return nil end
  local first, first_name = usual(run, places[1])
  local last, last_name = usual(run, places[#places])
  if not first or not last or first / last >= least then return nil end
  return {
    what = ("the gradient fades on its way back to %s"):format(first_name),
    numbers = ("|gradient| / |weight| %.1e there, %.1e at %s"):format(
      first, last, last_name),
    rule = ("each layer multiplies by its slope; less than %g of the last "
            .. "layer's leaves the first ones as they began"):format(least),
    try = "relu in place of sigmoid or tanh, or batch_norm2d, or a way around "
          .. "(nn.add)",
  }
end
