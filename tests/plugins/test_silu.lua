-- test_silu.lua - a number times its own sigmoid.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local infinity = math.huge

TestSilu = {}

helpers.add_activation_tests(TestSilu, "silu")

function TestSilu:test_worked_example()
  local silu, x = nn.silu {}, math.log(3) -- the sigmoid is 3/4
  local y = silu:forward(lunet.tensor { 0, x })
  helpers.assert_near(y, { 0, 0.75 * x })
  local dx = silu:backward(lunet.tensor { 1, 2 })
  helpers.assert_near(dx, { 0.5, 2 * 0.75 * (1 + x / 4) })
end

function TestSilu:test_is_x_times_its_sigmoid()
  local x = gradcheck.random { 3, 4 } * 5
  local y = nn.mul {}:forward(x, nn.sigmoid {}:forward(x))
  helpers.assert_near(nn.silu {}:forward(x), y:tolist())
end

function TestSilu:test_large_numbers_do_not_overflow()
  local silu = nn.silu {}
  local y = silu:forward(lunet.tensor { -1e30, -200, 200, 1e30 }):tolist()
  lu.assertEquals({ y[1], y[2], y[3] }, { 0, 0, 200 })
  local dx = silu:backward(lunet.ones { 4 })
  lu.assertEquals(dx:tolist(), { 0, 0, 1, 1 })
end

function TestSilu:test_infinity()
  local y = nn.silu {}:forward(lunet.tensor { infinity, -infinity }):tolist()
  lu.assertEquals(y[1], infinity)
  lu.assertNaN(y[2]) -- infinity times 0
end

function TestSilu:test_gradients()
  helpers.assert_gradients(nn.silu {}, { gradcheck.random { 3, 4, 5 } * 3 })
end

os.exit(lu.LuaUnit.run())
