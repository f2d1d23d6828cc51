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

function TestMseLoss:test_gradients()
  for _, reduction in ipairs { "mean", "sum" } do
    helpers.assert_gradients(nn.mse_loss { reduction = reduction },
      { random { 3, 4 }, random { 3, 4 } })
  end
end

function TestMseLoss:test_refuses_another_shape()
  local loss = nn.mse_loss {}
  helpers.assert_refused("the inputs must have one shape", loss.forward, loss,
    random { 3, 4 }, random { 4, 3 })
end

os.exit(lu.LuaUnit.run())
