-- test_smooth_l1_loss.lua - squared near the target, absolute far
-- from it.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local random = gradcheck.random

TestSmoothL1Loss = {}

helpers.add_loss_tests(TestSmoothL1Loss, "smooth_l1_loss")

function TestSmoothL1Loss:test_worked_example()
  local loss = nn.smooth_l1_loss { beta = 2 }
  local x, target = lunet.tensor { { 1, 0 } }, lunet.tensor { { 0, 5 } }
  lu.assertEquals(loss:forward(x, target), 2.125) -- (1/4 + 4) / 2
  lu.assertEquals(loss:backward():tolist(), { { 0.25, -0.5 } })
end

function TestSmoothL1Loss:test_the_pieces_meet()
  for _, beta in ipairs { 1, 0.5, 3 } do
    local loss = nn.smooth_l1_loss { beta = beta, reduction = "sum" }
    for _, d in ipairs { beta, beta - 1e-5 } do
      local value = loss:forward(lunet.tensor { d }, lunet.tensor { 0 })
      lu.assertAlmostEquals(value, beta / 2, 2e-5)
      lu.assertAlmostEquals(loss:backward():tolist()[1], 1, 1e-4)
    end
  end
end

function TestSmoothL1Loss:test_is_half_the_squared_error_near_the_target()
  local x, target = random { 3, 4 } * 0.4, random { 3, 4 } * 0.4
  helpers.assert_near(nn.smooth_l1_loss {}:forward(x, target),
    nn.mse_loss {}:forward(x, target) / 2)
end

function TestSmoothL1Loss:test_beta_0_is_l1_loss()
  local smooth, l1 = nn.smooth_l1_loss { beta = 0 }, nn.l1_loss {}
  local x, target = random { 3, 4 }, random { 3, 4 }
  lu.assertEquals(smooth:forward(x, target), l1:forward(x, target))
  helpers.assert_same(smooth:backward(), l1:backward())
end

function TestSmoothL1Loss:test_is_0_at_the_target_for_any_beta()
  local x = random { 3, 4 }
  for _, beta in ipairs { 0, 1 } do
    local loss = nn.smooth_l1_loss { beta = beta }
    lu.assertEquals(loss:forward(x, x), 0)
    helpers.assert_same(loss:backward(), lunet.zeros { 3, 4 })
  end
end

function TestSmoothL1Loss:test_refuses_a_negative_beta()
  helpers.assert_refused("beta = -1, but it must be a number >= 0",
    nn.smooth_l1_loss, { beta = -1 })
end

-- Differences up to 3; the loss is smooth but for beta = 0.
function TestSmoothL1Loss:test_gradients()
  for _, reduction in ipairs { "mean", "sum" } do
    for _, beta in ipairs { 0, 0.5, 1, 2 } do
      helpers.assert_gradients(
        nn.smooth_l1_loss { beta = beta, reduction = reduction },
        { gradcheck.spaced { 10, 12 }, lunet.zeros { 10, 12 } },
        { nonsmooth = true })
    end
  end
end

os.exit(lu.LuaUnit.run())
