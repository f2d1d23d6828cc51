-- first_loss.lua - before it has learnt anything, a classifier should not know
-- better, and not worse, than that all K classes are as likely: cross entropy
-- is then ln K.

local slack = 1

local function largest_input(run)
  local train = run.train
  if not train or #train == 0 then return nil end
  return train:take(math.min(#train, 64)).x:abs():max()
end

return function(run)
  local loss_fn, classes = run.options.loss, run.classes
  if not classes or not loss_fn or loss_fn.word ~= "cross_entropy" or
     loss_fn:options().reduction == "sum" then
    return nil
  end
  local first, expected = run.record.losses[1], math.log(classes)
  if not (first > expected + slack) then return nil end
  local input = largest_input(run)
  local large_input = input and input > 10
  return {
    what = "the first loss is too high: the untrained net is sure of itself, "
           .. "and wrong",
    numbers = ("%.3g at step 1; ln %d = %.3f"):format(first, classes, expected),
    rule = ("untrained, all %d classes are as likely, which costs ln %d; more "
            .. "than %.3f says that the first scores are large"):format(
            classes, classes, expected + slack),
    try = large_input and
      ("smaller inputs: they reach %g; pixels / 255 are 0 to 1"):format(input)
      or "smaller first weights: see nn.init, and begin with the last layer",
  }
end
