-- test_batch_norm2d.lua - each channel to mean 0 and deviation 1.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local random = gradcheck.random
local methods = { "parts", "textbook" }

-- Calls f with a batch norm of each method.
local function with_each(options, f)
  for _, method in ipairs(methods) do
    local all = { method = method }
    for name, value in pairs(options) do all[name] = value end
    f(nn.batch_norm2d(all))
  end
end

local function channel(values) -- one channel, all items, as they come
  return lunet.tensor(values):view { #values / 2, 1, 1, 2 }
end

local function near(t, expected)
  helpers.assert_near(t:view { -1 }, expected)
end

TestBatchNorm2d = {}

-- Mean 4 and variance 5; with eps = 4 the divisor is sqrt(9) = 3.
function TestBatchNorm2d:test_worked_example()
  with_each({ num_features = 1, eps = 4 }, function(norm)
    near(norm:forward(channel { 1, 3, 5, 7 }), { -1, -1 / 3, 1 / 3, 1 })
    near(norm:backward(channel { 3, 0, 0, 0 }),
      { 1 / 2, -1 / 3, -1 / 6, 0 })
    near(norm:parameters()[1].grad, { -3 })
    near(norm:parameters()[2].grad, { 3 })
    near(norm:state().running_mean, { 0.1 * 4 })
    near(norm:state().running_var, { 0.9 + 0.1 * 20 / 3 })
  end)
end

function TestBatchNorm2d:test_evaluation_uses_the_running_statistics()
  with_each({ eps = 0 }, function(norm)
    norm:eval()
    norm:build { 1, 1, 2 }
    norm:load_state { weight = lunet.tensor { 3 }, bias = lunet.tensor { 10 },
      running_mean = lunet.tensor { 5 }, running_var = lunet.tensor { 4 } }
    near(norm:forward(channel { 5, 7 }), { 10, 13 })
    near(norm:backward(channel { 2, 4 }), { 3, 6 }) -- w / deviation * dy
    near(norm:parameters()[1].grad, { 4 }) -- 2 * 0 + 4 * 1
    near(norm:parameters()[2].grad, { 6 })
    near(norm:predict(channel { 5, 7 }), { 10, 13 })
    near(norm:state().running_mean, { 5 })
    near(norm:state().running_var, { 4 })
  end)
end

function TestBatchNorm2d:test_momentum_is_the_share_of_the_batch()
  for share, expected in pairs { [0] = 0, [0.25] = 1, [1] = 4 } do
    with_each({ momentum = share }, function(norm)
      norm:forward(channel { 3, 5 })
      near(norm:state().running_mean, { expected })
      near(norm:state().running_var, { 1 - share + share * 2 })
    end)
  end
end

function TestBatchNorm2d:test_predict_leaves_the_statistics()
  with_each({ num_features = 2 }, function(norm)
    norm:predict(random { 4, 2, 3, 3 })
    lu.assertEquals(norm:state().running_mean:tolist(), { 0, 0 })
    lu.assertEquals(norm:state().running_var:tolist(), { 1, 1 })
  end)
end

-- In predict, a conv2d in front does the work of the batch norm and of the ReLU
-- behind it: the same numbers as one after the other.
local in_front = {
  { "textbook", 3, 5, 3, { 2, 3, 7, 8 } }, -- does not; nor does im2col
  { "direct", 20, 18, 3, { 2, 20, 7, 9 } },
  { "direct", 3, 5, 5, { 2, 3, 9, 8 } },
  { "direct", 4, 6, 3, { 2, 4, 9, 8 }, groups = 2 },
  { "winograd", 17, 19, 3, { 2, 17, 9, 11 } },
  { "winograd", 16, 40, 5, { 1, 16, 8, 8 } },
  { "2x2", 16, 18, 3, { 2, 16, 2, 2 }, padding = 1 },
  { "1x1", 5, 17, 1, { 2, 5, 5, 7 } },
  { "1x1", 4, 6, 1, { 2, 4, 5, 7 }, groups = 2 },
  { "im2col", 4, 6, 3, { 2, 4, 9, 8 }, groups = 2 },
  { "depthwise", 18, 18, 3, { 2, 18, 9, 8 }, groups = 18, padding = 1 },
  { "batch", 2, 5, 3, { 17, 2, 7, 6 } },
  { "batch_winograd", 4, 6, 5, { 17, 4, 12, 14 } },
}

local function layers_in_front(case)
  local method, channels, filters, side = table.unpack(case)
  local norm = nn.batch_norm2d { num_features = filters }
  norm:forward(random { 4, filters, 3, 3 })
  helpers.randomize(norm)
  return nn.conv2d { in_channels = channels, out_channels = filters,
    kernel_size = side, groups = case.groups, padding = case.padding,
    method = method }, norm
end

function TestBatchNorm2d:test_a_convolution_in_front_does_it_in_passing()
  for _, case in ipairs(in_front) do
    local conv, norm = layers_in_front(case)
    local relu, x = nn.relu {}, random(case[5])
    local y = norm:predict(conv:predict(x))
    helpers.assert_same(nn.sequential { conv, norm }:predict(x), y)
    helpers.assert_same(nn.sequential { conv, norm, relu }:predict(x),
      relu:predict(y))
  end
end

-- Only what stands right behind, and in this order.
function TestBatchNorm2d:test_what_is_not_done_in_passing()
  local conv, norm = layers_in_front(in_front[2])
  local relu, x = nn.relu {}, random(in_front[2][5])
  local y = conv:predict(x)
  helpers.assert_same(nn.sequential { conv, relu, norm }:predict(x),
    norm:predict(relu:predict(y)))
  helpers.assert_same(nn.sequential { conv, norm, norm }:predict(x),
    norm:predict(norm:predict(y)))
  local input = nn.input()
  local middle = conv(input)
  helpers.assert_same(
    nn.graph(input, nn.add {} (middle, norm(middle))):predict(x),
    y + norm:predict(y))
end

function TestBatchNorm2d:test_each_channel_has_mean_0_and_deviation_1()
  local x = random { 6, 3, 5, 7 } * 20 + 100
  with_each({}, function(norm)
    local y = norm:forward(x)
    for c = 1, 3 do
      local one = y:narrow(2, c, 1):clone()
      lu.assertAlmostEquals(one:mean(), 0, 1e-6)
      lu.assertAlmostEquals((one * one):mean(), 1, 1e-5)
    end
  end)
end

-- 2^20 + 0 or 1 is exact in float32; the sum of squares would not be. Planes of
-- 1500 numbers are more than one block of the method "parts".
function TestBatchNorm2d:test_a_mean_far_larger_than_the_deviation()
  local near_0 = lunet.rand { 3, 2, 30, 50 }:gt(0.5)
  local far = near_0 + 2 ^ 20
  local dy = lunet.randn(far:shape())
  with_each({ eps = 0 }, function(norm)
    local y = norm:forward(near_0)
    local dx = norm:backward(dy)
    helpers.assert_near(norm:forward(far), y:tolist(), 2e-6)
    helpers.assert_near(norm:backward(dy), dx:tolist(), 2e-6)
  end)
end

function TestBatchNorm2d:test_the_first_item_may_be_an_outlier()
  local x = lunet.randn { 4, 1, 20, 60 }
  x[1]:fill(1e6)
  local fast = nn.batch_norm2d { method = "parts" }
  local textbook = nn.batch_norm2d { method = "textbook" }
  helpers.assert_near(fast:forward(x), textbook:forward(x):tolist(), 1e-6)
  helpers.assert_near(fast:state().running_var,
    textbook:state().running_var:tolist(), 1e-6)
end

function TestBatchNorm2d:test_parts_equals_textbook()
  for _, size in ipairs { { 1, 2 }, { 7, 7 }, { 41, 53 } } do
    for _, affine in ipairs { true, false } do
      helpers.assert_equals_textbook("batch_norm2d", "parts",
        { affine = affine }, random { 4, 5, size[1], size[2] })
    end
  end
end

-- The plane begins anywhere in the tensor.
function TestBatchNorm2d:test_a_slice_of_the_batch()
  local x = random { 5, 3, 3, 5 }
  with_each({}, function(norm)
    helpers.assert_same(norm:forward(x:narrow(1, 2, 3)),
      norm:forward(x:narrow(1, 2, 3):clone()))
  end)
end

function TestBatchNorm2d:test_gradients()
  for _, affine in ipairs { true, false } do
    for _, training in ipairs { true, false } do
      with_each({ affine = affine, eps = 0.1 }, function(norm)
        local x = random { 3, 2, 3, 4 }
        norm:forward(x) -- running statistics that are not 0 and 1
        if not training then norm:eval() end
        helpers.assert_gradients(norm, { x })
      end)
    end
  end
end

-- backward belongs to the latest forward, whatever the layer was told since.
function TestBatchNorm2d:test_backward_is_that_of_the_forward_before()
  local x, dy = random { 3, 2, 3, 4 }, random { 3, 2, 3, 4 }
  with_each({}, function(norm)
    norm:forward(x)
    local dx = norm:backward(dy)
    norm:forward(x)
    norm:eval()
    helpers.assert_same(norm:backward(dy), dx)
  end)
end

function TestBatchNorm2d:test_without_affine_there_are_no_parameters()
  local norm = nn.batch_norm2d { num_features = 3, affine = false }
  lu.assertEquals(#norm:parameters(), 0)
  lu.assertEquals(norm:state().running_var:shape(), { 3 })
end

function TestBatchNorm2d:test_num_batches_tracked_is_ignored()
  local norm = nn.batch_norm2d { num_features = 1 }
  norm:load_state { running_mean = lunet.tensor { 7 },
    num_batches_tracked = lunet.tensor { 3 } }
  lu.assertEquals(norm:state().running_mean:tolist(), { 7 })
  lu.assertNil(norm:state().num_batches_tracked)
end

-- Nothing was seen, so nothing is learned.
function TestBatchNorm2d:test_batch_of_none()
  with_each({ num_features = 2 }, function(norm)
    local y = norm:forward(lunet.zeros { 0, 2, 3, 3 })
    lu.assertEquals(y:shape(), { 0, 2, 3, 3 })
    lu.assertEquals(norm:backward(y):shape(), { 0, 2, 3, 3 })
    lu.assertEquals(norm:parameters()[1].grad:tolist(), { 0, 0 })
    lu.assertEquals(norm:state().running_mean:tolist(), { 0, 0 })
  end)
end

-- In its channel; the others keep their numbers.
function TestBatchNorm2d:test_nan_stays_visible()
  for _, bad in ipairs { 0 / 0, math.huge } do
    with_each({}, function(norm)
      local x = random { 2, 2, 1, 3 }
      x[1][1][1][2] = bad
      local y = norm:forward(x)
      for n = 1, 2 do
        for _, value in ipairs(gradcheck.list(y[n][1])) do
          lu.assertNaN(value)
        end
        for _, value in ipairs(gradcheck.list(y[n][2])) do
          lu.assertFalse(value ~= value)
        end
      end
      lu.assertNaN(norm:state().running_var[1])
    end)
  end
end

function TestBatchNorm2d:test_a_constant_channel()
  with_each({}, function(norm)
    near(norm:forward(channel { 0.1, 0.1, 0.1, 0.1 }), { 0, 0, 0, 0 })
  end)
end

function TestBatchNorm2d:test_one_number_a_channel_has_no_deviation()
  with_each({}, function(norm)
    helpers.assert_refused("x (1,3,1,1) has N*H*W = 1*1*1 = 1 number in each "
      .. "channel: training needs at least 2, as a single one has no "
      .. "deviation; try a larger batch, or eval()",
      norm.forward, norm, random { 1, 3, 1, 1 })
    norm:eval()
    lu.assertEquals(norm:forward(random { 1, 3, 1, 1 }):shape(),
      { 1, 3, 1, 1 })
  end)
end

function TestBatchNorm2d:test_refuses_other_channels_and_ranks()
  local norm = nn.batch_norm2d { num_features = 3 }
  helpers.assert_refused("num_features = 3, but x has 4 there: (2,4,5,5) "
    .. "(dim 2)", norm.forward, norm, random { 2, 4, 5, 5 })
  helpers.assert_refused("expects x(N,num_features,H,W), but x is (2,3) with "
    .. "2 dims", norm.forward, norm, random { 2, 3 })
  helpers.assert_refused("the output would be (2,3,0,4), with nothing in it",
    norm.forward, norm, lunet.zeros { 2, 3, 0, 4 })
end

function TestBatchNorm2d:test_refuses_options_out_of_range()
  helpers.assert_refused("momentum = 1.5, but it must be a number from 0 "
    .. "to 1", nn.batch_norm2d, { momentum = 1.5 })
  helpers.assert_refused("eps = -1, but it must be a number >= 0",
    nn.batch_norm2d, { eps = -1 })
  helpers.assert_refused("num_features = 0, but it must be a whole number "
    .. ">= 1", nn.batch_norm2d, { num_features = 0 })
end

os.exit(lu.LuaUnit.run())
