-- test_prelu.lua - the rectifier that learns how much to let through.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local random, spaced = gradcheck.random, gradcheck.spaced
local nan, infinity = 0 / 0, math.huge

TestPrelu = {}

function TestPrelu:test_worked_example()
  local prelu = nn.prelu { num_parameters = 2 }
  prelu.weight:copy(lunet.tensor { 0.5, -1 })
  local x = lunet.tensor { { { -2, 4 }, { -3, -1 } } }
  lu.assertEquals(prelu:forward(x):tolist(), { { { -1, 4 }, { 3, 1 } } })
  local dx = prelu:backward(lunet.tensor { { { 3, 5 }, { 1, 2 } } })
  lu.assertEquals(dx:tolist(), { { { 1.5, 5 }, { -1, -2 } } })
  lu.assertEquals(prelu:parameters()[1].grad:tolist(), { -6, -5 })
end

function TestPrelu:test_slopes_begin_at_a_quarter()
  lu.assertEquals(nn.prelu {}.weight:tolist(), { 0.25 })
  lu.assertEquals(nn.prelu { num_parameters = 3, init = 0.5 }.weight:tolist(),
    { 0.5, 0.5, 0.5 })
end

function TestPrelu:test_equal_slopes_are_a_leaky_relu()
  local x = random { 2, 3, 4 }
  local expected = nn.leaky_relu { negative_slope = 0.25 }:forward(x)
  helpers.assert_same(nn.prelu {}:forward(x), expected)
  helpers.assert_same(nn.prelu { num_parameters = 3 }:forward(x), expected)
end

-- One slope for all gets the sum of what one for each channel gets.
function TestPrelu:test_a_common_slope_collects_all_gradients()
  local one, three = nn.prelu {}, nn.prelu { num_parameters = 3 }
  local x, dy = random { 2, 3, 4 }, random { 2, 3, 4 }
  one:forward(x)
  three:forward(x)
  helpers.assert_same(one:backward(dy), three:backward(dy))
  helpers.assert_near(one:parameters()[1].grad,
    { three:parameters()[1].grad:sum() })
end

-- At 0 the slope is the weight, which gets nothing.
function TestPrelu:test_at_0()
  local prelu = nn.prelu {}
  prelu:forward(lunet.zeros { 1, 2 })
  helpers.assert_same(prelu:backward(lunet.ones { 1, 2 }),
    lunet.full({ 1, 2 }, 0.25))
  lu.assertEquals(prelu:parameters()[1].grad:tolist(), { 0 })
end

function TestPrelu:test_a_nan_stays_visible()
  local prelu = nn.prelu {}
  local y = prelu:forward(lunet.tensor { { nan, infinity, -infinity } })
  lu.assertNaN(y:tolist()[1][1])
  lu.assertEquals({ y:tolist()[1][2], y:tolist()[1][3] },
    { infinity, -infinity })
  prelu:forward(lunet.tensor { { nan, 1 } })
  prelu:backward(lunet.ones { 1, 2 })
  lu.assertNaN(prelu:parameters()[1].grad:tolist()[1])
end

function TestPrelu:test_batch_of_none()
  for _, slopes in ipairs { 1, 3 } do
    local prelu = nn.prelu { num_parameters = slopes }
    local y = prelu:forward(lunet.zeros { 0, 3, 2 })
    lu.assertEquals(prelu:backward(y):shape(), { 0, 3, 2 })
    helpers.assert_same(prelu:parameters()[1].grad, lunet.zeros { slopes })
  end
end

function TestPrelu:test_items_alone()
  helpers.assert_items_alone(nn.prelu { num_parameters = 3 },
    random { 4, 3, 5 })
end

function TestPrelu:test_gradients()
  for _, shape in ipairs { { 5 }, { 4, 3 }, { 2, 3, 4 }, { 2, 3, 4, 2 } } do
    helpers.assert_gradients(nn.prelu {}, { spaced(shape) },
      { nonsmooth = true })
    if #shape > 1 then
      helpers.assert_gradients(nn.prelu { num_parameters = 3 },
        { spaced(shape) }, { nonsmooth = true })
    end
  end
end

function TestPrelu:test_refuses_other_channels()
  local prelu = nn.prelu { num_parameters = 3 }
  helpers.assert_refused("num_parameters = 3, but x has 4 channels (dim 2), "
    .. "and each wants one slope; try num_parameters = 4, or 1 for all",
    prelu.forward, prelu, lunet.zeros { 3, 4 })
end

function TestPrelu:test_refuses_x_without_channels()
  local prelu = nn.prelu { num_parameters = 3 }
  helpers.assert_refused("num_parameters = 3 needs x(N,C,...) with channels "
    .. "in dim 2, but x has 1 dim; try num_parameters = 1", prelu.forward,
    prelu, lunet.zeros { 3 })
end

function TestPrelu:test_refuses_more_slopes_than_memory()
  helpers.assert_refused("out of memory: no 4503599627370560 bytes left",
    nn.prelu, { num_parameters = 1 << 50 })
end

os.exit(lu.LuaUnit.run())
