-- The training loop: what it returns, when it stops, what it refuses. What it
-- shows is tested by test_progress.lua.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local clouds = require "support.clouds"
local nn, optim = lunet.nn, lunet.optim

local function line()
  return nn.sequential { nn.linear { in_features = 2, out_features = 2 } }
end

local function options_for(net, more)
  local o = { loss = nn.cross_entropy {}, progress = false,
              optimizer = optim.sgd(net:parameters(), { lr = 0.1 }) }
  for name, value in pairs(more or {}) do o[name] = value end
  return o
end

TestFit = {}

function TestFit:setUp() lunet.manual_seed(3) end

function TestFit:test_learns_and_keeps_book()
  local net, train, test = line(), clouds(200), clouds(50)
  local run = lunet.fit(net, train, options_for(net, { epochs = 3,
                                                       validate = test }))
  lu.assertEquals(run.epochs, 3)
  for _, name in ipairs { "loss", "accuracy", "validation",
                          "validation_loss" } do
    lu.assertEquals(#run[name], 3, name)
  end
  lu.assertTrue(run.loss[3] < run.loss[1])
  lu.assertTrue(run.accuracy[3] > 0.95)
  lu.assertEquals(run.validation[3], lunet.accuracy(net, test))
  lu.assertTrue(run.seconds > 0)
end

-- Batches of 256 and 44: each sample counts the same.
function TestFit:test_loss_is_the_mean_over_samples()
  local net, test = line(), clouds(300)
  local o = options_for(net, { validate = test })
  local run = lunet.fit(net, clouds(8), o)
  local loss = o.loss:forward(net:predict(test.x), test.labels)
  lu.assertAlmostEquals(run.validation_loss[1], loss, 1e-6)
end

function TestFit:test_trains_in_training_mode()
  local net = nn.sequential { nn.dropout { p = 0.5 },
                              nn.linear { in_features = 2, out_features = 2 } }
  net:eval()
  lunet.fit(net, clouds(8), options_for(net))
  local x = lunet.ones { 20, 2 }
  lu.assertNotEquals(net:forward(x):tolist(), net:predict(x):tolist())
end

-- fit does what the loop of a script does, to the last bit.
function TestFit:test_is_the_loop_of_a_script()
  local train = clouds(30)
  lunet.manual_seed(5)
  local net = line()
  lunet.fit(net, train, options_for(net, { epochs = 2, batch_size = 8 }))

  lunet.manual_seed(5)
  local other, loss_fn = line(), nn.cross_entropy {}
  local opt = optim.sgd(other:parameters(), { lr = 0.1 })
  for _ = 1, 2 do
    for x, labels in train:batches { size = 8, shuffle = true } do
      loss_fn:forward(other:forward(x), labels)
      opt:zero_grad()
      other:backward(loss_fn:backward())
      opt:step()
    end
  end
  lu.assertEquals(net:parameters()[1].value:tolist(),
                  other:parameters()[1].value:tolist())
end

function TestFit:test_on_epoch_stops()
  for _, answer in ipairs { true, "stop" } do
    local net, seen = line(), {}
    local run = lunet.fit(net, clouds(20), options_for(net, {
      epochs = 9, on_epoch = function(run, epoch)
        seen[epoch] = run.loss[epoch]
        return epoch == 2 and answer
      end }))
    lu.assertEquals(run.epochs, 2)
    lu.assertEquals(seen, run.loss)
  end
end

function TestFit:test_schedule_by_epoch_and_by_step()
  for per, steps in pairs { epoch = 2, step = 10 } do
    local net = line()
    local o = options_for(net, { epochs = 2, batch_size = 4 })
    o.schedule = optim.schedule.step { optimizer = o.optimizer, step_size = 1,
                                       gamma = 0.5, per = per }
    lunet.fit(net, clouds(20), o) -- 5 batches an epoch
    lu.assertAlmostEquals(o.optimizer.lr, 0.1 * 0.5 ^ steps, 1e-12)
  end
end

function TestFit:test_clip_bounds_a_step()
  local net, train = line(), clouds(16)
  local before = net:parameters()[1].value:clone()
  lunet.fit(net, train, options_for(net, { clip = 1e-3, batch_size = 16 }))
  local moved = (net:parameters()[1].value - before):abs():max()
  lu.assertTrue(moved > 0 and moved <= 0.1 * 1e-3)
end

-- Scores that are of no classes have no accuracy; the loss is what counts.
function TestFit:test_regression_has_no_accuracy()
  local net = nn.sequential { nn.linear { in_features = 2, out_features = 1 } }
  local mse = nn.mse_loss {}
  local loss = { backward = function() return mse:backward() end }
  function loss.forward(_, y, labels)
    return mse:forward(y, labels:view { labels:numel(), 1 })
  end
  local train = clouds(40)
  local o = options_for(net, { loss = loss, epochs = 4, validate = train })
  o.optimizer.lr = 0.01
  local run = lunet.fit(net, train, o)
  lu.assertEquals(#run.loss, 4)
  lu.assertTrue(run.loss[4] < run.loss[1])
  lu.assertEquals(#run.validation_loss, 4)
  lu.assertEquals({ #run.accuracy, #run.validation }, { 0, 0 })
end

function TestFit:test_augment_reaches_the_net()
  local net, seen = line(), 0
  lunet.fit(net, clouds(16), options_for(net, { augment = function(x)
    seen = seen + x:shape()[1]
    return x * 0
  end }))
  lu.assertEquals(seen, 16)
end

TestAccuracy = {}

function TestAccuracy:test_scores_and_labels()
  local scores = lunet.tensor { { 3, 1, 0 }, { 0, 1, 2 }, { 0, 5, 1 },
                                { 9, 0, 0 } }
  lu.assertEquals(lunet.accuracy(scores, lunet.tensor { 0, 2, 1, 1 }), 0.75)
end

function TestAccuracy:test_batches_do_not_matter()
  local net, dataset = line(), clouds(30)
  local whole = lunet.accuracy(net, dataset)
  for _, size in ipairs { 1, 7, 30 } do
    lu.assertEquals(lunet.accuracy(net, dataset, size), whole)
  end
  lu.assertEquals(lunet.accuracy(net:predict(dataset.x), dataset.labels),
                  whole)
end

function TestAccuracy:test_refusals()
  lu.assertErrorMsgContains("with the same N", lunet.accuracy,
                            lunet.zeros { 2, 3 }, lunet.zeros { 3 })
  lu.assertErrorMsgContains("there are no samples", lunet.accuracy, line(),
                            clouds(4):take(0))
  lu.assertErrorMsgContains("it must be a dataset", lunet.accuracy, line(),
                            lunet.zeros { 3 })
end

TestRefusals = {}

local function message_of(f, ...)
  local right, message = pcall(f, ...)
  lu.assertFalse(right)
  return message
end

function TestRefusals:test_the_loss_runs_away()
  local net = nn.sequential {
    nn.linear { in_features = 2, out_features = 4, name = "first" }, nn.relu {},
    nn.linear { in_features = 4, out_features = 2, name = "second" },
  }
  local o = options_for(net, { batch_size = 4, epochs = 50 })
  o.optimizer.lr = 1e30
  local message = message_of(function() lunet.fit(net, clouds(40), o) end)
  lu.assertStrMatches(message, ".*test_fit%.lua:%d+: fit: the loss is .*")
  lu.assertStrContains(message, "in epoch 1, batch")
  lu.assertStrContains(message, "with lr = 1e+30")
  lu.assertStrContains(message, "the first result that is not finite")
  lu.assertStrContains(message, "try a smaller rate, such as lr = 0.1")
end

function TestRefusals:test_a_damaged_batch_is_named()
  local net, batches = line(), 0
  local message = message_of(lunet.fit, net, clouds(40), options_for(net, {
    batch_size = 8, augment = function(x)
      batches = batches + 1
      return batches == 3 and x / 0 or x
    end }))
  lu.assertStrContains(message, "in epoch 1, batch 3,")
  lu.assertStrContains(message, "the batch itself holds numbers that are not "
                       .. "finite")
end

-- ---- what an ended training leaves -----------------------------------------

TestStopped = {}

function TestStopped:setUp() lunet.manual_seed(3) end

-- Trains; the batch with this number of all raises the error.
local function stopped_at(number, failure)
  local net, batches = line(), 0
  local kept, message = pcall(lunet.fit, net, clouds(40), options_for(net, {
    batch_size = 8, epochs = 3, augment = function(x)
      batches = batches + 1
      if batches == number then error(failure, 0) end
      return x
    end }))
  lu.assertFalse(kept)
  return lunet.last_run(), message
end

function TestStopped:test_an_error_leaves_the_run()
  local run, message = stopped_at(8, "no more\nof this")
  lu.assertEquals(message, "no more\nof this")
  lu.assertEquals(run.stopped, { epoch = 2, steps = 2, why = "no more" })
  lu.assertEquals({ #run.loss, run.epochs, #run.record.losses }, { 1, 1, 7 })
  lu.assertTrue(run.seconds > 0)
  lu.assertStrMatches(tostring(run), "run of 1 epoch: loss .*; stopped in "
                      .. "epoch 2 after 2 steps: no more")
end

function TestStopped:test_errors_that_are_no_text()
  lu.assertStrMatches(stopped_at(1, {}).stopped.why, "table: .*")
end

function TestStopped:test_nan_stands_in_the_run()
  local net, batches = line(), 0
  local message = message_of(lunet.fit, net, clouds(40), options_for(net, {
    batch_size = 8, augment = function(x)
      batches = batches + 1
      return batches == 4 and x / 0 or x
    end }))
  lu.assertStrContains(message, "lunet.last_run() is the run up to here")
  local run = lunet.last_run()
  lu.assertStrContains(tostring(run), "run of 0 epochs; stopped in epoch 1 "
                       .. "after 3 steps: the loss is ")
  local losses, last = run.record.losses, run.record.snapshots
  lu.assertEquals(#losses, 4)
  lu.assertTrue(losses[4] - losses[4] ~= 0)
  lu.assertEquals(last[#last].step, 3) -- the weights that led to it
  lu.assertEquals(lunet.diagnose(run)[1].what,
                  "from step 4 on the loss is no number")
end

function TestStopped:test_what_came_to_its_end_is_not_stopped()
  local net = line()
  local run = lunet.fit(net, clouds(40), options_for(net))
  lu.assertNil(run.stopped)
  lu.assertEquals(lunet.last_run(), run)
  lu.assertNotStrContains(tostring(run), "stopped")
end

function TestRefusals:test_options()
  local net, train = line(), clouds(4)
  local o = options_for(net)
  local message = message_of(lunet.fit, net, train, { loss = o.loss })
  lu.assertStrContains(message, "fit needs the option 'optimizer'")
  message = message_of(lunet.fit, net, train, { optimizer = o.optimizer })
  lu.assertStrContains(message, "try loss = nn.cross_entropy{}")
  o.epoch = 3
  message = message_of(lunet.fit, net, train, o)
  lu.assertStrContains(message, "did you mean 'epochs'?")
end

function TestRefusals:test_arguments()
  local net = line()
  local o = options_for(net)
  lu.assertStrContains(message_of(lunet.fit, 7, clouds(4), o), "must be a net")
  lu.assertStrContains(message_of(lunet.fit, net, 7, o), "must be a dataset")
  lu.assertStrContains(message_of(lunet.fit, net, clouds(4):take(0), o),
                       "'train' has no samples")
end

os.exit(lu.LuaUnit.run())
