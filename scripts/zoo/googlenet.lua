-- googlenet.lua - Inception v1: windows of several sizes side by side. Szegedy
-- et al.: Going deeper with convolutions, 2015, channels as in table 1, without
-- the auxiliary heads that helped in training. 6,998,552 parameters.
local nn, recipe = require("lunet").nn, require "lunet.recipe"

local function conv(channels, size, name, stride)
  return nn.sequential { name = name, nn.conv2d { name = "conv",
    out_channels = channels, kernel_size = size, stride = stride or 1,
    padding = size // 2 }, nn.relu {} }
end
local function pool(stride)
  return nn.max_pool2d { kernel_size = 3, stride = stride, ceil_mode = true,
                         padding = stride == 1 and 1 or 0 }
end
local function norm() return nn.local_response_norm { size = 5 } end

local function inception(name, one, three_in, three, five_in, five, pooled)
  local x = nn.input()
  return nn.graph(x, nn.concat {} (conv(one, 1, "branch1")(x),
    nn.sequential { name = "branch2", conv(three_in, 1), conv(three, 3) } (x),
    nn.sequential { name = "branch3", conv(five_in, 1), conv(five, 5) } (x),
    nn.sequential { name = "branch4", pool(1), conv(pooled, 1) } (x)),
    { name = "inception" .. name })
end

return recipe { classes = 1000, shape = { 3, 224, 224 },
  net = function(o) return nn.sequential {
    conv(64, 7, "conv1", 2), pool(2), norm(),
    conv(64, 1, "conv2"), conv(192, 3, "conv3"), norm(), pool(2),
    inception("3a", 64, 96, 128, 16, 32, 32),
    inception("3b", 128, 128, 192, 32, 96, 64), pool(2),
    inception("4a", 192, 96, 208, 16, 48, 64),
    inception("4b", 160, 112, 224, 24, 64, 64),
    inception("4c", 128, 128, 256, 24, 64, 64),
    inception("4d", 112, 144, 288, 32, 64, 64),
    inception("4e", 256, 160, 320, 32, 128, 128), pool(2),
    inception("5a", 256, 160, 320, 32, 128, 128),
    inception("5b", 384, 192, 384, 48, 128, 128), nn.global_avg_pool2d {},
    nn.flatten {}, nn.dropout { p = 0.4 },
    nn.linear { out_features = o.classes, name = "fc" } } end }
