-- vgg11_bn.lua - VGG's eleven layers with batch norm, for 32x32 pictures.
--
-- Simonyan, Zisserman: Very deep convolutional networks for large-scale image
-- recognition, 2015, configuration A; Ioffe, Szegedy: Batch normalization,
-- 2015. One linear layer is enough for ten classes. 9,231,114 parameters.

local nn, recipe = require("lunet").nn, require "lunet.recipe"

local blocks = { { 64 }, { 128 }, { 256, 256 }, { 512, 512 }, { 512, 512 } }

return recipe {
  classes = 10, shape = { 3, 32, 32 },
  net = function(o)
    local list = {}
    local function add(layer) list[#list + 1] = layer end
    for _, block in ipairs(blocks) do
      for _, channels in ipairs(block) do
        add(nn.conv2d { out_channels = channels, kernel_size = 3,
                        padding = 1 })
        add(nn.batch_norm2d {})
        add(nn.relu {})
      end
      add(nn.max_pool2d { kernel_size = 2 })
    end
    add(nn.flatten {})
    add(nn.linear { out_features = o.classes })
    return nn.sequential(list)
  end,
}
