-- marks.lua - the goals: how many times as fast as PyTorch's best variant each
-- workload is meant to be, with two threads and with one.

local function same(ratio) return { one = ratio, two = ratio } end

local function passes(forward, data, weights)
  return { forward = same(forward), backward_data = same(data),
           backward_weights = weights and same(weights) }
end

-- workload -> mode, of networks with its batch -> { one =, two = }
local marks = {
  mlp_digits = { ["train 32"] = same(12) },
  lenet5 = { ["train 64"] = { two = 5.5, one = 4.5 }, ["infer 1"] = same(10),
             ["infer 64"] = { two = 3.5, one = 3 } },
  cifar_quick = { ["train 100"] = same(1.5) },
  resnet20 = { ["train 128"] = same(2), ["infer 1"] = same(3) },
  vgg11_bn = { ["train 64"] = same(2.6) },
  resnet18 = { ["train 8"] = same(1.75),
               ["infer 1"] = { two = 1.4, one = 1.6 } },
  conv_3x3_64 = passes(2.0, 2.2, 1.8),
  conv_3x3_256 = passes(1.4, 1.5, 1.5),
  conv_5x5 = passes(1.5, 1.5, 1.3),
  conv_1x1 = passes(1, 1, 1),
  conv_7x7_s2 = { forward = same(0.9), backward_data = same(3) },
  depthwise_3x3 = passes(1.2, 1.2, 1.2),
  maxpool_3x3_s2 = passes(1.5, 2),
  avgpool_2x2 = passes(1, 2),
  batchnorm = passes(1.2, 1.2, 1),
  relu = passes(0.95, 0.95),
  fc = passes(1, 1, 1.3),
  locally_connected = passes(5, 5, 5),
  softmax_xent = passes(1.2, 1.2),
  lenet5_epoch_mnist_shape = { train_epoch_index = same(5) },
}

-- The mark of a row of a comparison; nil where there is none.
return function(row)
  local of_workload = marks[row.workload] or {}
  local mark = of_workload[row.mode] or
    of_workload[("%s %d"):format(row.mode, row.batch or 0)]
  return mark and (row.threads == 1 and mark.one or mark.two)
end
