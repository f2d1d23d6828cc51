-- method_cases.lua - what `lunet bench --methods` measures: cases of each layer
-- that has several methods, so that each of them suits one.

local lunet = require "lunet"

local function even(shape, limit) return (lunet.rand(shape) * 2 - 1) * limit end

local function one(shape) return { even(shape, 0.5) } end

-- Sums of two even numbers are exact too often.
local function two(shape) return { lunet.randn(shape), lunet.randn(shape) } end

-- So wide that all pieces of an activation are met.
local function wide(shape) return { even(shape, 4) } end

local function scores_and_classes(shape)
  local classes = (lunet.rand { shape[1] } * shape[2]):floor()
  return { even(shape, 4), classes }
end

local image = { 16, 32, 28, 28 }

-- Word, what the table calls it, shape of x, options, maker of the inputs.
local list = {
  { "conv2d", "3x3, 32 to 32", image,
    { out_channels = 32, kernel_size = 3, padding = 1 }, one },
  { "conv2d", "5x5, 6 to 16", { 64, 6, 14, 14 },
    { out_channels = 16, kernel_size = 5 }, one },
  { "conv2d", "5x5, 32 to 64", { 16, 32, 16, 16 },
    { out_channels = 64, kernel_size = 5, padding = 2 }, one },
  { "conv2d", "3x3 depthwise", { 16, 64, 28, 28 },
    { out_channels = 64, kernel_size = 3, padding = 1, groups = 64 }, one },
  { "conv2d", "3x3 on 2x2 maps", { 16, 128, 2, 2 },
    { out_channels = 128, kernel_size = 3, padding = 1 }, one },
  { "conv2d", "1x1, 128 to 64", { 16, 128, 28, 28 },
    { out_channels = 64, kernel_size = 1 }, one },
  { "conv1d", "3 wide, 32 to 32", { 16, 32, 128 },
    { out_channels = 32, kernel_size = 3, padding = 1 }, one },
  { "conv_transpose2d", "4x4, stride 2, 32 to 16", { 16, 32, 8, 8 },
    { out_channels = 16, kernel_size = 4, stride = 2, padding = 1 }, one },
  { "locally_connected2d", "3x3, 8 to 8", { 32, 8, 16, 16 },
    { out_channels = 8, kernel_size = 3 }, one },
  { "linear", "1024 to 256", { 64, 1024 }, { out_features = 256 }, one },
  { "linear", "one item", { 1, 1024 }, { out_features = 256 }, one },
  { "max_pool2d", "2x2", { 16, 32, 56, 56 }, { kernel_size = 2 }, one },
  { "max_pool2d", "3x3, stride 2", { 16, 32, 56, 56 },
    { kernel_size = 3, stride = 2, padding = 1 }, one },
  { "max_pool2d", "1x1, stride 2", { 16, 32, 56, 56 },
    { kernel_size = 1, stride = 2 }, one },
  { "avg_pool2d", "2x2", { 16, 32, 56, 56 }, { kernel_size = 2 }, one },
  { "avg_pool2d", "3x3, stride 2", { 16, 32, 56, 56 },
    { kernel_size = 3, stride = 2, padding = 1 }, one },
  { "global_avg_pool2d", "", { 16, 128, 14, 14 }, {}, one },
  { "pad", "2 zeros on each side", image, { padding = 2 }, one },
  { "add", "", image, {}, two },
  { "mul", "", image, {}, two },
  { "batch_norm2d", "in training", image, {}, one },
  { "group_norm", "8 groups", image, { num_groups = 8 }, one },
  { "layer_norm", "", { 128, 512 }, { normalized_shape = 512 }, one },
  { "local_response_norm", "5 channels", image, { size = 5 }, one },
  { "relu", "", image, {}, wide },
  { "leaky_relu", "", image, {}, wide },
  { "prelu", "32 slopes", image, { num_parameters = 32 }, wide },
  { "elu", "", image, {}, wide },
  { "softplus", "", image, {}, wide },
  { "gelu", "", image, {}, wide },
  { "silu", "", image, {}, wide },
  { "hardswish", "", image, {}, wide },
  { "sigmoid", "", image, {}, wide },
  { "tanh", "", image, {}, wide },
  { "cross_entropy", "few classes", { 32, 10 }, {}, scores_and_classes },
  { "cross_entropy", "many classes", { 128, 1000 }, {}, scores_and_classes },
}

local cases = {}
for i, case in ipairs(list) do
  local word, name, shape, options, inputs = table.unpack(case)
  cases[i] = { word = word, name = name, shape = shape, options = options,
               inputs = inputs }
end

return cases
