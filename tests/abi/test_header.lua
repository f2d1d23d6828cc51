-- test_header.lua - plugin.h stands alone, in C and in C++, and its layout is
-- what compiled plugins expect.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local shell = require "support.shell"

local strict = "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
local include = "-Icore/include"

local function compiles_alone(compiler, language, standard)
  local ok, output = shell.run("echo '#include <lunet/plugin.h>' | "
    .. "%s -x %s -std=%s %s %s -c -o /dev/null -",
    compiler, language, standard, strict, include)
  lu.assertTrue(ok, output)
end

TestHeader = {}

for _, standard in ipairs { "c11", "c17" } do
  TestHeader["test_compiles_alone_as_" .. standard] = function()
    compiles_alone("cc", "c", standard)
  end
end

for _, standard in ipairs { "c++14", "c++17", "c++20" } do
  TestHeader["test_compiles_alone_as_" .. standard] = function()
    compiles_alone("c++", "c++", standard)
  end
end

function TestHeader:test_option_of_a_wrong_type_does_not_compile()
  local ok, output = shell.run([[cc -std=c11 %s -fsyntax-only -x c - <<'C'
#include <lunet/plugin.h>
typedef struct { int slope; } leak;
const ln_option row = LN_REAL(leak, slope, 0, 0, 1, "an int, not a real");
C]], include)
  lu.assertFalse(ok)
  lu.assertStrContains(output, "_Generic")
end

-- ---- the layout -----------------------------------------------------------

-- What starts a program for another processor; see tests/arm64/run.
local emulator = os.getenv("LUNET_EMULATOR") or ""

local function layout()
  local folder = shell.temporary_folder()
  local lines = shell.lines("cc -std=c11 %s tests/abi/layout.c -o %s/layout && "
    .. "%s %s/layout", include, folder, emulator, folder)
  shell.remove(folder)
  return lines
end

TestLayout = {}

function TestLayout:test_is_that_of_1_0()
  if string.packsize("T") ~= 8 then lu.skip("64-bit machines only") end
  local golden = shell.read("tests/abi/golden-1.0.txt")
  lu.assertEquals(table.concat(layout(), "\n") .. "\n", golden)
end

-- A field that layout.c forgot would leave a gap.
function TestLayout:test_leaves_out_no_field()
  local struct, size, reached
  local function close()
    if struct then lu.assertTrue(size - reached < 8, struct) end
  end
  for _, line in ipairs(layout()) do
    local name, bytes = line:match("^struct (%S+) (%d+)$")
    local field, offset, width = line:match("^(%S+%.%S+) (%d+) (%d+)$")
    if name then
      close()
      struct, size, reached = name, tonumber(bytes), 0
    elseif field then
      lu.assertTrue(offset - reached < 8, field)
      reached = offset + width
    end
  end
  close()
end

os.exit(lu.LuaUnit.run())
