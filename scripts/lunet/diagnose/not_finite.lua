-- not_finite.lua - a loss that is NaN or infinite: from then on all is lost.

local loss_text = require "lunet.loss_text"

return function(run)
  local losses = run.record.losses
  for step, loss in ipairs(losses) do
    if loss - loss ~= 0 then
      local before = step > 1 and
                     ("; %.4g a step before"):format(losses[step - 1]) or ""
      return {
        what = ("from step %d on the loss is no number"):format(step),
        numbers = "it is " .. loss_text(loss, "%g") .. before,
        rule = "a number that is not finite reaches every weight within a "
               .. "step, and none recovers",
        try = "a smaller rate; if it comes again, lunet --check-numerics, "
              .. "which names the layer where it begins",
      }
    end
  end
end
