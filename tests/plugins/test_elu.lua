-- test_elu.lua - the exponential linear unit.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local infinity = math.huge

TestElu = {}

helpers.add_activation_tests(TestElu, "elu")

function TestElu:test_worked_example()
  local elu = nn.elu { alpha = 2 }
  local y = elu:forward(lunet.tensor { -math.log(2), 0, 3 })
  helpers.assert_near(y, { -1, 0, 3 }) -- 2 * (1/2 - 1)
  local dx = elu:backward(lunet.tensor { 5, 1, 5 })
  helpers.assert_near(dx, { 5, 2, 5 }) -- at 0, the slope is alpha
end

function TestElu:test_alpha_is_1_by_default()
  local y = nn.elu {}:forward(lunet.tensor { -math.log(4) })
  helpers.assert_near(y, { -0.75 })
end

-- exp(x) - 1 would round these away.
function TestElu:test_small_numbers_keep_their_digits()
  local y = nn.elu {}:forward(lunet.tensor { -1e-6 }):tolist()[1]
  lu.assertAlmostEquals(y / -1e-6, 1, 1e-5)
end

function TestElu:test_ends_at_minus_alpha()
  local elu = nn.elu { alpha = 0.5 }
  local y = elu:forward(lunet.tensor { -infinity, -200, infinity })
  lu.assertEquals(y:tolist(), { -0.5, -0.5, infinity })
  lu.assertEquals(elu:backward(lunet.ones { 3 }):tolist(), { 0, 0, 1 })
end

function TestElu:test_gradients()
  for _, alpha in ipairs { 1, 0.5, 2, 0, -1 } do
    helpers.assert_gradients(nn.elu { alpha = alpha },
      { gradcheck.spaced { 3, 4, 5 } }, { nonsmooth = true })
  end
end

os.exit(lu.LuaUnit.run())
