-- A run: what is kept of a training, by fit or from a loop of one's own.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local clouds = require "support.clouds"
local nn, optim = lunet.nn, lunet.optim

local function new_net()
  return nn.sequential {
    nn.linear { in_features = 2, out_features = 8, name = "first" }, nn.relu {},
    nn.linear { in_features = 8, out_features = 2, name = "second" } }
end

local function options_for(net, train, more)
  local o = { loss = nn.cross_entropy {}, epochs = 2, progress = false,
              optimizer = optim.sgd(net:parameters(), { lr = 0.1 }) }
  for name, value in pairs(more or {}) do o[name] = value end
  o.train = train
  return o
end

-- The loop of docs/student/watching.md.
local function own_loop(net, o)
  local run = lunet.watch(net, o)
  for _ = 1, o.epochs do
    for x, labels in o.train:batches { size = 8, shuffle = true } do
      local scores = net:forward(x)
      local loss = o.loss:forward(scores, labels)
      o.optimizer:zero_grad()
      net:backward(o.loss:backward())
      o.optimizer:step()
      run:step(loss, scores, labels)
    end
    run:end_epoch()
  end
  return run
end

local function raises(text, f, ...)
  local fine, message = pcall(f, ...)
  lu.assertFalse(fine)
  lu.assertStrContains(message, text)
end

TestWatch = {}

function TestWatch:setUp() lunet.manual_seed(3) end

function TestWatch:test_an_own_loop_gives_what_fit_gives()
  local train, test = clouds(60), clouds(40)
  local runs = {}
  for i = 1, 2 do
    lunet.manual_seed(5)
    local net = new_net()
    local o = options_for(net, train, { validate = test })
    if i == 1 then
      runs[i] = own_loop(net, o)
    else
      o.train, o.batch_size = nil, 8
      runs[i] = lunet.fit(net, train, o)
    end
  end
  for _, name in ipairs { "loss", "accuracy", "validation", "validation_loss",
                          "epochs", "seed", "classes" } do
    lu.assertEquals(runs[1][name], runs[2][name], name)
  end
  lu.assertEquals(runs[1].record.losses, runs[2].record.losses)
  lu.assertEquals(runs[1].seed, 5)
  lu.assertEquals(runs[1].classes, 2)
end

-- A training under watch and one that is not are the same to the last bit.
function TestWatch:test_watching_changes_nothing()
  local train, weights = clouds(60), {}
  for _, record in ipairs { true, false } do
    lunet.manual_seed(5)
    local net = new_net()
    local o = options_for(net, train, { record = record })
    o.train = nil
    lunet.fit(net, train, o)
    weights[#weights + 1] = net:parameters()[1].value:tolist()
  end
  lu.assertEquals(weights[1], weights[2])
end

function TestWatch:test_without_a_dataset_and_without_scores()
  local net = new_net()
  local run = lunet.watch(net, { items = 3, progress = false })
  for _ = 1, 3 do run:step(2.5) end
  run:end_epoch()
  lu.assertEquals(run.loss, { 2.5 })
  lu.assertEquals(run.accuracy, {})
  lu.assertEquals(tostring(run), "run of 1 epoch: loss 2.500")
end

function TestWatch:test_tells_itself_in_a_line()
  local net = new_net()
  local run = own_loop(net, options_for(net, clouds(16), {
    validate = clouds(8) }))
  lu.assertStrMatches(tostring(run), "run of 2 epochs: loss %d%.%d+, "
    .. "accuracy %d+%.%d %%, validation %d+%.%d %%")
end

function TestWatch:test_refusals()
  local net = new_net()
  raises("must be a net", lunet.watch, 7, {})
  raises("needs the option 'train' (a dataset) or 'items'", lunet.watch, net,
         {})
  raises("did you mean 'epochs'?", lunet.watch, net, { items = 1, epoch = 3 })
  local run = lunet.watch(net, { items = 1, progress = false })
  raises("epoch 1 had no step", run.end_epoch, run)
  raises("the loss is a nil, it must be a number", run.step, run)
end

TestRecord = {}

local function steps_of(list)
  local steps = {}
  for i, entry in ipairs(list) do steps[i] = entry.step end
  return steps
end

function TestRecord:setUp() lunet.manual_seed(3) end

-- 80 samples in batches of 8: 10 steps an epoch.
function TestRecord:test_when_it_looks()
  local net = new_net()
  local run = own_loop(net, options_for(net, clouds(80), { epochs = 3 }))
  local book = run.record
  lu.assertEquals(steps_of(book.snapshots), { 0, 1, 2, 4, 8, 10, 20, 30 })
  lu.assertEquals(steps_of(book.updates), { 1, 2, 4, 8, 11, 16, 21 })
  lu.assertEquals(book.epoch_ends, { 10, 20, 30 })
  lu.assertEquals(book.rates, { 0.1, 0.1, 0.1 })
  lu.assertEquals(book.names, { "first.weight", "second.weight" })
end

-- Of sgd without momentum, a step is lr * gradient: |change| / |weight before|.
function TestRecord:test_how_far_a_step_moves()
  local net, train = new_net(), clouds(8)
  local weight = net:get("first").weight
  local size = math.sqrt((weight * weight):sum())
  local run = own_loop(net, options_for(net, train, { epochs = 1 }))
  local gradient = net:parameters()[1].grad
  lu.assertAlmostEquals(run.record.updates[1].ratios[1],
    0.1 * math.sqrt((gradient * gradient):sum()) / size, 1e-6)
end

function TestRecord:test_spread_of_weights_and_gradients()
  local net = new_net()
  local weight = net:get("first").weight:clone()
  local run = own_loop(net, options_for(net, clouds(8), { epochs = 1 }))
  local first = run.record.snapshots[1]
  local seen, all = first.weights[1], 0
  for _, n in ipairs(seen.count) do all = all + n end
  lu.assertEquals(all, weight:numel())
  lu.assertAlmostEquals(seen.min, weight:min(), 1e-6)
  lu.assertAlmostEquals(seen.max, weight:max(), 1e-6)
  lu.assertAlmostEquals(seen.mean, weight:mean(), 1e-6)
  lu.assertEquals(first.grads, {})
  lu.assertEquals(#run.record.snapshots[2].grads, 2)
end

-- However long it trains, what is kept of it stays small.
function TestRecord:test_a_long_training_drops_every_second()
  local net = new_net()
  local run = lunet.watch(net, { items = 1, epochs = 500, progress = false })
  for _ = 1, 500 do
    run:step(1)
    run:end_epoch()
  end
  local steps = steps_of(run.record.snapshots)
  lu.assertTrue(#steps <= 40 and #steps >= 20)
  lu.assertEquals({ steps[1], steps[#steps] }, { 0, 500 })
  lu.assertTrue(#run.record.updates <= 40)
end

function TestRecord:test_filters_are_those_of_the_moment()
  local net = nn.sequential {
    nn.conv2d { in_channels = 1, out_channels = 4, kernel_size = 3,
                name = "conv" } }
  local before = net:get("conv").weight:clone()
  local run = lunet.watch(net, { items = 1, progress = false })
  net:get("conv").weight:fill(2)
  run:step(1)
  lu.assertEquals(run.record.filters_name, "conv.weight")
  lu.assertEquals(run.record.snapshots[1].filters:tolist(), before:tolist())
  lu.assertEquals(run.record.snapshots[2].filters:max(), 2)
end

-- A net whose sizes are not known yet is recorded from its first step on.
function TestRecord:test_a_net_that_is_not_built()
  local net = nn.sequential { nn.linear { out_features = 2 } }
  local run = lunet.watch(net, { items = 2, progress = false })
  lu.assertEquals(run.record.snapshots, {})
  net:forward(lunet.rand { 2, 5 })
  run:step(1)
  lu.assertEquals(steps_of(run.record.snapshots), { 1 })
end

os.exit(lu.LuaUnit.run())
