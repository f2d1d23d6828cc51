-- epoch.lua - one shuffled epoch of LeNet-5 over 60000 images in memory.
--
-- The other side has two ways, a loader and indexing by hand. Lunet has one,
-- dataset:batches, so both modes time it.

local core = require "lunet_core"
local lunet = require "lunet"
local flops = require "lunet.bench.flops"
local net_step = require "lunet.bench.net_step"
local row = require "lunet.bench.row"

local count, batch, most_samples = 60000, 64, 3

local function new_epoch()
  local set = lunet.data.tensors {
    x = lunet.randn { count, 1, 28, 28 },
    labels = net_step.random_labels(count, 10),
  }
  local net = lunet.zoo.lenet5 {}
  local step = net_step.trainer(net)
  return function(steps)
    for x, labels in set:batches { size = batch, shuffle = true } do
      if steps == 0 then return end
      steps = steps - 1
      step(x, labels)
    end
  end, flops.of_net(net, true) * count
end

local function time_epochs(run, o)
  local seconds, start = {}, core.clock()
  local busy = core.busy_elsewhere()
  while #seconds < math.min(most_samples, o.reps) and
        core.clock() - start < 2 * o.max_s do
    local began = core.clock()
    run(math.huge)
    seconds[#seconds + 1] = core.clock() - began
  end
  local others = (core.busy_elsewhere() - busy) / (core.clock() - start)
  return { seconds = seconds, others = math.max(0, others) }
end

-- Calls emit(row) for each mode.
return function(o, emit)
  local run, useful = new_epoch()
  run(30)
  for _, mode in ipairs { "train_epoch_dataloader", "train_epoch_index" } do
    local r = row.new({ workload = o.workload, mode = mode, batch = batch,
                        threads = o.threads, flops = useful },
                      time_epochs(run, o))
    r.images_per_s = math.floor(10 * count / r.median_s + 0.5) / 10
    r.optim = "sgd"
    emit(r)
  end
end
