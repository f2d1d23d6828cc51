-- test_services.lua - what the host does for a layer, seen through one that
-- uses all of it: tests/fixtures/plugins/services.c.
package.path = "tests/?.lua;tests/lua/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local shell = require "support.shell"
local gradcheck = require "gradcheck"
local nn = lunet.nn

local folder = shell.temporary_folder()
shell.lines("cc -shared -fPIC -O1 -Icore/include tests/fixtures/plugins/"
            .. "services.c -o %s/services.so -lm", folder)
lunet.plugins.load(folder .. "/services.so")

local function near(a, b)
  lu.assertTrue((a - b):abs():max() <= 1e-4)
end

TestServices = {}

function TestServices:test_forward_and_gradients()
  local layer, x = nn.services {}, lunet.randn { 7, 50 }
  near(layer:forward(x), x * 6 + x:sum())
  local ok, message = gradcheck.check(nn.services {}, { lunet.randn { 3, 4 } })
  lu.assertTrue(ok, message)
end

function TestServices:test_packed_weights_follow_the_weights()
  local layer, x = nn.services { factor = 1 }, lunet.ones { 1, 2 }
  lu.assertEquals(layer:forward(x):tolist(), { { 4, 4 } })
  layer.weight:fill(5)
  lu.assertEquals(layer:forward(x):tolist(), { { 7, 7 } })
  layer:load_state { weight = lunet.tensor { 1 } }
  lu.assertEquals(layer:predict(x):tolist(), { { 3, 3 } })
end

function TestServices:test_noise_is_drawn_anew_while_training_only()
  local layer, x = nn.services { noise = 1 }, lunet.zeros { 200, 50 }
  local a, b = layer:forward(x), layer:forward(x)
  lu.assertTrue((a - b):abs():max() > 1)
  lu.assertAlmostEquals(a:mean(), 0, 0.05)
  lu.assertAlmostEquals((a * a):mean(), 1, 0.05)
  lu.assertEquals(layer:predict(x):abs():max(), 0)
  layer:eval()
  lu.assertEquals(layer:forward(x):abs():max(), 0)
end

function TestServices:test_state_has_the_declared_spread()
  local start = nn.services {}:state().start
  lu.assertAlmostEquals(start:mean(), 0, 0.06)
  lu.assertAlmostEquals((start * start):mean(), 0.25, 0.04)
end

function TestServices:test_the_same_bits_on_any_number_of_threads()
  local default, x, first = lunet.num_threads(), lunet.randn { 50, 333 }, nil
  for _, n in ipairs { 1, 2, 3, 7 } do
    lunet.set_num_threads(n)
    lunet.manual_seed(4)
    local layer = nn.services { noise = 0.1 }
    local y = layer:forward(x)
    local all = { y:tolist(), layer:backward(x):tolist() }
    first = first or all
    lu.assertEquals(all, first)
  end
  lunet.set_num_threads(default)
end

function TestServices:test_notice_and_log()
  local script = folder .. "/script.lua"
  shell.write(script, ([[
    local lunet = require "lunet"
    lunet.plugins.load "%s/services.so"
    local net = lunet.nn.sequential { lunet.nn.services { name = "s" } }
    net:summary { 4 }
    net:forward(lunet.ones { 1, 4 })
  ]]):format(folder))
  local _, output = shell.run("LUNET_LOG=1 %s/lunet %s",
                              os.getenv("LUNET_BUILD") or "build", script)
  lu.assertStrContains(output, "note: 12 services are used")
  lu.assertStrContains(output, "lunet: s: the sum is 4")
end

local status = lu.LuaUnit.run()
shell.remove(folder)
os.exit(status)
