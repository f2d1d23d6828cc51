-- course.lua - where the loss came from and where it went. The first steps may
-- be a leap already, so the very first loss counts where it is lower.

local least_steps = 20

local function mean(list, first, last)
  local sum = 0
  for i = first, last do sum = sum + list[i] end
  return sum / (last - first + 1)
end

-- { first, last, steps, fell = last is below nine tenths of first }; nil where
-- there were too few steps to tell, or a loss is no number.
return function(run)
  local losses = run.record.losses
  local n = #losses
  if n < least_steps then return nil end
  local first = math.min(losses[1], mean(losses, 1, 3))
  local last = mean(losses, n - n // 4 + 1, n)
  if last - last ~= 0 or first - first ~= 0 then return nil end
  return { first = first, last = last, steps = n, fell = last < 0.9 * first }
end
