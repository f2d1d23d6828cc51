-- test_concat.lua - tensors side by side.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local random = gradcheck.random

TestConcat = {}

function TestConcat:test_worked_example()
  local concat = nn.concat {}
  local y = concat:forward(lunet.tensor { { 1, 2 }, { 3, 4 } },
    lunet.tensor { { 5 }, { 6 } })
  lu.assertEquals(y:tolist(), { { 1, 2, 5 }, { 3, 4, 6 } })
  local da, db = concat:backward(lunet.tensor { { 1, 2, 3 }, { 4, 5, 6 } })
  lu.assertEquals(da:tolist(), { { 1, 2 }, { 4, 5 } })
  lu.assertEquals(db:tolist(), { { 3 }, { 6 } })
end

function TestConcat:test_channels_of_branches()
  local y = nn.concat {}:forward(lunet.zeros { 2, 4, 5, 6 },
    lunet.zeros { 2, 6, 5, 6 }, lunet.zeros { 2, 3, 5, 6 })
  lu.assertEquals(y:shape(), { 2, 13, 5, 6 })
end

function TestConcat:test_pieces_are_where_they_were_put()
  local a, b = random { 2, 3, 4, 2 }, random { 2, 3, 4, 5 }
  local y = nn.concat { dim = 4 }:forward(a, b)
  helpers.assert_same(y:narrow(4, 1, 2):clone(), a)
  helpers.assert_same(y:narrow(4, 3, 5):clone(), b)
end

function TestConcat:test_batch_of_none()
  local concat = nn.concat {}
  local y = concat:forward(lunet.zeros { 0, 3 }, lunet.zeros { 0, 2 })
  lu.assertEquals(y:shape(), { 0, 5 })
  local da, db = concat:backward(y)
  lu.assertEquals({ da:shape(), db:shape() }, { { 0, 3 }, { 0, 2 } })
end

function TestConcat:test_gradients()
  for dim = 2, 4 do
    local wide, narrow = { 2, 3, 4, 3 }, { 2, 3, 4, 3 }
    narrow[dim] = 1
    helpers.assert_gradients(nn.concat { dim = dim },
      { random(wide), random(narrow), random(wide) })
  end
end

function TestConcat:test_refuses_the_batch()
  helpers.assert_refused("dim = 1 is the batch, which a layer keeps as it is: "
    .. "dims count from 1, so the channels are dim = 2", nn.concat,
    { dim = 1 })
end

function TestConcat:test_refuses_shapes_that_do_not_meet()
  local concat = nn.concat {}
  helpers.assert_refused("input 2 has size 5 in dim 3, input 1 has 4: only in "
    .. "the dim that is joined may sizes differ", concat.forward, concat,
    random { 2, 3, 4 }, random { 2, 3, 5 })
  helpers.assert_refused("input 2 has 2 dims, input 1 has 3: concat joins "
    .. "tensors of equal rank", concat.forward, concat, random { 2, 3, 4 },
    random { 2, 3 })
end

function TestConcat:test_refuses_a_dim_that_is_not_there()
  local concat = nn.concat { dim = 3 }
  helpers.assert_refused("dim = 3, but x has only 2 dims (they count from 1)",
    concat.forward, concat, random { 2, 3 }, random { 2, 3 })
end

os.exit(lu.LuaUnit.run())
