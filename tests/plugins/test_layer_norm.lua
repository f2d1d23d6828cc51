-- test_layer_norm.lua - each row to mean 0 and deviation 1.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local random = gradcheck.random

-- Calls f with a layer norm of each method.
local function with_each(options, f)
  for _, method in ipairs { "rows", "textbook" } do
    local all = { method = method }
    for name, value in pairs(options) do all[name] = value end
    f(nn.layer_norm(all))
  end
end

TestLayerNorm = {}

-- Mean 4 and variance 5; with eps = 4 the divisor is sqrt(9) = 3.
function TestLayerNorm:test_worked_example()
  with_each({ normalized_shape = 4, eps = 4 }, function(norm)
    helpers.assert_near(norm:forward(lunet.tensor { { 1, 3, 5, 7 } }),
      { { -1, -1 / 3, 1 / 3, 1 } })
    helpers.assert_near(norm:backward(lunet.tensor { { 3, 0, 0, 0 } }),
      { { 1 / 2, -1 / 3, -1 / 6, 0 } })
    helpers.assert_near(norm.weight:clone(), { 1, 1, 1, 1 })
    helpers.assert_near(norm:parameters()[1].grad, { -3, 0, 0, 0 })
    helpers.assert_near(norm:parameters()[2].grad, { 3, 0, 0, 0 })
  end)
end

function TestLayerNorm:test_each_row_has_mean_0_and_deviation_1()
  local x = random { 3, 4, 5, 6 } * 20 + 100
  with_each({ normalized_shape = { 5, 6 } }, function(norm)
    local rows = norm:forward(x):view { 12, 30 }
    for r = 1, 12 do
      lu.assertAlmostEquals(rows[r]:mean(), 0, 1e-6)
      lu.assertAlmostEquals((rows[r] * rows[r]):mean(), 1, 1e-5)
    end
  end)
end

function TestLayerNorm:test_scale_and_shift_are_those_of_the_place()
  with_each({ normalized_shape = 2, eps = 0 }, function(norm)
    norm:load_state { weight = lunet.tensor { 3, 5 },
      bias = lunet.tensor { 10, 20 } }
    helpers.assert_near(norm:forward(lunet.tensor { { { 1, 3 }, { 9, 1 } } }),
      { { { 7, 25 }, { 13, 15 } } })
  end)
end

-- 2^20 + 0 or 1 is exact in float32. Rows of 1500 numbers are more than one
-- block of the method "rows".
function TestLayerNorm:test_a_mean_far_larger_than_the_deviation()
  local near_0 = lunet.rand { 3, 1500 }:gt(0.5)
  local dy = lunet.randn { 3, 1500 }
  with_each({ normalized_shape = 1500, eps = 0 }, function(norm)
    local y = norm:forward(near_0)
    local dx = norm:backward(dy)
    helpers.assert_near(norm:forward(near_0 + 2 ^ 20), y:tolist(), 2e-6)
    helpers.assert_near(norm:backward(dy), dx:tolist(), 2e-6)
  end)
end

function TestLayerNorm:test_rows_equals_textbook()
  for _, shape in ipairs { { 7 }, { 3, 5, 7 }, { 1, 2100 } } do
    for _, affine in ipairs { true, false } do
      helpers.assert_equals_textbook("layer_norm", "rows",
        { normalized_shape = shape, elementwise_affine = affine },
        random { 4, 3, table.unpack(shape) })
    end
  end
end

function TestLayerNorm:test_items_alone()
  with_each({ normalized_shape = { 3, 5 } }, function(norm)
    helpers.assert_items_alone(norm, random { 4, 2, 3, 5 })
  end)
end

function TestLayerNorm:test_gradients()
  for _, shape in ipairs { { 6 }, { 4, 6 } } do
    for _, affine in ipairs { true, false } do
      with_each({ normalized_shape = shape, elementwise_affine = affine,
        eps = 0.1 }, function(norm)
        helpers.assert_gradients(norm, { random { 3, 4, 6 } })
      end)
    end
  end
end

-- Where nothing is kept for backward, y lies in x's memory.
function TestLayerNorm:test_in_place()
  with_each({ normalized_shape = { 4, 6 } }, function(norm)
    local net = nn.sequential { nn.tanh {}, norm, nn.tanh {} }
    local x = random { 3, 2, 4, 6 }
    helpers.assert_same(net:predict(x), net:forward(x))
  end)
end

function TestLayerNorm:test_without_affine_there_are_no_parameters()
  lu.assertEquals(#nn.layer_norm { normalized_shape = 3,
    elementwise_affine = false }:parameters(), 0)
end

function TestLayerNorm:test_batch_of_none()
  with_each({ normalized_shape = 3 }, function(norm)
    local y = norm:forward(lunet.zeros { 0, 2, 3 })
    lu.assertEquals(y:shape(), { 0, 2, 3 })
    lu.assertEquals(norm:backward(y):shape(), { 0, 2, 3 })
    lu.assertEquals(norm:parameters()[1].grad:tolist(), { 0, 0, 0 })
  end)
end

-- In its row; the others keep their numbers.
function TestLayerNorm:test_nan_stays_visible()
  for _, bad in ipairs { 0 / 0, math.huge } do
    with_each({ normalized_shape = 3 }, function(norm)
      local y = norm:forward(lunet.tensor { { 1, bad, 3 }, { 1, 2, 3 } })
      for i = 1, 3 do
        lu.assertNaN(y[1][i])
        lu.assertFalse(y[2][i] ~= y[2][i])
      end
    end)
  end
end

-- A row of one number is its own mean.
function TestLayerNorm:test_constant_rows()
  with_each({ normalized_shape = 1 }, function(norm)
    helpers.assert_near(norm:forward(lunet.tensor { { 7 }, { -3 } }),
      { { 0 }, { 0 } })
  end)
  with_each({ normalized_shape = 3 }, function(norm)
    helpers.assert_near(norm:forward(lunet.full({ 1, 3 }, 0.1)),
      { { 0, 0, 0 } })
  end)
end

function TestLayerNorm:test_refuses_other_rows()
  local norm = nn.layer_norm { normalized_shape = { 4, 6 } }
  helpers.assert_refused("normalized_shape = 6, but x has 5 there: (2,4,5) "
    .. "(dim 3)", norm.forward, norm, random { 2, 4, 5 })
  helpers.assert_refused("expects x(N,...,normalized_shape), but x is (4,6) "
    .. "with 2 dims", norm.forward, norm, random { 4, 6 })
end

function TestLayerNorm:test_refuses_options_out_of_range()
  helpers.assert_refused("the option normalized_shape is missing; it must be "
    .. "a whole number >= 1 or a list of up to 8", nn.layer_norm, {})
  helpers.assert_refused("normalized_shape = 0, but it must be a whole number "
    .. ">= 1 or a list of up to 8", nn.layer_norm, { normalized_shape = 0 })
  helpers.assert_refused("eps = -1, but it must be a number >= 0",
    nn.layer_norm, { normalized_shape = 2, eps = -1 })
end

function TestLayerNorm:test_refuses_rows_beyond_all_memory()
  helpers.assert_refused("shape (2147483648,2147483648,2147483648) has "
    .. "more elements than memory can ever hold", nn.layer_norm,
    { normalized_shape = { 2 ^ 31, 2 ^ 31, 2 ^ 31 } })
end

os.exit(lu.LuaUnit.run())
