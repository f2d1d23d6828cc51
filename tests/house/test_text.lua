-- test_text.lua - habits of the sources: 80 columns, no tabs, nothing left
-- over from the workshop.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local shell = require "support.shell"

local function files(suffixes)
  local names = "-name '*." .. suffixes:gsub(" ", "' -o -name '*.") .. "'"
  return shell.lines("find . -path ./.git -prune -o -path './build*' -prune "
    .. "-o -path ./out -prune -o -type f \\( %s \\) -print", names)
end

-- Words cut in two, so that this file passes.
local leftovers = {
  "TO" .. "DO", "FIX" .. "ME", "XX" .. "X", "/ro" .. "ot/", "/ho" .. "me/",
  "/wo" .. "rk/",
}

local function flaws_of_line(line, is_code)
  if is_code and utf8.len(line) and utf8.len(line) > 80 then
    return "has more than 80 columns"
  end
  if line:find("\t", 1, true) then return "has a tab" end
  if line:find("[ \r]$") and is_code then return "ends with a blank" end
  if not utf8.len(line) then return "is no UTF-8" end
  for _, word in ipairs(leftovers) do
    -- whole words: mkstemp's pattern of six letters is none of them
    if line:find("%f[%w/]" .. word .. "%f[^%w/]") or
       word:find("/") and line:find(word, 1, true) then
      return "says " .. word
    end
  end
end

local function flaws(path, text)
  local found, number = {}, 0
  local is_code = not path:find("%.md$")
  for line in text:gmatch("([^\n]*)\n?") do
    number = number + 1
    local flaw = flaws_of_line(line, is_code)
    if flaw then
      found[#found + 1] = ("%s:%d %s"):format(path, number, flaw)
    end
  end
  return found
end

TestText = {}

function TestText:test_of_all_files()
  local all = {}
  for _, path in ipairs(files "c h cpp lua md build txt") do
    local found = flaws(path, shell.read(path))
    table.move(found, 1, #found, #all + 1, all)
  end
  lu.assertEquals(all, {})
end

function TestText:test_finds_flaws()
  lu.assertEquals(#flaws("a.c", ("x"):rep(81)), 1)
  lu.assertEquals(#flaws("a.c", ("x"):rep(80)), 0)
  lu.assertEquals(#flaws("a.md", ("x"):rep(81)), 0)
  lu.assertEquals(#flaws("a.lua", "\tx\n"), 1)
  lu.assertEquals(#flaws("a.lua", "x \n"), 1)
  lu.assertEquals(#flaws("a.c", "/* " .. leftovers[1] .. " */\n"), 1)
end

function TestText:test_c_sources_begin_with_their_name()
  for _, path in ipairs(shell.lines("find core plugins -name '*.[ch]'")) do
    local name = path:match("[^/]+$")
    lu.assertStrContains(shell.read(path):match("[^\n]*"), name, false, path)
  end
end

TestLuacheck = {}

function TestLuacheck:test_finds_nothing()
  local ok, output = shell.run("luacheck --no-color --quiet scripts tests")
  lu.assertTrue(ok, output)
end

function TestLuacheck:test_can_fail()
  local ok = shell.run("echo 'x = 1' | luacheck --quiet -")
  lu.assertFalse(ok)
end

os.exit(lu.LuaUnit.run())
