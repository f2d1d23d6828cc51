-- test_log_softmax.lua - the logarithm of softmax.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local random = gradcheck.random

TestLogSoftmax = {}

function TestLogSoftmax:test_worked_example()
  local log_softmax = nn.log_softmax {}
  local x = lunet.tensor { { 0, math.log(2), math.log(5) } } -- exp: 1, 2, 5
  local y = log_softmax:forward(x)
  helpers.assert_near(y,
    { { math.log(0.125), math.log(0.25), math.log(0.625) } })
  -- each dy less its share of their sum, 8
  local dx = log_softmax:backward(lunet.tensor { { 8, 0, 0 } })
  helpers.assert_near(dx, { { 7, -2, -5 } })
end

function TestLogSoftmax:test_is_the_logarithm_of_softmax()
  local x = random { 2, 3, 4 }
  for dim = 2, 3 do
    helpers.assert_near(nn.log_softmax { dim = dim }:forward(x),
      nn.softmax { dim = dim }:forward(x):log():tolist())
  end
end

function TestLogSoftmax:test_shares_too_small_for_a_number_have_a_logarithm()
  local y = nn.log_softmax {}:forward(lunet.tensor { { 0, 1000 } })
  lu.assertEquals(y:tolist(), { { -1000, 0 } })
end

function TestLogSoftmax:test_items_alone()
  helpers.assert_items_alone(nn.log_softmax { dim = 3 }, random { 4, 3, 5 })
end

function TestLogSoftmax:test_gradients()
  for dim = 2, 4 do
    helpers.assert_gradients(nn.log_softmax { dim = dim },
      { random { 2, 3, 4, 3 } })
  end
end

function TestLogSoftmax:test_refuses_the_batch()
  helpers.assert_refused("dim = 1 is the batch", nn.log_softmax, { dim = 1 })
end

function TestLogSoftmax:test_refuses_a_dim_that_is_not_there()
  local log_softmax = nn.log_softmax { dim = 3 }
  helpers.assert_refused("dim = 3, but x has only 2 dims (they count from 1)",
    log_softmax.forward, log_softmax, random { 2, 3 })
end

os.exit(lu.LuaUnit.run())
