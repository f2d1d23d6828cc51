-- test_mse_loss.lua - the mean squared error.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local random = gradcheck.random

TestMseLoss = {}

helpers.add_loss_tests(TestMseLoss, "mse_loss")

function TestMseLoss:test_worked_example()
  local loss = nn.mse_loss {}
  local x, target = lunet.tensor { { 1, 2 } }, lunet.tensor { { 4, 0 } }
  helpers.assert_near(loss:forward(x, target), 6.5) -- (9 + 4) / 2
  helpers.assert_near(loss:backward(), { { -3, 2 } })
end

function TestMseLoss:test_a_nan_leaves_the_other_slopes()
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

os.exit(lu.LuaUnit.run())
