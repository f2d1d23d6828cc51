-- test_avg_pool2d.lua - the mean of each window.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local image, rows = helpers.image, helpers.rows

TestAvgPool2d = {}

local methods = { "textbook", "2x2", "rows" }

function TestAvgPool2d:test_worked_example()
  for _, method in ipairs(methods) do
    local pool = nn.avg_pool2d { kernel_size = 2, method = method }
    local y = pool:forward(image { { 1, 5, 2, 0 }, { 3, 3, 8, 2 } })
    lu.assertEquals(rows(y), { { 3, 3 } })
    local dx = pool:backward(image { { 4, 8 } })
    lu.assertEquals(rows(dx), { { 1, 1, 2, 2 }, { 1, 1, 2, 2 } })
  end
end

function TestAvgPool2d:test_fast_equals_textbook()
  for _ = 1, 30 do
    helpers.assert_equals_textbook("avg_pool2d", "2x2", { kernel_size = 2 },
      gradcheck.random { math.random(3), math.random(4), math.random(2, 11),
        math.random(2, 40) })
  end
end

function TestAvgPool2d:test_rows_equal_textbook()
  local pick = math.random
  for _ = 1, 40 do
    local kernel, stride = { pick(4), pick(4) }, { pick(3), pick(3) }
    helpers.assert_equals_textbook("avg_pool2d", "rows",
      { kernel_size = kernel, stride = stride,
        padding = { pick(0, kernel[1] // 2), pick(0, kernel[2] // 2) },
        ceil_mode = pick(2) == 1, count_include_pad = pick(2) == 1 },
      gradcheck.random { pick(3), pick(4), pick(4, 11), pick(4, 40) })
  end
end

function TestAvgPool2d:test_a_nan_stays_in_its_window()
  for _, method in ipairs(methods) do
    local pool = nn.avg_pool2d { kernel_size = 2, method = method }
    local y = rows(pool:forward(image { { 1, 0 / 0, 2, 0 }, { 3, 3, 8, 2 } }))
    lu.assertTrue(y[1][1] ~= y[1][1])
    lu.assertEquals(y[1][2], 3)
  end
end

-- The corner window of 2x2 holds one pixel and three zeros.
function TestAvgPool2d:test_the_padding_counts_unless_told_not_to()
  local x = image { { 8, 8 }, { 8, 8 } }
  local function corner(count)
    local pool = nn.avg_pool2d { kernel_size = 2, padding = 1,
      count_include_pad = count }
    return rows(pool:forward(x))[1][1]
  end
  lu.assertEquals(corner(true), 2)
  lu.assertEquals(corner(false), 8)
end

-- What hangs out over the padding never counts: the last window of three
-- holds 4 alone; the last one of four 4, 5, one zero, and nothing.
function TestAvgPool2d:test_ceil_mode_counts_no_more_than_the_padding()
  local function last(row, size, padding)
    local pool = nn.avg_pool2d { kernel_size = { 1, size },
      padding = { 0, padding }, ceil_mode = true }
    return rows(pool:forward(image { row }))[1][2]
  end
  lu.assertEquals(last({ 1, 2, 3, 4 }, 3, 0), 4)
  lu.assertEquals(last({ 1, 2, 3, 4, 5 }, 4, 1), 3)
end

function TestAvgPool2d:test_is_a_convolution_with_equal_weights()
  local x = gradcheck.random { 1, 1, 7, 8 }
  local ninth = 1 / 9
  local conv = helpers.filter({ { ninth, ninth, ninth },
    { ninth, ninth, ninth }, { ninth, ninth, ninth } },
    { stride = 2, padding = 1 })
  local pool = nn.avg_pool2d { kernel_size = 3, stride = 2, padding = 1 }
  helpers.assert_near(pool:forward(x), conv:forward(x):tolist(), 1e-6)
end

function TestAvgPool2d:test_batch_of_none()
  local pool = nn.avg_pool2d { kernel_size = 2 }
  local y = pool:forward(lunet.zeros { 0, 3, 4, 6 })
  lu.assertEquals(y:shape(), { 0, 3, 2, 3 })
  lu.assertEquals(pool:backward(y):shape(), { 0, 3, 4, 6 })
end

function TestAvgPool2d:test_items_alone()
  helpers.assert_items_alone(nn.avg_pool2d { kernel_size = 3, stride = 2,
    padding = 1 }, gradcheck.random { 5, 3, 7, 5 })
end

function TestAvgPool2d:test_gradients()
  local cases = {
    { kernel_size = 2, method = "2x2" },
    { kernel_size = 2, method = "textbook" },
    { kernel_size = { 3, 2 }, stride = { 2, 1 }, padding = { 1, 0 } },
    { kernel_size = 3, stride = 2, padding = 1, ceil_mode = true },
    { kernel_size = 3, stride = 2, padding = 1, ceil_mode = true,
      count_include_pad = false },
    { kernel_size = 3, stride = 1, padding = 1, count_include_pad = false },
    { kernel_size = { 2, 3 }, stride = 3, ceil_mode = true },
    { kernel_size = { 2, 3 }, stride = 3, ceil_mode = true,
      method = "textbook" },
  }
  for _, options in ipairs(cases) do
    helpers.assert_gradients(nn.avg_pool2d(options),
      { gradcheck.random { 2, 3, 8, 6 } })
  end
end

function TestAvgPool2d:test_refuses_more_padding_than_half_a_window()
  helpers.assert_refused("padding = 1 with kernel_size = 1: it may be at most "
    .. "half of it, rounded down, so that no window lies in the padding "
    .. "alone; try padding = 0", nn.avg_pool2d,
    { kernel_size = { 3, 1 }, padding = 1 })
end

os.exit(lu.LuaUnit.run())
