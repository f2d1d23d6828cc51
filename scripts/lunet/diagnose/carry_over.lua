-- carry_over.lua - the training data are learnt, and nothing of it helps with
-- the others: guessing would do as well there.

-- Guessing has one in K right; in n samples, three standard deviations more are
-- still chance.
local function by_chance(classes, n)
  local p = 1 / classes
  return p + 3 * math.sqrt(p * (1 - p) / n)
end

return function(run)
  local n, others = run.epochs, run.options.validate
  local training, validation = run.accuracy[n], run.validation[n]
  if not others or not run.classes or not training or not validation then
    return nil
  end
  local limit = by_chance(run.classes, #others)
  if validation > limit or training < limit + 0.1 then return nil end
  return {
    what = "nothing that was learnt carries over to the validation data",
    numbers = ("accuracy %.1f %% in training, %.1f %% in validation"):format(
      100 * training, 100 * validation),
    rule = ("guessing among %d classes has %.1f %% right, by luck up to %.1f %%"
            .. " of %d samples"):format(run.classes, 100 / run.classes,
            100 * limit, #others),
    try = "looking at ten samples with their labels: do they belong together, "
          .. "and are both sets prepared alike?",
  }
end
