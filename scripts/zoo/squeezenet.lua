-- squeezenet.lua - AlexNet's accuracy with a fiftieth of its parameters: few
-- channels are let through to the 3x3 convolutions.
--
-- Iandola, Han, Moskewicz, Ashraf, Dally, Keutzer: SqueezeNet: AlexNet-level
-- accuracy with 50x fewer parameters, 2016, version 1.0. 1,248,424 parameters.

local nn, recipe = require("lunet").nn, require "lunet.recipe"

local function conv(channels, size, name)
  return nn.conv2d { out_channels = channels, kernel_size = size,
                     padding = size // 2, name = name }
end

-- Squeezes to few channels, expands by 1x1 and 3x3 side by side.
local function fire(few, many)
  local x = nn.input()
  local s = nn.relu {} (conv(few, 1, "squeeze")(x))
  return nn.graph(x, nn.concat {} (
    nn.relu {} (conv(many, 1, "expand1x1")(s)),
    nn.relu {} (conv(many, 3, "expand3x3")(s))))
end

local function pool()
  return nn.max_pool2d { kernel_size = 3, stride = 2, ceil_mode = true }
end

return recipe { classes = 1000, shape = { 3, 224, 224 },
  net = function(o)
    return nn.sequential {
      nn.sequential { name = "features",
        nn.conv2d { out_channels = 96, kernel_size = 7, stride = 2 },
        nn.relu {}, pool(), fire(16, 64), fire(16, 64), fire(32, 128), pool(),
        fire(32, 128), fire(48, 192), fire(48, 192), fire(64, 256), pool(),
        fire(64, 256) },
      nn.sequential { name = "classifier", nn.dropout {}, conv(o.classes, 1),
        nn.relu {}, nn.global_avg_pool2d {} }, nn.flatten {} }
  end }
