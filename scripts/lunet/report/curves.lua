-- curves.lua - the numbers of the curves: loss of the steps, thinned out; loss,
-- accuracy and rate of the epochs.

local most_points = 600

-- Groups of steps: { last step, mean, least, largest } each.
local function thinned(losses)
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

return function(run)
  local book = run.record
  return { steps = thinned(book and book.losses or {}),
           ends = book and book.epoch_ends or {},
           loss = run.loss, accuracy = run.accuracy,
           validation = run.validation, validation_loss = run.validation_loss,
           rate = book and book.rates or {} }
end
