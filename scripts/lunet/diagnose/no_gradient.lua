-- no_gradient.lua - weights that never got a gradient never change.

local list_text = require "lunet.diagnose.list_text"
local weights = require "lunet.diagnose.weights"

local function is_always_zero(ratios)
  for _, ratio in ipairs(ratios) do
    if ratio ~= 0 then return false end
  end
  return #ratios > 0
end

local function has(findings, name)
  for _, finding in ipairs(findings) do
    if finding.name == name then return true end
  end
  return false
end

return function(run, findings)
  local names, snapshots = {}, 0
  for _, i in ipairs(weights.trained(run)) do
    local ratios = weights.gradient_ratios(run, i)
    if is_always_zero(ratios) then
      names[#names + 1] = run.record.names[i]
      snapshots = math.max(snapshots, #ratios)
    end
  end
  if #names == 0 then return nil end
  return {
    what = ("no gradient reaches %s"):format(list_text(names)),
    numbers = ("exactly 0 in all of %d snapshots"):format(snapshots),
    rule = "a step is the rate times the gradient: without one nothing changes",
    try = has(findings, "dead_units") and
      "mending the dead units above: they let nothing through" or
      "net:tap on the layers behind it: where is tap.gradient 0 first?",
  }
end
