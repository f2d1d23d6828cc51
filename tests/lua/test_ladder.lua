-- test_ladder.lua - the rungs of the lab's convolution compute what its
-- textbook does, and `lunet bench --ladder` climbs them. No time is asserted.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local is_sanitized = require "support.sanitizer"
local ladder = require "lunet.bench.ladder"
local shell = require "support.shell"

local program = arg[-1]
local folder = shell.temporary_folder()

TestLadder = {}

local function climb(shape, filters)
  return ladder.climb { shape = shape, filters = filters, reps = 3,
                        max_s = 0.01, tries = 1 }
end

function TestLadder:setUp()
  lu.skipIf(is_sanitized(), "a plugin built without the sanitizer")
  lunet.manual_seed(14)
end

-- 37 columns and 10 filters fill no block of any rung: the last one overlaps.
function TestLadder:test_rungs_agree_with_float64()
  for _, step in ipairs(climb({ 2, 5, 9, 39 }, 10)) do
    lu.assertNil(step.unsuited)
    lu.assertTrue(step.error < 2e-6,
      ("%s is off by %g"):format(step.name, step.error))
  end
end

function TestLadder:test_rungs_with_too_small_shapes_say_so()
  local steps = climb({ 1, 1, 5, 4 }, 2)
  lu.assertEquals(steps[2].name, "reordered")
  lu.assertTrue(steps[2].error < 1e-6)
  lu.assertStrContains(steps[3].unsuited, "blocked")
  lu.assertStrContains(steps[4].unsuited, "vectors")
end

function TestLadder:test_command_shows_every_rung()
  local picture = folder .. "/ladder.png"
  local fine, output = shell.run("'%s' bench --ladder --reps 1 --max-s 0.01 "
    .. "--tries 1 --shape 1,8,40,40 --picture '%s'", program, picture)
  lu.assertTrue(fine, output)
  lu.assertStrMatches(output, ".*rung .*\ntextbook .*\nreordered .*"
    .. "\nblocked .*\nvectors .*\nwinograd .*")
  lu.assertEquals(lunet.load(picture):shape()[1], 3)
end

function TestLadder:test_refuses_a_shape_of_three()
  local fine, output = shell.run("'%s' bench --ladder --shape 8,40,40", program)
  lu.assertFalse(fine)
  lu.assertStrContains(output, "--shape is '8,40,40'")
end

local status = lu.LuaUnit.run()
shell.remove(folder)
os.exit(status)
