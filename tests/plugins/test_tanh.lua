-- test_tanh.lua - every number into -1..1.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn

TestTanh = {}

helpers.add_activation_tests(TestTanh, "tanh")

function TestTanh:test_worked_example()
  local tanh = nn.tanh {}
  local x = math.log(2) -- exp(x) = 2: (2 - 1/2) / (2 + 1/2) = 0.6
  local y = tanh:forward(lunet.tensor { 0, x, -x })
  helpers.assert_near(y, { 0, 0.6, -0.6 })
  local dx = tanh:backward(lunet.tensor { 1, 1, 100 })
  helpers.assert_near(dx, { 1, 0.64, 64 })
end

function TestTanh:test_is_a_sigmoid_stretched()
  local x = gradcheck.random { 3, 4 }
  local stretched = nn.sigmoid {}:forward(x * 2) * 2 - 1
  helpers.assert_near(nn.tanh {}:forward(x), stretched:tolist())
end

function TestTanh:test_large_numbers_do_not_overflow()
  local y = nn.tanh {}:forward(lunet.tensor { -1000, 1000 })
  lu.assertEquals(y:tolist(), { -1, 1 })
end

function TestTanh:test_gradients()
  helpers.assert_gradients(nn.tanh {}, { gradcheck.random { 3, 4, 5 } })
end

os.exit(lu.LuaUnit.run())
