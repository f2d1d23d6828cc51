-- test_upsample.lua - larger images.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local image, rows = helpers.image, helpers.rows

TestUpsample = {}

function TestUpsample:test_worked_example_of_the_nearest()
  local up = nn.upsample { scale_factor = { 1, 2 } }
  lu.assertEquals(rows(up:forward(image { { 1, 5 }, { 3, 4 } })),
    { { 1, 1, 5, 5 }, { 3, 3, 4, 4 } })
  lu.assertEquals(rows(up:backward(image { { 1, 2, 3, 4 }, { 5, 6, 7, 8 } })),
    { { 3, 7 }, { 11, 15 } })
end

-- The points are -1/4, 1/4, 3/4, 5/4: between 0 and 1 three quarters of the
-- nearer pixel, beyond them the pixel itself.
function TestUpsample:test_worked_example_of_lines()
  local up = nn.upsample { scale_factor = { 1, 2 }, mode = "bilinear" }
  lu.assertEquals(rows(up:forward(image { { 0, 4 } })), { { 0, 1, 3, 4 } })
  lu.assertEquals(rows(up:backward(image { { 1, 4, 8, 2 } })), { { 6, 9 } })
end

function TestUpsample:test_to_a_size()
  local x = image { { 1, 2, 3 } }
  local function sized(size)
    return rows(nn.upsample { size = { 1, size } }:forward(x))[1]
  end
  lu.assertEquals(sized(5), { 1, 1, 2, 2, 3 }) -- floor(i*3/5) = 0, 0, 1, 1, 2
  lu.assertEquals(sized(2), { 1, 2 })          -- floor(i*3/2) = 0, 1
end

function TestUpsample:test_size_and_scale_say_the_same()
  local x = gradcheck.random { 2, 3, 3, 4 }
  for _, mode in ipairs { "nearest", "bilinear" } do
    helpers.assert_same(
      nn.upsample { scale_factor = { 2, 3 }, mode = mode }:forward(x),
      nn.upsample { size = { 6, 12 }, mode = mode }:forward(x))
  end
end

function TestUpsample:test_the_same_size_changes_nothing()
  local x = gradcheck.random { 2, 3, 4, 5 }
  for _, mode in ipairs { "nearest", "bilinear" } do
    helpers.assert_same(nn.upsample { scale_factor = 1, mode = mode }
      :forward(x), x)
  end
end

-- Straight lines stay straight: a slope of 3 a pixel is one of 1 after.
function TestUpsample:test_lines_stay_lines()
  local up = nn.upsample { size = { 1, 12 }, mode = "bilinear" }
  local y = rows(up:forward(image { { 0, 3, 6, 9 } }))[1]
  for i = 2, 11 do lu.assertAlmostEquals(y[i], i - 2, 1e-5) end
end

function TestUpsample:test_pooling_undoes_copies()
  local x = gradcheck.random { 2, 3, 4, 5 }
  local y = nn.upsample { scale_factor = 3 }:forward(x)
  helpers.assert_same(nn.max_pool2d { kernel_size = 3 }:forward(y), x)
end

function TestUpsample:test_a_nan_stays_visible()
  for _, mode in ipairs { "nearest", "bilinear" } do
    local up = nn.upsample { scale_factor = 2, mode = mode }
    local y = rows(up:forward(image { { 0 / 0 } }))
    lu.assertTrue(y[1][1] ~= y[1][1] and y[2][2] ~= y[2][2])
  end
end

function TestUpsample:test_infinity_is_copied()
  local up = nn.upsample { scale_factor = 2 }
  lu.assertEquals(rows(up:forward(image { { math.huge, 1 } }))[1],
    { math.huge, math.huge, 1, 1 })
end

function TestUpsample:test_batch_of_none()
  for _, mode in ipairs { "nearest", "bilinear" } do
    local up = nn.upsample { scale_factor = 2, mode = mode }
    local y = up:forward(lunet.zeros { 0, 3, 4, 6 })
    lu.assertEquals(y:shape(), { 0, 3, 8, 12 })
    lu.assertEquals(up:backward(y):shape(), { 0, 3, 4, 6 })
  end
end

function TestUpsample:test_items_alone()
  for _, mode in ipairs { "nearest", "bilinear" } do
    helpers.assert_items_alone(nn.upsample { scale_factor = 2, mode = mode },
      gradcheck.random { 5, 3, 4, 3 })
  end
end

function TestUpsample:test_gradients()
  for _, mode in ipairs { "nearest", "bilinear" } do
    for _, options in ipairs { { scale_factor = 2 },
      { scale_factor = { 1, 3 } }, { size = { 7, 5 } }, { size = { 2, 9 } },
      { size = 1 } } do
      options.mode = mode
      helpers.assert_gradients(nn.upsample(options),
        { gradcheck.random { 2, 3, 4, 5 } })
    end
  end
end

function TestUpsample:test_refuses()
  local function refuses(sentence, options, shape)
    helpers.assert_refused(sentence, function()
      nn.upsample(options):forward(lunet.zeros(shape))
    end)
  end
  refuses("upsample: give exactly one of \"size\" and \"scale_factor\", not "
    .. "none of them", {}, { 1, 1, 2, 2 })
  refuses("upsample: give exactly one of \"size\" and \"scale_factor\", not "
    .. "both", { size = 2, scale_factor = 2 }, { 1, 1, 2, 2 })
  refuses("upsample: scale_factor = 1.5, but it must be a whole number from 1 "
    .. "to 65535 or a list of 2", { scale_factor = 1.5 }, { 1, 1, 2, 2 })
  refuses("upsample: images of 0 x 3 pixels: each side must have 1 to 2^40 of "
    .. "them", { scale_factor = 2 }, { 1, 1, 0, 3 })
  refuses("upsample: expects x(N,C,H,W), but x is (1,2,3) with 3 dims",
    { scale_factor = 2 }, { 1, 2, 3 })
end

function TestUpsample:test_refuses_what_no_memory_can_hold()
  helpers.assert_refused("more elements than memory can ever hold", function()
    nn.upsample { scale_factor = 65535 }:build { 2 ^ 40 // 1, 1, 1 }
  end)
end

os.exit(lu.LuaUnit.run())
