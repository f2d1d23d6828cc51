-- long_steps.lua - a step of about a thousandth of a weight's size is usual;
-- far longer ones jump over what they look for.

local weights = require "lunet.diagnose.weights"

local usual_limit, once_limit = 0.1, 1

local function too_long(ratios)
  local middle, most = weights.median(ratios), math.max(0, table.unpack(ratios))
  if middle and (middle > usual_limit or most >= once_limit) then
    return middle, most
  end
end

-- A rate at which the first step would have been a hundredth; one digit of it.
local function better(rate, first)
  return tonumber(("%.0e"):format(rate * math.min(0.1, 0.01 / first)))
end

return function(run)
  local worst
  for _, i in ipairs(weights.trained(run)) do
    local ratios = weights.step_ratios(run, i)
    local middle, most = too_long(ratios)
    if middle and (not worst or most > worst.most) then
      worst = { name = run.record.names[i], middle = middle, most = most,
                first = ratios[1] }
    end
  end
  if not worst then return nil end
  local rate = run.record.rates[1]
  return {
    what = ("the steps of %s are too long"):format(worst.name),
    numbers = ("|change| / |weight| of a step: up to %.2g, as a median "
               .. "%.2g"):format(worst.most, worst.middle),
    rule = ("about 0.001 is usual; a median above %g, or one step of %g, "
            .. "throws away what was learnt"):format(usual_limit, once_limit),
    try = rate and ("a smaller rate, such as lr = %g"):format(
            better(rate, worst.first)) or "a smaller rate",
  }
end
