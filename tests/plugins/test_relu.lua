-- test_relu.lua - the rectifier.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn

TestRelu = {}

helpers.add_activation_tests(TestRelu, "relu", { kinked = true })

function TestRelu:test_worked_example()
  local relu = nn.relu {}
  local y = relu:forward(lunet.tensor { -2, -0.5, 0, 0.5, 3 })
  lu.assertEquals(y:tolist(), { 0, 0, 0, 0.5, 3 })
  local dx = relu:backward(lunet.tensor { 1, 2, 3, 4, 5 })
  lu.assertEquals(dx:tolist(), { 0, 0, 0, 4, 5 }) -- at 0, the slope is 0
end

function TestRelu:test_twice_is_once()
  local relu, x = nn.relu {}, gradcheck.random { 3, 4, 5 }
  local once = relu:forward(x)
  helpers.assert_same(relu:forward(once), once)
end

function TestRelu:test_leaves_its_input_alone()
  local x = gradcheck.random { 4, 5 }
  local before = x:clone()
  local relu = nn.relu {}
  relu:forward(x)
  helpers.assert_same(x, before)
end

function TestRelu:test_gradients()
  helpers.assert_gradients(nn.relu {}, { gradcheck.spaced { 3, 4, 5 } },
    { nonsmooth = true })
end

os.exit(lu.LuaUnit.run())
