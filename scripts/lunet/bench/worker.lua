-- worker.lua - measures one case of one workload in this process and hands its
-- rows to emit.

local lunet = require "lunet"
local row = require "lunet.bench.row"
local sample = require "lunet.bench.sample"
local workloads = require "lunet.bench.workloads"

local seed = 20

-- A tensor, a number or nothing: is all of it finite?
local function check_finite(result)
  local sum = result
  if lunet.is_tensor(result) then sum = result:sum() end
  if sum and (sum ~= sum or math.abs(sum) == math.huge) then
    error("the result is not finite", 0)
  end
end

-- what: { mode =, call = [, batch =] [, flops =] [, traffic =] }
local function measure(o, what)
  check_finite(what.call())
  what.workload, what.threads = o.workload, o.threads
  return row.new(what, sample.run(what.call, o))
end

local function measure_net(o, emit)
  local mode, batch = o.case:match("^(%a+):(%d+)$")
  batch = tonumber(batch)
  local net_step = require "lunet.bench.net_step"
  local call, flops = net_step.new(o.workload, mode, batch)
  local timed = sample.run(call, o)
  check_finite(call())
  local r = row.new({ workload = o.workload, mode = mode, batch = batch,
                      threads = o.threads, flops = flops }, timed)
  r.first_call_s = math.floor(1e4 * timed.first + 0.5) / 1e4
  r.optim = mode == "train" and "sgd" or nil
  emit(r)
end

local function measure_layer(o, emit)
  local layer_passes = require "lunet.bench.layer_passes"
  local spec = workloads.layers[o.workload]
  for pass in layer_passes.of_workload(spec) do emit(measure(o, pass)) end
end

local function measure_product(o, emit)
  local n = 2048
  local a, b = lunet.randn { n, n }, lunet.randn { n, n }
  local flops = 2 * n ^ 3
  local r = measure(o, { mode = "forward", flops = flops,
                         call = function() return a:matmul(b) end })
  r.gflops_best = math.floor(flops / r.min_s / 1e7 + 0.5) / 100
  emit(r)
end

local function measure_copy(o, emit)
  local a, b = lunet.ones { 1 << 28 }, lunet.ones { 1 << 28 }
  emit(measure(o, { mode = "copy", traffic = 2 << 30,
                    call = function() b:copy(a) end }))
end

local others = {
  sgemm_2048 = measure_product,
  copy_1gib = measure_copy,
  lenet5_epoch_mnist_shape = function(o, emit)
    require "lunet.bench.epoch" (o, emit)
  end,
  startup = function(o, emit) require "lunet.bench.startup" (o, emit) end,
}

local function function_for(name)
  if workloads.nets[name] then return measure_net end
  if workloads.layers[name] then return measure_layer end
  return others[name]
end

-- o: { workload =, case = "train:64" or "-", threads =, reps =, max_s =,
--   tries = }
return function(o, emit)
  lunet.manual_seed(seed)
  lunet.set_num_threads(o.threads)
  function_for(o.workload)(o, emit)
end
