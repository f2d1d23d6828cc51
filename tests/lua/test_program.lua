-- The program `lunet` and the module as plain Lua sees it, from outside.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local is_sanitized = require "support.sanitizer"
local shell = require "support.shell"

local program = arg[-1]
local build = program:match("^(.*)/[^/]*$") or "."
local folder = shell.temporary_folder()

local function path(name) return folder .. "/" .. name end

-- Runs lunet; returns output, what it said on the error channel, exit status.
local function lunet(arguments, input)
  shell.write(path "input", input or "")
  local _, status = shell.run("'%s' %s <'%s' >'%s' 2>'%s'; echo $?", program,
                              arguments, path "input", path "out", path "err")
  return shell.read(path "out"), shell.read(path "err"), tonumber(status)
end

local function assert_run(arguments, input, output, errors, status)
  local out, err, code = lunet(arguments, input)
  lu.assertEquals({ out, err, code }, { output, errors or "", status or 0 })
end

-- ---- scripts ----------------------------------------------------------------

TestScripts = {}

function TestScripts:test_arguments()
  shell.write(path "s.lua", "print(#arg, arg[0], arg[1], ...)")
  assert_run(path "s.lua" .. " one -e 'two 3'", nil,
             ("3\t%s\tone\tone\t-e\ttwo 3\n"):format(path "s.lua"))
end

function TestScripts:test_what_stands_before_the_script()
  shell.write(path "s.lua", "print(arg[-1], arg[-2], arg[-3] == arg[-#arg-3])")
  assert_run("-e 'x = 1' " .. path "s.lua", nil, "x = 1\t-e\ttrue\n")
end

function TestScripts:test_standard_input()
  assert_run("- 7", "print(..., arg[0])", "7\t-\n")
  assert_run("", "#!/usr/bin/env lunet\nprint 'from stdin'", "from stdin\n")
end

function TestScripts:test_globals_are_of_the_command_line_only()
  assert_run("", "print(lunet, nn)", "nil\tnil\n")
  assert_run("-e 'print(lunet.zeros{2}:numel(), unknown)'", nil, "2\tnil\n")
end

function TestScripts:test_several_codes_then_a_script()
  shell.write(path "s.lua", "print(x, ...)")
  assert_run("-e 'x = 1' -e 'x = x + 1' " .. path "s.lua" .. " a", nil,
             "2\ta\n")
end

function TestScripts:test_require_finds_the_library_from_any_folder()
  local here = shell.lines("realpath '%s'", program)[1]
  local code = 'print(require "lunet" == lunet)'
  local _, out = shell.run("cd / && '%s' -e '%s'", here, code)
  lu.assertEquals(out, "true\n")
end

-- ---- errors -----------------------------------------------------------------

TestErrors = {}

function TestErrors:test_script_error_has_the_users_lines_only()
  shell.write(path "s.lua", 'local lunet = require "lunet"\n'
              .. "local function make(n)\n  return lunet.zeros(n), 1\nend\n"
              .. "make(3)\n")
  local _, err, status = lunet(path "s.lua")
  lu.assertEquals(status, 1)
  local sentence = "S:3: lunet.zeros: the shape must be a table of sizes such "
    .. "as {2, 3}, got a number\n"
  local frames = "stack traceback:\n\tS:3: in local 'make'\n"
    .. "\tS:5: in main chunk\n"
  lu.assertEquals(err, ((sentence .. frames):gsub("S:", path "s.lua" .. ":")))
end

function TestErrors:test_command_line()
  local _, err, status = lunet("-e 'lunet.ones(1)'")
  lu.assertEquals(status, 1)
  lu.assertStrContains(err, "(command line):1: lunet.ones: the shape")
end

function TestErrors:test_through_the_lua_half()
  local _, err = lunet("-e 'local x = lunet.tenso'")
  lu.assertStrContains(err,
    "(command line):1: lunet has no 'tenso'; did you mean 'tensor'?")
end

function TestErrors:test_in_coroutines_and_protected_calls()
  local code = [[
    local wrapped = coroutine.wrap(function()
      return (lunet.zeros{2}:narrow(3, 1, 1))
    end)
    print(pcall(wrapped))
    print(pcall(lunet.zeros, 1))
    for _ in (function() return lunet.zeros, 1 end)() do end]]
  local out, err = lunet("-e '" .. code .. "'")
  lu.assertStrContains(out, "false\t(command line):2: tensor:narrow: dim is 3")
  lu.assertStrContains(out, "false\t(command line):5: lunet.zeros: the shape")
  lu.assertStrContains(err, "(command line):6: lunet.zeros: the shape")
end

function TestErrors:test_values_that_are_no_strings()
  local _, bare = lunet("-e 'error({})'")
  lu.assertStrMatches(bare:match("^[^\n]*"), "table: 0x%x+")
  local _, err = lunet("-e 'error(setmetatable({}, { __tostring = function() "
                       .. "return \"mine\" end }))'")
  lu.assertEquals(err:match("^[^\n]*"), "mine")
end

function TestErrors:test_a_script_that_is_not_there()
  local _, err, status = lunet("absent.lua")
  lu.assertEquals(status, 1)
  lu.assertEquals(err, "cannot open absent.lua: No such file or directory\n")
end

function TestErrors:test_wrong_syntax()
  local _, err, status = lunet("-e 'x ='")
  lu.assertEquals({ err, status },
    { "(command line):1: unexpected symbol near <eof>\n", 1 })
end

function TestErrors:test_command_line_not_understood()
  assert_run("--frobnicate", nil, "",
             "lunet: unknown option '--frobnicate'; see lunet --help\n", 2)
  assert_run("-e", nil, "",
             "lunet: no code follows '-e'; see lunet --help\n", 2)
end

function TestErrors:test_exit_status_of_the_script()
  local _, _, status = lunet("-e 'os.exit(5)'")
  lu.assertEquals(status, 5)
end

-- ---- help -------------------------------------------------------------------

TestHelp = {}

function TestHelp:test_help_and_version()
  local help = lunet("--help")
  lu.assertStrContains(help, "usage: lunet")
  local version = lunet("--version")
  lu.assertStrMatches(version, "Lunet %d+%.%d+%.%d+, Lua 5%.4%.%d+\n")
end

-- ---- the prompt -------------------------------------------------------------

TestPrompt = {}

-- What the prompt says, without the prompts themselves.
local function typed(...)
  local lines = table.concat({ ... }, "\n") .. "\n"
  local out, err, status = lunet("-i", lines)
  lu.assertEquals(status, 0)
  for _, pattern in ipairs { "lunet> ", "  %.%.%.> ", "^Lunet[^\n]*\n",
                             "\n$" } do
    out = out:gsub(pattern, "")
  end
  return out, err
end

function TestPrompt:test_expressions_and_statements()
  local out, err = typed("1 + 1", "x = 20", "x, nil, 'y'", "", "-- nothing",
                         "lunet.ones{2}", "return 7")
  lu.assertEquals(out, "2\n20\tnil\ty\ntensor (2)\n  1  1\n7\n")
  lu.assertEquals(err, "")
end

function TestPrompt:test_more_lines()
  local out = typed("for i = 1, 2 do", "print(i)", "end", "f = function()",
                    "return 'done'", "end", "f()")
  lu.assertEquals(out, "1\n2\ndone\n")
end

function TestPrompt:test_errors_do_not_end_it()
  local out, err = typed("lunet.zeros(1)", "lunet.tensor{1}[2]", "x = = 1",
                         "error()", "error{}",
                         "setmetatable({}, { __tostring = function() "
                         .. "error('unprintable', 0) end })", "'alive'")
  lu.assertEquals(out, "alive\n")
  local lines = {}
  for line in err:gmatch("[^\n]+") do lines[#lines + 1] = line end
  lu.assertStrMatches(lines[1], "stdin:1: lunet%.zeros: .*")
  lu.assertStrMatches(lines[2], "stdin:1: index 2 is out of range: .*")
  lu.assertEquals(lines[3], "stdin:1: unexpected symbol near '='")
  lu.assertEquals(lines[4], "the error is a nil, not a sentence")
  lu.assertEquals(lines[5], "the error is a table, not a sentence")
  lu.assertEquals(lines[6], "unprintable")
end

-- A terminal makes `lunet` a prompt without being asked.
function TestPrompt:test_on_a_terminal()
  if not shell.has "script" then lu.skip("no program `script` here") end
  shell.write(path "input", "21 * 2\n\4")
  local _, out = shell.run("XDG_STATE_HOME='%s' script -qec '%s' /dev/null "
                           .. "<'%s'", folder, program, path "input")
  lu.assertStrContains(out, "lunet> ")
  lu.assertStrContains(out, "42")
end

-- ---- Ctrl-C -----------------------------------------------------------------

TestInterrupt = {}

-- A program that presses its own Ctrl-C, and goes on for some seconds.
local press = 'io.popen("kill -INT $PPID"):close() for i = 1, 1e9 do end '

function TestInterrupt:test_script_ends_with_a_sentence()
  shell.write(path "s.lua", press)
  local _, err, status = lunet(path "s.lua")
  lu.assertEquals(status, 1)
  lu.assertStrMatches(err:match("^[^\n]*"), ".*s%.lua:%d: interrupted!")
end

function TestInterrupt:test_prompt_goes_on()
  local out, err = typed(press .. "print(1)", "lunet.ones{3}:sum()")
  lu.assertStrContains(err, "interrupted!")
  lu.assertEquals(out, "3.0\n")
end

-- While the engine computes; the next computation is not disturbed.
function TestInterrupt:test_computation_stops()
  local out, err = typed("a = lunet.ones { 1000, 1000 }",
    'key = io.popen("sleep 0.2; kill -INT $PPID")',
    "for i = 1, 1000 do a:matmul(a) end print(1)", "a:matmul(a):max()")
  lu.assertStrContains(err, "interrupted!")
  lu.assertEquals(out, "1000.0\n")
end

-- ---- plain Lua --------------------------------------------------------------

TestPlainLua = {}

function TestPlainLua:test_require()
  if not shell.has "lua5.4" then lu.skip("no program `lua5.4` here") end
  if is_sanitized() then lu.skip("plain Lua loads no sanitized module") end
  local fine, out = shell.run(
    "LUA_PATH='scripts/?.lua;scripts/?/init.lua;;' LUA_CPATH='%s/?.so;;' "
    .. "lua5.4 -e 'print(require(\"lunet\").ones({ 2 }):sum())'", build)
  lu.assertEquals({ fine, out }, { true, "2.0\n" })
end

function TestPlainLua:test_module_holds_no_second_lua()
  local fine, out = shell.run("readelf -d '%s/lunet_core.so'", build)
  lu.assertTrue(fine, out)
  lu.assertNotStrContains(out, "liblua")
end

local result = lu.LuaUnit.run()
shell.remove(folder)
os.exit(result)
