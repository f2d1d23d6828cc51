-- densenet121.lua - every layer of a block sees all layers before it. Huang,
-- Liu, van der Maaten, Weinberger: Densely connected convolutional networks,
-- 2017. 7,978,856 parameters.

local nn, recipe = require("lunet").nn, require "lunet.recipe"

local growth = 32 -- channels that each layer adds

local function conv(channels, size, stride, name)
  return nn.conv2d { out_channels = channels, kernel_size = size, name = name,
                     stride = stride, padding = size // 2, bias = false }
end
local function norm(name) return nn.batch_norm2d { name = name } end

local function block(number, layers)
  local x = nn.input()
  local all = x
  for i = 1, layers do
    all = nn.concat {} (all, nn.sequential { name = "denselayer" .. i,
      norm "norm1", nn.relu {}, conv(4 * growth, 1, 1, "conv1"),
      norm "norm2", nn.relu {}, conv(growth, 3, 1, "conv2") } (all))
  end
  return nn.graph(x, all, { name = "denseblock" .. number })
end

local function transition(number, channels)
  return nn.sequential { name = "transition" .. number, norm "norm", nn.relu {},
    conv(channels, 1, 1, "conv"), nn.avg_pool2d { kernel_size = 2 } }
end

return recipe { classes = 1000, shape = { 3, 224, 224 },
  net = function(o) return nn.sequential { nn.sequential { name = "features",
    conv(64, 7, 2, "conv0"), norm "norm0", nn.relu {},
    nn.max_pool2d { kernel_size = 3, stride = 2, padding = 1 },
    block(1, 6), transition(1, 128), block(2, 12), transition(2, 256),
    block(3, 24), transition(3, 512), block(4, 16), norm "norm5" },
    nn.relu {}, nn.global_avg_pool2d {}, nn.flatten {},
    nn.linear { out_features = o.classes, name = "classifier" } } end }
