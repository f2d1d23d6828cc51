-- test_tie.lua - shared and unshared filters: the step from the lecture's
-- locally connected layer to the convolution, and back.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn, optim = lunet.nn, lunet.optim
local random = gradcheck.random

local function new_conv(options)
  local all = { in_channels = 2, out_channels = 3, kernel_size = 3 }
  for name, value in pairs(options or {}) do all[name] = value end
  return nn.conv2d(all)
end

local function count(layer)
  return layer:num_parameters()
end

TestUntie = {}

-- By the textbook both compute the same sums in the same order.
function TestUntie:test_gives_the_same_numbers()
  lunet.set_method "textbook"
  for _, options in ipairs { {}, { padding = 1 }, { padding = "valid" },
                             { padding = "same", kernel_size = { 3, 5 } },
                             { stride = { 2, 1 }, padding = { 0, 2 } },
                             { bias = false } } do
    local conv, x = new_conv(options), random { 2, 2, 7, 8 }
    helpers.assert_same(nn.untie(conv, { 7, 8 }):forward(x), conv:forward(x))
  end
  lunet.set_method "auto"
end

function TestUntie:test_gives_the_same_numbers_but_for_rounding_if_fast()
  local conv, x = new_conv { padding = 1 }, random { 2, 2, 7, 8 }
  helpers.assert_near(nn.untie(conv, { 7, 8 }):forward(x),
    conv:forward(x):tolist(), 1e-5)
end

-- The lecture's 900 weights of 100 filters are 9 a place when unshared.
function TestUntie:test_needs_the_weights_once_a_place()
  local conv = nn.conv2d { in_channels = 1, out_channels = 100,
    kernel_size = 3, padding = 1, bias = false }
  lu.assertEquals(count(conv), 900)
  lu.assertEquals(count(nn.untie(conv, 20)), 20 * 20 * 900)
end

-- How far apart the answers to a pattern at the left and at the right are.
local function difference_of_places(layer)
  local pattern = { { 1, 2, 0 }, { 0, 1, 3 }, { 2, 0, 1 } }
  local left, right = lunet.zeros { 1, 1, 3, 8 }, lunet.zeros { 1, 1, 3, 8 }
  left:narrow(4, 1, 3):copy(helpers.image(pattern))
  right:narrow(4, 6, 3):copy(helpers.image(pattern))
  local y1 = layer:forward(left):narrow(4, 1, 1):item()
  local y2 = layer:forward(right):narrow(4, 6, 1):item()
  return math.abs(y1 - y2)
end

-- What a step on the pattern at the left teaches, the right does not know.
local function step_on_the_left(layer)
  local x = lunet.zeros { 1, 1, 3, 8 }
  x:narrow(4, 1, 3):fill(1)
  local opt = optim.sgd(layer:parameters(), { lr = 0.1 })
  local dy = layer:forward(x)
  layer:zero_grad()
  layer:backward(dy)
  opt:step()
end

function TestUntie:test_a_step_on_one_place_leaves_the_others_behind()
  local conv = new_conv { in_channels = 1, out_channels = 1 }
  conv.bias:fill(1)
  local unshared = nn.untie(conv, { 3, 8 })
  lu.assertTrue(difference_of_places(conv) < 1e-6)
  lu.assertTrue(difference_of_places(unshared) < 1e-6)
  step_on_the_left(conv)
  step_on_the_left(unshared)
  lu.assertTrue(difference_of_places(conv) < 1e-6)
  lu.assertTrue(difference_of_places(unshared) > 0.05)
end

-- What is shared learns from all places: its gradient is the sum of theirs.
function TestUntie:test_the_shared_gradient_is_the_sum_over_places()
  local conv, x = new_conv { stride = 2, padding = 1 }, random { 3, 2, 7, 9 }
  local unshared = nn.untie(conv, { 7, 9 })
  local dy = random(conv:forward(x):shape())
  unshared:forward(x)
  helpers.assert_near(unshared:backward(dy), conv:backward(dy):tolist(), 1e-5)
  local dw, db = table.unpack(unshared:parameters())
  local shared_dw, shared_db = table.unpack(conv:parameters())
  helpers.assert_near(shared_dw.grad, dw.grad:sum(1):sum(1):tolist(), 1e-5)
  helpers.assert_near(shared_db.grad, db.grad:sum(2):sum(2):tolist(), 1e-5)
end

function TestUntie:test_shares_no_memory()
  local conv = new_conv()
  local unshared = nn.untie(conv, 5)
  local before = unshared.weight:clone()
  conv.weight:fill(0)
  helpers.assert_same(unshared.weight, before)
end

TestTie = {}

function TestTie:test_undoes_untie()
  local conv = new_conv { padding = { 1, 0 }, stride = { 1, 2 }, name = "eye" }
  local again = nn.tie(nn.untie(conv, { 6, 7 }))
  lu.assertEquals(again.name, "eye")
  lu.assertEquals(again:options(), conv:options())
  helpers.assert_same(again.weight, conv.weight)
  helpers.assert_same(again.bias, conv.bias)
end

function TestTie:test_takes_the_mean_over_places()
  local layer = nn.locally_connected2d { in_channels = 1, out_channels = 1,
    input_size = { 1, 3 }, kernel_size = { 1, 2 } }
  layer.weight:copy(lunet.tensor { { { { { { 1, 2 } } } },
    { { { { 3, -1 } } } } } })
  layer.bias:copy(lunet.tensor { { { 10, 20 } } })
  local conv = nn.tie(layer)
  lu.assertEquals(helpers.rows(conv.weight), { { 2, 0.5 } })
  lu.assertEquals(conv.bias:tolist(), { 15 })
end

function TestTie:test_without_bias()
  local conv = nn.tie(nn.locally_connected2d { in_channels = 2, bias = false,
    out_channels = 3, input_size = 5, kernel_size = 2 })
  lu.assertNil(conv.bias)
  lu.assertEquals(conv.weight:shape(), { 3, 2, 2, 2 })
end

TestRefusals = {}

function TestRefusals:test_of_other_layers()
  helpers.assert_refused("nn.tie takes a layer nn.locally_connected2d{ … }; "
    .. "got nn.conv2d", nn.tie, new_conv())
  helpers.assert_refused("nn.untie takes a layer nn.conv2d{ … }; got number",
    nn.untie, 3)
end

function TestRefusals:test_of_layers_without_weights_yet()
  helpers.assert_refused("conv2d is unfinished: its sizes come from the first "
    .. "input", nn.untie, nn.conv2d { out_channels = 1, kernel_size = 3 }, 5)
end

function TestRefusals:test_of_sizes()
  local sentence = "input_size must be one whole number or {rows, columns}"
  for _, size in ipairs { 1.5, "5", { 5 }, { 5, 5, 5 }, { 5, "x" } } do
    helpers.assert_refused(sentence, nn.untie, new_conv(), size)
  end
  helpers.assert_refused(sentence, nn.untie, new_conv())
  helpers.assert_refused("larger than the padded input 2x2", nn.untie,
    new_conv(), 2)
end

function TestRefusals:test_of_what_only_a_convolution_can()
  helpers.assert_refused("nn.untie: groups = 2, but locally_connected2d has no "
    .. "groups", nn.untie, new_conv { groups = 2, out_channels = 4 }, 5)
  helpers.assert_refused("nn.untie: dilation = {1, 2}, but", nn.untie,
    new_conv { dilation = { 1, 2 } }, 9)
  helpers.assert_refused("padding = \"same\" with a kernel of 3x2 puts an odd "
    .. "row or column on one side", nn.untie,
    new_conv { kernel_size = { 3, 2 }, padding = "same" }, 9)
end

os.exit(lu.LuaUnit.run())
