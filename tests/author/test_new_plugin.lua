-- test_new_plugin.lua - the commands new-plugin and build-plugin, from outside.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local shell = require "support.shell"

local build = os.getenv("LUNET_BUILD") or "build"
local program = shell.lines("realpath %s/lunet", build)[1]
local folder

-- Runs a command of lunet in the folder; returns success, and what it said.
local function lunet(arguments, environment)
  return shell.run("cd %s && %s '%s' %s", folder, environment or "", program,
                   arguments)
end

local function assert_runs(arguments, environment)
  local ok, output = lunet(arguments, environment)
  lu.assertTrue(ok, output)
  return output
end

local function assert_refused(arguments, sentence, environment)
  local ok, output = lunet(arguments, environment)
  lu.assertFalse(ok, output)
  lu.assertStrContains(output, sentence)
  return output
end

local function files() return shell.lines("ls %s", folder) end

local Workshop = {}
function Workshop:setUp() folder = shell.temporary_folder() end
function Workshop:tearDown() shell.remove(folder) end

local function suite()
  return { setUp = Workshop.setUp, tearDown = Workshop.tearDown }
end

-- ---- new-plugin ------------------------------------------------------------

TestNewPlugin = suite()

for _, kind in ipairs { "elementwise", "windowed", "weights", "loss" } do
  TestNewPlugin["test_works_as_it_stands_" .. kind] = function()
    assert_runs("new-plugin first_try --kind " .. kind)
    lu.assertEquals(files(), { "README.first_try.md", "first_try.c",
                               "first_try.md", "test_first_try.lua" })
    lu.assertEquals(assert_runs("build-plugin first_try.c",
                                "CFLAGS='-Wconversion -Wshadow -Werror'"), "")
    lu.assertEquals(assert_runs "test_first_try.lua", "first_try: all right\n")
    lu.assertEquals(#shell.lines("cat %s/README.first_try.md", folder), 3)
  end
  TestNewPlugin["test_nothing_is_wrong_with_" .. kind] = function()
    lu.assertStrContains(assert_runs("new-plugin first_try --kind " .. kind),
                         "\n  lunet check-plugin first_try.c\n")
    lu.assertStrContains(assert_runs "check-plugin first_try.c",
                         "first_try.c: 0 faults, 0 remarks")
  end
end

function TestNewPlugin:test_is_elementwise_unless_asked()
  assert_runs "new-plugin first_try"
  lu.assertStrContains(shell.read(folder .. "/first_try.c"), "squared")
end

-- The test that comes along is worth something: it sees a wrong gradient.
function TestNewPlugin:test_its_test_can_fail()
  assert_runs "new-plugin first_try"
  local path = folder .. "/first_try.c"
  local wrong, n = shell.read(path):gsub("o%->factor %* 2", "o->factor * 3")
  lu.assertEquals(n, 1)
  shell.write(path, wrong)
  assert_runs "build-plugin first_try.c"
  assert_refused("test_first_try.lua", "got -6.0 0.0 180.0, wanted")
end

function TestNewPlugin:test_never_overwrites()
  for _, name in ipairs { "first_try.c", "test_first_try.lua",
                          "first_try.md" } do
    shell.write(folder .. "/" .. name, "mine")
    assert_refused("new-plugin first_try",
                   name .. " is there already, and new-plugin never overwrites")
    lu.assertEquals(files(), { name })
    lu.assertEquals(shell.read(folder .. "/" .. name), "mine")
    shell.lines("rm %s/%s", folder, name)
  end
end

function TestNewPlugin:test_names()
  for _, name in ipairs { "Swish", "9lives", "a-b", "'a b'", "../up", "_x" } do
    assert_refused("new-plugin " .. name, "is no name for a layer")
  end
  for _, name in ipairs { "float", "while", "forward", "options", "call" } do
    assert_refused("new-plugin " .. name, "has a meaning in the C file already")
  end
  assert_refused("new-plugin relu", "nn.relu is a layer already")
  lu.assertEquals(files(), {})
end

function TestNewPlugin:test_command_line()
  assert_refused("new-plugin", "a NAME is missing")
  assert_refused("new-plugin a_b --kind round", "unknown kind 'round'")
  assert_refused("new-plugin a_b c_d", "unexpected 'c_d'")
  lu.assertStrContains(assert_runs "new-plugin --help", "usage: lunet new-")
end

-- ---- build-plugin ----------------------------------------------------------

TestBuildPlugin = suite()

function TestBuildPlugin:test_says_what_the_compiler_says()
  shell.write(folder .. "/wrong.c", "#include <lunet/plugin.h>\nint x = y;\n")
  assert_refused("build-plugin wrong.c", "wrong.c:2:9: error:")
  lu.assertEquals(files(), { "wrong.c" })
end

function TestBuildPlugin:test_where_the_result_goes()
  assert_runs "new-plugin first_try"
  assert_runs "build-plugin first_try.c -o 'other name.so'"
  shell.lines("test -f '%s/other name.so'", folder)
end

function TestBuildPlugin:test_shows_one_symbol()
  assert_runs "new-plugin first_try"
  assert_runs "build-plugin first_try.c"
  local symbols = shell.lines("nm -D --defined-only %s/first_try.so", folder)
  lu.assertEquals(#symbols, 1)
  lu.assertStrContains(symbols[1], "lunet_plugin_v1")
end

function TestBuildPlugin:test_takes_the_compiler_of_the_environment()
  assert_runs "new-plugin first_try"
  assert_refused("build-plugin first_try.c",
                 "$CC is 'no-such-cc', but there is no such program",
                 "CC=no-such-cc")
  assert_runs("build-plugin first_try.c", "CC='env gcc'")
end

function TestBuildPlugin:test_hands_arguments_on()
  shell.write(folder .. "/wrong.c", "int x = HERE;\n")
  assert_runs "build-plugin wrong.c -- '-DHERE=1 + 1'"
end

function TestBuildPlugin:test_command_line()
  assert_refused("build-plugin", "a FILE is missing")
  assert_refused("build-plugin absent.c", "absent.c cannot be read")
  assert_refused("build-plugin a.txt", "is no source in C (.c) or C++ (.cpp")
  assert_refused("build-plugin a.c -o", "-o needs a file")
end

os.exit(lu.LuaUnit.run())
