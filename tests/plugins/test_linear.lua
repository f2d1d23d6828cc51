-- test_linear.lua - the fully connected layer.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local random = gradcheck.random

TestLinear = {}

function TestLinear:test_worked_example()
  local fc = nn.linear { in_features = 3, out_features = 2 }
  fc.weight:copy(lunet.tensor { { 1, 0, -1 }, { 2, 1, 0 } })
  fc.bias:copy(lunet.tensor { 0.5, -1 })
  local y = fc:forward(lunet.tensor { { 3, 2, 1 } })
  lu.assertEquals(y:tolist(), { { 2.5, 7 } })
  local dx = fc:backward(lunet.tensor { { 1, 10 } })
  lu.assertEquals(dx:tolist(), { { 21, 10, -1 } })
  local dw, db = fc:parameters()[1].grad, fc:parameters()[2].grad
  lu.assertEquals(dw:tolist(), { { 3, 2, 1 }, { 30, 20, 10 } })
  lu.assertEquals(db:tolist(), { 1, 10 })
end

-- The lecture: 100 neurons on a 200x200 image.
function TestLinear:test_100_neurons_on_200x200_have_4_million_weights()
  local fc = nn.linear {
    in_features = 200 * 200, out_features = 100, bias = false }
  lu.assertEquals(fc.weight:numel(), 4000000)
end

-- The lecture: a fully connected layer is a 1x1 convolution on one pixel,
function TestLinear:test_is_a_1x1_convolution()
  local fc = nn.linear { in_features = 64, out_features = 32 }
  local conv = nn.conv2d {
    in_channels = 64, out_channels = 32, kernel_size = 1 }
  conv.weight:copy(fc.weight:view { 32, 64, 1, 1 })
  conv.bias:copy(fc.bias)
  local x = random { 3, 64 }
  helpers.assert_near(fc:forward(x), conv:forward(x:view { 3, 64, 1, 1 })
    :view { 3, 32 }:tolist(), 1e-5)
end

-- and on an image, a convolution whose kernel is as large as the image.
function TestLinear:test_is_a_convolution_as_large_as_its_input()
  local fc = nn.linear { in_features = 3 * 5 * 4, out_features = 7 }
  local conv = nn.conv2d {
    in_channels = 3, out_channels = 7, kernel_size = { 5, 4 } }
  conv.weight:copy(fc.weight:view { 7, 3, 5, 4 })
  conv.bias:copy(fc.bias)
  local x = random { 2, 3, 5, 4 }
  helpers.assert_near(fc:forward(x:view { 2, 60 }),
    conv:forward(x):view { 2, 7 }:tolist(), 1e-5)
end

function TestLinear:test_without_bias()
  local fc = nn.linear { in_features = 2, out_features = 3, bias = false }
  lu.assertEquals(#fc:parameters(), 1)
  lu.assertEquals(fc:forward(lunet.zeros { 1, 2 }):tolist(), { { 0, 0, 0 } })
end

function TestLinear:test_batch_of_none()
  local fc = nn.linear { in_features = 2, out_features = 3 }
  local y = fc:forward(lunet.zeros { 0, 2 })
  lu.assertEquals(y:shape(), { 0, 3 })
  lu.assertEquals(fc:backward(y):shape(), { 0, 2 })
  lu.assertEquals(fc:parameters()[1].grad:tolist(),
    { { 0, 0 }, { 0, 0 }, { 0, 0 } })
end

function TestLinear:test_gradients()
  for _, method in ipairs { "textbook", "matmul", "dot" } do
    for _, bias in ipairs { true, false } do
      helpers.assert_gradients(nn.linear { in_features = 5, out_features = 4,
        bias = bias, method = method }, { random { 3, 5 } })
    end
  end
end

function TestLinear:test_fast_equals_textbook()
  for _ = 1, 20 do
    local options = { out_features = math.random(40),
      bias = math.random(2) == 1 }
    helpers.assert_equals_textbook("linear", "matmul", options,
      random { math.random(20), math.random(60) })
  end
end

function TestLinear:test_dot_equals_textbook()
  for items = 1, 4 do
    for _ = 1, 8 do
      local options = { out_features = math.random(40),
        bias = math.random(2) == 1 }
      helpers.assert_equals_textbook("linear", "dot", options,
        random { items, math.random(100) })
    end
  end
end

function TestLinear:test_a_large_batch_is_not_for_dot()
  local fc = nn.linear { out_features = 2, method = "dot" }
  helpers.assert_refused('the method "dot" of linear does not work here',
    fc.forward, fc, lunet.zeros { 5, 3 })
end

-- Within a net, the layer does the work of a ReLU behind it, but not where the
-- ReLU's output leaves the net; so another layer follows, which changes
-- nothing.
function TestLinear:test_relu_in_passing()
  for _, method in ipairs { "dot", "matmul" } do
    local fc = nn.linear { out_features = 21, method = method }
    local net = nn.sequential { fc, nn.relu {}, nn.leaky_relu {} }
    local x, dy = random { 4, 37 }, random { 4, 21 }
    local y = net:forward(x)
    helpers.assert_same(y, nn.relu {}:forward(fc:forward(x)))
    net:backward(dy)
    local db = net:parameters()[2].grad:tolist()
    for k = 1, 21 do
      local sum = 0
      for n = 1, 4 do sum = sum + (y[n][k] <= 0 and 0 or dy[n][k]) end
      lu.assertAlmostEquals(db[k], sum, 1e-5)
    end
    x[1][1] = 0 / 0
    lu.assertNaN(net:forward(x)[1][1])
  end
end

function TestLinear:test_threads_change_no_bit()
  local w = random { 300, 700 }
  for _, items in ipairs { 2, 50 } do
    local x, dy = random { items, 700 }, random { items, 300 }
    helpers.assert_threads_change_no_bit(function()
      local fc = nn.linear { in_features = 700, out_features = 300 }
      fc.weight:copy(w)
      fc.bias:fill(0.5)
      local y = fc:forward(x)
      return y, fc:backward(dy), fc:parameters()[1].grad,
        fc:parameters()[2].grad
    end)
  end
end

function TestLinear:test_refuses_images()
  local fc = nn.linear { out_features = 10 }
  helpers.assert_refused("expects x(N,in_features)", fc.forward, fc,
    lunet.zeros { 2, 16, 5, 5 })
end

os.exit(lu.LuaUnit.run())
