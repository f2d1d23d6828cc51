-- course.lua - where the loss came from and where it went. The first steps may
-- be a leap already, so the very first loss counts where it is lower.

local least_steps = 20

local function mean(list, first, last)
  local sum = 0
  for i = first, last do sum = sum + list[i] end
  return sum / (last - first + 1)
end

-- A net that was trained before and goes on has nothing to lose.
local function is_low(loss, classes)
  return classes ~= nil and loss < 0.2 * math.log(classes)
end

-- { first, last, steps, is_well = the last is below nine tenths of the first,
-- or low }; nil where there were too few steps to tell, or a loss is no number.
return function(run)
  local losses = run.record.losses
  local n = #losses
  if n < least_steps then return nil end
  local first = math.min(losses[1], mean(losses, 1, 3))
  local last = mean(losses, n - n // 4 + 1, n)
  if last - last ~= 0 or first - first ~= 0 then return nil end
  return { first = first, last = last, steps = n,
           is_well = last < 0.9 * first or is_low(last, run.classes) }
end
