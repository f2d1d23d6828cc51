-- first_step.lua - one training step of LeNet-5, as a script of its own: the
-- workload `startup` times it from the start of the process.

local lunet = require "lunet"
local nn, optim = lunet.nn, lunet.optim

lunet.set_num_threads(tonumber((...)))
local net = lunet.zoo.lenet5 {}
local loss_fn = nn.cross_entropy {}
local optimizer = optim.sgd(net:parameters(), { lr = 0.01, momentum = 0.9 })

local x = lunet.randn { 64, 1, 28, 28 }
local labels = (lunet.rand { 64 } * 10):floor()
optimizer:zero_grad()
local loss = loss_fn:forward(net:forward(x), labels)
net:backward(loss_fn:backward())
optimizer:step()
print("loss", loss)
io.flush()
