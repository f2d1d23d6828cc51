-- resnet20.lua - the residual network for 32x32 pictures. He, Zhang, Ren, Sun:
-- Deep residual learning for image recognition, 2016, section 4.2. Its
-- shortcuts have no weights (option A): where sizes change, they leave out
-- every second row and column and add channels of zeros. 269,722 parameters.

local nn, recipe = require("lunet").nn, require "lunet.recipe"

local function conv(channels, stride, name)
  return nn.conv2d { out_channels = channels, kernel_size = 3, padding = 1,
                     stride = stride, bias = false, name = name }
end

local function norm(name) return nn.batch_norm2d { name = name } end

-- Half as many zero channels on each side as there are already.
local function shortcut(channels)
  local zeros = channels // 4
  return nn.sequential { nn.max_pool2d { kernel_size = 1, stride = 2 },
                         nn.pad { padding = { 0, 0, 0, 0, zeros, zeros } } }
end

local function block(channels, stride)
  local x = nn.input()
  local y = nn.relu {} (norm "bn1" (conv(channels, stride, "conv1")(x)))
  y = norm "bn2" (conv(channels, 1, "conv2")(y))
  local past = stride > 1 and shortcut(channels)(x) or x
  return nn.graph(x, nn.relu {} (nn.add {} (y, past)))
end

local function stage(name, channels, stride)
  return nn.sequential { name = name, block(channels, stride),
                         block(channels, 1), block(channels, 1) }
end

return recipe { classes = 10, shape = { 3, 32, 32 },
  net = function(o) return nn.sequential {
    conv(16, 1, "conv1"), norm "bn1", nn.relu {}, stage("layer1", 16, 1),
    stage("layer2", 32, 2), stage("layer3", 64, 2), nn.global_avg_pool2d {},
    nn.flatten {}, nn.linear { out_features = o.classes, name = "fc" } } end }
