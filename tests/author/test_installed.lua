-- test_installed.lua - authors who have only what `meson install` leaves: in a
-- folder outside the tree, by build-plugin and by pkg-config, in C and C++, and
-- with a library inside. The layers are in tests/fixtures/outside.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local is_sanitized = require "support.sanitizer"
local shell = require "support.shell"

local build = os.getenv("LUNET_BUILD") or "build"
local folder = shell.temporary_folder()
local root, work = folder .. "/root", folder .. "/work"

shell.lines("meson install -C %s --destdir %s --no-rebuild --quiet", build,
            root)
shell.lines("cp -r tests/fixtures/outside %s", work)
local program = shell.lines("find %s -path '*/bin/lunet'", root)[1]
local plugins = shell.lines("find %s -type d -path '*/lunet/plugins'", root)[1]
local package = shell.lines("find %s -name lunet-plugin.pc", root)[1]

-- Runs a command in the folder of the author; returns what it said.
local function run(command, ...)
  local ok, output = shell.run("cd %s && PATH=%s:$PATH "
    .. "LUNET_PLUGIN_PATH=.:%s PKG_CONFIG_SYSROOT_DIR=%s PKG_CONFIG_PATH=%s "
    .. "sh -e -c '%s'", work, program:match "^(.*)/", plugins, root,
    package:match "^(.*)/", command:format(...))
  lu.assertTrue(ok, output)
  return output
end

-- Runs Lua with the plugins of the folder.
local function run_lua(code)
  shell.write(work .. "/script.lua", [[
    local lunet = require "lunet"
    local nn, gradcheck = lunet.nn, require "lunet.gradcheck"
  ]] .. code)
  return run "lunet script.lua"
end

local function assert_checked(word, options, shape, how)
  run_lua(([[assert(gradcheck.check(nn.%s%s, { gradcheck.%s%s }, %s))]]):format(
    word, options, how and "spaced" or "random", shape, how or "{}"))
end

TestInstalled = {}

function TestInstalled:test_a_path_of_the_source_tree_is_nowhere_needed()
  local here = shell.lines "pwd"[1]
  lu.assertNotStrContains(run "lunet -e \"print(package.path)\"", here)
  lu.assertNotStrContains(run "pkg-config --cflags lunet-plugin", here)
end

function TestInstalled:test_new_layer()
  run "lunet new-plugin my_first --kind windowed"
  run "lunet build-plugin my_first.c"
  lu.assertEquals(run "lunet test_my_first.lua", "my_first: all right\n")
end

function TestInstalled:test_c_by_build_plugin()
  lu.assertEquals(run "lunet build-plugin tent.c", "")
  assert_checked("tent", "{ width = 0.5 }", "{ 4, 5 }", "{ nonsmooth = true }")
end

function TestInstalled:test_c_by_pkg_config()
  run "cc -shared -fPIC -O2 $(pkg-config --cflags lunet-plugin) tent.c -o \z
       tent.so -lm"
  assert_checked("tent", "{}", "{ 4, 5 }", "{ nonsmooth = true }")
end

local function symbols(plugin)
  return shell.lines("nm -D --defined-only %s/%s", work, plugin)
end

function TestInstalled:test_cpp_by_build_plugin()
  lu.assertEquals(run "lunet build-plugin running_scale.cpp", "")
  lu.assertEquals(#symbols "running_scale.so", 1)
  assert_checked("running_scale", "{}", "{ 3, 4 }")
  lu.assertEquals(run_lua [[
    local layer = nn.running_scale {}
    layer:forward(lunet.ones { 7, 2 })
    layer:eval()
    layer:forward(lunet.ones { 2, 2 })
    print(layer:state().seen:item())]], "7.0\n")
end

function TestInstalled:test_cpp_by_pkg_config()
  run "c++ -std=c++20 -shared -fPIC $(pkg-config --cflags lunet-plugin) \z
       -Wl,--version-script=\z
       $(pkg-config --variable=version_script lunet-plugin) \z
       running_scale.cpp -o running_scale.so"
  lu.assertEquals(#symbols "running_scale.so", 1)
  assert_checked("running_scale", "{}", "{ 3, 4 }")
end

function TestInstalled:test_three_layers_in_one_file()
  run "lunet build-plugin three.c"
  for _, word in ipairs { "three_minus", "three_next", "three_square" } do
    assert_checked(word, "{}", "{ 2, 3 }")
  end
  lu.assertEquals(run_lua [[
    local net = nn.sequential {
      nn.three_next {}, nn.three_square {}, nn.three_minus {} }
    print(table.concat(net:forward(lunet.tensor { 1, 2 }):tolist(), " "))]],
    "-4.0 -9.0\n")
end

-- The checker is no part of the source tree, either.
function TestInstalled:test_check_plugin()
  local said = run "lunet check-plugin tent.c running_scale.cpp three.c"
  for _, name in ipairs { "tent.c", "running_scale.cpp", "three.c" } do
    lu.assertStrContains(said, name .. ": 0 faults, 0 remarks")
  end
end

-- A net trains with the layer in place of conv2d, and to the same numbers.
function TestInstalled:test_library_inside()
  if not shell.run "echo '#include <oneapi/dnnl/dnnl.h>' | cc -E - | grep -q \z
                    dnnl_convolution_forward_desc_init" then
    return lu.skip "oneDNN 2 (libdnnl-dev) is not there"
  end
  if is_sanitized() then return lu.skip "oneDNN is not sanitized" end
  run "lunet build-plugin conv2d_onednn.c -- -ldnnl"
  local checked = run "lunet check-plugin conv2d_onednn.so"
  lu.assertStrContains(checked, "conv2d_onednn.so: 0 faults, ")
  lu.assertStrContains(checked, "remark: it needs the library libdnnl")
  for _, options in ipairs { "kernel_size = 3, stride = 2",
                             "kernel_size = { 2, 3 }, padding = 1",
                             "kernel_size = 1, bias = false" } do
    assert_checked("conv2d_onednn",
                   ("{ out_channels = 3, %s }"):format(options),
                   "{ 2, 2, 5, 6 }")
  end
  lu.assertEquals(run_lua [[
    local data, optim = lunet.data, lunet.optim
    local train, test = data.digits()
    local function trained(conv2d)
      lunet.manual_seed(1)
      local net = nn.sequential {
        conv2d { out_channels = 8, kernel_size = 3, padding = 1 },
        nn.relu {}, nn.max_pool2d { kernel_size = 2 }, nn.flatten {},
        nn.linear { out_features = 10 } }
      net:build { 1, 8, 8 }
      local run = lunet.fit(net, train, { loss = nn.cross_entropy {},
        optimizer = optim.sgd(net:parameters(), { lr = 0.1 }), epochs = 4,
        progress = false })
      return run.loss[4], lunet.accuracy(net, test)
    end
    local loss, accuracy = trained(nn.conv2d)
    local loss_there, accuracy_there = trained(nn.conv2d_onednn)
    print(math.abs(loss - loss_there) < 1e-2 * loss,
          accuracy > 0.9, math.abs(accuracy - accuracy_there) < 0.01)]],
    "true\ttrue\ttrue\n")
end

local status = lu.LuaUnit.run()
shell.remove(folder)
os.exit(status)
