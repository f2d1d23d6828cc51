-- curves.lua - the numbers of the curves: loss of the steps, thinned out; loss,
-- accuracy and rate of the epochs; how far a step moves each weight.

local core = require "lunet_core"

local most_points, most_weights = 500, 8

-- Groups of steps: { last step, mean, least, largest } each; a group with a
-- loss that is no number has none.
local function thinned_steps(losses)
  local size, points = math.max(1, math.ceil(#losses / most_points)), {}
  for first = 1, #losses, size do
    local last = math.min(first + size - 1, #losses)
    local sum, least, largest = 0, math.huge, -math.huge
    for i = first, last do
      sum = sum + losses[i]
      least, largest = math.min(least, losses[i]), math.max(largest, losses[i])
    end
    points[#points + 1] = { last, sum / (last - first + 1), least, largest }
  end
  return points
end

-- Which epochs are shown: all, or every second, third … and the last.
local function shown_epochs(n)
  local size, list = math.max(1, math.ceil(n / most_points)), {}
  for epoch = size, n, size do list[#list + 1] = epoch end
  if n > 0 and list[#list] ~= n then list[#list + 1] = n end
  return list
end

-- The numbers of those epochs; nothing where there are none at all.
local function picked(list, epochs)
  local values, any = {}, false
  for i, epoch in ipairs(epochs) do
    values[i] = list[epoch] or core.null
    any = any or list[epoch] ~= nil
  end
  return any and values or {}
end

-- { name, points = { step, ratio } } of some weights, from the first to the
-- last.
local function step_ratios(book)
  local n, list = #book.names, {}
  local count = math.min(n, most_weights)
  for k = 1, count do
    local i = count == 1 and 1 or 1 + (k - 1) * (n - 1) // (count - 1)
    local points = {}
    for _, update in ipairs(book.updates) do
      points[#points + 1] = { update.step, update.ratios[i] or core.null }
    end
    list[k] = { name = book.names[i], points = points }
  end
  return list
end

return function(run)
  local book, epochs = run.record, shown_epochs(run.epochs)
  local curves = { epochs = epochs, ends = {}, rate = {}, steps = {},
                   ratios = {} }
  for _, name in ipairs { "loss", "accuracy", "validation",
                          "validation_loss" } do
    curves[name] = picked(run[name], epochs)
  end
  if book then
    curves.steps = thinned_steps(book.losses)
    curves.ends = picked(book.epoch_ends, epochs)
    curves.rate = picked(book.rates, epochs)
    curves.ratios = step_ratios(book)
  end
  return curves
end
