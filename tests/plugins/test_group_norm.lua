-- test_group_norm.lua - each group of channels to mean 0 and deviation 1.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local random = gradcheck.random

-- Calls f with a group norm of each method.
local function with_each(options, f)
  for _, method in ipairs { "planes", "textbook" } do
    local all = { method = method }
    for name, value in pairs(options) do all[name] = value end
    f(nn.group_norm(all))
  end
end

TestGroupNorm = {}

-- Two channels are a group: mean 4, variance 5; with eps = 4 the divisor is
-- sqrt(9) = 3. The other group is constant.
function TestGroupNorm:test_worked_example()
  with_each({ num_groups = 2, eps = 4 }, function(norm)
    local x = lunet.tensor { { { 1, 3 }, { 5, 7 }, { 9, 9 }, { 9, 9 } } }
    helpers.assert_near(norm:forward(x),
      { { { -1, -1 / 3 }, { 1 / 3, 1 }, { 0, 0 }, { 0, 0 } } })
    local dy = lunet.tensor { { { 3, 0 }, { 0, 0 }, { 0, 0 }, { 0, 0 } } }
    helpers.assert_near(norm:backward(dy),
      { { { 1 / 2, -1 / 3 }, { -1 / 6, 0 }, { 0, 0 }, { 0, 0 } } })
    helpers.assert_near(norm:parameters()[1].grad, { -3, 0, 0, 0 })
    helpers.assert_near(norm:parameters()[2].grad, { 3, 0, 0, 0 })
  end)
end

function TestGroupNorm:test_one_group_is_layer_norm()
  local x = random { 3, 4, 5, 6 }
  local layer = nn.layer_norm { normalized_shape = { 4, 5, 6 } }
  local group = nn.group_norm { num_groups = 1 }
  helpers.assert_near(group:forward(x), layer:forward(x):tolist())
end

function TestGroupNorm:test_a_group_a_channel_is_batch_norm_of_one_item()
  local x = random { 1, 4, 5, 6 }
  local batch = nn.batch_norm2d {}
  local group = nn.group_norm { num_groups = 4 }
  helpers.assert_near(group:forward(x), batch:forward(x):tolist())
end

-- 2^20 + 0 or 1 is exact in float32. Groups of 3000 numbers are more than one
-- block of the method "planes".
function TestGroupNorm:test_a_mean_far_larger_than_the_deviation()
  local near_0 = lunet.rand { 3, 4, 1500 }:gt(0.5)
  local dy = lunet.randn { 3, 4, 1500 }
  with_each({ num_groups = 2, eps = 0 }, function(norm)
    local y = norm:forward(near_0)
    local dx = norm:backward(dy)
    helpers.assert_near(norm:forward(near_0 + 2 ^ 20), y:tolist(), 2e-6)
    helpers.assert_near(norm:backward(dy), dx:tolist(), 2e-6)
  end)
end

function TestGroupNorm:test_planes_equals_textbook()
  for _, shape in ipairs { { 4, 6 }, { 4, 6, 7, 9 }, { 2, 6, 1300 } } do
    for _, affine in ipairs { true, false } do
      helpers.assert_equals_textbook("group_norm", "planes",
        { num_groups = 3, affine = affine }, random(shape))
    end
  end
end

function TestGroupNorm:test_items_alone()
  with_each({ num_groups = 2 }, function(norm)
    helpers.assert_items_alone(norm, random { 4, 6, 3, 5 })
  end)
end

function TestGroupNorm:test_gradients()
  for _, groups in ipairs { 1, 2, 4 } do
    for _, affine in ipairs { true, false } do
      with_each({ num_groups = groups, affine = affine, eps = 0.1 },
        function(norm)
          local x = random { 3, 4, 2, 3 }
          norm:forward(x)
          helpers.assert_gradients(norm, { x })
        end)
    end
  end
end

-- Where nothing is kept for backward, y lies in x's memory.
function TestGroupNorm:test_in_place()
  with_each({ num_groups = 2 }, function(norm)
    local net = nn.sequential { nn.tanh {}, norm, nn.tanh {} }
    local x = random { 3, 4, 5, 2 }
    helpers.assert_same(net:predict(x), net:forward(x))
  end)
end

function TestGroupNorm:test_without_affine_there_are_no_parameters()
  lu.assertEquals(#nn.group_norm { num_groups = 1, num_channels = 3,
    affine = false }:parameters(), 0)
end

function TestGroupNorm:test_batch_of_none()
  with_each({ num_groups = 1 }, function(norm)
    local y = norm:forward(lunet.zeros { 0, 2, 3 })
    lu.assertEquals(y:shape(), { 0, 2, 3 })
    lu.assertEquals(norm:backward(y):shape(), { 0, 2, 3 })
    lu.assertEquals(norm:parameters()[1].grad:tolist(), { 0, 0 })
  end)
end

-- In its group; the others keep their numbers.
function TestGroupNorm:test_nan_stays_visible()
  for _, bad in ipairs { 0 / 0, math.huge } do
    with_each({ num_groups = 2 }, function(norm)
      local y = norm:forward(lunet.tensor { { 1, bad, 3, 4 } })
      lu.assertNaN(y[1][1])
      lu.assertNaN(y[1][2])
      helpers.assert_near(y:narrow(2, 3, 2):clone(), { { -1, 1 } }, 1e-4)
    end)
  end
end

function TestGroupNorm:test_refuses_groups_that_do_not_divide()
  helpers.assert_refused("num_groups = 4 does not divide num_channels = 6: "
    .. "each group gets num_channels / num_groups channels; try "
    .. "num_groups = 1", nn.group_norm, { num_groups = 4, num_channels = 6 })
  local norm = nn.group_norm { num_groups = 4 }
  helpers.assert_refused("num_groups = 4 does not divide num_channels = 6",
    norm.forward, norm, random { 2, 6, 3, 3 })
end

function TestGroupNorm:test_refuses_other_channels_and_ranks()
  local norm = nn.group_norm { num_groups = 1, num_channels = 3 }
  helpers.assert_refused("num_channels = 3, but x has 4 there: (2,4,5,5) "
    .. "(dim 2)", norm.forward, norm, random { 2, 4, 5, 5 })
  helpers.assert_refused("expects x(N,num_channels,...), but x is (3) with "
    .. "1 dim", norm.forward, norm, random { 3 })
end

function TestGroupNorm:test_refuses_options_out_of_range()
  helpers.assert_refused("the option num_groups is missing; it must be a "
    .. "whole number >= 1", nn.group_norm, {})
  helpers.assert_refused("num_groups = 0, but it must be a whole number "
    .. ">= 1", nn.group_norm, { num_groups = 0 })
  helpers.assert_refused("eps = -1, but it must be a number >= 0",
    nn.group_norm, { num_groups = 1, eps = -1 })
end

os.exit(lu.LuaUnit.run())
