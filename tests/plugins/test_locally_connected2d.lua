-- test_locally_connected2d.lua - filters of its own at every place: the
-- lecture's unshared layer.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local combinations = require "plugins.combinations"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local image, rows = helpers.image, helpers.rows
local random = gradcheck.random

TestLocallyConnected2d = {}

-- A row of three pixels has two places for a kernel of two.
local function two_places(method)
  local layer = nn.locally_connected2d { in_channels = 1, out_channels = 1,
    input_size = { 1, 3 }, kernel_size = { 1, 2 }, method = method }
  layer.weight:copy(lunet.tensor { { { { { { 1, 2 } } } },
    { { { { 3, -1 } } } } } })
  layer.bias:copy(lunet.tensor { { { 10, 20 } } })
  return layer
end

function TestLocallyConnected2d:test_worked_example()
  for _, method in ipairs { "textbook", "lanes" } do
    local layer = two_places(method)
    local y = layer:forward(image { { 1, 2, 3 } })
    lu.assertEquals(rows(y), { { 15, 23 } }) -- 1*1 + 2*2 + 10, 2*3 - 3*1 + 20
    lu.assertEquals(rows(layer:backward(image { { 1, 2 } })), { { 1, 8, -2 } })
    local weight, bias = table.unpack(layer:parameters())
    lu.assertEquals(gradcheck.list(weight.grad), { 1, 2, 4, 6 })
    lu.assertEquals(gradcheck.list(bias.grad), { 1, 2 })
  end
end

function TestLocallyConnected2d:test_parameters_of_each_place()
  local layer = nn.locally_connected2d { in_channels = 2, out_channels = 3,
    input_size = { 9, 8 }, kernel_size = { 3, 4 }, stride = 2, padding = 1 }
  lu.assertEquals(layer.weight:shape(), { 5, 4, 3, 2, 3, 4 })
  lu.assertEquals(layer.bias:shape(), { 3, 5, 4 })
end

function TestLocallyConnected2d:test_sizes_may_come_from_the_first_input()
  local layer = nn.locally_connected2d { out_channels = 2, kernel_size = 3 }
  lu.assertEquals(layer:forward(random { 1, 3, 6, 5 }):shape(),
    { 1, 2, 4, 3 })
  lu.assertEquals(layer.weight:shape(), { 4, 3, 2, 3, 3, 3 })
end

-- One place of the size of the image: the fully connected layer.
function TestLocallyConnected2d:test_with_one_place_it_is_linear()
  local layer = nn.locally_connected2d { in_channels = 3, out_channels = 5,
    input_size = { 4, 6 }, kernel_size = { 4, 6 } }
  local linear = nn.linear { in_features = 72, out_features = 5 }
  linear.weight:copy(layer.weight:view { 5, 72 })
  linear.bias:copy(layer.bias:view { 5 })
  local x = random { 2, 3, 4, 6 }
  helpers.assert_near(layer:forward(x):view { 2, 5 },
    linear:forward(x:view { 2, 72 }):tolist(), 1e-5)
end

-- Another place, another answer: a shifted image gives other numbers.
function TestLocallyConnected2d:test_does_not_commute_with_shifts()
  local layer = two_places()
  local y1 = rows(layer:forward(image { { 1, 1, 0 } }))[1]
  local y2 = rows(layer:forward(image { { 0, 1, 1 } }))[1]
  lu.assertEquals(y1[1] - 10, 3) -- the pattern under the first place
  lu.assertEquals(y2[2] - 20, 2) -- the same under the second
end

function TestLocallyConnected2d:test_batch_of_none()
  for _, method in ipairs { "textbook", "lanes" } do
    local layer = nn.locally_connected2d { out_channels = 2, kernel_size = 3,
      method = method }
    local y = layer:forward(lunet.zeros { 0, 3, 4, 6 })
    lu.assertEquals(y:shape(), { 0, 2, 2, 4 })
    lu.assertEquals(layer:backward(y):shape(), { 0, 3, 4, 6 })
    lu.assertEquals(layer:parameters()[1].grad:abs():max(), 0)
  end
end

function TestLocallyConnected2d:test_items_alone()
  for _, method in ipairs { "textbook", "lanes" } do
    helpers.assert_items_alone(nn.locally_connected2d { out_channels = 4,
      kernel_size = 3, method = method }, random { 5, 3, 6, 5 })
  end
end

-- A weight of 0 hides no NaN; other places and items stay numbers.
function TestLocallyConnected2d:test_nan_stays_visible()
  for _, method in ipairs { "textbook", "lanes" } do
    local layer = two_places(method)
    layer.weight:fill(0)
    local x = lunet.tensor { { { { 0 / 0, 2, 3 } } }, { { { 1, 2, 3 } } } }
    local y = gradcheck.list(layer:forward(x))
    lu.assertNaN(y[1])
    lu.assertEquals({ y[2], y[3], y[4] }, { 20, 10, 20 })
  end
end

function TestLocallyConnected2d:test_gradients()
  for options in combinations { stride = { 1, { 2, 1 }, { 1, 3 } },
                                padding = { 0, { 1, 2 } },
                                kernel_size = { 1, 2, { 3, 2 } },
                                bias = { true, false },
                                method = { "textbook", "lanes" } } do
    options.in_channels, options.out_channels = 2, 3
    options.input_size = { 5, 4 }
    helpers.assert_gradients(nn.locally_connected2d(options),
      { random { 2, 2, 5, 4 } })
  end
end

function TestLocallyConnected2d:test_fast_equals_textbook_on_random_shapes()
  local pick = math.random
  for _ = 1, 40 do
    helpers.assert_equals_textbook("locally_connected2d", "lanes",
      { out_channels = pick(18), kernel_size = { pick(4), pick(4) },
        stride = { pick(3), pick(3) }, padding = { pick(0, 3), pick(0, 3) },
        bias = pick(2) == 1 },
      random { pick(19), pick(4), 3 + pick(9), 3 + pick(9) })
  end
end

-- Windows of 5x5 overlap: threads that add to the same pixels would lose sums.
function TestLocallyConnected2d:test_threads_do_not_meet_in_a_pixel()
  local before = lunet.num_threads()
  local layer = nn.locally_connected2d { in_channels = 4, input_size = 48,
    out_channels = 8, kernel_size = 5, padding = 2 }
  local x, dy = lunet.zeros { 1, 4, 48, 48 }, random { 1, 8, 48, 48 }
  local expected
  for n = 1, 7 do
    lunet.set_num_threads(n)
    layer:forward(x)
    local dx = layer:backward(dy)
    expected = expected or dx
    lu.assertEquals((dx - expected):abs():max(), 0)
  end
  lunet.set_num_threads(before)
end

-- ---- refusals --------------------------------------------------------------

local function assert_refused_input(sentence, options, shape)
  local layer = nn.locally_connected2d(options)
  helpers.assert_refused(sentence, layer.forward, layer, lunet.zeros(shape))
end

local too_large = "kernel 3x9 is larger than the padded input 10x8\n"
  .. "  output width = floor((8 + 2*0 - 9) / 1) + 1 < 1, but must be at least "
  .. "1\n  try padding = 1, or kernel_size <= 8"

function TestLocallyConnected2d:test_refuses_what_does_not_fit()
  helpers.assert_refused(too_large, nn.locally_connected2d,
    { out_channels = 1, kernel_size = { 3, 9 }, input_size = { 10, 8 } })
  assert_refused_input(too_large, { out_channels = 1, kernel_size = { 3, 9 } },
    { 1, 1, 10, 8 })
end

function TestLocallyConnected2d:test_strict_refuses_rows_never_read()
  assert_refused_input("row 7 of 7 and column 7 of 7 are never read",
    { out_channels = 1, kernel_size = 3, stride = 3, strict = true },
    { 1, 1, 7, 7 })
end

function TestLocallyConnected2d:test_refuses_another_size()
  assert_refused_input("input_size = 6, but x has 7 there", { out_channels = 1,
    kernel_size = 3, input_size = { 5, 6 } }, { 1, 1, 5, 7 })
end

function TestLocallyConnected2d:test_refuses_sizes_that_overflow()
  helpers.assert_refused("has more elements than memory can ever hold",
    nn.locally_connected2d, { in_channels = 1000000, out_channels = 1000000,
      kernel_size = 5, input_size = 65535 })
end

function TestLocallyConnected2d:test_refuses_other_shapes()
  local options = { in_channels = 2, out_channels = 1, kernel_size = 3 }
  assert_refused_input("expects x(N,in_channels,input_size), but x is (1,2,5)",
    options, { 1, 2, 5 })
  assert_refused_input("in_channels = 2, but x has 3 there", options,
    { 1, 3, 5, 5 })
  assert_refused_input("its size there is 0", options, { 1, 2, 0, 5 })
end

os.exit(lu.LuaUnit.run())
