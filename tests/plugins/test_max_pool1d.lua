-- test_max_pool1d.lua - the largest of each window along a line.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn

TestMaxPool1d = {}

local function line(numbers) return lunet.tensor { { numbers } } end
local function numbers(t) return t:tolist()[1][1] end

function TestMaxPool1d:test_worked_example()
  local pool = nn.max_pool1d { kernel_size = 3, stride = 2 }
  lu.assertEquals(numbers(pool:forward(line { 1, 5, 2, 0, 3, 4, 8 })),
    { 5, 3, 8 })
  lu.assertEquals(numbers(pool:backward(line { 1, 2, 3 })),
    { 0, 1, 0, 0, 2, 0, 3 })
end

function TestMaxPool1d:test_stride_is_the_kernel_size_unless_given()
  local x = lunet.zeros { 2, 3, 11 }
  lu.assertEquals(nn.max_pool1d { kernel_size = 3 }:forward(x):shape(),
    { 2, 3, 3 })
  lu.assertEquals(nn.max_pool1d { kernel_size = 3, stride = 1 }:forward(x)
    :shape(), { 2, 3, 9 })
end

function TestMaxPool1d:test_of_equal_ones_the_first()
  local pool = nn.max_pool1d { kernel_size = 3 }
  pool:forward(line { 1, 2, 2 })
  lu.assertEquals(numbers(pool:backward(line { 7 })), { 0, 7, 0 })
end

function TestMaxPool1d:test_an_element_in_two_windows_gets_both_gradients()
  local pool = nn.max_pool1d { kernel_size = 2, stride = 1 }
  pool:forward(line { 1, 9, 2 })
  lu.assertEquals(numbers(pool:backward(line { 3, 4 })), { 0, 7, 0 })
end

function TestMaxPool1d:test_a_nan_wins()
  local pool = nn.max_pool1d { kernel_size = 3 }
  local y = numbers(pool:forward(line { 1, 0 / 0, 5, 1, 2, math.huge }))
  lu.assertTrue(y[1] ~= y[1])
  lu.assertEquals(y[2], math.huge)
  lu.assertEquals(numbers(pool:backward(line { 1, 2 })), { 0, 1, 0, 0, 0, 2 })
end

function TestMaxPool1d:test_the_padding_never_wins()
  local pool = nn.max_pool1d { kernel_size = 2, padding = 1 }
  lu.assertEquals(numbers(pool:forward(line { -1, -2, -3, -4 })),
    { -1, -2, -4 })
end

-- Spread over four, a window of two can miss the line on both sides.
function TestMaxPool1d:test_the_largest_of_nothing_is_minus_infinity()
  local pool = nn.max_pool1d { kernel_size = 2, padding = 1, dilation = 3 }
  lu.assertEquals(numbers(pool:forward(line { 1, 2 })), { -math.huge })
  lu.assertEquals(numbers(pool:backward(line { 5 })), { 0, 0 })
end

function TestMaxPool1d:test_ceil_mode_takes_the_rest()
  local function pooled(ceil_mode)
    return numbers(nn.max_pool1d { kernel_size = 3, stride = 2,
      ceil_mode = ceil_mode }:forward(line { 1, 2, 3, 4 }))
  end
  lu.assertEquals(pooled(false), { 3 })
  lu.assertEquals(pooled(true), { 3, 4 })
end

-- A line is an image of one row.
function TestMaxPool1d:test_is_max_pool2d_of_one_row()
  local x = gradcheck.spaced { 2, 3, 17 }
  local one = nn.max_pool1d { kernel_size = 3, stride = 2, padding = 1,
    dilation = 2 }
  local two = nn.max_pool2d { kernel_size = { 1, 3 }, stride = { 1, 2 },
    padding = { 0, 1 }, dilation = { 1, 2 } }
  local y = two:forward(x:view { 2, 3, 1, 17 })
  helpers.assert_same(one:forward(x), y:view { 2, 3, 8 })
  local dy = gradcheck.random { 2, 3, 8 }
  helpers.assert_same(one:backward(dy),
    two:backward(dy:view { 2, 3, 1, 8 }):view { 2, 3, 17 })
end

function TestMaxPool1d:test_batch_of_none()
  local pool = nn.max_pool1d { kernel_size = 2 }
  local y = pool:forward(lunet.zeros { 0, 3, 4 })
  lu.assertEquals(y:shape(), { 0, 3, 2 })
  lu.assertEquals(pool:backward(y):shape(), { 0, 3, 4 })
end

function TestMaxPool1d:test_items_alone()
  helpers.assert_items_alone(nn.max_pool1d { kernel_size = 3, stride = 2 },
    gradcheck.spaced { 5, 3, 9 })
end

function TestMaxPool1d:test_gradients()
  for _, stride in ipairs { 1, 2, 3 } do
    for _, padding in ipairs { 0, 1 } do
      for _, dilation in ipairs { 1, 2 } do
        for _, ceil_mode in ipairs { false, true } do
          helpers.assert_gradients(nn.max_pool1d { kernel_size = 3,
            stride = stride, padding = padding, dilation = dilation,
            ceil_mode = ceil_mode }, { gradcheck.spaced { 2, 3, 10 } },
            { nonsmooth = true })
        end
      end
    end
  end
end

function TestMaxPool1d:test_refuses()
  local function refuses(sentence, options, shape)
    helpers.assert_refused("max_pool1d: " .. sentence, function()
      nn.max_pool1d(options):forward(lunet.zeros(shape))
    end)
  end
  refuses("padding = 2 with kernel_size = 3: it may be at most half of it, "
    .. "rounded down, so that no window lies in the padding alone; try "
    .. "padding = 1", { kernel_size = 3, padding = 2 }, { 1, 1, 9 })
  refuses("expects x(N,C,L), but x is (1,1,3,3) with 4 dims",
    { kernel_size = 3 }, { 1, 1, 3, 3 })
  refuses("kernel 3 is larger than the padded input 2\n"
    .. "  output length = floor((2 + 0 + 0 - 3) / 3) + 1 < 1, but must be at "
    .. "least 1", { kernel_size = 3 }, { 1, 1, 2 })
  refuses("lines of 0 elements: there must be at least 1 and fewer than 2^31 "
    .. "of them", { kernel_size = 1 }, { 1, 1, 0 })
end

os.exit(lu.LuaUnit.run())
