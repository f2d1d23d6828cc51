-- run.lua - what happens in a training, kept and shown: lunet.fit returns a
-- run, lunet.watch makes one for a loop of one's own.
--
-- run.loss, run.accuracy, run.validation, run.validation_loss are lists with a
-- number an epoch; run.epochs and run.seconds are totals. Where an error or
-- Ctrl-C ended it, run.stopped = { epoch =, steps = done of it, why = text }.

local core = require "lunet_core"
local count_right = require "lunet.count_right"
local loss_text = require "lunet.loss_text"
local progress = require "lunet.progress"
local record = require "lunet.record"

local run = { __name = "run" }
run.__index = run

local latest -- the run that began last

-- ---- counting --------------------------------------------------------------

local function nothing_seen(epoch)
  return { epoch = epoch, steps = 0, seen = 0, loss_sum = 0, right = 0 }
end

-- Scores of classes (N,K) for labels (N)? Else there is no accuracy.
local function are_scores(scores, labels)
  if not scores or not labels or labels:dim() ~= 1 then return false end
  local shape = scores:shape()
  return #shape == 2 and shape[1] == labels:numel() and shape[2] >= 2
end

-- Adds n samples to what has been seen of an epoch.
local function count(now, n, loss, scores, labels)
  now.steps, now.seen = now.steps + 1, now.seen + n
  now.loss_sum = now.loss_sum + loss * n
  now.loss = now.loss_sum / now.seen
  if are_scores(scores, labels) then
    now.classes = scores:shape()[2]
    now.right = now.right + count_right(scores, labels)
    now.accuracy = now.right / now.seen
  end
end

-- The accuracy and the mean loss on data that are not learnt from; nil where
-- there is none.
local function validate(net, dataset, loss_fn)
  local now = nothing_seen()
  for x, labels in dataset:batches { size = 256 } do
    local scores = net:predict(x)
    local loss = loss_fn and loss_fn:forward(scores, labels) or 0
    count(now, x:shape()[1], loss, scores, labels)
  end
  return now.accuracy, loss_fn and now.loss or nil
end

-- ---- a run -----------------------------------------------------------------

function run.is(value) return getmetatable(value) == run end

-- The run of the training that began last, which an error may have kept from
-- being returned; nil where there was none.
function run.latest() return latest end

-- The run of a training whose options have been checked.
function run.new(net, o)
  local items = o.train and #o.train or o.items
  local made = {
    loss = {}, accuracy = {}, validation = {}, validation_loss = {},
    seconds = 0, epochs = 0, net = net, train = o.train, options = o,
    seed = core.seed(), record = o.record and record.new(net) or nil,
    bar = o.progress and progress.new { epochs = o.epochs, items = items }
          or progress.silent(),
  }
  latest = setmetatable(made, run)
  made:begin_epoch()
  return made
end

-- The clock of the next epoch starts anew.
function run:begin_epoch()
  self.now, self.started = nothing_seen(self.epochs + 1), core.clock()
end

-- After each step of the optimizer. loss: the number of this batch; scores and
-- labels: for the accuracy, where there is one.
function run:step(loss, scores, labels)
  if type(loss) ~= "number" then
    core.raise("run:step: the loss is a %s, it must be a number, such as what "
               .. "loss_fn:forward gave", type(loss))
  end
  local n = labels and labels:shape()[1] or 1
  count(self.now, n, loss, scores, labels)
  self.classes = self.now.classes
  if self.record then self.record:step(self.now.epoch, loss) end
  self.bar:batch(self.now, loss)
end

-- A step that was not taken, as its loss is no number: the record ends with it.
function run:lose(loss)
  if self.record then self.record:lose(self.now.epoch, loss) end
end

local function keep(self, now)
  self.epochs = now.epoch
  for _, name in ipairs { "loss", "accuracy", "validation",
                          "validation_loss" } do
    self[name][now.epoch] = now[name]
  end
  self.seconds = self.seconds + core.clock() - self.started
end

-- After each epoch; looks at the validation data. The last one ends the line
-- of progress.
function run:end_epoch()
  local now, o = self.now, self.options
  if now.seen == 0 then
    core.raise("run:end_epoch: epoch %d had no step\n  try run:step(loss, "
               .. "scores, labels) after each opt:step()", now.epoch)
  end
  now.seconds = core.clock() - self.started
  if self.record then
    self.record:end_of_epoch(now.epoch, o.optimizer and o.optimizer.lr)
  end
  if o.validate then
    now.validation, now.validation_loss = validate(self.net, o.validate, o.loss)
  end
  keep(self, now)
  self.bar:epoch(now)
  if self.epochs >= o.epochs then self.bar:finish() end
  self:begin_epoch()
end

-- Leaves the line of progress, and what is only kept for the next step.
function run:close()
  self.bar:finish()
  if self.record then self.record:close() end
end

-- "lab.lua:3: fit: the loss is NaN …\n  try …" -> "the loss is NaN …"
local function reason(why)
  local text = tostring(why):match "^[^\n]*"
  return (text:gsub("^[^\n]-:%d+: ", ""):gsub("^fit: ", ""))
end

-- At the end of a block where the run is <close>; why: the error that ends it.
-- Ctrl-C leaves little time for this.
function run:__close(why)
  if why ~= nil then
    self.stopped = { epoch = self.now.epoch, steps = self.now.steps,
                     why = reason(why) }
    self.seconds = self.seconds + core.clock() - self.started
  end
  self:close()
end

-- Can the net read the samples of a dataset as they are, and the loss (where it
-- is given) their labels? A loop of one's own may change them first. True; or
-- false, and why not.
function run:reads(dataset, loss_fn)
  if not dataset or #dataset == 0 then return false, "there are no samples" end
  if self.net:n_inputs() > 1 then return false, "the net has several inputs" end
  local one = dataset:take(1)
  local fine, why = pcall(function()
    local scores = self.net:predict(one.x)
    if loss_fn then loss_fn:forward(scores, one.labels) end
  end)
  if fine then return true end
  if why:find "interrupted!" then error(why, 0) end
  return false, (why:gsub("^[^\n]-:%d+: ", ""))
end

-- Are all sizes of the net known? Where it was not built, the training data
-- tell them.
function run:knows_sizes()
  if self.net:core_net():shape(0) then return true end
  if not self:reads(self.train) then return false end
  self.net:infer_shapes(self.train:item_shape())
  return true
end

-- For completion.
function run.__names()
  return { "loss", "accuracy", "validation", "validation_loss", "epochs",
           "seconds", "stopped", "net", "train", "options", "record", "seed",
           "classes", "step", "end_epoch", "close" }
end

local function counted(n, what)
  return ("%d %s%s"):format(n, what, n == 1 and "" or "s")
end

-- "in epoch 2 after 13 steps: interrupted!"; nil where it was not stopped.
function run:stop_text()
  local stop = self.stopped
  return stop and ("in epoch %d after %s: %s"):format(
    stop.epoch, counted(stop.steps, "step"), stop.why)
end

-- "run of 5 epochs: loss 0.012, accuracy 99.0 %, validation 97.2 %"
function run:__tostring()
  local n = self.epochs
  local text = "run of " .. counted(n, "epoch")
  if n > 0 then
    text = ("%s: loss %s"):format(text, loss_text(self.loss[n], "%.3f"))
  end
  for _, name in ipairs { "accuracy", "validation" } do
    if self[name][n] then
      text = ("%s, %s %.1f %%"):format(text, name, 100 * self[name][n])
    end
  end
  return self.stopped and text .. "; stopped " .. self:stop_text() or text
end

return run
