-- test_flatten.lua - items as rows.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn

TestFlatten = {}

function TestFlatten:test_worked_example()
  local flatten = nn.flatten {}
  local x = lunet.tensor { { { 1, 2 }, { 3, 4 } }, { { 5, 6 }, { 7, 8 } } }
  lu.assertEquals(flatten:forward(x):tolist(),
    { { 1, 2, 3, 4 }, { 5, 6, 7, 8 } })
  local dx = flatten:backward(lunet.tensor { { 1, 2, 3, 4 }, { 5, 6, 7, 8 } })
  helpers.assert_same(dx, x)
end

-- The lecture: a 32x32x3 image -> stretch to 3072 x 1.
function TestFlatten:test_32x32x3_becomes_3072()
  local y = nn.flatten {}:forward(lunet.zeros { 1, 3, 32, 32 })
  lu.assertEquals(y:shape(), { 1, 3072 })
end

function TestFlatten:test_rows_stay_rows_and_numbers_become_rows()
  lu.assertEquals(nn.flatten {}:forward(lunet.zeros { 4, 5 }):shape(),
    { 4, 5 })
  lu.assertEquals(nn.flatten {}:forward(lunet.zeros { 4 }):shape(), { 4, 1 })
end

function TestFlatten:test_batch_of_none()
  local flatten = nn.flatten {}
  local y = flatten:forward(lunet.zeros { 0, 2, 3 })
  lu.assertEquals(y:shape(), { 0, 6 })
  lu.assertEquals(flatten:backward(y):shape(), { 0, 2, 3 })
end

function TestFlatten:test_gradients()
  helpers.assert_gradients(nn.flatten {}, { gradcheck.random { 2, 3, 4 } })
  helpers.assert_gradients(nn.flatten {}, { gradcheck.random { 2, 3, 4, 2 } })
end

os.exit(lu.LuaUnit.run())
