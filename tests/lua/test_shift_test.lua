-- test_shift_test.lua - what pooling does about a shifted picture.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local helpers = require "plugins.helpers"

local nn = lunet.nn

-- Pictures of 13x13 that are zero but for one pixel each, which stands in all
-- places of a square of size x size in the middle.
local function lone_peaks(size)
  local x = lunet.zeros { size * size, 1, 13, 13 }
  for i = 0, size * size - 1 do
    x[i + 1][1][7 + i // size][7 + i % size] = 1
  end
  return x
end

local function unchanged(pool, size)
  return lunet.shift_test(nn.max_pool2d(pool), lone_peaks(size), 1)[1].unchanged
end

TestLonePeak = {}

-- In a window of 2x2 a pixel has three neighbours: 3 of 8 shifts stay inside.
function TestLonePeak:test_windows_of_2x2_hold_three_of_eight_shifts()
  lu.assertEquals(unchanged({ kernel_size = 2 }, 2), 3 / 8)
end

-- The centre of 3x3 stays inside in 8 of 8, an edge in 5, a corner in 3.
function TestLonePeak:test_windows_of_3x3_hold_five_of_nine()
  lu.assertEquals(unchanged({ kernel_size = 3 }, 3),
    (8 + 4 * 5 + 4 * 3) / (9 * 8))
end

-- Where windows overlap, every step enters or leaves one.
function TestLonePeak:test_overlapping_windows_hold_none()
  lu.assertEquals(unchanged({ kernel_size = 3, stride = 2 }, 4), 0)
end

-- One output of 1 goes, another one comes: sqrt(2).
function TestLonePeak:test_a_convolution_moves_along()
  local row = lunet.shift_test(helpers.filter { { 1 } }, lone_peaks(1), 2)[2]
  lu.assertEquals(row.shift, 2)
  lu.assertEquals(row.unchanged, 0)
  lu.assertAlmostEquals(row.moved, math.sqrt(2), 1e-6)
end

function TestLonePeak:test_the_mean_of_all_places_does_not_move()
  local net = nn.sequential { nn.conv2d { out_channels = 3, kernel_size = 3 },
    nn.relu {}, nn.avg_pool2d { kernel_size = 11 }, nn.flatten {} }
  for _, row in ipairs(lunet.shift_test(net, lone_peaks(1), 3)) do
    lu.assertTrue(row.moved < 1e-6)
    lu.assertEquals(row.same_class, 1)
  end
end

TestPictures = {}

-- On real digits, pooled features move less than those that are not pooled.
function TestPictures:test_pooling_dampens_the_shift()
  lunet.manual_seed(3)
  local x = lunet.data.digits():take(50).x
  local conv = nn.sequential { nn.conv2d { out_channels = 8, kernel_size = 3 },
                               nn.relu {} }
  local pooled = nn.sequential { conv, nn.avg_pool2d { kernel_size = 2 } }
  local before, after = lunet.shift_test(conv, x, 2),
                        lunet.shift_test(pooled, x, 2)
  for i = 1, 2 do lu.assertTrue(after[i].moved < before[i].moved) end
  lu.assertEquals(after[1].unchanged, 0)
  lu.assertTrue(before[1].moved < before[2].moved)
end

-- A reader that takes the maximum over all places holds its classes better than
-- one with a weight for each place.
function TestPictures:test_a_pooling_reader_is_more_robust()
  local optim = lunet.optim
  local train, test = lunet.data.digits()
  local function same_class(...)
    lunet.manual_seed(2)
    local net = nn.sequential { nn.conv2d { out_channels = 16,
      kernel_size = 3 }, nn.relu {}, ... }
    net:build { 1, 8, 8 }
    lunet.fit(net, train, { loss = nn.cross_entropy {}, epochs = 5,
      progress = false, optimizer = optim.sgd(net:parameters(),
                                              { lr = 0.05, momentum = 0.9 }) })
    return lunet.shift_test(net, test.x, 1)[1].same_class
  end
  local placed = same_class(nn.flatten {}, nn.linear { out_features = 10 })
  local pooled = same_class(nn.conv2d { out_channels = 16, kernel_size = 3 },
    nn.relu {}, nn.max_pool2d { kernel_size = 4 }, nn.flatten {},
    nn.linear { out_features = 10 })
  lu.assertTrue(pooled > placed + 0.1, ("%g, %g"):format(pooled, placed))
end

-- The class of a picture is the side on which its light lies.
function TestPictures:test_counts_pictures_whose_class_stays()
  local side = nn.sequential { nn.flatten {}, nn.linear {
    in_features = 12, out_features = 2, bias = false } }
  local x = lunet.zeros { 2, 1, 3, 4 }
  x[1][1][2][1], x[2][1][2][2] = 1, 1 -- far left, and left of the middle
  local left = lunet.tensor { { 1, 1, 0, 0 }, { 1, 1, 0, 0 }, { 1, 1, 0, 0 } }
  side:get("1").weight[1]:copy(left:view { 12 })
  side:get("1").weight[2]:copy((1 - left):view { 12 })
  -- three shifts to the right take the second picture over; nothing lit: left
  lu.assertEquals(lunet.shift_test(side, x, 1)[1].same_class, 13 / 16)
end

function TestPictures:test_only_scores_have_a_class()
  lu.assertNil(lunet.shift_test(nn.relu {}, lone_peaks(1), 1)[1].same_class)
end

function TestPictures:test_refuses()
  local refused = helpers.assert_refused
  local relu, x = nn.relu {}, lone_peaks(1)
  refused("pictures of 13x13 can be shifted by 1 .. 12", lunet.shift_test,
    relu, x, 13)
  refused("can be shifted by 1 .. 12", lunet.shift_test, relu, x, 0)
  refused("x must hold pictures (N,C,H,W), it has shape (4,3)",
    lunet.shift_test, relu, lunet.zeros { 4, 3 }, 1)
  refused("it has shape (0,1,4,4)", lunet.shift_test, relu,
    lunet.zeros { 0, 1, 4, 4 }, 1)
  refused("net is 3, it must be a net", lunet.shift_test, 3, x, 1)
  refused("most is 1.5, it must be a whole number", lunet.shift_test, relu, x,
    1.5)
end

os.exit(lu.LuaUnit.run())
