-- first_net.lua - a small convolutional network reads handwritten digits.

local lunet = require "lunet"
local nn, optim, data = lunet.nn, lunet.optim, lunet.data

lunet.manual_seed(7)
local train, test = data.digits()

local net = nn.sequential {
  nn.conv2d { out_channels = 8, kernel_size = 3, padding = 1 },
  nn.relu {},
  nn.max_pool2d { kernel_size = 2 },
  nn.flatten {},
  nn.linear { out_features = 10 },
}
net:summary { 1, 8, 8 }

local loss_fn = nn.cross_entropy {}
local opt = optim.sgd(net:parameters(), { lr = 0.1, momentum = 0.9 })

for epoch = 1, 10 do
  local loss
  for x, labels in train:batches { size = 32, shuffle = true } do
    loss = loss_fn:forward(net:forward(x), labels)
    opt:zero_grad()
    net:backward(loss_fn:backward())
    opt:step()
  end
  print(("epoch %2d  loss %.4f  test accuracy %.2f %%"):format(
    epoch, loss, 100 * lunet.accuracy(net, test)))
end
