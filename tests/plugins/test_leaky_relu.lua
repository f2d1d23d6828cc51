-- test_leaky_relu.lua - the rectifier that leaks.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn

TestLeakyRelu = {}

helpers.add_activation_tests(TestLeakyRelu, "leaky_relu", { kinked = true })

function TestLeakyRelu:test_worked_example()
  local leaky = nn.leaky_relu { negative_slope = 0.25 }
  local y = leaky:forward(lunet.tensor { -2, -1, 0, 1, 3 })
  lu.assertEquals(y:tolist(), { -0.5, -0.25, 0, 1, 3 })
  local dx = leaky:backward(lunet.tensor { 4, 8, 12, 1, 2 })
  lu.assertEquals(dx:tolist(), { 1, 2, 3, 1, 2 }) -- at 0, the negative slope
end

function TestLeakyRelu:test_default_slope_is_a_hundredth()
  helpers.assert_near(nn.leaky_relu {}:forward(lunet.tensor { -3 }), { -0.03 })
end

function TestLeakyRelu:test_slope_0_is_relu_and_slope_1_is_nothing()
  local x = gradcheck.random { 3, 4 }
  helpers.assert_same(nn.leaky_relu { negative_slope = 0 }:forward(x),
    nn.relu {}:forward(x))
  helpers.assert_same(nn.leaky_relu { negative_slope = 1 }:forward(x), x)
end

-- The sign of y does not tell the sign of x here.
function TestLeakyRelu:test_negative_slopes_have_gradients()
  helpers.assert_gradients(nn.leaky_relu { negative_slope = -0.5 },
    { gradcheck.spaced { 3, 4, 5 } }, { nonsmooth = true })
end

function TestLeakyRelu:test_gradients()
  for _, slope in ipairs { 0, 0.01, 0.2, 1 } do
    helpers.assert_gradients(nn.leaky_relu { negative_slope = slope },
      { gradcheck.spaced { 3, 4, 5 } }, { nonsmooth = true })
  end
end

os.exit(lu.LuaUnit.run())
