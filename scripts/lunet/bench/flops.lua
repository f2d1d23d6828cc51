-- flops.lua - the useful operations of a net: 2 for each multiply-add of its
-- convolutions and fully-connected layers; all other layers count as none. A
-- method that needs fewer is credited with these.

local flops = {}

local counted = { conv2d = true, linear = true }

local function numel(shape)
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  return n
end

-- Multiply-adds of one use of a layer: each output needs as many as the layer
-- has weights an output channel.
local function multiply_adds(layer, y)
  local weight = layer.weight:shape()
  return numel(y) * numel(table.move(weight, 2, #weight, 1, {}))
end

-- One entry a convolution or linear layer, in order, for one item.
function flops.of_layers(net)
  local core_net, builder = net:core_net()
  local list = {}
  for i, node in ipairs(builder.nodes) do
    if counted[node.layer.word] then
      local y = core_net:node_info(i).shape
      list[#list + 1] = 2 * multiply_adds(node.layer, y) / y[1]
    end
  end
  return list
end

-- Of one item. Training adds the data and the weight gradient of each layer,
-- save the data gradient of the first, which nobody needs.
function flops.of_net(net, training)
  local list, sum = flops.of_layers(net), 0
  for _, f in ipairs(list) do sum = sum + f end
  return training and 3 * sum - (list[1] or 0) or sum
end

return flops
