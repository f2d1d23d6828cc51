-- test_binaries.lua - what the built files show and want: a plugin shows one
-- symbol and imports none of Lunet's, the Lua module brings no Lua of its own.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local shell = require "support.shell"

local build = os.getenv("LUNET_BUILD") or "build"
local plugins = shell.lines("find %s/plugins -name '*.so' | sort", build)

-- The names in the dynamic symbol table.
local function symbols(which, path)
  local names = {}
  for _, line in ipairs(shell.lines("nm -D %s '%s'", which, path)) do
    names[#names + 1] = line:match("(%S+)$")
  end
  return names
end

TestPluginFiles = {}

function TestPluginFiles:test_are_there()
  lu.assertTrue(#plugins > 0, "no plugin in " .. build .. "/plugins")
end

function TestPluginFiles:test_show_one_symbol()
  for _, path in ipairs(plugins) do
    local shown = symbols("--defined-only", path)
    lu.assertEquals(shown, { "lunet_plugin_v1" }, path)
  end
end

function TestPluginFiles:test_import_nothing_of_lunet()
  for _, path in ipairs(plugins) do
    for _, name in ipairs(symbols("--undefined-only", path)) do
      lu.assertNil(name:match("^ln_") or name:match("^lunet"),
        path .. " imports " .. name)
    end
  end
end

function TestPluginFiles:test_link_only_libc_and_libm()
  local allowed = { libc = true, libm = true }
  for _, path in ipairs(plugins) do
    for _, line in ipairs(shell.lines("readelf -d '%s'", path)) do
      local library = line:match("NEEDED.*%[(%w+)")
      lu.assertTrue(not library or allowed[library],
        path .. " links " .. tostring(library))
    end
  end
end

TestModule = {}

function TestModule:test_brings_no_second_lua()
  local modules = shell.lines("find %s -name lunet_core.so", build)
  lu.assertEquals(#modules, 1)
  for _, line in ipairs(shell.lines("ldd '%s'", modules[1])) do
    lu.assertNotStrContains(line, "liblua")
  end
end

os.exit(lu.LuaUnit.run())
