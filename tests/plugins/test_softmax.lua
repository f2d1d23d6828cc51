-- test_softmax.lua - shares that add up to 1.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local random = gradcheck.random

TestSoftmax = {}

function TestSoftmax:test_worked_example()
  local softmax = nn.softmax {}
  local x = lunet.tensor { { 0, math.log(2), math.log(5) } } -- exp: 1, 2, 5
  local y = softmax:forward(x)
  helpers.assert_near(y, { { 0.125, 0.25, 0.625 } })
  -- mean of dy, weighted by y: 0.125 * 8 = 1
  local dx = softmax:backward(lunet.tensor { { 8, 0, 0 } })
  helpers.assert_near(dx, { { 0.875, -0.25, -0.625 } })
end

function TestSoftmax:test_adds_up_to_1_along_each_dim()
  for dim = 2, 4 do
    local y = nn.softmax { dim = dim }:forward(random { 2, 3, 4, 5 })
    for _, sum in ipairs(gradcheck.list(y:sum(dim))) do
      lu.assertAlmostEquals(sum, 1, 1e-6)
    end
  end
end

function TestSoftmax:test_a_constant_added_changes_nothing()
  local softmax = nn.softmax {}
  local y = softmax:forward(lunet.tensor { { 1, 2, 3 } })
  helpers.assert_near(softmax:forward(lunet.tensor { { 1001, 1002, 1003 } }),
    y:tolist())
end

function TestSoftmax:test_large_scores_do_not_overflow()
  local y = nn.softmax {}:forward(lunet.tensor { { -1e30, 0, 1e30 } })
  lu.assertEquals(y:tolist(), { { 0, 0, 1 } })
end

function TestSoftmax:test_of_nothing()
  local softmax = nn.softmax {}
  local y = softmax:forward(lunet.zeros { 0, 3 })
  lu.assertEquals(softmax:backward(y):shape(), { 0, 3 })
end

function TestSoftmax:test_items_alone()
  helpers.assert_items_alone(nn.softmax { dim = 3 }, random { 4, 3, 5 })
end

function TestSoftmax:test_gradients()
  for dim = 2, 4 do
    helpers.assert_gradients(nn.softmax { dim = dim },
      { random { 2, 3, 4, 3 } })
  end
end

function TestSoftmax:test_refuses_the_batch()
  helpers.assert_refused("dim = 1 is the batch: its items would have to share "
    .. "one 1 among them; dims count from 1, so the classes are dim = 2",
    nn.softmax, { dim = 1 })
end

function TestSoftmax:test_refuses_a_dim_that_is_not_there()
  local softmax = nn.softmax { dim = 3 }
  helpers.assert_refused("dim = 3, but x has only 2 dims (they count from 1)",
    softmax.forward, softmax, random { 2, 3 })
end

os.exit(lu.LuaUnit.run())
