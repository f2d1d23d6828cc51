-- test_conv2d.lua - the convolution: the lecture's numbers, its properties,
-- its gradients, its refusals.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"
local shell = require "support.shell"

local nn = lunet.nn
local filter, image, rows = helpers.filter, helpers.image, helpers.rows
local random = gradcheck.random

local function output_shape(shape, options)
  return nn.conv2d(options):forward(lunet.zeros(shape)):shape()
end

local function count_parameters(layer)
  local n = 0
  for _, p in ipairs(layer:parameters()) do n = n + p.value:numel() end
  return n
end

-- ---- the lecture -----------------------------------------------------------

TestLecture = {}

local X = image(helpers.lecture_image)

function TestLecture:test_the_5x5_example()
  local Y = filter { { 0, 1, 2 }, { 2, 2, 0 }, { 0, 1, 2 } }:forward(X)
  lu.assertEquals(rows(Y), { { 12, 12, 17 }, { 10, 17, 19 }, { 9, 6, 14 } })
end

-- The lecture's kernel looks the same upside down, this one does not: no
-- flipped or transposed kernel gives these numbers.
function TestLecture:test_a_kernel_that_cannot_be_flipped()
  local Y = filter { { 0, 1, 2 }, { 2, 2, 0 }, { 1, 0, 2 } }:forward(X)
  lu.assertEquals(rows(Y), { { 14, 11, 17 }, { 12, 17, 17 }, { 11, 6, 14 } })
end

function TestLecture:test_padded_slide_with_stride_2()
  local Y = filter({ { 2, 0, 1 }, { 1, 0, 0 }, { 0, 1, 1 } },
    { stride = 2, padding = 1 }):forward(X)
  lu.assertEquals(rows(Y), { { 0, 7, 2 }, { 2, 6, 10 }, { 0, 2, 4 } })
end

function TestLecture:test_the_nonlinearity_comes_after_the_sum()
  local x = random { 1, 1, 5, 6 }
  local conv = filter { { 1, -2, 0 }, { 0, 3, -1 }, { 2, 0, -4 } }
  local Y = nn.sigmoid {}:forward(conv:forward(x))
  local X6, W = rows(x), rows(conv.weight)
  for t1 = 0, 1 do -- Y[0,3] and Y[1,3]
    local sum = 0
    for a = 0, 2 do
      for b = 0, 2 do
        sum = sum + X6[t1 + a + 1][3 + b + 1] * W[a + 1][b + 1]
      end
    end
    local y = rows(Y)[t1 + 1][3 + 1]
    lu.assertAlmostEquals(y, 1 / (1 + math.exp(-sum)), 1e-6)
  end
end

function TestLecture:test_six_filters_of_5x5x3_give_28x28x6()
  local shape = output_shape({ 1, 3, 32, 32 },
    { out_channels = 6, kernel_size = 5 })
  lu.assertEquals(shape, { 1, 6, 28, 28 })
end

function TestLecture:test_7x7_with_strides_1_2_and_3()
  for stride, size in ipairs { 5, 3, 2 } do -- (7 - 3)/3 + 1 = 2.33: floor
    local shape = output_shape({ 1, 1, 7, 7 },
      { out_channels = 1, kernel_size = 3, stride = stride })
    lu.assertEquals(shape, { 1, 1, size, size })
  end
end

function TestLecture:test_strict_stride_3_does_not_fit()
  local conv = nn.conv2d {
    out_channels = 1, kernel_size = 3, stride = 3, strict = true }
  helpers.assert_refused("never read", conv.forward, conv,
    lunet.zeros { 1, 1, 7, 7 })
end

function TestLecture:test_padding_of_half_a_kernel_keeps_the_size()
  for _, k in ipairs { 3, 5, 7 } do
    local shape = output_shape({ 1, 1, 7, 7 },
      { out_channels = 1, kernel_size = k, padding = (k - 1) // 2 })
    lu.assertEquals(shape, { 1, 1, 7, 7 })
  end
end

function TestLecture:test_ten_filters_on_32x32x3_have_760_parameters()
  local options = { in_channels = 3, out_channels = 10, kernel_size = 5,
    padding = 2 }
  lu.assertEquals(output_shape({ 1, 3, 32, 32 }, options), { 1, 10, 32, 32 })
  lu.assertEquals(count_parameters(nn.conv2d(options)), 10 * (5 * 5 * 3 + 1))
  options.bias = false
  lu.assertEquals(count_parameters(nn.conv2d(options)), 10 * 75)
end

function TestLecture:test_1x1_with_32_filters_on_64_channels()
  local conv = nn.conv2d {
    in_channels = 64, out_channels = 32, kernel_size = 1 }
  local x = random { 1, 64, 3, 4 }
  local y = conv:forward(x)
  lu.assertEquals(y:shape(), { 1, 32, 3, 4 })
  local w, b = conv.weight:tolist(), conv.bias:tolist()
  local sum, pixel = b[7], x:tolist()[1]
  for c = 1, 64 do sum = sum + w[7][c][1][1] * pixel[c][2][3] end
  lu.assertAlmostEquals(y:tolist()[1][7][2][3], sum, 1e-5)
end

function TestLecture:test_100_shared_3x3_kernels_are_900_weights()
  local conv = nn.conv2d {
    in_channels = 1, out_channels = 100, kernel_size = 3, bias = false }
  lu.assertEquals(count_parameters(conv), 900)
end

-- Where does a change of one output's gradient reach?
local function extent_of_gradient(layers, size)
  local x = random { 1, 1, size, size }
  for _, layer in ipairs(layers) do x = layer:forward(x) end
  local dy = lunet.zeros(x:shape())
  local middle = x:shape()[3] // 2 + 1
  dy[1][1][middle][middle] = 1
  for i = #layers, 1, -1 do dy = layers[i]:backward(dy) end
  local touched = 0
  for _, row in ipairs(rows(dy)) do
    local any = false
    for _, v in ipairs(row) do any = any or v ~= 0 end
    if any then touched = touched + 1 end
  end
  return touched
end

local ones = { { 1, 1, 1 }, { 1, 1, 1 }, { 1, 1, 1 } }

function TestLecture:test_receptive_fields_3x3_and_5x5()
  lu.assertEquals(extent_of_gradient({ filter(ones) }, 11), 3)
  lu.assertEquals(extent_of_gradient({ filter(ones), filter(ones) }, 11), 5)
end

function TestLecture:test_receptive_field_behind_a_pool()
  local pool = nn.avg_pool2d { kernel_size = 4, stride = 1 }
  local field = extent_of_gradient({ filter(ones), pool }, 11)
  lu.assertEquals(field, 4 + 3 - 1) -- pool_size + k - 1
end

-- ---- the page and its properties -------------------------------------------

TestConv2d = {}

function TestConv2d:test_worked_example()
  local conv = filter({ { 1, 2 }, { 0, -1 } })
  local x = image { { 1, 2, 3 }, { 4, 5, 6 }, { 7, 8, 9 } }
  lu.assertEquals(rows(conv:forward(x)), { { 0, 2 }, { 6, 8 } })
  local dx = conv:backward(image { { 1, 0 }, { 0, 2 } })
  lu.assertEquals(rows(dx), { { 1, 2, 0 }, { 0, 1, 4 }, { 0, 0, -2 } })
  lu.assertEquals(rows(conv:parameters()[1].grad), { { 11, 14 }, { 20, 23 } })
end

function TestConv2d:test_bias_is_added_to_a_whole_channel()
  local conv = nn.conv2d {
    in_channels = 1, out_channels = 2, kernel_size = 1 }
  conv.weight:fill(0)
  conv.bias:copy(lunet.tensor { 3, -4 })
  local y = conv:forward(random { 1, 1, 1, 2 })
  lu.assertEquals(y:tolist(), { { { { 3, 3 } }, { { -4, -4 } } } })
  conv:backward(lunet.ones { 1, 2, 1, 2 })
  lu.assertEquals(conv:parameters()[2].grad:tolist(), { 2, 2 })
end

function TestConv2d:test_commutes_with_shifts()
  local conv = filter { { 0.5, -1, 2 }, { 3, 0, 1 }, { -2, 1, 1 } }
  local wide = random { 1, 1, 9, 10 }
  local here = conv:forward(wide:narrow(4, 1, 9):clone())
  local there = conv:forward(wide:narrow(4, 2, 9):clone())
  helpers.assert_same(here:narrow(4, 2, 6):clone(),
    there:narrow(4, 1, 6):clone())
end

function TestConv2d:test_is_linear()
  local conv = nn.conv2d { in_channels = 2, out_channels = 3, kernel_size = 3,
    padding = 1, bias = false }
  local a, b = random { 2, 2, 5, 6 }, random { 2, 2, 5, 6 }
  helpers.assert_near(conv:forward(a * 2 + b),
    (conv:forward(a) * 2 + conv:forward(b)):tolist(), 1e-5)
end

function TestConv2d:test_groups_do_not_see_each_other()
  local both = nn.conv2d { in_channels = 4, out_channels = 6, kernel_size = 3,
    groups = 2, bias = false }
  local first = nn.conv2d { in_channels = 2, out_channels = 3,
    kernel_size = 3, bias = false }
  first.weight:copy(both.weight:narrow(1, 1, 3))
  local x = random { 2, 4, 5, 6 }
  helpers.assert_near(first:forward(x:narrow(2, 1, 2):clone()),
    both:forward(x):narrow(2, 1, 3):clone():tolist(), 1e-5)
end

function TestConv2d:test_dilation_is_a_kernel_with_holes()
  local spread = filter({ { 1, 2 }, { 3, 4 } }, { dilation = { 2, 3 } })
  local holes = filter { { 1, 0, 0, 2 }, { 0, 0, 0, 0 }, { 3, 0, 0, 4 } }
  local x = random { 1, 1, 6, 7 }
  helpers.assert_near(spread:forward(x), holes:forward(x):tolist(), 1e-6)
end

function TestConv2d:test_same_puts_the_odd_row_and_column_behind()
  local conv = filter({ { 0, 0 }, { 0, 1 } }, { padding = "same" })
  lu.assertEquals(rows(conv:forward(image { { 1, 2 }, { 3, 4 } })),
    { { 4, 0 }, { 0, 0 } })
end

function TestConv2d:test_valid_is_no_padding()
  local x = random { 1, 1, 5, 5 }
  local kernel = { { 1, 2 }, { 3, 4 } }
  helpers.assert_same(filter(kernel, { padding = "valid" }):forward(x),
    filter(kernel):forward(x))
end

function TestConv2d:test_windows_that_see_padding_only()
  local conv = filter({ { 1, 1 } }, { padding = { 1, 2 } })
  lu.assertEquals(rows(conv:forward(image { { 5 } })), { { 0, 0, 0, 0 },
    { 0, 5, 5, 0 }, { 0, 0, 0, 0 } })
end

function TestConv2d:test_batch_of_none()
  local conv = nn.conv2d {
    in_channels = 2, out_channels = 3, kernel_size = 3 }
  local y = conv:forward(lunet.zeros { 0, 2, 5, 6 })
  lu.assertEquals(y:shape(), { 0, 3, 3, 4 })
  lu.assertEquals(conv:backward(y):shape(), { 0, 2, 5, 6 })
  lu.assertEquals(conv:parameters()[2].grad:tolist(), { 0, 0, 0 })
end

function TestConv2d:test_items_alone()
  local conv = nn.conv2d { out_channels = 3, kernel_size = 3, padding = 1 }
  helpers.assert_items_alone(conv, random { 5, 2, 6, 5 })
end

-- Sizes all different, and strides that leave something over.
local shapes = {
  { { 2, 3, 7, 6 }, { out_channels = 4, kernel_size = { 3, 2 },
    stride = { 2, 1 }, padding = { 1, 0 } } },
  { { 3, 2, 9, 10 }, { out_channels = 5, kernel_size = { 2, 3 },
    stride = { 3, 2 }, padding = { 0, 1 } } },
  { { 2, 4, 6, 5 }, { out_channels = 6, kernel_size = { 3, 2 }, groups = 2,
    dilation = { 1, 2 }, padding = { 1, 2 } } },
  { { 2, 3, 5, 4 }, { out_channels = 2, kernel_size = 1, bias = false } },
  { { 2, 3, 5, 4 }, { out_channels = 6, kernel_size = 2, groups = 3,
    padding = "same" } },
  { { 1, 2, 5, 7 }, { out_channels = 3, kernel_size = 1, stride = 2,
    padding = 1 } },
  { { 2, 4, 9, 8 }, { out_channels = 8, kernel_size = 3, groups = 4,
    stride = 2, dilation = 2, padding = 2, bias = false } },
}

local function with(options, method)
  local copy = { method = method }
  for name, value in pairs(options) do copy[name] = value end
  return copy
end

function TestConv2d:test_gradients()
  for _, case in ipairs(shapes) do
    for _, method in ipairs { "textbook", "im2col", "direct" } do
      local conv, x = nn.conv2d(with(case[2], method)), random(case[1])
      conv:forward(x)
      helpers.assert_gradients(conv, { x })
    end
  end
end

function TestConv2d:test_fast_equals_textbook()
  for _, case in ipairs(shapes) do
    for _, method in ipairs { "im2col", "direct", "auto" } do
      helpers.assert_equals_textbook("conv2d", method, case[2],
        random(case[1]))
    end
  end
end

-- Sizes with and without something left over at each end: of vectors of 4, 8
-- and 16 lanes, of channels, of filters, of rows.
local pick = math.random

local function random_case()
  local groups = pick(3)
  local kernel, dilation = { pick(3), pick(3) }, { pick(2), pick(2) }
  return { pick(3), groups * pick(9), 4 + pick(12), 4 + pick(30) },
    { out_channels = groups * pick(20), kernel_size = kernel, groups = groups,
      stride = { pick(3), pick(3) }, dilation = dilation,
      padding = { pick(0, 3), pick(0, 3) }, bias = pick(2) == 1 }
end

-- Filters that Winograd's method knows: 3x3 and 5x5, stride 1.
local function random_tiles()
  local kernel = pick(2) * 2 + 1
  return { pick(3), pick(36), kernel + pick(12), kernel + pick(30) },
    { out_channels = pick(70), kernel_size = kernel,
      padding = { pick(0, kernel), pick(0, kernel) }, bias = pick(2) == 1 }
end

local function random_depthwise()
  local channels, kernel = pick(6), pick(2) * 2 + 1
  return { pick(3), channels, kernel + pick(12), kernel + pick(40) },
    { out_channels = channels, groups = channels, kernel_size = kernel,
      padding = { pick(0, kernel - 1), pick(0, kernel - 1) },
      bias = pick(2) == 1 }
end

-- Filters of one pixel: few and many channels, filters and pixels, so that
-- blocks, tiles and parts of images occur whole, cut off, and several times.
local function random_pointwise()
  local groups = pick(2)
  return { pick(6), groups * pick(60), 4 + pick(28), 4 + pick(28) },
    { out_channels = groups * pick(60), kernel_size = 1, groups = groups,
      bias = pick(2) == 1 }
end

-- Maps of 2x2 pixels, with more and fewer images, channels and filters than a
-- vector has lanes.
local function random_two_by_two()
  return { pick(130), pick(70), 2, 2 },
    { out_channels = pick(70), kernel_size = 3, padding = 1,
      bias = pick(2) == 1 }
end

-- What a vector of images suits; with more images than lanes, and fewer.
local function random_batch()
  local groups = pick(2)
  return { pick(34), groups * pick(4), 4 + pick(9), 4 + pick(16) },
    { out_channels = groups * pick(9), kernel_size = { pick(3), pick(3) },
      groups = groups, dilation = { pick(2), pick(2) },
      padding = { pick(0, 5), pick(0, 5) }, bias = pick(2) == 1 }
end

-- Rows of four tiles and more, whole and cut off; in one band and in several.
local function random_batch_winograd()
  local groups, taps = pick(2), pick(2) * 2 + 1
  local width = 4 * (7 - taps) + taps
  return { pick(34), groups * pick(5), 5 + pick(20), width + pick(12) },
    { out_channels = groups * pick(9), kernel_size = { pick(5), taps },
      groups = groups, dilation = { pick(2), 1 }, bias = pick(2) == 1,
      padding = { pick(0, 5), pick(0, taps + 1) } }
end

local function assert_agrees(method, random_shapes, times)
  for _ = 1, times do
    local shape, options = random_shapes()
    helpers.assert_equals_textbook("conv2d", method, options, random(shape))
  end
end

function TestConv2d:test_im2col_on_random_shapes()
  assert_agrees("im2col", random_case, 20)
end

function TestConv2d:test_direct_on_random_shapes()
  assert_agrees("direct", random_case, 40)
end

function TestConv2d:test_batch_on_random_shapes()
  assert_agrees("batch", random_batch, 30)
end

function TestConv2d:test_batch_winograd_on_random_shapes()
  assert_agrees("batch_winograd", random_batch_winograd, 30)
end

function TestConv2d:test_winograd_on_random_shapes()
  assert_agrees("winograd", random_tiles, 25)
end

function TestConv2d:test_depthwise_on_random_shapes()
  assert_agrees("depthwise", random_depthwise, 20)
end

function TestConv2d:test_pointwise_on_random_shapes()
  assert_agrees("1x1", random_pointwise, 20)
end

-- More channels than filters, and the reverse; as many as fill several tasks.
function TestConv2d:test_pointwise_with_many_channels()
  for _, channels in ipairs { { 530, 20 }, { 20, 530 } } do
    helpers.assert_equals_textbook("conv2d", "1x1",
      { out_channels = channels[2], kernel_size = 1 },
      random { 2, channels[1], 4, 5 })
  end
end

function TestConv2d:test_two_by_two_on_random_shapes()
  assert_agrees("2x2", random_two_by_two, 15)
end

-- ---- the fast methods ------------------------------------------------------

TestMethods = {}

local tiles = { out_channels = 20, kernel_size = 3, padding = 1 }
local fives = { out_channels = 18, kernel_size = 5, padding = 2 }
local depthwise = { out_channels = 5, kernel_size = 3, groups = 5 }
local deep = { out_channels = 260, kernel_size = 3, stride = 2, padding = 1 }

local examples = {
  { "winograd", tiles, { 2, 17, 7, 9 } },
  { "winograd", fives, { 2, 17, 7, 9 } },
  { "depthwise", depthwise, { 2, 5, 7, 9 } },
  { "1x1", { out_channels = 5, kernel_size = 1 }, { 2, 3, 7, 9 } },
  { "batch", { out_channels = 7, kernel_size = 3, padding = 1 },
    { 2, 3, 7, 9 } },
  { "batch_winograd", { out_channels = 7, kernel_size = 5, padding = 2 },
    { 2, 3, 7, 9 } },
  { "direct", { out_channels = 5, kernel_size = 3, stride = 2 },
    { 2, 3, 7, 9 } },
  { "direct", { out_channels = 33, kernel_size = 3, stride = 2 },
    { 2, 3, 7, 9 } },
  { "direct", deep, { 2, 128, 7, 9 } },
}

function TestMethods:test_a_batch_of_none()
  for _, e in ipairs(examples) do
    local shape = { 0, e[3][2], e[3][3], e[3][4] }
    helpers.assert_equals_textbook("conv2d", e[1], e[2], random(shape))
  end
end

-- The pixel decides 36 frequencies of its tile at most, and shows itself.
function TestMethods:test_nan_stays_visible()
  for _, e in ipairs(examples) do
    local conv, x = nn.conv2d(with(e[2], e[1])), random(e[3])
    x[2][1][4][5] = 0 / 0
    local y = conv:forward(x)
    lu.assertTrue(y[2]:sum() ~= y[2]:sum(), e[1])
    lu.assertTrue(y[1]:sum() == y[1]:sum(), e[1])
  end
end

-- New weights, new packed weights: nothing old is multiplied, neither while
-- training nor in evaluation, which keeps what it has packed.
function TestMethods:test_see_changed_weights()
  for _, e in ipairs(examples) do
    local conv, x = nn.conv2d(with(e[2], e[1])), random(e[3])
    local before = conv:forward(x)
    helpers.assert_same(conv:predict(x), before)
    conv:backward(conv:forward(x))
    conv.weight:copy(conv.weight * 2)
    conv.bias:copy(conv.bias * 2)
    local twice = (before * 2):tolist()
    helpers.assert_near(conv:forward(x), twice, 1e-5)
    helpers.assert_near(conv:predict(x), twice, 1e-5)
  end
end

-- One tile, many weights: the transformed filters are the largest part.
function TestMethods:test_winograd_with_few_tiles()
  for _, kernel in ipairs { 3, 5 } do
    helpers.assert_equals_textbook("conv2d", "winograd",
      { out_channels = 70, kernel_size = kernel, padding = 1 },
      random { 1, 90, 4, 3 })
  end
end

-- So many weights that tasks transform them anew where they use them: of one
-- tile to four, and of more; in evaluation from a copy of their own, which
-- changes with them.
function TestMethods:test_winograd_with_many_weights()
  local options = { out_channels = 250, kernel_size = 3, padding = 1 }
  for _, size in ipairs { { 3, 3 }, { 5, 3 }, { 3, 9 }, { 5, 7 }, { 5, 9 } } do
    local x = random { 1, 245, size[1], size[2] }
    helpers.assert_equals_textbook("conv2d", "winograd", options, x)
    local conv = nn.conv2d(with(options, "winograd"))
    for _ = 1, 2 do
      helpers.assert_same(conv:forward(x), conv:predict(x))
      conv.weight:copy(conv.weight * 2)
    end
  end
end

-- One image has few tiles, a batch has many: the bits are the same.
function TestMethods:test_winograd_of_one_image_and_of_many()
  local conv = nn.conv2d { out_channels = 250, kernel_size = 3, padding = 1,
    method = "winograd" }
  local x = random { 4, 245, 5, 7 }
  local y = conv:predict(x)
  for n = 1, 4 do
    helpers.assert_same(conv:predict(x:narrow(1, n, 1)),
      y:narrow(1, n, 1):clone())
  end
end

-- So many tiles that the gradient of w goes through them in two batches: where
-- a task takes some of the tiles, and where it takes some of the weights.
function TestMethods:test_winograd_with_many_tiles()
  helpers.assert_equals_textbook("conv2d", "winograd",
    { out_channels = 32, kernel_size = 3 }, random { 2, 16, 102, 101 })
  helpers.assert_equals_textbook("conv2d", "winograd",
    { out_channels = 100, kernel_size = 3 }, random { 1, 64, 54, 106 })
end

-- Many weights, few outputs: dw is a product over several images at a time.
function TestMethods:test_direct_in_deep_layers()
  helpers.assert_equals_textbook("conv2d", "direct", deep,
    random { 22, 128, 9, 10 })
  helpers.assert_equals_textbook("conv2d", "direct",
    { out_channels = 320, kernel_size = 3, stride = 2, groups = 2 },
    random { 3, 192, 9, 9 })
end

-- Filters in the lanes, in both directions: short rows by twos, and the pixels
-- of dx from as many sums as the stride has phases.
function TestMethods:test_direct_with_strides()
  for _, stride in ipairs { 1, 2, 3, { 1, 2 }, { 2, 1 }, { 2, 3 } } do
    for _, size in ipairs { { 5, 6 }, { 8, 13 }, { 11, 38 }, { 3, 69 } } do
      helpers.assert_equals_textbook("conv2d", "direct",
        { out_channels = 40, kernel_size = 3, stride = stride, padding = 1 },
        random { 2, 35, size[1], size[2] })
    end
  end
end

function TestMethods:test_rectify_in_passing()
  for _, e in ipairs(examples) do
    local conv, x = nn.conv2d(with(e[2], e[1])), random(e[3])
    local net = nn.sequential { conv, nn.relu {} }
    local expected = nn.relu {}:forward(conv:forward(x))
    helpers.assert_same(net:forward(x), expected)
  end
end

-- A slice of a batch, and of a larger tensor, begins at any float.
function TestMethods:test_views_begin_anywhere()
  for _, e in ipairs(examples) do
    local conv, x = nn.conv2d(with(e[2], e[1])), random(e[3])
    local one = conv:forward(x):narrow(1, 2, 1):clone()
    helpers.assert_near(conv:forward(x:narrow(1, 2, 1)), one:tolist(), 1e-6)
  end
end

-- The method computes on all threads or on slices; the bits are the same.
function TestMethods:test_bits_do_not_depend_on_threads()
  local threads = lunet.num_threads()
  for _, e in ipairs(examples) do
    local conv = nn.conv2d(with(e[2], e[1]))
    local x = random { 9, e[3][2], 20, 21 }
    local y, dx, dw
    for n = 1, 3 do
      lunet.set_num_threads(n)
      conv:zero_grad()
      local y_n = conv:forward(x)
      local dx_n = conv:backward(y_n)
      local dw_n = conv:parameters()[1].grad
      if n == 1 then y, dx, dw = y_n, dx_n, dw_n:clone() end
      helpers.assert_same(y_n, y)
      helpers.assert_same(dx_n, dx)
      helpers.assert_same(dw_n, dw)
    end
  end
  lunet.set_num_threads(threads)
end

function TestMethods:test_refuse_what_they_cannot_do()
  for _, case in ipairs {
    { "winograd", { out_channels = 4, kernel_size = 3, stride = 2 } },
    { "winograd", { out_channels = 4, kernel_size = { 3, 5 } } },
    { "winograd", { out_channels = 4, kernel_size = 3, groups = 2 } },
    { "depthwise", { out_channels = 4, kernel_size = 3, groups = 2 } },
    { "depthwise", { out_channels = 4, kernel_size = 7, groups = 4 } },
  } do
    local conv = nn.conv2d(with(case[2], case[1]))
    helpers.assert_refused(("the method %q of conv2d does not work here")
      :format(case[1]), conv.forward, conv, random { 1, 4, 9, 9 })
  end
end

-- ---- refusals --------------------------------------------------------------

function TestConv2d:test_refuses_groups_that_do_not_divide()
  helpers.assert_refused("groups = 2 does not divide out_channels = 5: each "
    .. "group gets out_channels / groups filters; try groups = 1, or "
    .. "out_channels = 2", nn.conv2d,
    { out_channels = 5, kernel_size = 3, groups = 2 })
  helpers.assert_refused("groups = 2 does not divide in_channels = 3: each "
    .. "group sees in_channels / groups channels; try groups = 1", nn.conv2d,
    { in_channels = 3, out_channels = 4, kernel_size = 3, groups = 2 })
end

function TestConv2d:test_refuses_groups_that_do_not_divide_the_input()
  local conv = nn.conv2d { out_channels = 4, kernel_size = 3, groups = 2 }
  helpers.assert_refused("groups = 2 does not divide in_channels = 3",
    conv.forward, conv, lunet.zeros { 1, 3, 5, 5 })
end

function TestConv2d:test_refuses_same_with_a_stride()
  helpers.assert_refused("padding = \"same\" with stride = 2: only stride 1 "
    .. "keeps the size of x; try padding = 1, or stride = 1", nn.conv2d,
    { out_channels = 4, kernel_size = 3, stride = 2, padding = "same" })
end

function TestConv2d:test_refuses_images_without_pixels()
  local conv = nn.conv2d { out_channels = 4, kernel_size = 2, padding = 1 }
  helpers.assert_refused("x has no pixels: its images are 0 x 5",
    conv.forward, conv, lunet.zeros { 1, 3, 0, 5 })
end

function TestConv2d:test_refuses_another_number_of_channels()
  local conv = nn.conv2d { out_channels = 4, kernel_size = 3 }
  conv:forward(lunet.zeros { 1, 3, 5, 5 })
  helpers.assert_refused("in_channels = 3, but x has 2 there", conv.forward,
    conv, lunet.zeros { 1, 2, 5, 5 })
end

-- ---- other instruction sets ------------------------------------------------

-- The same tests with the kernels of simpler machines.
if not os.getenv("LUNET_ISA") then
  TestInstructionSets = {}
  local build = os.getenv("LUNET_BUILD") or "build"
  for _, isa in ipairs { "baseline", "avx2" } do
    TestInstructionSets["test_" .. isa] = function()
      local supported = shell.run("LUNET_ISA=%s %s/lunet -e '%s'", isa, build,
        'require("lunet").nn.conv2d{ out_channels = 1, kernel_size = 1 }')
      lu.skipIf(not supported, "this machine has no " .. isa)
      local ok, output = shell.run("LUNET_ISA=%s %s/lunet %s", isa, build,
        "tests/plugins/test_conv2d.lua")
      lu.assertTrue(ok, output)
    end
  end
end

os.exit(lu.LuaUnit.run())
