-- not_finite.lua - a loss that is NaN or infinite: from then on all is lost.

return function(run)
  local rate = run.record.rates[1]
  for step, loss in ipairs(run.record.losses) do
    if loss - loss ~= 0 then
      return {
        what = ("from step %d on the loss is no number"):format(step),
        numbers = ("loss %s; before it %s"):format(loss,
          step > 1 and ("%.4g"):format(run.record.losses[step - 1]) or
          "nothing"),
        rule = "a number that is not finite reaches every weight in one step, "
               .. "and none recovers",
        try = rate and ("a smaller rate, such as lr = %g; lunet "
              .. "--check-numerics names the layer"):format(rate / 10) or
              "lunet --check-numerics, which names the layer it begins in",
      }
    end
  end
end
