-- test_l1_loss.lua - the mean absolute error.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn

TestL1Loss = {}

helpers.add_loss_tests(TestL1Loss, "l1_loss")

function TestL1Loss:test_worked_example()
  local loss = nn.l1_loss {}
  local x, target = lunet.tensor { { 1, 2 } }, lunet.tensor { { 4, 0 } }
  lu.assertEquals(loss:forward(x, target), 2.5) -- (3 + 2) / 2
  lu.assertEquals(loss:backward():tolist(), { { -0.5, 0.5 } })
end

function TestL1Loss:test_gradients()
  for _, reduction in ipairs { "mean", "sum" } do
    helpers.assert_gradients(nn.l1_loss { reduction = reduction },
      { gradcheck.spaced { 3, 4 }, lunet.zeros { 3, 4 } },
      { nonsmooth = true })
  end
end

os.exit(lu.LuaUnit.run())
