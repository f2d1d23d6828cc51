-- lenet5.lua - the network that read the digits on cheques.
--
-- LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document
-- recognition, 1998. In today's form: relu for tanh, max pooling for trained
-- averages, every map of the second convolution sees all six, and plain scores
-- at the end. 61,706 parameters.

local nn, recipe = require("lunet").nn, require "lunet.recipe"

return recipe {
  classes = 10, shape = { 1, 28, 28 },
  net = function(o)
    return nn.sequential {
      nn.conv2d { out_channels = 6, kernel_size = 5, padding = 2 }, nn.relu {},
      nn.max_pool2d { kernel_size = 2 },                -- 6 maps of 14x14
      nn.conv2d { out_channels = 16, kernel_size = 5 }, nn.relu {},
      nn.max_pool2d { kernel_size = 2 },                -- 16 maps of 5x5
      nn.flatten {},
      nn.linear { out_features = 120 }, nn.relu {},
      nn.linear { out_features = 84 }, nn.relu {},
      nn.linear { out_features = o.classes },
    }
  end,
}
