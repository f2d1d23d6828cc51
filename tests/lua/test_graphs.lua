-- test_graphs.lua - every shape of net: sequences, graphs, nets in nets, shared
-- layers, several inputs and outputs, residual and inception blocks. Each one
-- passes the same checks: it gives what its layers give by hand, its gradients
-- are its slopes, it can be summarised, and it comes back from a file.

package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local summary = require "lunet.summary"
local nn = lunet.nn

local function near(a, b, tolerance)
  lu.assertEquals(a:shape(), b:shape())
  local allowed = (tolerance or 1e-5) * math.max(1, b:abs():max())
  lu.assertTrue((a - b):abs():max() <= allowed)
end
local function same(a, b)
  lu.assertEquals(a:shape(), b:shape())
  lu.assertEquals(a:tolist(), b:tolist())
end

local function conv(channels, kernel, options)
  local all = { out_channels = channels, kernel_size = kernel,
                padding = kernel // 2 }
  for name, value in pairs(options or {}) do all[name] = value end
  return nn.conv2d(all)
end

-- ---- the nets: each gives net, by_hand(inputs), shapes of the inputs --------

local nets = {}

function nets.sequential()
  local a, b = conv(3, 3), nn.linear { out_features = 4 }
  local t, f = nn.tanh {}, nn.flatten {}
  return nn.sequential { a, t, f, b }, function(x)
    return b:predict(f:predict(t:predict(a:predict(x))))
  end, { { 2, 5, 5 } }
end

function nets.nested_sequential()
  local a, b, t = conv(3, 3), conv(2, 1), nn.tanh {}
  local inner = nn.sequential { a, t, name = "inner" }
  local middle = nn.sequential { inner, nn.sequential { b } }
  return nn.sequential { middle, nn.sigmoid {} }, function(x)
    return b:predict(t:predict(a:predict(x))):sigmoid()
  end, { { 2, 5, 5 } }
end

function nets.residual()
  local a, b = conv(2, 3), conv(2, 3)
  local x = nn.input { 2, 5, 5 }
  local y = nn.add {} (b(nn.tanh {} (a(x))), x)
  return nn.graph(x, nn.tanh {} (y)), function(v)
    return (b:predict(a:predict(v):tanh()) + v):tanh()
  end, { { 2, 5, 5 } }
end

function nets.inception()
  local x = nn.input { 3, 6, 6 }
  local one, three, five = conv(2, 1), conv(3, 3), conv(1, 5)
  local reduce, pool = conv(2, 1), nn.avg_pool2d { kernel_size = 3, stride = 1,
                                                   padding = 1 }
  local join = nn.concat {}
  local y = join(one(x), three(nn.tanh {} (reduce(x))), five(x), pool(x))
  return nn.graph(x, y), function(v)
    return join:predict(one:predict(v), three:predict(reduce:predict(v):tanh()),
                        five:predict(v), pool:predict(v))
  end, { { 3, 6, 6 } }
end

-- A block that is a graph, twice in a sequence, and a sequence in a graph.
function nets.graphs_in_sequences()
  local function block()
    local a, x = conv(2, 3), nn.input { 2, 4, 4 }
    local net = nn.graph(x, nn.add {} (nn.tanh {} (a(x)), x))
    return net, function(v) return a:predict(v):tanh() + v end
  end
  local first, f = block()
  local second, g = block()
  local head = nn.sequential { nn.flatten {}, nn.linear { out_features = 3 } }
  return nn.sequential { first, second, head },
    function(v) return head:predict(g(f(v))) end, { { 2, 4, 4 } }
end

function nets.sequences_in_graphs()
  local x = nn.input { 2, 4, 4 }
  local way = nn.sequential { conv(2, 3), nn.tanh {}, name = "way" }
  local short = nn.sequential { conv(2, 1), name = "short" }
  return nn.graph(x, nn.add {} (way(x), short(x))), function(v)
    return way:predict(v) + short:predict(v)
  end, { { 2, 4, 4 } }
end

function nets.shared_layer()
  local f, t = nn.linear { in_features = 4, out_features = 4 }, nn.tanh {}
  return nn.sequential { f, t, f, t, f }, function(v)
    return f:predict(f:predict(f:predict(v):tanh()):tanh())
  end, { { 4 } }
end

-- Two images through one net, as a Siamese network has them.
function nets.shared_net()
  local a, b = nn.input { 1, 5, 5 }, nn.input { 1, 5, 5 }
  local eye = nn.sequential { conv(2, 3), nn.tanh {}, nn.flatten {} }
  local last = nn.linear { out_features = 2 }
  return nn.graph({ a, b }, last(nn.concat {} (eye(a), eye(b)))),
    function(u, v)
      return last:predict(nn.concat {}:predict(eye:predict(u), eye:predict(v)))
    end, { { 1, 5, 5 }, { 1, 5, 5 } }
end

-- The same filters on an image and on its half.
function nets.shared_over_two_sizes()
  local x = nn.input { 2, 6, 6 }
  local f, half = conv(2, 3), nn.avg_pool2d { kernel_size = 2 }
  local flat = nn.flatten {}
  return nn.graph(x, nn.concat {} (flat(f(x)), flat(f(half(x))))), function(v)
    return nn.concat {}:predict(flat:predict(f:predict(v)),
                                flat:predict(f:predict(half:predict(v))))
  end, { { 2, 6, 6 } }
end

function nets.several_inputs_and_outputs()
  local a, b = nn.input { 2, 4, 4 }, nn.input { 3 }
  local f, g = conv(1, 3), nn.linear { out_features = 16 }
  local u, v = nn.flatten {} (f(a)), g(b)
  local sum = nn.add {} (u, v)
  return nn.graph({ a, b }, { sum, nn.tanh {} (u), v }), function(x, z)
    local left = f:predict(x):view { x:shape()[1], 16 }
    local right = g:predict(z)
    return left + right, left:tanh(), right
  end, { { 2, 4, 4 }, { 3 } }
end

-- ---- the checks -------------------------------------------------------------

local function random_inputs(shapes, n)
  local list = {}
  for i, shape in ipairs(shapes) do
    list[i] = lunet.randn { n, table.unpack(shape) }
  end
  return list
end

local checks = {}

function checks.gives_what_its_layers_give(net, by_hand, shapes)
  net:build(table.unpack(shapes))
  for _, n in ipairs { 3, 1, 20, 0 } do
    local x = random_inputs(shapes, n)
    local expected = { by_hand(table.unpack(x)) }
    for _, pass in ipairs { "forward", "predict" } do
      local y = { net[pass](net, table.unpack(x)) }
      lu.assertEquals(#y, #expected)
      for i = 1, #y do
        lu.assertEquals(y[i]:shape(), expected[i]:shape())
        if n > 0 then near(y[i], expected[i]) end
      end
    end
  end
end

-- The step is smaller than for a single layer: a net bends more within it.
local steps = { step = 4e-3, tolerance = 2e-3 }

-- As one output: the yardstick of the gradient check takes one.
local function with_one_output(net, shapes)
  local inputs = {}
  for i, shape in ipairs(shapes) do inputs[i] = nn.input(shape) end
  local flat = {}
  for i, node in ipairs { net(table.unpack(inputs)) } do
    flat[i] = nn.flatten {} (node)
  end
  return nn.graph(inputs, nn.concat {} (table.unpack(flat)))
end

function checks.gradients_are_slopes(net, _, shapes)
  net:build(table.unpack(shapes))
  local whole = with_one_output(net, shapes)
  whole:requires_grad { inputs = true }
  local ok, message = gradcheck.check(whole, random_inputs(shapes, 2),
                                      steps)
  lu.assertTrue(ok, message)
end

function checks.has_a_summary(net, _, shapes)
  net:build(table.unpack(shapes))
  local rows = summary.rows(net)
  lu.assertEquals(summary.totals(rows).parameters, net:num_parameters())
  local _, lines = summary.text(net):gsub("[^\n]+", "")
  lu.assertEquals(lines, #rows + 3)
end

function checks.comes_back_from_a_file(net, _, shapes)
  net:build(table.unpack(shapes))
  local path = os.tmpname() .. ".safetensors"
  net:save(path)
  local again = nn.load(path)
  os.remove(path)
  again:build(table.unpack(shapes))
  lu.assertEquals(again:num_parameters(), net:num_parameters())
  lu.assertEquals(#again:layers(), #net:layers())
  local x = random_inputs(shapes, 3)
  local y, z = { net:forward(table.unpack(x)) },
               { again:forward(table.unpack(x)) }
  for i = 1, #y do same(z[i], y[i]) end
  local dy = {}
  for i = 1, #y do dy[i] = lunet.randn(y[i]:shape()) end
  net:backward(table.unpack(dy)); again:backward(table.unpack(dy))
  for i, p in ipairs(net:parameters()) do
    lu.assertEquals(again:parameters()[i].name, p.name)
    same(again:parameters()[i].grad, p.grad)
  end
end

TestNets = {}

for name, make in pairs(nets) do
  for what, check in pairs(checks) do
    TestNets[("test_%s_%s"):format(name, what)] = function()
      lunet.manual_seed(21)
      check(make())
    end
  end
end

-- ---- sharing ----------------------------------------------------------------

TestSharing = {}

-- Parameters of copies, which together must have the gradient of the original.
local function assert_gradients_add_up(shared, copies)
  for i, p in ipairs(shared:parameters()) do
    local sum = copies[1]:parameters()[i].grad
    for c = 2, #copies do sum = sum + copies[c]:parameters()[i].grad end
    near(p.grad, sum)
  end
end

local function copies_of(make, original, n, shape)
  local copies = {}
  for i = 1, n do
    copies[i] = make()
    if shape then copies[i]:build(shape) end
    copies[i]:load_state(original:state())
  end
  return copies
end

-- join(module, module, ...) makes a net of `n` uses; once of one module, once
-- of copies.
local function compare_with_copies(make, n, shape, join)
  local original = make():build(shape)
  local copies = copies_of(make, original, n, shape)
  local uses = {}
  for i = 1, n do uses[i] = original end
  local shared, apart = join(table.unpack(uses)), join(table.unpack(copies))
  for _, net in ipairs { shared, apart } do
    net:requires_grad { inputs = true }
  end
  local x = lunet.randn { 5, table.unpack(shape) }
  local y = shared:forward(x)
  near(y, apart:forward(x))
  local dy = lunet.randn(y:shape())
  near(shared:backward(dy), apart:backward(dy))
  assert_gradients_add_up(original, copies)
  lu.assertEquals(shared:num_parameters(), original:num_parameters())
end

function TestSharing:test_a_layer_one_after_another()
  compare_with_copies(function() return nn.linear { out_features = 4 } end, 3,
                      { 4 }, function(a, b, c)
    return nn.sequential { a, nn.tanh {}, b, nn.tanh {}, c }
  end)
end

function TestSharing:test_a_layer_side_by_side()
  compare_with_copies(function() return conv(2, 3) end, 2, { 2, 5, 5 },
                      function(a, b)
    local x = nn.input { 2, 5, 5 }
    return nn.graph(x, nn.concat {} (a(x), b(nn.tanh {} (x))))
  end)
end

function TestSharing:test_a_whole_net()
  compare_with_copies(function()
    return nn.sequential { conv(2, 3), nn.tanh {}, conv(2, 1) }
  end, 2, { 2, 5, 5 }, function(a, b)
    return nn.sequential { a, nn.sequential { b } }
  end)
end

function TestSharing:test_gradients_of_two_backwards_add_up()
  local f = nn.linear { in_features = 3, out_features = 3 }
  local net = nn.sequential { f, nn.tanh {}, f }
  local x, dy = lunet.randn { 2, 3 }, lunet.randn { 2, 3 }
  net:forward(x); net:backward(dy)
  local once = f:parameters()[1].grad:clone()
  net:forward(x); net:backward(dy)
  near(f:parameters()[1].grad, once * 2)
end

function TestSharing:test_a_shared_layer_moves_once_a_step()
  local function make()
    lunet.manual_seed(22)
    return nn.linear { in_features = 3, out_features = 3 }
  end
  local f, g = make(), make()
  local net = nn.sequential { f, f }
  local copies = copies_of(make, g, 2)
  local apart = nn.sequential(copies)
  local x, dy = lunet.randn { 4, 3 }, lunet.randn { 4, 3 }
  for _, n in ipairs { net, apart } do n:forward(x); n:backward(dy) end
  lunet.optim.sgd(net:parameters(), { lr = 0.5 }):step()
  near(f.weight, g.weight - (copies[1]:parameters()[1].grad +
                             copies[2]:parameters()[1].grad) * 0.5)
end

-- ---- the summary ------------------------------------------------------------

TestSummary = {}

local function lines_of(net)
  local lines = {}
  for line in summary.text(net):gmatch("[^\n]+") do lines[#lines + 1] = line end
  return lines
end

-- LeNet-5's numbers by hand.
function TestSummary:test_the_numbers_of_lenet()
  local net = nn.sequential {
    nn.conv2d { out_channels = 6, kernel_size = 5, padding = 2 }, nn.tanh {},
    nn.max_pool2d { kernel_size = 2 },
    nn.conv2d { out_channels = 16, kernel_size = 5 }, nn.tanh {},
    nn.max_pool2d { kernel_size = 2 }, nn.flatten {},
    nn.linear { out_features = 120 }, nn.tanh {},
    nn.linear { out_features = 84 }, nn.tanh {},
    nn.linear { out_features = 10 } }
  net:build { 1, 28, 28 }
  local rows, weighted = summary.rows(net), 0
  for _, row in ipairs(rows) do
    if row.parameters > 0 then weighted = weighted + row.multiply_adds end
  end
  lu.assertEquals(summary.totals(rows).parameters, 61706)
  lu.assertEquals(summary.totals(rows).parameter_bytes, 4 * 61706)
  lu.assertEquals(weighted, 25 * 6 * 784 + 150 * 16 * 100 + 400 * 120
                            + 120 * 84 + 840)
  lu.assertEquals(rows[1].memory, 4 * 6 * 784)
  lu.assertStrContains(lines_of(net)[2], "(N,6,28,28)")
  lu.assertStrContains(lines_of(net)[2], "156")
  lu.assertStrContains(lines_of(net)[2], "117,600")
  lu.assertStrContains(lines_of(net)[2], "18.8 kB")
  lu.assertStrContains(lines_of(net)[2], "5x5     1     -1")
end

function TestSummary:test_a_shared_layer_counts_once_and_computes_twice()
  local f = conv(2, 3, { name = "twice" })
  local net = nn.sequential { f, f }
  net:build { 2, 5, 5 }
  local rows = summary.rows(net)
  lu.assertEquals({ rows[1].parameters, rows[2].parameters }, { 38, 0 })
  lu.assertEquals(rows[1].multiply_adds, rows[2].multiply_adds)
  lu.assertStrContains(lines_of(net)[3], " shared ")
  lu.assertEquals(summary.totals(rows).parameters, 38)
end

-- Names of many levels and numbers of many digits.
function TestSummary:test_no_line_is_longer_than_100_columns()
  local net = conv(4096, 3, { name = "the_convolution_with_a_long_name" })
  for level = 1, 12 do
    net = nn.sequential { net, name = "level" .. level }
  end
  local wide = nn.sequential { net, nn.conv2d { out_channels = 1, stride = 2,
    kernel_size = 3 } }
  wide:build { 8, 1000, 1000 }
  local lines = lines_of(wide)
  for _, line in ipairs(lines) do lu.assertTrue(utf8.len(line) <= 100, line) end
  lu.assertStrContains(lines[2], "…")
  lu.assertStrContains(lines[2], "name conv2d")
  lu.assertStrContains(lines[2], "294.91 G")
  lu.assertStrContains(table.concat(lines, "\n"), "note: ")
end

function TestSummary:test_knows_the_shapes_of_a_graph()
  local x, printed = nn.input { 2, 5, 5 }, nil
  local net = nn.graph(x, conv(2, 3)(x))
  local print_before = print
  _G.print = function(text) printed = text end -- luacheck: ignore 122
  net:summary()
  _G.print = print_before -- luacheck: ignore 122
  lu.assertStrContains(printed, "(N,2,5,5)")
  local unknown = nn.sequential { nn.relu {} }
  lu.assertErrorMsgContains("try net:summary{1, 28, 28}", unknown.summary,
                            unknown)
end

function TestSummary:test_of_a_net_without_images()
  local net = nn.sequential { nn.linear { out_features = 2 } }
  net:build { 3 }
  lu.assertNotStrContains(lines_of(net)[1], "field")
end

os.exit(lu.LuaUnit.run())
