-- test_mul.lua - the product of two tensors.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local random = gradcheck.random

TestMul = {}

function TestMul:test_worked_example()
  local mul = nn.mul {}
  local y = mul:forward(lunet.tensor { 1, 2 }, lunet.tensor { 10, -2 })
  lu.assertEquals(y:tolist(), { 10, -4 })
  local da, db = mul:backward(lunet.tensor { 3, 4 })
  lu.assertEquals(da:tolist(), { 30, -8 })
  lu.assertEquals(db:tolist(), { 3, 8 })
end

function TestMul:test_a_tensor_with_itself_is_its_square()
  local x, item = random { 2, 3 }, nn.input { 3 }
  local square = nn.graph(item, nn.mul {} (item, item))
  square:requires_grad { inputs = true }
  helpers.assert_same(square:forward(x), x * x)
  helpers.assert_same(square:backward(lunet.ones { 2, 3 }), x * 2)
end

function TestMul:test_a_nan_stays_visible_behind_a_closed_gate()
  local y = nn.mul {}:forward(lunet.tensor { 0 / 0 }, lunet.zeros { 1 })
  lu.assertNaN(y:tolist()[1])
end

function TestMul:test_batch_of_none()
  local none, mul = lunet.zeros { 0, 3 }, nn.mul {}
  lu.assertEquals(mul:forward(none, none):shape(), { 0, 3 })
  lu.assertEquals(mul:backward(none):shape(), { 0, 3 })
end

function TestMul:test_gradients()
  helpers.assert_gradients(nn.mul {}, { random { 2, 3 }, random { 2, 3 } })
end

function TestMul:test_refuses_a_single_input()
  local mul = nn.mul {}
  helpers.assert_refused("mul: expects 2 inputs: x1(...), x2(...), but got 1",
    mul.forward, mul, random { 2, 3 })
end

function TestMul:test_refuses_different_shapes()
  local mul = nn.mul {}
  helpers.assert_refused("the inputs must have one shape, but x2 is (2,4) "
    .. "where the first is (2,3)", mul.forward, mul, random { 2, 3 },
    random { 2, 4 })
end

os.exit(lu.LuaUnit.run())
