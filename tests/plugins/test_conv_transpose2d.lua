-- test_conv_transpose2d.lua - the convolution turned round.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local combinations = require "plugins.combinations"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local image, rows = helpers.image, helpers.rows
local random = gradcheck.random

TestConvTranspose2d = {}

-- One channel painted with this kernel, without bias.
local function brush(kernel, options)
  local all = { in_channels = 1, out_channels = 1, bias = false,
    kernel_size = { #kernel, #kernel[1] } }
  for name, value in pairs(options or {}) do all[name] = value end
  local layer = nn.conv_transpose2d(all)
  layer.weight:copy(image(kernel))
  return layer
end

local x2 = image { { 1, 2 }, { 3, 4 } }

function TestConvTranspose2d:test_worked_example()
  local layer = brush { { 1, 2 }, { 3, 4 } }
  lu.assertEquals(rows(layer:forward(x2)),
    { { 1, 4, 4 }, { 6, 20, 16 }, { 9, 24, 16 } })
  local dx = layer:backward(image { { 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 2 } })
  lu.assertEquals(rows(dx), { { 5, 3 }, { 2, 9 } })
  lu.assertEquals(rows(layer:parameters()[1].grad), { { 5, 3 }, { 2, 9 } })
end

-- With the stride of the kernel the painted blocks lie side by side.
function TestConvTranspose2d:test_stride_2_paints_blocks()
  local y = brush({ { 1, 2 }, { 3, 4 } }, { stride = 2 }):forward(x2)
  lu.assertEquals(rows(y), { { 1, 2, 2, 4 }, { 3, 4, 6, 8 },
    { 3, 6, 4, 8 }, { 9, 12, 12, 16 } })
end

function TestConvTranspose2d:test_padding_takes_the_rim_away()
  local y = brush({ { 1, 2 }, { 3, 4 } }, { padding = 1 }):forward(x2)
  lu.assertEquals(rows(y), { { 20 } })
end

function TestConvTranspose2d:test_output_padding_adds_below_and_right()
  local options = { stride = 2, output_padding = { 0, 1 } }
  local layer = brush({ { 1, 2 }, { 3, 4 } }, options)
  lu.assertEquals(rows(layer:forward(x2)), { { 1, 2, 2, 4, 0 },
    { 3, 4, 6, 8, 0 }, { 3, 6, 4, 8, 0 }, { 9, 12, 12, 16, 0 } })
end

-- The name says it: y is what a conv2d with these weights gives back as dx.
function TestConvTranspose2d:test_is_the_gradient_of_conv2d()
  for options in combinations { stride = { 1, 2, { 3, 2 } },
                                padding = { 0, { 1, 2 } }, dilation = { 1, 2 },
                                groups = { 1, 2 } } do
    options.in_channels, options.out_channels = 4, 6
    options.kernel_size, options.bias = { 3, 4 }, false
    local layer, x = nn.conv_transpose2d(options), random { 2, 4, 5, 4 }
    local y = layer:forward(x)
    options.in_channels, options.out_channels = 6, 4
    local conv = nn.conv2d(options)
    conv.weight:copy(layer.weight)
    conv:forward(lunet.zeros(y:shape()))
    helpers.assert_near(y, conv:backward(x):tolist(), 1e-5)
  end
end

-- output_padding chooses among the sizes that conv2d makes the same.
function TestConvTranspose2d:test_output_padding_undoes_conv2ds_rounding()
  for size = 7, 12 do
    local conv = nn.conv2d { out_channels = 2, kernel_size = 3, stride = 3 }
    local y = conv:forward(lunet.zeros { 1, 1, size, size })
    local layer = nn.conv_transpose2d { out_channels = 1, kernel_size = 3,
      stride = 3, output_padding = size % 3 }
    lu.assertEquals(layer:forward(y):shape(), { 1, 1, size, size })
  end
end

function TestConvTranspose2d:test_parameters_are_pytorchs()
  local layer = nn.conv_transpose2d { in_channels = 6, out_channels = 4,
    kernel_size = { 5, 3 }, groups = 2 }
  lu.assertEquals(layer.weight:shape(), { 6, 2, 5, 3 })
  lu.assertEquals(layer.bias:shape(), { 4 })
end

-- 1/sqrt of what meets: 3 of 6 channels, (4/2)^2 of the 4x4 elements.
function TestConvTranspose2d:test_initial_weights_know_the_stride()
  local layer = nn.conv_transpose2d { in_channels = 6, out_channels = 64,
    kernel_size = 4, stride = 2, groups = 2 }
  local limit, largest = 1 / math.sqrt(3 * 4), layer.weight:abs():max()
  lu.assertTrue(largest <= limit and largest > 0.95 * limit)
end

function TestConvTranspose2d:test_batch_of_none()
  local layer = nn.conv_transpose2d { out_channels = 2, kernel_size = 3 }
  local y = layer:forward(lunet.zeros { 0, 3, 4, 6 })
  lu.assertEquals(y:shape(), { 0, 2, 6, 8 })
  lu.assertEquals(layer:backward(y):shape(), { 0, 3, 4, 6 })
  lu.assertEquals(layer:parameters()[1].grad:abs():max(), 0)
end

function TestConvTranspose2d:test_items_alone()
  helpers.assert_items_alone(nn.conv_transpose2d { out_channels = 4,
    kernel_size = 3, stride = 2 }, random { 5, 3, 4, 5 })
end

-- A weight of 0 hides no NaN, and what it did not paint stays a number.
function TestConvTranspose2d:test_nan_stays_visible()
  for _, method in ipairs { "textbook", "im2col" } do
    local layer = brush({ { 0, 0 } }, { method = method })
    local y = rows(layer:forward(image { { 0 / 0, 1, 1 } }))[1]
    lu.assertNaN(y[1])
    lu.assertNaN(y[2])
    lu.assertEquals({ y[3], y[4] }, { 0, 0 })
  end
end

function TestConvTranspose2d:test_gradients()
  for options in combinations { stride = { 1, { 3, 2 } },
                                padding = { 0, { 2, 1 } },
                                dilation = { 1, { 1, 3 } }, groups = { 1, 2 },
                                output_padding = { 0, { 2, 1 } },
                                bias = { true, false },
                                method = { "textbook", "im2col" } } do
    options.in_channels, options.out_channels = 2, 4
    options.kernel_size = { 3, 2 }
    if pcall(nn.conv_transpose2d, options) then -- output_padding may be large
      helpers.assert_gradients(nn.conv_transpose2d(options),
        { random { 2, 2, 3, 4 } })
    end
  end
end

function TestConvTranspose2d:test_fast_equals_textbook_on_random_shapes()
  local pick = math.random
  for _ = 1, 40 do
    local groups, stride = pick(3), { pick(3), pick(3) }
    helpers.assert_equals_textbook("conv_transpose2d", "im2col",
      { out_channels = groups * pick(4), kernel_size = { pick(4), pick(4) },
        groups = groups, stride = stride, dilation = { pick(2), pick(2) },
        output_padding = { pick(0, stride[1] - 1), pick(0, stride[2] - 1) },
        padding = { pick(0, 2), pick(0, 2) }, bias = pick(2) == 1 },
      random { pick(3), groups * pick(3), 4 + pick(5), 4 + pick(5) })
  end
end

-- ---- refusals --------------------------------------------------------------

local function assert_refused_input(sentence, options, shape)
  local layer = nn.conv_transpose2d(options)
  helpers.assert_refused(sentence, layer.forward, layer, lunet.zeros(shape))
end

function TestConvTranspose2d:test_refuses_groups_that_do_not_divide()
  helpers.assert_refused("groups = 2 does not divide out_channels = 5: each "
    .. "group paints out_channels / groups channels; try groups = 1, or "
    .. "out_channels = 2", nn.conv_transpose2d,
    { out_channels = 5, kernel_size = 3, groups = 2 })
  assert_refused_input("groups = 2 does not divide in_channels = 3: each "
    .. "group sees in_channels / groups channels; try groups = 1",
    { out_channels = 4, kernel_size = 3, groups = 2 }, { 1, 3, 9, 9 })
end

function TestConvTranspose2d:test_refuses_too_much_output_padding()
  helpers.assert_refused("output_padding = 2 with stride = 2 and dilation = "
    .. "1: it must be smaller than one of them; try output_padding = 1",
    nn.conv_transpose2d, { out_channels = 4, kernel_size = 3,
      stride = { 3, 2 }, output_padding = 2 })
end

function TestConvTranspose2d:test_refuses_what_leaves_nothing()
  local sentence = "padding = 3 takes away all that x paints\n"
    .. "  output width = (2 - 1)*2 - 2*3 + 1*(3 - 1) + 1 + 0 = -1, must be at "
    .. "least 1\n  try padding = 2"
  local options = { out_channels = 1, kernel_size = 3, stride = 2,
    padding = { 0, 3 } }
  assert_refused_input(sentence, options, { 1, 1, 2, 2 })
  options.padding = { 0, 2 }
  lu.assertEquals(nn.conv_transpose2d(options)
    :forward(lunet.zeros { 1, 1, 2, 2 }):shape(), { 1, 1, 5, 1 })
end

function TestConvTranspose2d:test_refuses_images_without_pixels()
  assert_refused_input("x has no pixels: its images are 0 x 5",
    { out_channels = 4, kernel_size = 2 }, { 1, 3, 0, 5 })
end

function TestConvTranspose2d:test_refuses_sizes_that_overflow()
  assert_refused_input("the width of x is 1125899906842624, more than 2^40",
    { out_channels = 4, kernel_size = 2, stride = 65535 },
    { 0, 1, 1, 1 << 50 })
  assert_refused_input("has more elements than memory can ever hold",
    { out_channels = 4, kernel_size = 1, stride = 65535 },
    { 0, 1, 1 << 28, 1 << 28 })
end

function TestConvTranspose2d:test_refuses_other_shapes()
  assert_refused_input("expects x(N,in_channels,H,W), but x is (1,3,5)",
    { out_channels = 1, kernel_size = 3 }, { 1, 3, 5 })
  assert_refused_input("in_channels = 2, but x has 3 there",
    { in_channels = 2, out_channels = 1, kernel_size = 3 }, { 1, 3, 5, 5 })
end

os.exit(lu.LuaUnit.run())
