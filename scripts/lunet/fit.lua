-- fit.lua - the training loop.
--
-- A convenience: nothing here is out of reach of a script of one's own. The
-- loop itself is train_epoch.

local core = require "lunet_core"
local count_right = require "lunet.count_right"
local optim = require "lunet.optim"
local options = require "lunet.options"
local progress = require "lunet.progress"
local record = require "lunet.record"

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

local function refuse_loss(net, x, loss, o, now)
  local where, advice = explain(net, x, o)
  core.raise("fit: the loss is %s in epoch %d, batch %d, with lr = %g\n  %s\n"
             .. "  try %s", loss ~= loss and "NaN" or loss, now.epoch,
             now.batch + 1, o.optimizer.lr, where, advice)
end

-- What has been seen of an epoch so far, for the progress line and the run.
local function count(now, loss, scores, labels)
  local n = labels:numel()
  now.batch, now.seen = now.batch + 1, now.seen + n
  now.loss_sum = now.loss_sum + loss * n
  now.right = now.right + count_right(scores, labels)
  now.loss, now.accuracy = now.loss_sum / now.seen, now.right / now.seen
end

-- One walk over the training data.
local function train_epoch(net, train, o, now, bar, book)
  net:train()
  for x, labels in train:batches { size = o.batch_size, shuffle = o.shuffle,
                                   augment = o.augment } do
    local scores = net:forward(x)
    local loss = o.loss:forward(scores, labels)
    if not is_finite(loss) then refuse_loss(net, x, loss, o, now) end
    o.optimizer:zero_grad()
    net:backward(o.loss:backward())
    if o.clip then optim.clip_grad_norm(net:parameters(), o.clip) end
    book:before_step()
    o.optimizer:step()
    book:after_step(now.epoch, loss)
    if o.schedule and o.schedule.per == "step" then o.schedule:step() end
    count(now, loss, scores, labels)
    bar:batch(now)
  end
end

-- The accuracy and the mean loss on data that is not learnt from.
local function validate(net, dataset, loss_fn)
  local now = { batch = 0, seen = 0, loss_sum = 0, right = 0 }
  for x, labels in dataset:batches { size = 256 } do
    local scores = net:predict(x)
    count(now, loss_fn:forward(scores, labels), scores, labels)
  end
  return now.accuracy, now.loss
end

local function one_epoch(net, train, o, run, bar, book)
  local started = core.clock()
  local now = { epoch = run.epochs + 1, batch = 0, seen = 0, loss_sum = 0,
                right = 0 }
  train_epoch(net, train, o, now, bar, book)
  book:end_of_epoch(now.epoch, o.optimizer.lr)
  if o.schedule and o.schedule.per == "epoch" then o.schedule:step() end
  now.seconds = core.clock() - started
  if o.validate then
    now.validation, now.validation_loss = validate(net, o.validate, o.loss)
  end
  run.epochs = now.epoch
  for _, name in ipairs { "loss", "accuracy", "validation",
                          "validation_loss" } do
    run[name][now.epoch] = now[name]
  end
  run.seconds = run.seconds + core.clock() - started
  bar:epoch(now)
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
-- run.validation, run.validation_loss are lists with a number an epoch,
-- run.epochs and run.seconds are totals. run.net, run.train, run.options and
-- run.record (see record.lua; `record = false` keeps none) are for lunet.report
-- and lunet.diagnose. on_epoch(run, epoch) is called after
-- each epoch and stops the training by returning true or "stop".
return function(net, train, given)
  local o = check_arguments(net, train, given)
  local book = o.record and record.new(net) or record.none()
  local run = { loss = {}, accuracy = {}, validation = {},
                validation_loss = {}, seconds = 0, epochs = 0, net = net,
                train = train, options = o, record = o.record and book or nil }
  local bar <close> = o.progress and
    progress.new { epochs = o.epochs, items = #train } or progress.silent()
  while run.epochs < o.epochs do
    one_epoch(net, train, o, run, bar, book)
    if o.on_epoch and o.on_epoch(run, run.epochs) then break end
  end
  return run
end
