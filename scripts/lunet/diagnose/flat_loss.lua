-- flat_loss.lua - the loss does not fall, or rises.

local course_of = require "lunet.diagnose.course"

return function(run, findings, o)
  local course = course_of(run)
  if not course or course.is_well then return nil end
  local rate = run.record.rates[1]
  local rises = course.last > 1.2 * course.first
  local found = {
    what = rises and "the loss rises" or "the loss is flat",
    numbers = ("%.4g in the first steps, %.4g in the last quarter of "
               .. "%d"):format(course.first, course.last, course.steps),
    rule = ("a net that learns loses a tenth of its loss within an epoch or "
            .. "two: it would be below %.4g"):format(0.9 * course.first),
  }
  if #findings > 0 then
    found.try = "what stands above; this is its result"
  elseif rises then
    found.try = rate and ("a smaller rate, such as lr = %g"):format(rate / 10)
                or "a smaller rate"
  elseif o.one_batch == false then
    found.try = "a single batch first: lunet.diagnose(run)"
  else
    found.try = "what becomes of a single batch, below"
  end
  return found
end
