-- test_parts.lua - passes in parts, and activations done in passing, seen
-- through a layer that has both: tests/fixtures/plugins/center.c.
package.path = "tests/?.lua;tests/lua/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local shell = require "support.shell"
local gradcheck = require "gradcheck"
local nn = lunet.nn

local folder = shell.temporary_folder()
local compile = "cc -shared -fPIC -O1 -Icore/include "
  .. "tests/fixtures/plugins/center.c -o %s/%s.so %s"
shell.lines(compile, folder, "center", "")
lunet.plugins.load(folder .. "/center.so")

local function near(a, b, limit)
  lu.assertTrue((a - b):abs():max() <= (limit or 1e-4))
end

-- Every kind of neighbour: in parts first, twice in a row, in a branch, in
-- front of an activation, last.
local function build(method)
  lunet.manual_seed(3)
  local x = nn.input { 300 }
  local a = nn.center { method = method } (x)
  local b = nn.relu {} (nn.center { method = method } (a))
  local c = nn.center { method = method } (nn.linear { out_features = 300 } (b))
  local d = nn.relu {} (nn.add {} (c, nn.center { method = method } (b)))
  local net = nn.graph(x, nn.center { method = method } (d))
  net:requires_grad { inputs = true, parameters = true }
  return net
end

-- y, dx and all that belongs to the parameters.
local function pass(net, x, dy)
  local y = net:forward(x)
  local all = { y, (net:backward(dy)) }
  for _, p in ipairs(net:parameters()) do all[#all + 1] = p.grad end
  for _, t in pairs(net:state()) do all[#all + 1] = t end
  return all
end

local function pass_of(method, items, evaluate)
  local net = build(method)
  if evaluate then
    pass(net, lunet.randn { 20, 300 }, lunet.zeros { 20, 300 })
    net:eval()
  end
  lunet.manual_seed(4)
  return pass(net, lunet.randn { items, 300 }, lunet.randn { items, 300 })
end

TestParts = {}

function TestParts:test_the_same_as_in_one_piece()
  for _, items in ipairs { 1, 2, 50, 333 } do
    for _, evaluate in ipairs { false, true } do
      local whole = pass_of("textbook", items, evaluate)
      local parts = pass_of("parts", items, evaluate)
      lu.assertEquals(#parts, #whole)
      for i = 1, 2 do near(parts[i], whole[i]) end
    end
  end
end

function TestParts:test_gradients_of_weights_and_state()
  local whole, parts = build("textbook"), build("parts")
  local x, dy = lunet.randn { 333, 300 }, lunet.randn { 333, 300 }
  pass(whole, x, dy)
  pass(parts, x, dy)
  for i, p in ipairs(parts:parameters()) do
    near(p.grad, whole:parameters()[i].grad, 5e-3) -- sums of 333
  end
  local state = whole:state()
  for name, tensor in pairs(parts:state()) do near(tensor, state[name]) end
end

function TestParts:test_gradients_are_the_slopes()
  local ok, message = gradcheck.check(nn.center { method = "parts" },
                                      { lunet.randn { 40, 30 } })
  lu.assertTrue(ok, message)
end

function TestParts:test_the_same_bits_on_any_number_of_threads()
  local default, first = lunet.num_threads(), nil
  for _, n in ipairs { 1, 2, 3, 7 } do
    lunet.set_num_threads(n)
    local bits = {}
    for i, t in ipairs(pass_of("parts", 333)) do
      if i <= 2 then bits[i] = t:tolist() end
    end
    first = first or bits
    lu.assertEquals(bits, first)
  end
  lunet.set_num_threads(default)
end

function TestParts:test_predict_is_evaluation()
  local net, x = build("parts"), lunet.randn { 100, 300 }
  net:forward(x)
  local y = net:eval():forward(x)
  lu.assertEquals((net:predict(x) - y):abs():max(), 0)
end

function TestParts:test_frozen_neighbours_and_no_items()
  local net = build("parts")
  net:forward(lunet.zeros { 0, 300 })
  net:requires_grad { inputs = true, parameters = false }
  local x, dy = lunet.randn { 100, 300 }, lunet.randn { 100, 300 }
  near(pass(net, x, dy)[2], pass(build("textbook"), x, dy)[2])
end

-- A tap wants the numbers between the two layers: nothing is fused then.
function TestParts:test_a_tap_sees_what_is_before_the_activation()
  local net = nn.sequential { nn.center { method = "parts" }, nn.relu {} }
  local x = lunet.tensor { { -1, 5 }, { 1, 3 } }
  lu.assertEquals(net:forward(x):tolist(), { { 0, 1 }, { 1, 0 } })
  local tap = net:tap(net[1])
  lu.assertEquals(net:forward(x):tolist(), { { 0, 1 }, { 1, 0 } })
  lu.assertEquals(tap.output:tolist(), { { -1, 1 }, { 1, -1 } })
end

function TestParts:test_a_row_with_some_of_the_parts_is_refused()
  shell.lines(compile, folder, "incomplete", "-DINCOMPLETE")
  local ok, message = pcall(lunet.plugins.load, folder .. "/incomplete.so")
  lu.assertFalse(ok)
  lu.assertStrContains(message, "layer center: the method no parts has 1 of "
    .. "the 4 functions of passes in parts, but not per_sample; give it all "
    .. "four and per_sample = 1, or none")
end

local status = lu.LuaUnit.run()
shell.remove(folder)
os.exit(status)
