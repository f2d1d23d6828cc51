-- test_net.lua - nets: graphs, gradients that meet, taps, freezing, names,
-- predict, and the rule that each backward belongs to one forward.

local lu = require "luaunit"
local lunet = require "lunet"
package.path = "tests/support/?.lua;" .. package.path
local shell = require "shell"
local nn, optim = lunet.nn, lunet.optim

local function same(a, b) lu.assertEquals(a:tolist(), b:tolist()) end
local function near(a, b, tolerance)
  lu.assertTrue((a - b):abs():max() <= (tolerance or 1e-5))
end
local function refused(text, f, ...)
  lu.assertErrorMsgContains(text, f, ...)
end

TestSequential = {}

function TestSequential:test_names_places_and_access()
  local conv = nn.conv2d { in_channels = 1, out_channels = 2, kernel_size = 3,
                           name = "conv1" }
  local net = nn.sequential { conv, nn.relu {}, nn.flatten {},
    nn.sequential { nn.linear { in_features = 8, out_features = 3 } } }
  local names = {}
  for i, p in ipairs(net:parameters()) do names[i] = p.name end
  lu.assertEquals(names, { "conv1.weight", "conv1.bias", "3.0.weight",
                           "3.0.bias" })
  lu.assertIs(net[1], conv)
  lu.assertIs(net:get("conv1"), conv)
  lu.assertIs(net:get("3.0"), net[4][1])
  lu.assertEquals(#net:layers(), 4)
  lu.assertEquals(net:num_parameters(), 2 * 9 + 2 + 8 * 3 + 3)
  -- a layer's own list keeps its short names, and the tensors are the same
  lu.assertEquals(conv:parameters()[1].name, "weight")
  conv.weight:fill(7)
  lu.assertEquals(net:state()["conv1.weight"]:max(), 7)
end

function TestSequential:test_refuses_equal_names_and_unknown_parts()
  refused("two parts are called 'a'", nn.sequential,
          { nn.relu { name = "a" }, nn.tanh { name = "a" } })
  refused("did you mean 'conv1'?", function()
    nn.sequential { nn.relu { name = "conv1" } }:get("conv2")
  end)
end

function TestSequential:test_unfinished_parameters_are_an_error()
  local net = nn.sequential { nn.linear { out_features = 3 } }
  refused("unfinished", net.parameters, net)
  net:build { 5 }
  lu.assertEquals(net:num_parameters(), 18)
end

function TestSequential:test_batch_sizes_change_and_may_be_0()
  local net = nn.sequential { nn.conv2d { out_channels = 4, kernel_size = 3 },
    nn.relu {}, nn.flatten {}, nn.linear { out_features = 2 } }
  local x = lunet.randn { 40, 2, 6, 6 }
  local whole = net:forward(x)
  for _, n in ipairs { 1, 7, 40, 3 } do
    near(net:forward(x:narrow(1, 1, n)), whole:narrow(1, 1, n))
  end
  lu.assertEquals(net:forward(x:narrow(1, 1, 0)):shape(), { 0, 2 })
  net:zero_grad()
  net:backward(lunet.zeros { 0, 2 })
  lu.assertEquals(net:parameters()[1].grad:abs():max(), 0)
end

TestGraph = {}

-- y = f(x) + x: both paths reach x.
function TestGraph:test_a_residual_sums_its_two_gradients()
  local conv = nn.conv2d { in_channels = 2, out_channels = 2, kernel_size = 3,
                           padding = 1 }
  local x = nn.input { 2, 5, 5 }
  local net = nn.graph(x, nn.add {} (conv(x), x))
  net:requires_grad { inputs = true }
  local value, dy = lunet.randn { 30, 2, 5, 5 }, lunet.randn { 30, 2, 5, 5 }
  near(net:forward(value), conv:forward(value) + value)
  local both = net:backward(dy)
  near(both, conv:backward(dy) + dy)
end

function TestGraph:test_a_shared_layer_accumulates()
  local f = nn.linear { in_features = 4, out_features = 4 }
  local x = nn.input { 4 }
  local twice = nn.graph(x, f(f(x)))
  lu.assertEquals(#twice:parameters(), 2)
  local g, h = nn.linear { in_features = 4, out_features = 4 },
               nn.linear { in_features = 4, out_features = 4 }
  g:load_state(f:state())
  h:load_state(f:state())
  local copies = nn.sequential { g, h }
  local v, dy = lunet.randn { 6, 4 }, lunet.randn { 6, 4 }
  twice:forward(v); twice:backward(dy)
  copies:forward(v); copies:backward(dy)
  near(f:parameters()[1].grad,
       g:parameters()[1].grad + h:parameters()[1].grad)
end

function TestGraph:test_several_inputs_and_outputs()
  local a, b = nn.input { 3 }, nn.input { 3 }
  local sum = nn.add {} (a, b)
  local r = nn.relu {} (sum)
  local net = nn.graph({ a, b }, { sum, r, a })
  net:requires_grad { inputs = true }
  local u, v = lunet.randn { 2, 3 }, lunet.randn { 2, 3 }
  local s, t, w = net:forward(u, v)
  near(s, u + v)
  near(t, (u + v):maximum(0))
  same(w, u)
  -- an output that is used inside as well, and an input that is an output
  local d = lunet.ones { 2, 3 }
  local da, db = net:backward(d, d * 2, d * 5)
  local inside = d + (u + v):gt(0) * 2
  near(db, inside)
  near(da, inside + 5)
end

function TestGraph:test_an_output_named_twice_and_an_unused_input()
  local a, b = nn.input { 2 }, nn.input { 2 }
  local y = nn.tanh {} (a)
  local net = nn.graph({ a, b }, { y, y })
  net:requires_grad { inputs = true }
  local v = lunet.randn { 3, 2 }
  local y1, y2 = net:forward(v, v)
  same(y1, y2)
  local d = lunet.ones { 3, 2 }
  local da, db = net:backward(d, d)
  near(da, (1 - y1 * y1) * 2)
  lu.assertEquals(db:abs():max(), 0)
end

function TestGraph:test_names_count_words_from_0()
  local x = nn.input { 1, 6, 6 }
  local conv = nn.conv2d { out_channels = 1, kernel_size = 3 }
  local y = nn.conv2d { out_channels = 1, kernel_size = 1 } (conv(x))
  local names = {}
  for i, p in ipairs(nn.graph(x, y):parameters()) do names[i] = p.name end
  lu.assertEquals(names, { "conv2d_0.weight", "conv2d_0.bias",
                           "conv2d_1.weight", "conv2d_1.bias" })
end

function TestGraph:test_refuses_a_missing_input()
  local a, b = nn.input { 2 }, nn.input { 2 }
  refused("not among the inputs", nn.graph, a, nn.add {} (a, b))
end

-- y = x + f(x), in sizes that only the net around it knows.
function TestGraph:test_an_input_left_open_makes_a_part()
  local function block()
    local x = nn.input()
    local y = nn.conv2d { out_channels = 2, kernel_size = 3, padding = 1,
                          name = "conv1" } (x)
    return nn.graph(x, nn.add {} (x, y))
  end
  local net = nn.sequential { block(), block() }
  refused("0.conv1 (conv2d) is unfinished", net.parameters, net)
  net:build { 2, 4, 4 }
  lu.assertEquals(net:num_parameters(), 2 * (2 * 2 * 9 + 2))
  lu.assertNotNil(net:state()["1.conv1.weight"])
  lu.assertStrContains(tostring(net), "0.add_0  add")
  lu.assertEquals(tostring(nn.input { 3, 4 }), "nn.input{3, 4}")
  local v = lunet.randn { 3, 2, 5, 7 } -- in any size of picture
  near(net:forward(v), net[2]:forward(net[1]:forward(v)))
  local path = os.tmpname() .. ".safetensors"
  net:save(path)
  near(nn.load(path):predict(v), net:predict(v))
  os.remove(path)
end

TestModes = {}

local function small()
  return nn.sequential {
    nn.linear { in_features = 6, out_features = 8, name = "a" }, nn.relu {},
    nn.dropout { p = 0.5 }, nn.linear { in_features = 8, out_features = 3,
                                        name = "b" } }
end

function TestModes:test_backward_gives_dx_only_when_asked()
  local net = small()
  net:forward(lunet.randn { 4, 6 })
  lu.assertEquals(select("#", net:backward(lunet.ones { 4, 3 })), 0)
  net:requires_grad { inputs = true }
  net:forward(lunet.randn { 4, 6 })
  lu.assertEquals(net:backward(lunet.ones { 4, 3 }):shape(), { 4, 6 })
end

function TestModes:test_frozen_layers_stay_whatever_the_optimizer()
  local net = small()
  net:get("a"):requires_grad { parameters = false }
  local before = net:get("a").weight:clone()
  local moved = net:get("b").weight:clone()
  local opt = optim.sgd(net:parameters(),
                        { lr = 0.1, momentum = 0.9, weight_decay = 0.1 })
  for _ = 1, 3 do
    net:forward(lunet.randn { 4, 6 })
    net:zero_grad()
    net:backward(lunet.ones { 4, 3 })
    opt:step()
  end
  same(net:get("a").weight, before)
  lu.assertEquals(net:get("a"):parameters()[1].grad:abs():max(), 0)
  lu.assertTrue((net:get("b").weight - moved):abs():max() > 0)
  net:requires_grad { parameters = true }
  net:forward(lunet.randn { 4, 6 })
  net:backward(lunet.ones { 4, 3 })
  opt:step()
  lu.assertTrue((net:get("a").weight - before):abs():max() > 0)
end

function TestModes:test_predict_is_evaluation_and_disturbs_nothing()
  local net, x = small(), lunet.randn { 5, 6 }
  local y = net:predict(x)
  same(net:predict(x), y)
  net:eval()
  near(net:forward(x), y, 1e-6)
  net:train()
  lu.assertTrue((net:forward(x) - y):abs():max() > 1e-3)
end

function TestModes:test_tensors_given_out_never_change()
  local net, x = small(), lunet.randn { 5, 6 }
  local y = net:forward(x)
  local list = y:tolist()
  for _ = 1, 3 do net:forward(lunet.randn { 5, 6 }) end
  lu.assertEquals(y:tolist(), list)
end

function TestModes:test_each_backward_belongs_to_one_forward()
  local net, x, dy = small(), lunet.randn { 5, 6 }, lunet.ones { 5, 3 }
  refused("there was no forward yet", net.backward, net, dy)
  net:forward(x); net:backward(dy)
  refused("had its backward already", net.backward, net, dy)
  net:forward(x); net:predict(x)
  refused("predict, which keeps nothing", net.backward, net, dy)
  net:forward(x); net:requires_grad { inputs = true }
  refused("has changed since its forward", net.backward, net, dy)
  net:forward(x); x:fill(0)
  refused("input 1 of the forward was written to since", net.backward, net, dy)
  net:forward(x)
  refused("gradient 1 has shape (5,2), but the output is (5,3)", net.backward,
          net, lunet.ones { 5, 2 })
  refused("needs dy", net.backward, net, nil)
end

-- Layers in place, in parts, with masks and with saved places of maxima.
local function mixed()
  return nn.sequential {
    nn.conv2d { out_channels = 4, kernel_size = 3, padding = 1 },
    nn.batch_norm2d {}, nn.relu {}, nn.max_pool2d { kernel_size = 2 },
    nn.dropout { p = 0.3 }, nn.flatten {}, nn.linear { out_features = 3 },
  }:requires_grad { inputs = true }
end

function TestModes:test_retain_graph_allows_several_backwards()
  local net, x = mixed():retain_graph(true), lunet.randn { 20, 2, 6, 6 }
  local dy, other = lunet.randn { 20, 3 }, lunet.randn { 20, 3 }
  net:build { 2, 6, 6 }
  net:forward(x)
  net:zero_grad()
  local first, before = net:backward(dy), {}
  for i, p in ipairs(net:parameters()) do before[i] = p.grad:clone() end
  net:backward(other)
  net:zero_grad()
  same(net:backward(dy), first)
  for i, p in ipairs(net:parameters()) do same(p.grad, before[i]) end
  net:retain_graph(false)
  refused("has changed since its forward", net.backward, net, dy)
  net:forward(x); net:backward(dy)
  refused("retain_graph(true) before forward allows more", net.backward, net,
          dy)
  refused("retain_graph takes true or false, got nil", net.retain_graph, net)
end

TestTap = {}

function TestTap:test_sees_and_replaces()
  local net, x = small(), lunet.randn { 5, 6 }
  net:eval()
  local tap = net:tap("a")
  lu.assertNil(tap.output)
  net:forward(x)
  near(tap.output, net:get("a"):predict(x))
  net:backward(lunet.ones { 5, 3 })
  lu.assertEquals(tap.gradient:shape(), { 5, 8 })
  tap:remove()
  local nothing = net:tap("a", function(dy) return dy * 0 end)
  net:zero_grad(); net:forward(x); net:backward(lunet.ones { 5, 3 })
  lu.assertEquals(net:get("a"):parameters()[1].grad:abs():max(), 0)
  lu.assertTrue(net:get("b"):parameters()[1].grad:abs():max() > 0)
  nothing:remove()
end

function TestTap:test_on_flatten_and_on_the_last_layer()
  local flatten, last = nn.flatten {}, nn.linear { out_features = 2 }
  local net = nn.sequential { nn.relu {}, flatten, last }
  net:requires_grad { inputs = true }
  local x = lunet.randn { 33, 2, 3, 3 }
  local a, b = net:tap(flatten), net:tap(last)
  local y = net:forward(x)
  same(b.output, y)
  lu.assertEquals(a.output:shape(), { 33, 18 })
  local dx = net:backward(lunet.ones { 33, 2 })
  lu.assertEquals(b.gradient:sum(), 66)
  near(a.gradient:view { 33, 2, 3, 3 } * x:gt(0), dx)
end

function TestTap:test_its_function_may_remove_it_but_not_run_the_net()
  local net, x, tap = small(), lunet.randn { 2, 6 }, nil
  tap = net:tap("a", function() tap:remove() end)
  net:forward(x); net:backward(lunet.ones { 2, 3 })
  tap = net:tap("a", function() net:predict(x) end)
  net:forward(x)
  refused("in the midst of a pass", net.backward, net, lunet.ones { 2, 3 })
  tap:remove()
  net:forward(x); net:backward(lunet.ones { 2, 3 })
end

function TestTap:test_threads_changed_after_forward_are_no_harm()
  local net, before = small(), lunet.num_threads()
  net:forward(lunet.randn { 2, 6 })
  lunet.set_num_threads(before + 5)
  refused("has changed since its forward", net.backward, net,
          lunet.ones { 2, 3 })
  lunet.set_num_threads(before)
end

function TestTap:test_an_error_in_its_function_arrives()
  local net = small()
  net:tap("a", function() error("from the tap", 0) end)
  net:forward(lunet.randn { 2, 6 })
  refused("from the tap", net.backward, net, lunet.ones { 2, 3 })
end

function TestTap:test_its_function_must_give_a_gradient_of_the_shape()
  local net, x = small(), lunet.randn { 2, 6 }
  local tap = net:tap("a", function() return 3 end)
  net:forward(x)
  refused("a tap's function must return a tensor or nothing, got a number",
          net.backward, net, lunet.ones { 2, 3 })
  tap:remove()
  net:tap("a", function() return lunet.ones { 1, 8 } end)
  net:forward(x)
  refused("a tap's function returned shape (1,8), but the gradient is (2,8)",
          net.backward, net, lunet.ones { 2, 3 })
end

TestWeightsPass = {}

-- A layer that computes each item alone, with memory, and its weights' gradient
-- in a pass of its own over the whole batch.
function TestWeightsPass:test_has_memory_for_the_whole_batch()
  local folder = shell.temporary_folder()
  shell.lines("cc -shared -fPIC -Icore/include "
    .. "tests/fixtures/plugins/weights_pass.c -o %s/weights_pass.so", folder)
  lunet.plugins.load(folder .. "/weights_pass.so")
  shell.remove(folder)
  lunet.manual_seed(40)
  local f = nn.weights_pass {}
  local net = nn.sequential { nn.tanh {}, f, nn.tanh {} }
  net:requires_grad { inputs = true }
  local x, dy = lunet.randn { 100, 500 }, lunet.randn { 100, 500 }
  local y = net:forward(x)
  local dx = net:backward(dy)
  local h, g = x:tanh(), dy * (1 - y * y)
  near(y, (h * 3):tanh(), 1e-5)
  near(dx, g * 3 * (1 - h * h), 1e-4)
  local grad = f:parameters()[1].grad:max()
  lu.assertTrue(math.abs(grad - (g * h):sum()) <= 1e-3 * math.abs(grad))
end

TestState = {}

function TestState:test_load_is_all_or_nothing()
  local net = small()
  local before = net:get("a").weight:clone()
  local state = { ["a.weight"] = lunet.zeros { 8, 6 } }
  refused("there is no 'a.wieght' here; did you mean 'a.weight'?",
          net.load_state, net, { ["a.weight"] = lunet.zeros { 8, 6 },
                                 ["a.wieght"] = lunet.zeros { 1 } })
  refused("has shape (2), but (3) is needed", net.load_state, net,
          { ["a.weight"] = lunet.zeros { 8, 6 },
            ["b.bias"] = lunet.ones { 2 } })
  same(net:get("a").weight, before)
  refused("3 missing", net.load_state, net, state, { strict = true })
  same(net:get("a").weight, before)
  lu.assertEquals(net:load_state(state), { "a.bias", "b.bias", "b.weight" })
  lu.assertEquals(net:get("a").weight:abs():max(), 0)
end

function TestState:test_a_saved_net_comes_back_to_the_bit()
  local shared = nn.linear { in_features = 4, out_features = 4 }
  local x = nn.input { 4 }
  local inner = nn.sequential { shared, nn.dropout { p = 0.3 }, name = "inner" }
  local net = nn.graph(x, nn.add {} (inner(x), shared(x)))
  local path = os.tmpname() .. ".safetensors"
  for _ = 1, 3 do net:forward(lunet.randn { 2, 4 }) end
  net:save(path)
  local again = nn.load(path)
  local v = lunet.randn { 5, 4 }
  same(again:predict(v), net:predict(v))
  lu.assertEquals(again:get("inner.1").core_layer:step(), 3)
  lu.assertIs(again:get("inner")[1], again:get("linear_0"))
  local copy = os.tmpname() .. ".safetensors"
  again:save(copy)
  local function bytes(file)
    local f <close> = assert(io.open(file, "rb"))
    return f:read("a")
  end
  lu.assertTrue(bytes(path) == bytes(copy))
  os.remove(path); os.remove(copy)
end

function TestState:test_a_dropout_goes_on_where_it_was()
  lunet.manual_seed(12)
  local net = nn.sequential { nn.relu {}, nn.dropout {} }
  local x = lunet.ones { 9, 9 }
  net:forward(x)
  local path = os.tmpname() .. ".safetensors"
  net:save(path)
  local expected = net:forward(x)
  lunet.manual_seed(12)
  same(nn.load(path):forward(x), expected)
  os.remove(path)
end

TestNonfinite = {}

function TestNonfinite:test_names_the_first_layer_and_the_pass()
  local net, x = small(), lunet.randn { 4, 6 }
  net:forward(x)
  lu.assertNil(net:find_nonfinite(x, lunet.ones { 4, 3 }))
  net:get("b").bias:fill(0 / 0)
  net:forward(x)
  lu.assertEquals({ net:find_nonfinite(x) },
                  { "layer 4 (linear 'b')", "forward" })
  net:get("b").bias:fill(0)
  net:forward(x)
  lu.assertEquals({ net:find_nonfinite(x, lunet.full({ 4, 3 }, 1 / 0)) },
                  { "layer 4 (linear 'b')", "backward" })
end

-- ---- words -----------------------------------------------------------------

TestWords = {}

-- The first use of a word loads its plugin; nets under way do not mind.
function TestWords:test_a_new_word_between_forward_and_backward()
  local _, output = shell.run([['%s' -e '
    local lunet = require "lunet"
    local net = lunet.nn.sequential { lunet.nn.linear { out_features = 2 } }
    local y = net:forward(lunet.ones { 1, 2 })
    local loss = lunet.nn.mse_loss {}
    loss:forward(y, y)
    net:backward(loss:backward())
    print "went on"']], arg[-1])
  lu.assertEquals(output, "went on\n")
end

os.exit(lu.LuaUnit.run())
