-- test_softplus.lua - the rectifier with a round corner.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local infinity = math.huge

TestSoftplus = {}

helpers.add_activation_tests(TestSoftplus, "softplus")

function TestSoftplus:test_worked_example()
  local softplus = nn.softplus { beta = 2 }
  local y = softplus:forward(lunet.tensor { 0, math.log(3) / 2 })
  helpers.assert_near(y, { math.log(2) / 2, math.log(4) / 2 })
  local dx = softplus:backward(lunet.tensor { 2, 4 })
  helpers.assert_near(dx, { 1, 3 }) -- sigmoids 1/2 and 3/4
end

function TestSoftplus:test_beyond_the_threshold_y_is_x()
  local softplus = nn.softplus { beta = 2, threshold = 1 }
  local y = softplus:forward(lunet.tensor { 0.5, 0.51 })
  helpers.assert_near(y, { math.log(1 + math.exp(1)) / 2, 0.51 })
  local dx = softplus:backward(lunet.ones { 2 })
  helpers.assert_near(dx, { 1 / (1 + math.exp(-1)), 1 })
end

function TestSoftplus:test_large_numbers_do_not_overflow()
  for _, threshold in ipairs { 20, 1e30 } do
    local softplus = nn.softplus { threshold = threshold }
    local y = softplus:forward(lunet.tensor { -infinity, -200, 200, infinity })
    lu.assertEquals(y:tolist(), { 0, 0, 200, infinity })
    local dx = softplus:backward(lunet.ones { 4 })
    lu.assertEquals(dx:tolist(), { 0, 0, 1, 1 })
  end
end

-- log(1 + exp(-15)) = exp(-15) but for 1e-7 of it.
function TestSoftplus:test_small_results_keep_their_digits()
  local y = nn.softplus {}:forward(lunet.tensor { -15 }):tolist()[1]
  lu.assertAlmostEquals(y / math.exp(-15), 1, 1e-6)
end

function TestSoftplus:test_its_slope_is_the_sigmoid()
  local softplus, x = nn.softplus {}, gradcheck.random { 3, 4 } * 5
  softplus:forward(x)
  helpers.assert_near(softplus:backward(lunet.ones { 3, 4 }),
    nn.sigmoid {}:forward(x):tolist())
end

function TestSoftplus:test_refuses_beta_0()
  helpers.assert_refused("beta = 0, but y = log(1 + exp(beta * x)) / beta "
    .. "divides by it; try beta = 1", nn.softplus, { beta = 0 })
end

function TestSoftplus:test_gradients()
  for _, beta in ipairs { 1, 2, 0.5, -1 } do
    for _, threshold in ipairs { 20, 0 } do
      helpers.assert_gradients(
        nn.softplus { beta = beta, threshold = threshold },
        { gradcheck.spaced { 3, 4, 5 } }, { nonsmooth = true })
    end
  end
end

os.exit(lu.LuaUnit.run())
