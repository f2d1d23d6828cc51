-- test_l1_loss.lua - the mean absolute error.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local random = gradcheck.random

TestL1Loss = {}

function TestL1Loss:test_worked_example()
  local loss = nn.l1_loss {}
  local x, target = lunet.tensor { { 1, 2 } }, lunet.tensor { { 4, 0 } }
  lu.assertEquals(loss:forward(x, target), 2.5) -- (3 + 2) / 2
  lu.assertEquals(loss:backward():tolist(), { { -0.5, 0.5 } })
end

function TestL1Loss:test_sum_is_the_mean_times_the_elements()
  local x, target = random { 3, 4 }, random { 3, 4 }
  helpers.assert_near(nn.l1_loss { reduction = "sum" }:forward(x, target),
    12 * nn.l1_loss {}:forward(x, target), 1e-5)
end

function TestL1Loss:test_is_0_at_the_target()
  local loss, x = nn.l1_loss {}, random { 3, 4 }
  lu.assertEquals(loss:forward(x, x), 0)
  helpers.assert_same(loss:backward(), lunet.zeros { 3, 4 })
end

function TestL1Loss:test_no_elements()
  local none = lunet.zeros { 0, 3 }
  lu.assertNaN(nn.l1_loss {}:forward(none, none))
  local sum = nn.l1_loss { reduction = "sum" }
  lu.assertEquals(sum:forward(none, none), 0)
  lu.assertEquals(sum:backward():shape(), { 0, 3 })
end

function TestL1Loss:test_a_nan_stays_visible()
  local loss = nn.l1_loss {}
  local x, target = lunet.tensor { 0 / 0, 1, 1 }, lunet.tensor { 0, 0, 0 / 0 }
  lu.assertNaN(loss:forward(x, target))
  local dx = loss:backward():tolist()
  lu.assertNaN(dx[1])
  lu.assertNotNaN(dx[2])
  lu.assertNaN(dx[3])
end

function TestL1Loss:test_refuses_another_shape()
  local loss = nn.l1_loss {}
  helpers.assert_refused("the inputs must have one shape, but target is (4,3) "
    .. "where the first is (3,4)", loss.forward, loss, random { 3, 4 },
    random { 4, 3 })
end

function TestL1Loss:test_refuses_to_run_without_a_target()
  local loss = nn.l1_loss {}
  helpers.assert_refused("expects 2 inputs: x(...), target(...), but got 1",
    loss.forward, loss, random { 3 })
end

function TestL1Loss:test_gradients()
  for _, reduction in ipairs { "mean", "sum" } do
    helpers.assert_gradients(nn.l1_loss { reduction = reduction },
      { gradcheck.spaced { 3, 4 }, lunet.zeros { 3, 4 } },
      { nonsmooth = true })
  end
end

os.exit(lu.LuaUnit.run())
