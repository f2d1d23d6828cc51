-- workloads.lua - the fixed list of what `lunet bench` measures. It is the list
-- that PyTorch is measured over, so the two can be laid side by side.

local workloads = {}

-- Networks of lunet.zoo: shape of an item, classes, cases { mode, batch }.
workloads.nets = {
  mlp_digits = { shape = { 64 }, classes = 10, cases = { { "train", 32 } } },
  lenet5 = { shape = { 1, 28, 28 }, classes = 10,
             cases = { { "train", 64 }, { "infer", 1 }, { "infer", 64 } } },
  cifar_quick = { shape = { 3, 32, 32 }, classes = 10,
                  cases = { { "train", 100 } } },
  resnet20 = { shape = { 3, 32, 32 }, classes = 10,
               cases = { { "train", 128 }, { "infer", 1 } } },
  vgg11_bn = { shape = { 3, 32, 32 }, classes = 10,
               cases = { { "train", 64 } } },
  resnet18 = { shape = { 3, 224, 224 }, classes = 1000,
               cases = { { "infer", 1 }, { "train", 8 } } },
}

-- A convolution of x (N,C,H,H) to K channels.
local function conv(N, C, H, K, kernel_size, stride, padding, groups)
  local out = (H + 2 * padding - kernel_size) // stride + 1
  return {
    word = "conv2d", x = { N, C, H, H }, y = { N, K, out, out },
    options = { in_channels = C, out_channels = K, kernel_size = kernel_size,
                stride = stride, padding = padding, groups = groups },
    weights = K * C // groups * kernel_size ^ 2 + K,
    flops = 2 * N * K * out ^ 2 * (C // groups) * kernel_size ^ 2,
  }
end

-- A layer that is bound by memory. `traffic`: how often, in the size of x, a
-- pass must read or write, each operand read once and each result written
-- once.
local function bound_by_memory(word, x, options, traffic)
  return { word = word, x = x, options = options, traffic = traffic }
end

local pooled = { forward = 5 / 4, backward_data = 5 / 4 }

-- Single layers: word, options, shape of x; flops of one pass or traffic.
workloads.layers = {
  conv_3x3_64 = conv(16, 64, 56, 64, 3, 1, 1, 1),
  conv_3x3_256 = conv(16, 256, 14, 256, 3, 1, 1, 1),
  conv_1x1 = conv(16, 256, 28, 64, 1, 1, 0, 1),
  conv_7x7_s2 = conv(8, 3, 224, 64, 7, 2, 3, 1),
  conv_5x5 = conv(64, 32, 16, 64, 5, 1, 2, 1),
  depthwise_3x3 = conv(16, 128, 28, 128, 3, 1, 1, 128),
  maxpool_3x3_s2 = bound_by_memory("max_pool2d", { 16, 64, 112, 112 },
    { kernel_size = 3, stride = 2, padding = 1 }, pooled),
  avgpool_2x2 = bound_by_memory("avg_pool2d", { 16, 64, 112, 112 },
    { kernel_size = 2 }, pooled),
  batchnorm = bound_by_memory("batch_norm2d", { 16, 64, 56, 56 },
    { num_features = 64 },
    { forward = 2, backward_data = 3, backward_weights = 2 }),
  relu = bound_by_memory("relu", { 16, 64, 56, 56 }, {},
    { forward = 2, backward_data = 3 }),
  softmax_xent = bound_by_memory("cross_entropy", { 128, 1000 }, {},
    { forward = 1, backward_data = 2 }),
  fc = {
    word = "linear", x = { 64, 4096 }, y = { 64, 1000 },
    options = { in_features = 4096, out_features = 1000 },
    weights = 1000 * 4096 + 1000, flops = 2 * 64 * 4096 * 1000,
  },
  locally_connected = {
    word = "locally_connected2d", x = { 16, 16, 28, 28 },
    y = { 16, 16, 26, 26 },
    options = { in_channels = 16, out_channels = 16, input_size = 28,
                kernel_size = 3 },
    weights = 26 * 26 * 16 * (16 * 9 + 1),
    flops = 2 * 16 * 16 * 26 * 26 * 16 * 9,
  },
}
workloads.layers.batchnorm.trains = true -- its forward is that of training
workloads.layers.softmax_xent.classes = 1000

-- All names, in the order in which they are measured.
workloads.names = {
  "mlp_digits", "lenet5", "cifar_quick", "resnet20", "vgg11_bn", "resnet18",
  "conv_3x3_64", "conv_3x3_256", "conv_1x1", "conv_7x7_s2", "conv_5x5",
  "depthwise_3x3", "maxpool_3x3_s2", "avgpool_2x2", "batchnorm", "relu", "fc",
  "locally_connected", "softmax_xent", "lenet5_epoch_mnist_shape", "startup",
  "sgemm_2048", "copy_1gib",
}

-- The cases of a workload, as texts "train:64"; "-" where all its modes are
-- measured in one process.
function workloads.cases(name)
  local net, list = workloads.nets[name], {}
  for i, case in ipairs(net and net.cases or {}) do
    list[i] = ("%s:%d"):format(case[1], case[2])
  end
  return net and list or { "-" }
end

function workloads.has(name)
  for _, other in ipairs(workloads.names) do
    if other == name then return true end
  end
  return false
end

-- A line of --list: "lenet5 train:64 infer:1 infer:64".
function workloads.line(name)
  if not workloads.nets[name] then return name end
  return name .. " " .. table.concat(workloads.cases(name), " ")
end

return workloads
