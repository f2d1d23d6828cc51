-- train_mnist.lua - LeNet-5 on MNIST, or on anything in its format such as
-- Fashion-MNIST.
--
--   lunet train_mnist.lua FOLDER [epochs]
--
-- FOLDER holds the four files train-images-idx3-ubyte, train-labels-idx1-ubyte,
-- t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, plain or as .gz. Three
-- epochs read about 99 % of MNIST's test images, 88 % of Fashion-MNIST's.

local lunet = require "lunet"
local nn, optim, data = lunet.nn, lunet.optim, lunet.data

local folder, epochs = arg[1], tonumber(arg[2] or 3)
if not folder or not epochs then
  print("usage: lunet train_mnist.lua FOLDER [epochs]")
  os.exit(2)
end

lunet.manual_seed(1)
local train, test = data.mnist(folder)

local net = nn.sequential {
  nn.conv2d { out_channels = 6, kernel_size = 5, padding = 2 }, nn.relu {},
  nn.max_pool2d { kernel_size = 2 },                -- 6 maps of 14x14
  nn.conv2d { out_channels = 16, kernel_size = 5 }, nn.relu {},
  nn.max_pool2d { kernel_size = 2 },                -- 16 maps of 5x5
  nn.flatten {},
  nn.linear { out_features = 120 }, nn.relu {},
  nn.linear { out_features = 84 }, nn.relu {},
  nn.linear { out_features = 10 },
}
net:build { 1, 28, 28 }

-- The rate falls along a cosine, a little after each batch, to 0 at the end.
local batch_size = 32
local steps = epochs * math.ceil(#train / batch_size)
local optimizer = optim.sgd(net:parameters(), { lr = 0.02, momentum = 0.9 })
local schedule = optim.schedule.cosine { optimizer = optimizer, steps = steps,
                                         per = "step" }

lunet.fit(net, train, {
  loss = nn.cross_entropy {}, optimizer = optimizer, schedule = schedule,
  epochs = epochs, batch_size = batch_size, validate = test,
})
print(("test accuracy %.2f %%"):format(100 * lunet.accuracy(net, test)))
