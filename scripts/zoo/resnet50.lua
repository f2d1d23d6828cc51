-- resnet50.lua - residual blocks of three convolutions, the middle one narrow.
-- He, Zhang, Ren, Sun: Deep residual learning for image recognition, 2016; the
-- 3x3 convolution has the stride, as in PyTorch. 25,557,032 parameters.
local nn, recipe = require("lunet").nn, require "lunet.recipe"

local function conv(channels, size, stride, name)
  return nn.conv2d { out_channels = channels, kernel_size = size, name = name,
                     stride = stride, padding = size // 2, bias = false }
end

local function norm(name) return nn.batch_norm2d { name = name } end

-- The first block of a stage has a convolution of 1x1 as its shortcut.
local function block(channels, stride, is_first)
  local x = nn.input()
  local y = nn.relu {} (norm "bn1" (conv(channels, 1, 1, "conv1")(x)))
  y = nn.relu {} (norm "bn2" (conv(channels, 3, stride, "conv2")(y)))
  y = norm "bn3" (conv(4 * channels, 1, 1, "conv3")(y))
  local shortcut = is_first and nn.sequential { name = "downsample",
    conv(4 * channels, 1, stride), norm() } (x) or x
  return nn.graph(x, nn.relu {} (nn.add {} (y, shortcut)))
end

local function stage(name, blocks, channels, stride)
  local list = { name = name, block(channels, stride, true) }
  for i = 2, blocks do list[i] = block(channels, 1) end
  return nn.sequential(list)
end

return recipe { classes = 1000, shape = { 3, 224, 224 },
  net = function(o) return nn.sequential {
    conv(64, 7, 2, "conv1"), norm "bn1", nn.relu {},
    nn.max_pool2d { kernel_size = 3, stride = 2, padding = 1 },
    stage("layer1", 3, 64, 1), stage("layer2", 4, 128, 2),
    stage("layer3", 6, 256, 2), stage("layer4", 3, 512, 2),
    nn.global_avg_pool2d {}, nn.flatten {},
    nn.linear { out_features = o.classes, name = "fc" } } end }
