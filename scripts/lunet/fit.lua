-- fit.lua - the training loop.
--
-- A convenience: nothing here is out of reach of a script of one's own. The
-- loop itself is train_epoch; run.lua keeps the books and shows progress.

local core = require "lunet_core"
local optim = require "lunet.optim"
local options = require "lunet.options"
local run_class = require "lunet.run"

local rules = {
  { "loss", "a loss layer", required = true,
    example = "loss = nn.cross_entropy{}" },
  { "optimizer", "an optimizer", required = true,
    example = "optimizer = optim.sgd(net:parameters(), { lr = 0.1 })" },
  { "epochs", "a whole number", default = 1, min = 0 },
  { "batch_size", "a whole number", default = 32, min = 1 },
  { "validate", "a dataset" },
  { "on_epoch", "a function" },
  { "schedule", "a schedule" },
  { "clip", "a number", min = 0 },
  { "shuffle", "true or false", default = true },
  { "augment", "a function" },
  { "progress", "true or false", default = true },
  { "record", "true or false", default = true },
}

local function is_finite(v)
  return v == v and v > -math.huge and v < math.huge
end

-- Where the first number that is not finite came from, and what to try. The
-- step is run again for that, with the same random numbers.
local function explain(net, x, o)
  if not is_finite(x:abs():max()) then
    return "the batch itself holds numbers that are not finite",
           "looking at the data, and at what augment returns"
  end
  local layer, pass = net:find_nonfinite(x, o.loss:backward())
  local where = "the results of all layers are finite, that of the loss is not"
  if layer then
    where = ("the first result that is not finite is that of %s, in the %s "
             .. "pass"):format(layer, pass)
  end
  return where, ("a smaller rate, such as lr = %g"):format(
    math.min(o.optimizer.lr / 10, 0.1))
end

local function refuse_loss(net, x, loss, o, run)
  run:lose(loss)
  local where, advice = explain(net, x, o)
  core.raise("fit: the loss is %s in epoch %d, batch %d, with lr = %g\n  %s\n"
             .. "  try %s\n  lunet.last_run() is the run up to here, for "
             .. "lunet.diagnose and lunet.report",
             loss ~= loss and "NaN" or loss, run.epochs + 1,
             run.now.steps + 1, o.optimizer.lr, where, advice)
end

-- One walk over the training data.
local function train_epoch(net, train, o, run)
  net:train()
  for x, labels in train:batches { size = o.batch_size, shuffle = o.shuffle,
                                   augment = o.augment } do
    local scores = net:forward(x)
    local loss = o.loss:forward(scores, labels)
    if not is_finite(loss) then refuse_loss(net, x, loss, o, run) end
    o.optimizer:zero_grad()
    net:backward(o.loss:backward())
    if o.clip then optim.clip_grad_norm(net:parameters(), o.clip) end
    o.optimizer:step()
    if o.schedule and o.schedule.per == "step" then o.schedule:step() end
    run:step(loss, scores, labels)
  end
end

local function check_arguments(net, train, given)
  if not options.is("a net", net) then
    core.raise("fit: the first argument must be a net, such as "
               .. "nn.sequential{ … }")
  end
  options.argument("fit", "the second argument", train, "a dataset",
                   "data.digits()")
  local o = options.check("fit", given, rules)
  for name, dataset in pairs { train = train, validate = o.validate } do
    if #dataset == 0 then core.raise("fit: '%s' has no samples", name) end
  end
  return o
end

-- Trains a net and returns what happened: run.loss, run.accuracy,
-- run.validation, run.validation_loss are lists with a number an epoch (those
-- of accuracy are empty where the scores are not of classes), run.epochs and
-- run.seconds are totals. lunet.report and lunet.diagnose look at the rest, see
-- run.lua and record.lua; record = false keeps nothing for them.
-- on_epoch(run, epoch) is called after each epoch and stops the training by
-- returning true or "stop". Where an error or Ctrl-C ends the training, its run
-- is lunet.last_run().
return function(net, train, given)
  local o = check_arguments(net, train, given)
  o.train = train
  local run <close> = run_class.new(net, o)
  while run.epochs < o.epochs do
    run:begin_epoch()
    train_epoch(net, train, o, run)
    run:end_epoch()
    if o.schedule and o.schedule.per == "epoch" then o.schedule:step() end
    if o.on_epoch and o.on_epoch(run, run.epochs) then break end
  end
  return run
end
