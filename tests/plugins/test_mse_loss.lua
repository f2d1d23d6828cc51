-- test_mse_loss.lua - the mean squared error.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local random = gradcheck.random

TestMseLoss = {}

function TestMseLoss:test_worked_example()
  local loss = nn.mse_loss {}
  local x, target = lunet.tensor { { 1, 2 } }, lunet.tensor { { 4, 0 } }
  helpers.assert_near(loss:forward(x, target), 6.5) -- (9 + 4) / 2
  helpers.assert_near(loss:backward(), { { -3, 2 } })
end

function TestMseLoss:test_sum_is_the_mean_times_the_elements()
  local x, target = random { 3, 4 }, random { 3, 4 }
  helpers.assert_near(nn.mse_loss { reduction = "sum" }:forward(x, target),
    12 * nn.mse_loss {}:forward(x, target), 1e-5)
end

function TestMseLoss:test_is_0_at_the_target()
  local loss, x = nn.mse_loss {}, random { 3, 4 }
  lu.assertEquals(loss:forward(x, x), 0)
  helpers.assert_same(loss:backward(), lunet.zeros { 3, 4 })
end

-- The mean of nothing is 0 / 0.
function TestMseLoss:test_no_elements()
  local none = lunet.zeros { 0, 3 }
  lu.assertNaN(nn.mse_loss {}:forward(none, none))
  local sum = nn.mse_loss { reduction = "sum" }
  lu.assertEquals(sum:forward(none, none), 0)
  lu.assertEquals(sum:backward():shape(), { 0, 3 })
end

function TestMseLoss:test_a_nan_stays_visible()
  local loss = nn.mse_loss {}
  lu.assertNaN(loss:forward(lunet.tensor { 0 / 0, 1 }, lunet.zeros { 2 }))
  local dx = loss:backward():tolist()
  lu.assertNaN(dx[1])
  lu.assertEquals(dx[2], 1)
end

function TestMseLoss:test_gradients()
  for _, reduction in ipairs { "mean", "sum" } do
    helpers.assert_gradients(nn.mse_loss { reduction = reduction },
      { random { 3, 4 }, random { 3, 4 } })
  end
end

function TestMseLoss:test_refuses_another_shape()
  local loss = nn.mse_loss {}
  helpers.assert_refused("the inputs must have one shape, but target is (4,3) "
    .. "where the first is (3,4)", loss.forward, loss, random { 3, 4 },
    random { 4, 3 })
end

function TestMseLoss:test_refuses_to_run_without_a_target()
  local loss = nn.mse_loss {}
  helpers.assert_refused("expects 2 inputs: x(...), target(...), but got 1",
    loss.forward, loss, random { 3 })
end

os.exit(lu.LuaUnit.run())
