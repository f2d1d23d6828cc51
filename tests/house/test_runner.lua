-- test_runner.lua - tests/run counts what passed, and cannot be fooled by
-- programs that crash, break off, or never run.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local shell = require "support.shell"

local folder = shell.temporary_folder()

-- Runs tests/run on a tree with these programs (name -> shell script that
-- stands for a test in Lua); returns success and the last line.
local function run(programs)
  shell.lines("rm -rf %s && mkdir -p %s/build %s/tests/lua && cp tests/run "
    .. "%s/tests/", folder, folder, folder, folder)
  shell.lines("ln -s /bin/sh %s/build/lunet", folder)
  for name, script in pairs(programs) do
    shell.write(("%s/tests/lua/test_%s.lua"):format(folder, name), script)
  end
  local ok, output = shell.run(
    "env -u LUNET_BUILD %s/tests/run --quick", folder)
  return ok, output:match("([^\n]*)\n$"), output
end

local function assert_counts(programs, last_line)
  local ok, line, output = run(programs)
  lu.assertEquals(line, last_line, output)
  lu.assertEquals(ok, line:match("(%d+) failed") == "0")
end

TestRunner = {}

function TestRunner:test_adds_up_programs()
  assert_counts({ a = "echo 1..2; echo ok 1; echo ok 2",
                  b = "echo ok 1; echo 1..1" }, "3 passed, 0 failed")
end

function TestRunner:test_counts_failures()
  assert_counts({ a = "echo 1..2; echo ok 1; echo not ok 2; exit 1" },
    "1 passed, 1 failed")
end

function TestRunner:test_counts_skips_apart()
  local ok, line, output = run { a = "echo 1..1; echo 'ok 1 # SKIP no data'",
                                 b = "echo 1..1; echo ok 1" }
  lu.assertTrue(ok)
  lu.assertEquals(line, "1 passed, 0 failed")
  lu.assertStrContains(output, "no data")
end

function TestRunner:test_a_crash_is_a_failure()
  assert_counts({ a = "echo 1..1; echo ok 1; kill -SEGV $$" },
    "1 passed, 1 failed")
end

function TestRunner:test_breaking_off_is_a_failure()
  assert_counts({ a = "echo 1..3; echo ok 1" }, "1 passed, 1 failed")
end

function TestRunner:test_silence_is_a_failure()
  assert_counts({ a = "exit 0" }, "0 passed, 1 failed")
end

function TestRunner:test_no_tests_at_all_is_a_failure()
  assert_counts({}, "0 passed, 1 failed")
end

function TestRunner:test_shows_what_a_failing_program_said()
  local _, _, output = run { a = "echo 1..1; echo not ok 1 because; exit 1" }
  lu.assertStrContains(output, "not ok 1 because")
end

-- ---- bootstrap -------------------------------------------------------------

TestBootstrap = {}

function TestBootstrap:test_help()
  local ok, output = shell.run("./bootstrap --help")
  lu.assertTrue(ok)
  for _, command in ipairs { "build", "demo", "test" } do
    lu.assertStrContains(output, "./bootstrap " .. command)
  end
end

function TestBootstrap:test_unknown_command_is_an_error()
  lu.assertFalse((shell.run("./bootstrap everything")))
end

-- A system that is no Debian and has no Meson.
function TestBootstrap:test_names_what_is_missing_elsewhere()
  shell.lines("rm -rf %s && mkdir %s", folder, folder)
  shell.lines("for tool in sh sed dirname tr cc as ld cpp pkg-config ninja env;"
    .. " do ln -s \"$(command -v $tool)\" %s/; done", folder)
  local ok, output = shell.run("PATH=%s ./bootstrap build", folder)
  lu.assertFalse(ok)
  lu.assertStrMatches(output, ".*missing.*\n  meson \nInstall them.*")
end

local status = lu.LuaUnit.run()
shell.remove(folder)
os.exit(status)
