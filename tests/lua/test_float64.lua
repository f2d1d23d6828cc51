-- test_float64.lua - the layers in Lua's numbers, which lunet bench --methods
-- measures errors against, are compared with numbers worked by hand.
local lu = require "luaunit"
local float64 = require "lunet.bench.float64"
local functions = require "lunet.bench.float64.functions"

-- ---- functions that Lua lacks -----------------------------------------------

TestFunctions = {}

local function assert_close(is, should, title)
  lu.assertAlmostEquals(is / should, 1, 1e-13, title)
end

-- Below 2 the series, from there on the fraction.
function TestFunctions:test_erfc()
  for x, should in pairs { [-3] = 1.9999779095030015, [0] = 1,
                           [-0.5] = 1.5204998778130465,
                           [1] = 0.15729920705028513,
                           [2] = 0.004677734981047266,
                           [3] = 2.209049699858544e-05,
                           [5] = 1.5374597944280347e-12 } do
    assert_close(functions.erfc(x), should, x)
  end
end

function TestFunctions:test_erfc_where_the_fraction_takes_over()
  local step = functions.erfc(2 - 1e-6) - functions.erfc(2)
  lu.assertAlmostEquals(step / 1e-6, 2 / math.sqrt(math.pi) * math.exp(-4),
                        1e-6)
end

-- x + x^2/2 and x - x^2/2; what comes next is too small to be seen.
function TestFunctions:test_near_zero()
  for _, x in ipairs { 1e-8, -1e-8, 1e-20 } do
    assert_close(functions.expm1(x), x + x ^ 2 / 2, x)
    assert_close(functions.log1p(x), x - x ^ 2 / 2, x)
  end
end

function TestFunctions:test_far_from_zero()
  assert_close(functions.expm1(math.log(3)), 2)
  assert_close(functions.log1p(math.exp(1) - 1), 1)
  lu.assertEquals(functions.expm1(-1000), -1)
  lu.assertEquals({ functions.expm1(0), functions.log1p(0) }, { 0, 0 })
end

-- ---- layers by hand ---------------------------------------------------------

TestFloat64 = {}

local log3 = math.log(3)
local square = { { { { 1, 2 }, { 3, 4 } } } } -- an image
local two_squares = { { { { 1, 2 }, { 3, 4 } }, { { 5, 6 }, { 7, 8 } } } }

-- Of each word: options with weights, inputs, and place = value of y.
local by_hand = {
  conv2d = {
    -- (1 2, 3 4) on (1 2, 3 4), and where it hangs out by one
    { { padding = 1, weight = square, bias = { 10 } }, { square },
      { { 1, 1, 2, 2 }, 40 }, { { 1, 1, 1, 1 }, 14 }, { { 1, 1, 3, 2 }, 21 } },
    { { padding = 1, stride = 2, weight = square, bias = { 10 } }, { square },
      { { 1, 1, 2, 2 }, 14 } },
    { { weight = two_squares, bias = { 0 } }, { two_squares },
      { { 1, 1, 1, 1 }, 30 + 174 } },
    -- the second of two groups, with two filters: 3 + 10 * 4 and 2 * 3 + 4
    { { groups = 2, bias = { 0, 0, 100, 200 },
        weight = { { { { 7 } }, { { 7 } } }, { { { 7 } }, { { 7 } } },
                   { { { 1 } }, { { 10 } } }, { { { 2 } }, { { 1 } } } } },
      { { {}, { { { 1 } }, { { 2 } }, { { 3 } }, { { 4 } } } } },
      { { 2, 3, 1, 1 }, 143 }, { { 2, 4, 1, 1 }, 210 } },
  },
  conv1d = {
    { { weight = { { { 1, 2 } } }, bias = { 10 } }, { { { { 1, 2, 3, 4 } } } },
      { { 1, 1, 1 }, 15 }, { { 1, 1, 3 }, 21 } },
    { { padding = 1, stride = 2, weight = { { { 1, 2 }, { 1, 1 } } },
        bias = { 0 } }, { { { { 1, 2 }, { 3, 4 } } } },
      { { 1, 1, 1 }, 5 }, { { 1, 1, 2 }, 6 } },
    { { weight = { { { 7 } }, { { 2 } } }, bias = { 0, 10 } },
      { { {}, { { 3 } } } }, { { 2, 2, 1 }, 16 } },
  },
  conv_transpose2d = {
    { { kernel_size = 2, weight = square, bias = { 10 } }, { square },
      { { 1, 1, 2, 2 }, 30 }, { { 1, 1, 1, 1 }, 11 }, { { 1, 1, 3, 2 }, 34 } },
    { { kernel_size = 2, stride = 2, weight = square, bias = { 0 } },
      { square }, { { 1, 1, 2, 3 }, 6 }, { { 1, 1, 4, 4 }, 16 } },
    { { kernel_size = 2, padding = 1, weight = square, bias = { 0 } },
      { square }, { { 1, 1, 1, 1 }, 20 } },
    -- two channels paint 1 * 1 + 10 * 5
    { { kernel_size = 1, weight = { { { { 1 } } }, { { { 10 } } } },
        bias = { 0 } }, { two_squares }, { { 1, 1, 1, 1 }, 51 } },
    { { kernel_size = 1, weight = { { { { 7 } }, { { 2 } } } },
        bias = { 0, 10 } }, { { {}, { { { 3 } } } } }, { { 2, 2, 1, 1 }, 16 } },
  },
  locally_connected2d = {
    { { weight = { { { { { { 1, 2 } } } }, { { { { 3, -1 } } } } } },
        bias = { { { 10, 20 } } } }, { { { { { 1, 2, 3 } } } } },
      { { 1, 1, 1, 1 }, 15 }, { { 1, 1, 1, 2 }, 23 } },
    -- the second of two items, of two filters, of two rows
    { { weight = { { {} }, { { { { { 7 } } }, { { { 2 } } } } } },
        bias = { { { 0 }, { 0 } }, { { 0 }, { 10 } } } },
      { { {}, { { { 4 }, { 3 } } } } }, { { 2, 2, 2, 1 }, 16 } },
  },
  linear = {
    { { weight = { { 1, 2 }, { 3, 4 } }, bias = { 10, 20 } },
      { { { 5, 6 }, { 0, 1 } } }, { { 1, 1 }, 27 }, { { 1, 2 }, 59 },
      { { 2, 2 }, 24 } },
  },
  max_pool2d = {
    { { kernel_size = 2 }, { two_squares }, { { 1, 2, 1, 1 }, 8 } },
    { { kernel_size = 2, stride = 1, padding = 1 }, { { {}, { { { -1 } } } } },
      { { 2, 1, 2, 2 }, -1 } },
  },
  avg_pool2d = {
    { { kernel_size = 2 }, { two_squares }, { { 1, 2, 1, 1 }, 6.5 } },
    { { kernel_size = 2, stride = 1, padding = 1 }, { square },
      { { 1, 1, 1, 1 }, 0.25 }, { { 1, 1, 3, 2 }, 1.75 } },
    { { kernel_size = 1 }, { { {}, { { { 3 } } } } }, { { 2, 1, 1, 1 }, 3 } },
  },
  global_avg_pool2d = {
    { {}, { { {}, { {}, { { 1, 5, 2 }, { 3, 4, 9 } } } } },
      { { 2, 2, 1, 1 }, 4 } },
  },
  pad = {
    { { padding = 2 }, { square }, { { 1, 1, 3, 4 }, 2 },
      { { 1, 1, 2, 3 }, 0 }, { { 1, 1, 3, 5 }, 0 } },
    { { padding = 1, value = 7 }, { { {}, { {}, { { 3 } } } } },
      { { 2, 2, 1, 1 }, 7 }, { { 2, 2, 2, 2 }, 3 } },
  },
  -- 1, 3, 5, 7 have the mean 4 and the variance 5; with eps 4 they are divided
  -- by 3
  batch_norm2d = {
    { { eps = 4, weight = { 1, 6 }, bias = { 0, 10 } },
      { { { { { 9 } }, { { 1, 3 } } }, { { { 9 } }, { { 5, 7 } } } } },
      { { 2, 2, 1, 2 }, 16 }, { { 1, 2, 1, 2 }, 8 }, { { 1, 1, 1, 1 }, 0 } },
  },
  group_norm = {
    { { num_groups = 2, eps = 4, weight = { 3, 6, 1, 1 },
        bias = { 0, 10, 0, 5 } },
      { { {}, { { { 1, 3 } }, { { 5, 7 } }, { { 9 } }, { { 9 } } } } },
      { { 2, 1, 1, 1 }, -3 }, { { 2, 2, 1, 2 }, 16 }, { { 2, 4, 1, 1 }, 5 } },
  },
  layer_norm = {
    { { eps = 4, weight = { 1, 3, 1, 6 }, bias = { 0, 0, 0, 10 } },
      { { { 1, 3, 5, 7 } } }, { { 1, 2 }, -1 }, { { 1, 4 }, 16 } },
    { { weight = { 1, 1 }, bias = { 0, 0 } }, { { { -1e-3, 1e-3 } } },
      { { 1, 2 }, 1e-3 / math.sqrt(1.1e-5) } },
  },
  local_response_norm = {
    { { size = 3, alpha = 3, beta = 1 },
      { { {}, { { { 1 } }, { { 2 } }, { { 2 } } } } },
      { { 2, 1, 1, 1 }, 1 / 6 }, { { 2, 2, 1, 1 }, 2 / 10 },
      { { 2, 3, 1, 1 }, 2 / 9 } },
    { { size = 1 }, { { { { { 100 } } } } },
      { { 1, 1, 1, 1 }, 100 / 2 ^ 0.75 } },
    -- of two channels the one before; 15 + 1 / 2 * (1 + 1) = 2^4
    { { size = 2, alpha = 1, k = 15 }, { { { { { 1 } }, { { 1 } } } } },
      { { 1, 2, 1, 1 }, 1 / 8 }, { { 1, 1, 1, 1 }, 1 / 15.5 ^ 0.75 } },
  },
  relu = { { {}, { { -2, 3 } }, { { 1 }, 0 }, { { 2 }, 3 } } },
  leaky_relu = {
    { { negative_slope = 0.25 }, { { -2, 3 } }, { { 1 }, -0.5 }, { { 2 }, 3 } },
    { {}, { { -2 } }, { { 1 }, -0.02 } },
  },
  prelu = {
    { { weight = { 0.5, -1 } }, { { { { -2, 4 }, { -3, -1 } } } },
      { { 1, 1, 1 }, -1 }, { { 1, 1, 2 }, 4 }, { { 1, 2, 2 }, 1 } },
    { { weight = { 0.5 } }, { { { { 1 }, { -3 } } } }, { { 1, 2, 1 }, -1.5 } },
  },
  elu = {
    { { alpha = 2 }, { { -math.log(2), 3 } }, { { 1 }, -1 }, { { 2 }, 3 } },
    { {}, { { -math.log(2) } }, { { 1 }, -0.5 } },
  },
  softplus = {
    { { beta = 2 }, { { log3 / 2, 0 } }, { { 1 }, math.log(4) / 2 },
      { { 2 }, math.log(2) / 2 } },
    { {}, { { -log3, 1000 } }, { { 1 }, math.log(4 / 3) }, { { 2 }, 1000 } },
  },
  -- the chance to be less than 1, 84.13447460685429 %, is in every table
  gelu = { { {}, { { -1, 1, 0 } }, { { 1 }, -0.15865525393145707 },
             { { 2 }, 0.8413447460685429 }, { { 3 }, 0 } } },
  silu = { { {}, { { log3 } }, { { 1 }, 0.75 * log3 } } },
  hardswish = { { {}, { { -4, -1.5, 1.5, 4 } }, { { 1 }, 0 },
                  { { 2 }, -0.375 }, { { 3 }, 1.125 }, { { 4 }, 4 } } },
  sigmoid = { { {}, { { log3 } }, { { 1 }, 0.75 } } },
  tanh = { { {}, { { log3, -log3, 0 } }, { { 1 }, 0.8 }, { { 2 }, -0.8 },
             { { 3 }, 0 } } },
  add = { { {}, { { { 1, 2 } }, { { 10, -2 } } }, { { 1, 1 }, 11 },
            { { 1, 2 }, 0 } } },
  mul = { { {}, { { { 1, 2 } }, { { 10, -2 } } }, { { 1, 1 }, 10 },
            { { 1, 2 }, -4 } } },
  -- the share 2/8, and nearly 1
  cross_entropy = {
    { {}, { { { 0, math.log(2), math.log(5) }, { 900, 0, 0 } }, { 1, 0 } },
      { {}, math.log(4) / 2 } },
  },
}

for word in pairs(float64) do
  TestFloat64["test_" .. word] = function()
    for i, worked in ipairs(by_hand[word]) do
      local o, inputs = worked[1], worked[2]
      local exact = float64[word](o, table.unpack(inputs))
      for j = 3, #worked do
        local place, value = table.unpack(worked[j])
        lu.assertAlmostEquals(exact(table.unpack(place)), value, 1e-14,
          ("line %d, place %s"):format(i, table.concat(place, ",")))
      end
    end
  end
end

os.exit(lu.LuaUnit.run())
