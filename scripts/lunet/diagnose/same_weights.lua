-- same_weights.lua - units that begin with equal weights get equal gradients
-- and stay equal for ever: a layer of them is one unit.

local list_text = require "lunet.diagnose.list_text"
local weights = require "lunet.diagnose.weights"

-- The last layer may begin so: its units answer for different classes.
return function(run)
  local first, places = run.record.snapshots[1], weights.trained(run)
  if not first or first.step > 0 then return nil end
  local names, value = {}, nil
  for k = 1, #places - 1 do
    local w = first.weights[places[k]]
    if w.min and w.min == w.max then
      names[#names + 1] = run.record.names[places[k]]
      value = value or w.min
    end
  end
  if #names == 0 then return nil end
  return {
    what = ("all weights of %s begin alike"):format(list_text(names)),
    numbers = ("each of them is %g before the first step"):format(value),
    rule = "units with equal weights get equal gradients and stay equal: a "
           .. "layer of them can do no more than one",
    try = "leaving out what sets them: left alone, weights begin by chance "
          .. "(nn.init has the rules)",
  }
end
