-- test_hardswish.lua - a silu made of straight pieces.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local infinity = math.huge

TestHardswish = {}

helpers.add_activation_tests(TestHardswish, "hardswish")

function TestHardswish:test_worked_example()
  local hardswish = nn.hardswish {}
  local y = hardswish:forward(lunet.tensor { -4, -1.5, 0, 1.5, 4 })
  helpers.assert_near(y, { 0, -0.375, 0, 1.125, 4 })
  local dx = hardswish:backward(lunet.tensor { 1, 2, 4, 8, 16 })
  helpers.assert_near(dx, { 0, 0, 2, 8, 16 })
end

-- The slope jumps at both ends of the ramp; there it is that of outside.
function TestHardswish:test_ends_of_the_ramp()
  local hardswish = nn.hardswish {}
  local y = hardswish:forward(lunet.tensor { -3, 3 })
  lu.assertEquals(y:tolist(), { 0, 3 })
  lu.assertEquals(hardswish:backward(lunet.ones { 2 }):tolist(), { 0, 1 })
end

function TestHardswish:test_is_close_to_silu()
  local x = gradcheck.random { 100 } * 10
  local off = nn.hardswish {}:forward(x) - nn.silu {}:forward(x)
  lu.assertTrue(off:abs():max() < 0.15)
end

function TestHardswish:test_infinity()
  local x = lunet.tensor { infinity, -infinity }
  local y = nn.hardswish {}:forward(x):tolist()
  lu.assertEquals(y[1], infinity)
  lu.assertNaN(y[2]) -- infinity times 0
end

-- Stretched so that all three pieces are met: the numbers end at 5.25, and
-- none is nearer than half a gap to -3 or 3.
function TestHardswish:test_gradients()
  helpers.assert_gradients(nn.hardswish {}, { gradcheck.spaced { 7, 6, 5 } },
    { nonsmooth = true })
end

os.exit(lu.LuaUnit.run())
