-- net_step.lua - what one call of a network's workload does: a step of
-- training, or the inference of a batch. All of it is what a script would
-- write.

local lunet = require "lunet"
local flops = require "lunet.bench.flops"
local workloads = require "lunet.bench.workloads"
local nn, optim = lunet.nn, lunet.optim

local fixed_batches = 4 -- training goes around these

local net_step = {}

-- n class ids, as a tensor.
function net_step.random_labels(n, classes)
  return (lunet.rand { n } * classes):floor()
end

local function random_batch(shape, n)
  return lunet.randn { n, table.unpack(shape) }
end

-- A function that trains `net` with one batch and gives the loss.
function net_step.trainer(net)
  local loss_fn = nn.cross_entropy {}
  local optimizer = optim.sgd(net:parameters(), { lr = 0.01, momentum = 0.9 })
  net:train()
  return function(x, labels)
    optimizer:zero_grad()
    local loss = loss_fn:forward(net:forward(x), labels)
    net:backward(loss_fn:backward())
    optimizer:step()
    return loss
  end
end

local function training(net, spec, batch)
  local xs, labels, turn = {}, {}, 0
  for i = 1, fixed_batches do
    xs[i] = random_batch(spec.shape, batch)
    labels[i] = net_step.random_labels(batch, spec.classes)
  end
  local step = net_step.trainer(net)
  return function()
    turn = turn % fixed_batches + 1
    return step(xs[turn], labels[turn])
  end
end

local function inference(net, spec, batch)
  local x = random_batch(spec.shape, batch)
  net:eval()
  return function() return net:predict(x) end
end

-- The call for a network of the list, and its useful operations.
function net_step.new(name, mode, batch)
  local spec = workloads.nets[name]
  local net = lunet.zoo[name] {}
  local trains = mode == "train"
  local call = (trains and training or inference)(net, spec, batch)
  return call, flops.of_net(net, trains) * batch
end

return net_step
