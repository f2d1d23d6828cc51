-- test_plugins.lua - plugins in C, C++14 and C++20, built outside the build
-- tree as their authors would, then loaded and run.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local shell = require "support.shell"
local nn = lunet.nn

local folder = shell.temporary_folder()
local strict = "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"

-- Builds tests/abi/SOURCE; returns the path of the plugin.
local function build(source, command)
  local plugin = folder .. "/" .. source:gsub("%.%w+$", ".so")
  shell.lines("%s -Icore/include tests/abi/%s -o %s", command, source, plugin)
  return plugin
end

local function exported_symbols(plugin)
  local names = {}
  for _, line in ipairs(shell.lines("nm -D --defined-only %s", plugin)) do
    names[#names + 1] = line:match("%S+$")
  end
  return names
end

local function assert_one_symbol(plugin)
  lu.assertEquals(exported_symbols(plugin), { "lunet_plugin_v1" })
end

TestPlugins = {}

function TestPlugins:test_c_by_the_command_of_the_header()
  local plugin = build("thrice.c", "cc -shared -fPIC -O2")
  assert_one_symbol(plugin)
  lunet.plugins.load(plugin)
  local thrice = nn.thrice {}
  lu.assertEquals(thrice(lunet.tensor { { 1, -2 } }):tolist(), { { 3, -6 } })
  local dx = thrice:backward(lunet.tensor { { 1, 10 } })
  lu.assertEquals(dx:tolist(), { { 3, 30 } })
end

local cxx = "c++ -shared -fPIC -O2 "
  .. "-Wl,--version-script=core/include/lunet/plugin.map "

function TestPlugins:test_cpp20_with_designated_fields()
  local plugin = build("scale_cpp20.cpp", cxx .. "-std=c++20 " .. strict
    .. " -Wno-missing-field-initializers")
  assert_one_symbol(plugin)
  lunet.plugins.load(plugin)
  local scale = nn.scale_cpp20 { factor = -3 }
  lu.assertEquals(scale(lunet.tensor { { 1, 2 } }):tolist(), { { -3, -6 } })
  local dx = scale:backward(lunet.tensor { { 1, 10 } })
  lu.assertEquals(dx:tolist(), { { -3, -30 } })
  lu.assertErrorMsgContains("factor", nn.scale_cpp20, { factor = 11 })
end

function TestPlugins:test_cpp14_with_positional_fields()
  local plugin = build("weigh_cpp14.cpp", cxx .. "-std=c++14 " .. strict)
  assert_one_symbol(plugin)
  lunet.plugins.load(plugin)
  local weigh = nn.weigh_cpp14 {}
  local y = weigh(lunet.tensor { { 1, 2 }, { 3, 4 } })
  lu.assertEquals(y:tolist(), { { 2, 4 }, { 6, 8 } })
  local dx = weigh:backward(lunet.tensor { { 1, 1 }, { 1, 10 } })
  lu.assertEquals(dx:tolist(), { { 2, 2 }, { 2, 20 } })
  lu.assertEquals(weigh:parameters()[1].grad:tolist(), { 4, 42 })
end

local status = lu.LuaUnit.run()
shell.remove(folder)
os.exit(status)
