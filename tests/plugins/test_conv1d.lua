-- test_conv1d.lua - the convolution along a row.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local combinations = require "plugins.combinations"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local random = gradcheck.random

TestConv1d = {}

-- A convolution of one channel with this kernel.
local function filter(kernel, bias, method)
  local conv = nn.conv1d { in_channels = 1, out_channels = 1,
    kernel_size = #kernel, method = method }
  conv.weight:copy(lunet.tensor { { kernel } })
  conv.bias:fill(bias)
  return conv
end

local function numbers(t) return t:tolist()[1][1] end

function TestConv1d:test_worked_example()
  local conv = filter({ 1, 2 }, 10)
  lu.assertEquals(numbers(conv:forward(lunet.tensor { { { 1, 2, 3, 4 } } })),
    { 15, 18, 21 })
  local dx = conv:backward(lunet.tensor { { { 1, 0, 2 } } })
  lu.assertEquals(numbers(dx), { 1, 2, 2, 4 })
  local weight, bias = table.unpack(conv:parameters())
  lu.assertEquals(numbers(weight.grad), { 7, 10 })
  lu.assertEquals(bias.grad:tolist(), { 3 })
end

-- A row is an image of height 1.
function TestConv1d:test_is_conv2d_on_one_row()
  local x = random { 2, 4, 11 }
  for options in combinations { stride = { 1, 3 }, padding = { 0, 2 },
                                dilation = { 1, 2 }, groups = { 1, 2 } } do
    options.in_channels, options.out_channels = 4, 6
    options.kernel_size = 3
    local conv = nn.conv1d(options)
    options.kernel_size = { 1, 3 }
    options.padding = { 0, options.padding }
    local conv2d = nn.conv2d(options)
    conv2d.weight:copy(conv.weight:view(conv2d.weight:shape()))
    conv2d.bias:copy(conv.bias)
    local y = conv2d:forward(x:view { 2, 4, 1, 11 })
    local N, K, _, OW = table.unpack(y:shape())
    helpers.assert_near(conv:forward(x), y:view { N, K, OW }:tolist(), 1e-5)
  end
end

function TestConv1d:test_commutes_with_shifts()
  local conv, x = filter({ 1, -2, 3 }, 0.5), random { 1, 1, 12 }
  local y, shifted = conv:forward(x), conv:forward(x:narrow(3, 4, 9))
  helpers.assert_same(shifted, y:narrow(3, 4, 7):clone())
end

function TestConv1d:test_same_and_valid()
  local x = random { 1, 1, 7 }
  for size = 1, 5 do
    local function length(padding)
      return nn.conv1d { out_channels = 1, kernel_size = size, dilation = 2,
        padding = padding }:forward(x):shape()[3]
    end
    lu.assertEquals(length "same", 7)
    if size < 5 then lu.assertEquals(length "valid", 7 - 2 * (size - 1)) end
  end
  -- of an odd number of zeros the odd one goes behind
  local conv = nn.conv1d { in_channels = 1, out_channels = 1, kernel_size = 2,
    padding = "same", bias = false }
  conv.weight:fill(1)
  lu.assertEquals(numbers(conv:forward(lunet.tensor { { { 1, 2, 4 } } })),
    { 3, 6, 4 })
end

function TestConv1d:test_parameters_are_pytorchs()
  local conv = nn.conv1d { in_channels = 6, out_channels = 4, kernel_size = 5,
    groups = 2 }
  lu.assertEquals(conv.weight:shape(), { 4, 3, 5 })
  lu.assertEquals(conv.bias:shape(), { 4 })
end

function TestConv1d:test_batch_of_none()
  local conv = nn.conv1d { out_channels = 2, kernel_size = 3 }
  local y = conv:forward(lunet.zeros { 0, 3, 8 })
  lu.assertEquals(y:shape(), { 0, 2, 6 })
  lu.assertEquals(conv:backward(y):shape(), { 0, 3, 8 })
  lu.assertEquals(conv:parameters()[1].grad:abs():max(), 0)
end

function TestConv1d:test_items_alone()
  helpers.assert_items_alone(nn.conv1d { out_channels = 4, kernel_size = 3 },
    random { 5, 3, 9 })
end

-- A weight of 0 hides no NaN, and what does not see it stays a number.
function TestConv1d:test_nan_stays_visible()
  for _, method in ipairs { "textbook", "im2col" } do
    local x = lunet.tensor { { { 1, 0 / 0, 3, 4, 5 } } }
    local y = numbers(filter({ 0, 0 }, 7, method):forward(x))
    lu.assertNaN(y[1])
    lu.assertNaN(y[2])
    lu.assertEquals({ y[3], y[4] }, { 7, 7 })
  end
end

local function every_combination()
  return combinations { stride = { 1, 2 }, padding = { 0, 2 },
    dilation = { 1, 2 }, groups = { 1, 2 }, bias = { true, false },
    method = { "textbook", "im2col" } }
end

function TestConv1d:test_gradients()
  for options in every_combination() do
    options.in_channels, options.out_channels = 4, 6
    options.kernel_size = 3
    helpers.assert_gradients(nn.conv1d(options), { random { 2, 4, 9 } })
  end
  for _, padding in ipairs { "same", "valid" } do
    helpers.assert_gradients(nn.conv1d { in_channels = 2, out_channels = 3,
      kernel_size = 4, padding = padding }, { random { 2, 2, 8 } })
  end
end

function TestConv1d:test_fast_equals_textbook_on_random_shapes()
  local pick = math.random
  for _ = 1, 40 do
    local groups = pick(3)
    helpers.assert_equals_textbook("conv1d", "im2col",
      { out_channels = groups * pick(4), kernel_size = pick(4),
        groups = groups, stride = pick(3), dilation = pick(2),
        padding = pick(0, 3), bias = pick(2) == 1 },
      random { pick(3), groups * pick(3), 6 + pick(20) })
  end
end

-- ---- refusals --------------------------------------------------------------

local function assert_refused_input(sentence, options, shape)
  local conv = nn.conv1d(options)
  helpers.assert_refused(sentence, conv.forward, conv, lunet.zeros(shape))
end

function TestConv1d:test_refuses_groups_that_do_not_divide()
  helpers.assert_refused("groups = 2 does not divide out_channels = 5: each "
    .. "group gets out_channels / groups filters; try groups = 1, or "
    .. "out_channels = 2", nn.conv1d,
    { out_channels = 5, kernel_size = 3, groups = 2 })
  assert_refused_input("groups = 2 does not divide in_channels = 3: each "
    .. "group sees in_channels / groups channels; try groups = 1",
    { out_channels = 4, kernel_size = 3, groups = 2 }, { 1, 3, 9 })
end

function TestConv1d:test_refuses_same_with_a_stride()
  helpers.assert_refused("padding = \"same\" with stride = 2: only stride 1 "
    .. "keeps the length of x; try padding = 2, or stride = 1", nn.conv1d,
    { out_channels = 4, kernel_size = 5, stride = 2, padding = "same" })
end

function TestConv1d:test_refuses_what_does_not_fit()
  assert_refused_input("kernel 3 is larger than the padded input 2\n"
    .. "  output length = floor((2 + 0 + 0 - 3) / 1) + 1 < 1, but must be at "
    .. "least 1\n  try padding = 1, or kernel_size <= 2",
    { out_channels = 1, kernel_size = 3 }, { 1, 1, 2 })
  assert_refused_input("x has no numbers: its rows have length 0",
    { out_channels = 1, kernel_size = 3, padding = 2 }, { 1, 1, 0 })
  assert_refused_input("element 7 of 7 is never read",
    { out_channels = 1, kernel_size = 3, stride = 3, strict = true },
    { 1, 1, 7 })
end

function TestConv1d:test_refuses_other_shapes()
  assert_refused_input("expects x(N,in_channels,W), but x is (1,3,5,5)",
    { out_channels = 1, kernel_size = 3 }, { 1, 3, 5, 5 })
  assert_refused_input("in_channels = 2, but x has 3 there",
    { in_channels = 2, out_channels = 1, kernel_size = 3 }, { 1, 3, 5 })
end

os.exit(lu.LuaUnit.run())
