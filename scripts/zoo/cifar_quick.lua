-- cifar_quick.lua - a small network for 32x32 pictures that trains in minutes.
--
-- The "quick" CIFAR-10 example of Jia et al.: Caffe: convolutional architecture
-- for fast feature embedding, 2014. Pools overlap, and round their size up.
-- 145,578 parameters.

local nn, recipe = require("lunet").nn, require "lunet.recipe"

local function conv(channels)
  return nn.conv2d { out_channels = channels, kernel_size = 5, padding = 2 }
end

local overlapping = { kernel_size = 3, stride = 2, ceil_mode = true }

return recipe {
  classes = 10, shape = { 3, 32, 32 },
  net = function(o)
    return nn.sequential {
      conv(32), nn.max_pool2d(overlapping), nn.relu {}, -- 32 maps of 16x16
      conv(32), nn.relu {}, nn.avg_pool2d(overlapping), -- 32 maps of 8x8
      conv(64), nn.relu {}, nn.avg_pool2d(overlapping), -- 64 maps of 4x4
      nn.flatten {},
      nn.linear { out_features = 64 },
      nn.linear { out_features = o.classes },
    }
  end,
}
