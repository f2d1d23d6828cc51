-- vgg16.lua - nothing but 3x3 convolutions, sixteen layers deep.
--
-- Simonyan, Zisserman: Very deep convolutional networks for large-scale image
-- recognition, 2015, configuration D. 138,357,544 parameters.

local nn, recipe = require("lunet").nn, require "lunet.recipe"

local blocks = { { 64, 2 }, { 128, 2 }, { 256, 3 }, { 512, 3 }, { 512, 3 } }

-- Each block ends with a pool that halves rows and columns.
local function features()
  local list = { name = "features" }
  for _, block in ipairs(blocks) do
    local channels, times = table.unpack(block)
    for _ = 1, times do
      list[#list + 1] = nn.conv2d { out_channels = channels, kernel_size = 3,
                                    padding = 1 }
      list[#list + 1] = nn.relu {}
    end
    list[#list + 1] = nn.max_pool2d { kernel_size = 2 }
  end
  return nn.sequential(list)
end

return recipe {
  classes = 1000, shape = { 3, 224, 224 },
  net = function(o)
    return nn.sequential {
      features(), nn.flatten {},
      nn.sequential {
        name = "classifier",
        nn.linear { out_features = 4096 }, nn.relu {}, nn.dropout {},
        nn.linear { out_features = 4096 }, nn.relu {}, nn.dropout {},
        nn.linear { out_features = o.classes } },
    }
  end,
}
