-- test_add.lua - the sum of several tensors.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local random = gradcheck.random

TestAdd = {}

function TestAdd:test_worked_example()
  local add = nn.add {}
  local y = add:forward(lunet.tensor { 1, 2 }, lunet.tensor { 10, -2 })
  lu.assertEquals(y:tolist(), { 11, 0 })
  local da, db = add:backward(lunet.tensor { 3, 4 })
  lu.assertEquals(da:tolist(), { 3, 4 })
  lu.assertEquals(db:tolist(), { 3, 4 })
end

function TestAdd:test_more_than_two()
  local a, b, c = random { 3, 500 }, random { 3, 500 }, random { 3, 500 }
  helpers.assert_near(nn.add {}:forward(a, b, c), (a + b + c):tolist())
end

function TestAdd:test_a_tensor_with_itself()
  local add, x = nn.add {}, random { 2, 3 }
  helpers.assert_same(add:forward(x, x), x * 2)
  lu.assertEquals(#{ add:backward(x) }, 2)
end

function TestAdd:test_batch_of_none()
  local none = lunet.zeros { 0, 3 }
  lu.assertEquals(nn.add {}:forward(none, none):shape(), { 0, 3 })
end

function TestAdd:test_gradients()
  helpers.assert_gradients(nn.add {}, { random { 2, 3 }, random { 2, 3 } })
  helpers.assert_gradients(nn.add {},
    { random { 2, 3 }, random { 2, 3 }, random { 2, 3 } })
end

function TestAdd:test_refuses_a_single_input()
  local add = nn.add {}
  helpers.assert_refused("add got 1 input, a sum needs two or more: "
    .. "add:forward(a, b)", add.forward, add, random { 2, 3 })
end

function TestAdd:test_refuses_different_shapes()
  local add = nn.add {}
  helpers.assert_refused("the inputs must have one shape", add.forward, add,
    random { 2, 3 }, random { 2, 4 })
end

os.exit(lu.LuaUnit.run())
