-- test_loader.lua - plugins that must be refused, each with its reason, and
-- sound ones that must not. The sources are in tests/fixtures/plugins.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local shell = require "support.shell"

local build = os.getenv("LUNET_BUILD") or "build"
local folder = shell.temporary_folder()

-- Builds a fixture; returns the path of the plugin.
local function plugin(name, subfolder)
  local path = ("%s/%s%s.so"):format(folder, subfolder or "", name)
  shell.lines("mkdir -p \"$(dirname %s)\" && cc -shared -fPIC -Icore/include "
    .. "tests/fixtures/plugins/%s.c -o %s", path, name, path)
  return path
end

-- Loads a file that must be refused; returns the reason, with numbers that
-- depend on the compiler replaced by N.
local function reason(path)
  local ok, message = pcall(lunet.plugins.load, path)
  lu.assertFalse(ok, path .. " was loaded")
  local start = ("plugin %s refused: "):format(path)
  local from, to = message:find(start, 1, true)
  lu.assertNotNil(from, message)
  return (message:sub(to + 1):gsub("(truncated: )%d+", "%1N")
    :gsub("(segments reach to )%d+", "%1N"))
end

local refusals = {
  wrong_magic = "lunet_plugin_v1 begins with 0x12345678, not with the magic "
    .. "0x54454E4C; end the file with LN_PLUGIN(...)",
  pointer_size = "it was built for pointers of 4 bytes, this program's have 8",
  short_struct = "lunet_plugin_v1 says it has 32 bytes, but needs at least 44",
  no_layers = "lunet_plugin_v1 lacks layers",
  no_symbol = "it has no symbol lunet_plugin_v1, so it is no plugin; end the "
    .. "file with LN_PLUGIN(...)",
  other_major = "it was built for layer ABI 2, this is 1.0",
  no_forward = "layer no_forward has no forward function",
  bad_name = "a layer's name is 'Bad-Name', but must be in lower_snake_case",
  field_outside = "layer field_outside: option q lies outside its struct of 8 "
    .. "bytes (offset 8, size 8)",
  unknown_type = "layer unknown_type: option p has type 99, which needs a "
    .. "newer Lunet than 0.1.0",
  bad_shapes = "layer bad_shapes: the shape line \"x(N,\" cannot be read; it "
    .. "looks like \"x(N,in_channels,H,W)\"",
  imports = "it cannot be opened: undefined symbol: ln_not_for_plugins",
}

TestRefusals = {}

for name, sentence in pairs(refusals) do
  TestRefusals["test_" .. name] = function()
    lu.assertEquals(reason(plugin(name)), sentence)
  end
end

function TestRefusals:test_missing_file()
  lu.assertEquals(reason(folder .. "/absent.so"),
    "it cannot be read: No such file or directory")
end

function TestRefusals:test_text_file()
  local path = folder .. "/text.so"
  shell.write(path, "int main(void) { return 0; }\n")
  lu.assertEquals(reason(path), "it is not a shared object; build it with\n"
    .. "  cc -shared -fPIC layer.c -o layer.so")
end

function TestRefusals:test_truncated_file()
  local path = folder .. "/truncated.so"
  shell.write(path, shell.read(plugin "newer"):sub(1, 5000))
  lu.assertEquals(reason(path),
    "it is truncated: N bytes, where its segments reach to N")
end

function TestRefusals:test_truncated_header()
  local path = folder .. "/stub.so"
  shell.write(path, shell.read(plugin "newer"):sub(1, 20))
  lu.assertEquals(reason(path),
    "it is truncated: N bytes, where the header alone takes 64")
end

function TestRefusals:test_word_taken_by_a_loaded_plugin()
  local first, second = plugin("newer", "first/"), plugin("newer", "second/")
  lunet.plugins.load(first)
  lu.assertEquals(reason(second),
    "its layer newer is already there, from " .. first)
end

function TestRefusals:test_are_raised_at_the_users_line()
  local ok, message = pcall(function() lunet.plugins.load("absent.so") end)
  lu.assertFalse(ok)
  lu.assertStrMatches(message, "tests/host/test_loader.lua:%d+: plugin "
    .. "absent.so refused: it cannot be read: No such file or directory")
end

-- ---- plugins that are of use in part or whole ------------------------------

local x = lunet.tensor { { 1, 2, 3 } }

TestAccepted = {}

function TestAccepted:test_a_plugin_of_a_later_minor_abi()
  lunet.plugins.load(plugin("newer", "first/"))
  lu.assertEquals(lunet.nn.newer {}(x):tolist(), x:tolist())
end

function TestAccepted:test_of_two_layers_of_one_name_the_first()
  lunet.plugins.load(plugin "two_alike")
  lu.assertEquals(lunet.nn.two_alike {}(x):tolist(), x:tolist())
end

function TestAccepted:test_the_other_layer_of_a_file_that_needs_more()
  lunet.plugins.load(plugin "unknown_needs")
  lu.assertEquals(lunet.nn.modest {}(x):tolist(), x:tolist())
end

-- ---- the search path -------------------------------------------------------

-- Runs a line of Lua in a new process that searches the folder, too.
local function with_path(path, code)
  return shell.run("LUNET_PLUGIN_PATH=%s %s/lunet -e '%s'", path, build, code)
end

TestSearch = {}

function TestSearch:test_finds_a_word_in_the_path()
  plugin("newer", "path/")
  local ok, output = with_path(folder .. "/path",
    "print(require(\"lunet\").nn.newer{}(require(\"lunet\").ones{1}):item())")
  lu.assertTrue(ok, output)
  lu.assertEquals(tonumber(output), 1)
end

function TestSearch:test_unknown_word_tells_what_was_refused_and_where()
  local path = plugin("no_forward", "refused/")
  local ok, output = with_path(folder .. "/refused",
    "require(\"lunet\").nn.no_forward{}")
  lu.assertFalse(ok)
  lu.assertStrContains(output, "unknown layer 'no_forward'")
  lu.assertStrContains(output, "searched in:\n    " .. folder .. "/refused\n")
  lu.assertStrContains(output, ("refused:\n    %s: layer no_forward has no "
    .. "forward function"):format(path))
end

function TestSearch:test_unknown_word_has_a_neighbour()
  local ok, message = pcall(function() return lunet.nn.covn2d {} end)
  lu.assertFalse(ok)
  lu.assertStrContains(message,
    "unknown layer 'covn2d'; did you mean 'conv2d'?")
end

local status = lu.LuaUnit.run()
shell.remove(folder)
os.exit(status)
