-- test_gelu.lua - a number times its chance.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local infinity = math.huge

TestGelu = {}

helpers.add_activation_tests(TestGelu, "gelu")

-- The normal distribution at 1 is 0.841344746, its density 0.241970725.
function TestGelu:test_worked_example()
  local gelu, p, density = nn.gelu {}, 0.841344746, 0.241970725
  local y = gelu:forward(lunet.tensor { -1, 0, 1 })
  helpers.assert_near(y, { p - 1, 0, p })
  local dx = gelu:backward(lunet.tensor { 1, 2, 1 })
  helpers.assert_near(dx, { 1 - p - density, 1, p + density })
end

function TestGelu:test_worked_example_of_the_approximation()
  local gelu = nn.gelu { approximate = "tanh" }
  local u = math.sqrt(2 / math.pi) * (1 + 0.044715)
  local tanh = (math.exp(2 * u) - 1) / (math.exp(2 * u) + 1)
  local y = gelu:forward(lunet.tensor { 0, 1 })
  helpers.assert_near(y, { 0, (1 + tanh) / 2 })
  local du = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715)
  local dx = gelu:backward(lunet.tensor { 2, 1 })
  helpers.assert_near(dx, { 1, (1 + tanh) / 2 + (1 - tanh ^ 2) / 2 * du })
end

function TestGelu:test_the_approximation_is_close_but_not_the_same()
  local x = gradcheck.random { 100 } * 5
  local exact = nn.gelu {}:forward(x)
  local off = nn.gelu { approximate = "tanh" }:forward(x) - exact
  lu.assertTrue(off:abs():max() < 1e-3)
  lu.assertTrue(off:abs():max() > 1e-5)
end

-- The chance to be smaller than -5 is 2.8665157e-7.
function TestGelu:test_small_chances_keep_their_digits()
  local y = nn.gelu {}:forward(lunet.tensor { -5 }):tolist()[1]
  lu.assertAlmostEquals(y / (-5 * 2.8665157e-7), 1, 1e-5)
end

function TestGelu:test_large_numbers_do_not_overflow()
  for _, approximate in ipairs { "none", "tanh" } do
    local gelu = nn.gelu { approximate = approximate }
    local x = { -1e30, -200, 200, 1e30 }
    local y = gelu:forward(lunet.tensor(x)):tolist()
    lu.assertEquals({ y[1], y[2], y[3], y[4] / 1e30 > 0.99 },
      { 0, 0, 200, true })
    lu.assertEquals(gelu:backward(lunet.ones { 4 }):tolist(), { 0, 0, 1, 1 })
  end
end

function TestGelu:test_infinity()
  for _, approximate in ipairs { "none", "tanh" } do
    local gelu = nn.gelu { approximate = approximate }
    local y = gelu:forward(lunet.tensor { infinity, -infinity }):tolist()
    lu.assertEquals(y[1], infinity)
    lu.assertNaN(y[2]) -- infinity times 0
  end
end

function TestGelu:test_a_nan_stays_visible_in_the_approximation()
  local layer = nn.gelu { approximate = "tanh" }
  local y = layer:forward(lunet.tensor { 0 / 0, 1 }):tolist()
  local dx = layer:backward(lunet.ones { 2 }):tolist()
  lu.assertNaN(y[1])
  lu.assertNaN(dx[1])
  lu.assertNotNaN(y[2] + dx[2])
end

function TestGelu:test_gradients()
  for _, approximate in ipairs { "none", "tanh" } do
    helpers.assert_gradients(nn.gelu { approximate = approximate },
      { gradcheck.random { 3, 4, 5 } * 3 })
  end
end

os.exit(lu.LuaUnit.run())
