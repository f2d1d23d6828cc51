-- alexnet.lua - the network that won ImageNet 2012 and began the present age.
--
-- Krizhevsky: One weird trick for parallelizing convolutional neural networks,
-- 2014, after Krizhevsky, Sutskever, Hinton: ImageNet classification with deep
-- convolutional neural networks, 2012. 61,100,840 parameters, 96 % of them in
-- the three linear layers.

local nn, recipe = require("lunet").nn, require "lunet.recipe"

local function conv(channels, size, padding, stride)
  return nn.conv2d { out_channels = channels, kernel_size = size,
                     padding = padding, stride = stride or 1 }
end

local function pool() return nn.max_pool2d { kernel_size = 3, stride = 2 } end

return recipe {
  classes = 1000, shape = { 3, 224, 224 },
  net = function(o)
    return nn.sequential {
      nn.sequential {
        name = "features",
        conv(64, 11, 2, 4), nn.relu {}, pool(),         -- 64 maps of 27x27
        conv(192, 5, 2), nn.relu {}, pool(),            -- 192 maps of 13x13
        conv(384, 3, 1), nn.relu {}, conv(256, 3, 1), nn.relu {},
        conv(256, 3, 1), nn.relu {}, pool(),            -- 256 maps of 6x6
      },
      nn.flatten {},
      nn.sequential {
        name = "classifier",
        nn.dropout {}, nn.linear { out_features = 4096 }, nn.relu {},
        nn.dropout {}, nn.linear { out_features = 4096 }, nn.relu {},
        nn.linear { out_features = o.classes },
      },
    }
  end,
}
