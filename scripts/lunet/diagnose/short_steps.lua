-- short_steps.lua - steps that hardly move any weight, while there is still
-- something to learn.

local course_of = require "lunet.diagnose.course"
local weights = require "lunet.diagnose.weights"

local least = 1e-6

-- The longest usual step of any weight that gets a gradient; nil: none does.
local function longest(run)
  local most
  for _, i in ipairs(weights.trained(run)) do
    local gradient = weights.median(weights.gradient_ratios(run, i))
    local step = weights.median(weights.step_ratios(run, i))
    if gradient and gradient > 0 and step then
      most = math.max(most or 0, step)
    end
  end
  return most
end

return function(run)
  local course = course_of(run)
  local most = longest(run)
  if not most or most >= least or course and course.is_well then return nil end
  local rate = run.record.rates[1]
  return {
    what = "the weights hardly move, though there are gradients",
    numbers = ("|change| / |weight| of a step: at most %.1g%s"):format(
      most, rate and (", with lr = %g"):format(rate) or ""),
    rule = ("about 0.001 is usual; %g would need %.0e steps to change a weight "
            .. "by its own size"):format(least, 1 / least),
    try = rate and rate > 0 and ("a larger rate, such as lr = %g"):format(
            100 * rate) or "a rate that is not 0, such as lr = 0.01; and are "
            .. "these the parameters that the optimizer was given?",
  }
end
