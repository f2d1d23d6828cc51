-- resnet18.lua - layers that learn what to add to their input, so that the
-- gradient has a way past each of them. He, Zhang, Ren, Sun: Deep residual
-- learning for image recognition, 2016. 11,689,512 parameters.

local nn, recipe = require("lunet").nn, require "lunet.recipe"

local function conv(channels, size, stride, name)
  return nn.conv2d { out_channels = channels, kernel_size = size, name = name,
                     stride = stride, padding = size // 2, bias = false }
end

local function norm(name) return nn.batch_norm2d { name = name } end

-- Two convolutions around a shortcut; where sizes change, it is one of 1x1.
local function block(channels, stride)
  local x = nn.input()
  local y = norm "bn1" (conv(channels, 3, stride, "conv1")(x))
  y = norm "bn2" (conv(channels, 3, 1, "conv2")(nn.relu {} (y)))
  local shortcut = stride > 1 and nn.sequential { name = "downsample",
    conv(channels, 1, stride), norm() } (x) or x
  return nn.graph(x, nn.relu {} (nn.add {} (y, shortcut)))
end

local function stage(name, channels, stride)
  return nn.sequential { name = name, block(channels, stride),
                         block(channels, 1) }
end

return recipe { classes = 1000, shape = { 3, 224, 224 },
  net = function(o)
    return nn.sequential {
      conv(64, 7, 2, "conv1"), norm "bn1", nn.relu {},
      nn.max_pool2d { kernel_size = 3, stride = 2, padding = 1 },
      stage("layer1", 64, 1), stage("layer2", 128, 2),
      stage("layer3", 256, 2), stage("layer4", 512, 2),
      nn.global_avg_pool2d {}, nn.flatten {},
      nn.linear { out_features = o.classes, name = "fc" } }
  end }
