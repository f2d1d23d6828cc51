-- test_sigmoid.lua - every number into 0..1.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn

TestSigmoid = {}

helpers.add_activation_tests(TestSigmoid, "sigmoid")

function TestSigmoid:test_worked_example()
  local sigmoid = nn.sigmoid {}
  local third = math.log(3) -- exp(-x) = 1/3
  local y = sigmoid:forward(lunet.tensor { 0, third, -third })
  helpers.assert_near(y, { 0.5, 0.75, 0.25 })
  local dx = sigmoid:backward(lunet.tensor { 1, 1, 16 })
  helpers.assert_near(dx, { 0.25, 0.1875, 3 })
end

function TestSigmoid:test_large_numbers_do_not_overflow()
  local y = nn.sigmoid {}:forward(lunet.tensor { -1000, -100, 100, 1000 })
  lu.assertEquals(y:tolist()[1], 0)
  lu.assertEquals(y:tolist()[4], 1)
  helpers.assert_near(y, { 0, 0, 1, 1 })
end

-- The lecture's vanishing gradient: the slope is a quarter at most, so ten
-- sigmoids in a row leave less than a millionth.
function TestSigmoid:test_ten_in_a_row_make_the_gradient_vanish()
  local x, chain = lunet.zeros { 1 }, {}
  for i = 1, 10 do
    chain[i] = nn.sigmoid {}
    x = chain[i]:forward(x)
  end
  local dy = lunet.ones { 1 }
  for i = 10, 1, -1 do dy = chain[i]:backward(dy) end
  lu.assertTrue(dy:tolist()[1] > 0 and dy:tolist()[1] < 1e-6)
end

function TestSigmoid:test_gradients()
  helpers.assert_gradients(nn.sigmoid {}, { gradcheck.random { 3, 4, 5 } })
end

os.exit(lu.LuaUnit.run())
