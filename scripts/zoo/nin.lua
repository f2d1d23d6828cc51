-- nin.lua - network in network: each convolution is followed by two of 1x1, a
-- small network slid over the picture, and the classes' scores are the means
-- of their maps instead of linear layers.
--
-- Lin, Chen, Yan: Network in network, 2014, as built for CIFAR-10. 966,986
-- parameters.

local nn, recipe = require("lunet").nn, require "lunet.recipe"

local function add_block(list, size, channels)
  for i, k in ipairs(channels) do
    local window = i == 1 and size or 1
    list[#list + 1] = nn.conv2d { out_channels = k, kernel_size = window,
                                  padding = window // 2 }
    list[#list + 1] = nn.relu {}
  end
end

return recipe {
  classes = 10, shape = { 3, 32, 32 },
  net = function(o)
    local list = {}
    local function add(layer) list[#list + 1] = layer end
    local halve = { kernel_size = 3, stride = 2, ceil_mode = true }
    add_block(list, 5, { 192, 160, 96 })
    add(nn.max_pool2d(halve)); add(nn.dropout {})       -- 96 maps of 16x16
    add_block(list, 5, { 192, 192, 192 })
    add(nn.avg_pool2d(halve)); add(nn.dropout {})       -- 192 maps of 8x8
    add_block(list, 3, { 192, 192, o.classes })
    add(nn.global_avg_pool2d {}); add(nn.flatten {})
    return nn.sequential(list)
  end,
}
