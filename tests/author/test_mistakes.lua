-- test_mistakes.lua - what a training tells when a layer crashes, does not come
-- to an end, touches what is not its own, or gives numbers that are not finite.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local is_sanitized = require "support.sanitizer"
local shell = require "support.shell"

local build = os.getenv("LUNET_BUILD") or "build"
local program = shell.lines("realpath %s/lunet", build)[1]
local folder = shell.temporary_folder()
local plugin = folder .. "/clumsy.so"
shell.lines("cc -shared -fPIC -g -Wall -Wextra -Werror -Icore/include "
  .. "tests/fixtures/mistakes/clumsy.c -o %s", plugin)

-- Trains two steps with a layer that makes the mistake in every pass.
local function train(mistake, flags, environment)
  shell.write(folder .. "/train.lua", ([[
    local lunet = require "lunet"
    lunet.plugins.load %q
    local nn = lunet.nn
    lunet.set_num_threads(2)
    local net = nn.sequential {
      nn.linear { in_features = 3, out_features = 3 },
      nn.clumsy { mistake = %q, name = "culprit", weight = true },
      nn.linear { out_features = 2 },
    }
    for _ = 1, 2 do
      local y = net:forward(lunet.ones { 5, 3 })
      net:backward(y)
    end
    print "all done"]]):format(plugin, mistake))
  return shell.run("%s %s %s %s/train.lua", environment or "", program,
                   flags or "", folder)
end

local function assert_tells(output, ...)
  for _, sentence in ipairs { ... } do
    lu.assertStrContains(output, sentence)
  end
end

TestCrashes = {}

function TestCrashes:test_of_none_nothing_is_told()
  local ok, output = train "none"
  lu.assertTrue(ok, output)
  lu.assertEquals(output, "all done\n")
end

function TestCrashes:test_names_plugin_layer_pass_step_and_shapes()
  local ok, output = train "null_pointer"
  lu.assertFalse(ok)
  assert_tells(output,
    "lunet: an invalid access to memory, in plugin clumsy 1.2 (" .. plugin
    .. ")\n  layer 2 (clumsy 'culprit'), forward, step 0\n"
    .. "  x[0] (5,3)  w[0] (3)  y[0] (5,3)\n")
end

function TestCrashes:test_the_signal_goes_its_way()
  if is_sanitized() then return lu.skip "the sanitizer takes the signal" end
  train "null_pointer" -- writes the script
  local _, status = shell.run("%s %s/train.lua >%s/out 2>&1; echo $?", program,
                              folder, folder)
  lu.assertStrContains(status, "139") -- 128 + SIGSEGV
  train "abort"
  _, status = shell.run("%s %s/train.lua >%s/out 2>&1; echo $?", program,
                        folder, folder)
  lu.assertStrContains(status, "134") -- 128 + SIGABRT
end

function TestCrashes:test_abort()
  assert_tells(select(2, train "abort"),
    "lunet: a call of abort, in plugin clumsy 1.2", "culprit'), forward")
end

-- The piece may run on any thread.
function TestCrashes:test_within_parallel_for()
  assert_tells(select(2, train "in_a_piece"),
    "lunet: an invalid access to memory, in plugin clumsy 1.2",
    "layer 2 (clumsy 'culprit'), forward, step 0")
end

function TestCrashes:test_in_create()
  assert_tells(select(2, train "in_create"), "\n  culprit, create\n")
end

function TestCrashes:test_elsewhere_no_layer_is_blamed()
  local _, output = shell.run("%s -e 'os.execute(\"kill -SEGV $PPID\")'",
                              program)
  lu.assertNotStrContains(output, "in plugin")
end

TestWatchdog = {}

function TestWatchdog:test_names_a_call_that_takes_long()
  local ok, output = train("sleep", "", "LUNET_PATIENCE=0.3")
  lu.assertTrue(ok, output)
  assert_tells(output, "lunet: a call has been running for 0.3 seconds, in "
    .. "plugin clumsy 1.2", "layer 2 (clumsy 'culprit'), forward, step 0",
    "all done")
  local _, times = output:gsub("a call has been running", "")
  lu.assertEquals(times, 2) -- once each
end

function TestWatchdog:test_is_patient()
  lu.assertEquals(select(2, train "sleep"), "all done\n")
end

TestGuard = {}

function TestGuard:setUp()
  if is_sanitized() then lu.skip "the sanitizer has means of its own" end
end

function TestGuard:test_sound_layers_train_as_before()
  local ok, output = train("none", "--guard")
  lu.assertTrue(ok, output)
  lu.assertEquals(output, "all done\n")
end

function TestGuard:test_behind_the_end()
  for mistake, name in pairs { read_behind = "x[0]", write_behind = "y[0]" } do
    local ok, output = train(mistake, "--guard")
    lu.assertFalse(ok)
    assert_tells(output, "layer 2 (clumsy 'culprit'), forward, step 0",
                 "it touched 0 bytes behind the end of " .. name)
  end
end

function TestGuard:test_far_before_the_beginning()
  local ok, output = train("write_before", "--guard")
  lu.assertFalse(ok)
  assert_tells(output, "it touched 4040 bytes before the beginning of y[0]")
end

-- The same numbers, so that what is looked for is there still.
function TestGuard:test_same_bits()
  shell.write(folder .. "/bits.lua", [[
    local lunet = require "lunet"
    local nn = lunet.nn
    lunet.manual_seed(1)
    local net = nn.sequential {
      nn.conv2d { out_channels = 4, kernel_size = 3, padding = 1 },
      nn.batch_norm2d {}, nn.relu {}, nn.max_pool2d { kernel_size = 2 },
      nn.dropout { p = 0.3 }, nn.flatten {}, nn.linear { out_features = 3 },
    }
    net:build { 2, 7, 9 }
    local loss_fn = nn.cross_entropy {}
    local opt = lunet.optim.adam(net:parameters(), { lr = 0.01 })
    local x, labels = lunet.randn { 5, 2, 7, 9 }, lunet.tensor { 0, 1, 2, 0, 1 }
    for _ = 1, 5 do
      print(("%a"):format(loss_fn:forward(net:forward(x), labels)))
      opt:zero_grad()
      net:backward(loss_fn:backward())
      opt:step()
    end]])
  local _, plain = shell.run("%s %s/bits.lua", program, folder)
  for _, flags in ipairs { "--guard", "--check-numerics",
                           "--guard --check-numerics" } do
    local ok, output = shell.run("%s %s %s/bits.lua", program, flags, folder)
    lu.assertTrue(ok, output)
    lu.assertEquals(output, plain, flags)
  end
end

TestNumerics = {}

function TestNumerics:test_stops_at_the_first_layer_forward()
  local ok, output = train("not_a_number", "--check-numerics")
  lu.assertFalse(ok)
  assert_tells(output, "train.lua:11: layer 2 (clumsy 'culprit') gives numbers "
    .. "that are not finite, in forward; it is the first that does\n"
    .. "  input 1 (5,3): ", "\n  idle (3): 1 to 1\n  output 1 (5,3): ",
    ", 1 NaN\n")
  local x = output:match "input 1 [^\n]*"
  lu.assertNotStrContains(x, "NaN")
end

function TestNumerics:test_stops_at_the_first_layer_backward()
  local ok, output = train("infinite_gradient", "--check-numerics")
  lu.assertFalse(ok)
  assert_tells(output, "train.lua:12: layer 2 (clumsy 'culprit') gives numbers "
    .. "that are not finite, in backward", "\n  gradient of input 1 (5,3): ",
    ", 1 infinite\n", "\n  gradient of output 1 (5,3): ",
    "\n  gradient of idle (3): 0 to 0\n")
end

function TestNumerics:test_without_it_nothing_stops()
  local ok, output = train "not_a_number"
  lu.assertTrue(ok, output)
end

function TestNumerics:test_from_a_script()
  local _, output = shell.run([[%s -e '
    lunet.check_numerics()
    local layer = nn.softplus{}
    print(pcall(layer.forward, layer, lunet.tensor{ 1, 0 / 0 }))
    lunet.check_numerics(false)
    print(pcall(layer.forward, layer, lunet.tensor{ 1, 0 / 0 }))']], program)
  assert_tells(output, "softplus gives numbers that are not finite, in forward",
               "input 1 (2): 1 to 1, 1 NaN", "\ntrue")
end

local status = lu.LuaUnit.run()
shell.remove(folder)
os.exit(status)
