-- test_max_pool2d.lua - the largest of each window.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local image, rows = helpers.image, helpers.rows

TestMaxPool2d = {}

local methods = { "textbook", "2x2" }

function TestMaxPool2d:test_worked_example()
  for _, method in ipairs(methods) do
    local pool = nn.max_pool2d { kernel_size = 2, method = method }
    local y = pool:forward(image { { 1, 5, 2, 0 }, { 3, 4, 8, 1 },
      { 0, 0, 7, 7 }, { 0, 9, 7, 6 } })
    lu.assertEquals(rows(y), { { 5, 8 }, { 9, 7 } })
    local dx = pool:backward(image { { 1, 2 }, { 3, 4 } })
    lu.assertEquals(rows(dx), { { 0, 1, 0, 0 }, { 0, 0, 2, 0 },
      { 0, 0, 4, 0 }, { 0, 3, 0, 0 } })
  end
end

function TestMaxPool2d:test_stride_is_the_kernel_size_unless_given()
  local x = lunet.zeros { 1, 1, 7, 9 }
  local pool = nn.max_pool2d { kernel_size = { 2, 3 } }
  lu.assertEquals(pool:forward(x):shape(), { 1, 1, 3, 3 })
  pool = nn.max_pool2d { kernel_size = { 2, 3 }, stride = 1 }
  lu.assertEquals(pool:forward(x):shape(), { 1, 1, 6, 7 })
end

function TestMaxPool2d:test_a_pixel_in_two_windows_gets_both_gradients()
  local pool = nn.max_pool2d { kernel_size = { 1, 2 }, stride = 1 }
  pool:forward(image { { 1, 9, 2 } })
  lu.assertEquals(rows(pool:backward(image { { 3, 4 } })), { { 0, 7, 0 } })
end

function TestMaxPool2d:test_of_equal_ones_the_first_row_by_row()
  for _, method in ipairs(methods) do
    local pool = nn.max_pool2d { kernel_size = 2, method = method }
    pool:forward(image { { 2, 2, 1, 3 }, { 2, 2, 3, 3 } })
    local dx = pool:backward(image { { 1, 10 } })
    lu.assertEquals(rows(dx), { { 1, 0, 0, 10 }, { 0, 0, 0, 0 } })
  end
end

function TestMaxPool2d:test_a_nan_wins()
  local nan = 0 / 0
  for _, method in ipairs(methods) do
    local pool = nn.max_pool2d { kernel_size = 2, method = method }
    local y = rows(pool:forward(image { { 1, nan, 5, 4 }, { 3, 2, 3, nan } }))
    lu.assertTrue(y[1][1] ~= y[1][1] and y[1][2] ~= y[1][2])
    local dx = pool:backward(image { { 1, 10 } })
    lu.assertEquals(rows(dx), { { 0, 1, 0, 0 }, { 0, 0, 0, 10 } })
  end
end

function TestMaxPool2d:test_the_padding_never_wins()
  local pool = nn.max_pool2d { kernel_size = 2, padding = 1 }
  lu.assertEquals(rows(pool:forward(image { { -1, -2 }, { -3, -4 } })),
    { { -1, -2 }, { -3, -4 } })
end

-- Four columns with a stride of 2: the window of three that begins at the
-- third is cut, and one that would begin at the fifth does not exist.
function TestMaxPool2d:test_ceil_mode_takes_the_rest()
  local x = image { { 1, 2, 3, 4 } }
  local function pooled(ceil_mode)
    return rows(nn.max_pool2d { kernel_size = { 1, 3 }, stride = 2,
      ceil_mode = ceil_mode }:forward(x))
  end
  lu.assertEquals(pooled(false), { { 3 } })
  lu.assertEquals(pooled(true), { { 3, 4 } })
end

function TestMaxPool2d:test_no_window_begins_in_the_padding_behind()
  local pool = nn.max_pool2d {
    kernel_size = 2, stride = 3, padding = 1, ceil_mode = true }
  lu.assertEquals(pool:forward(lunet.zeros { 1, 1, 5, 5 }):shape(),
    { 1, 1, 2, 2 })
end

-- Spread over four, a window of two can miss the image on both sides.
function TestMaxPool2d:test_the_largest_of_nothing_is_minus_infinity()
  local pool = nn.max_pool2d { kernel_size = 2, padding = 1, dilation = 3 }
  local y = pool:forward(image { { 1, 2 }, { 3, 4 } })
  lu.assertEquals(rows(y), { { -math.huge } })
  lu.assertEquals(rows(pool:backward(image { { 5 } })), { { 0, 0 }, { 0, 0 } })
end

function TestMaxPool2d:test_the_last_odd_row_and_column_are_not_read()
  for _, method in ipairs(methods) do
    local pool = nn.max_pool2d { kernel_size = 2, method = method }
    local y = pool:forward(image { { 1, 2, 9 }, { 3, 4, 9 }, { 9, 9, 9 } })
    lu.assertEquals(rows(y), { { 4 } })
    lu.assertEquals(rows(pool:backward(image { { 5 } })),
      { { 0, 0, 0 }, { 0, 5, 0 }, { 0, 0, 0 } })
  end
end

-- One bright pixel, moved by one in all eight directions from the first
-- corner's neighbour: in its window of four it stays for three of eight.
function TestMaxPool2d:test_survives_some_shifts()
  local pool = nn.max_pool2d { kernel_size = 2 }
  local function peak_at(row, column)
    local x = lunet.zeros { 1, 1, 6, 6 }
    x[1][1][row][column] = 1
    return pool:forward(x):tolist()
  end
  local here, same = peak_at(3, 3), 0
  for dy = -1, 1 do
    for dx = -1, 1 do
      local moved = dy ~= 0 or dx ~= 0
      if moved and gradcheck.list(peak_at(3 + dy, 3 + dx))[5]
        == gradcheck.list(here)[5] then same = same + 1 end
    end
  end
  lu.assertEquals(same, 3)
end

function TestMaxPool2d:test_batch_of_none()
  for _, method in ipairs(methods) do
    local pool = nn.max_pool2d { kernel_size = 2, method = method }
    local y = pool:forward(lunet.zeros { 0, 3, 4, 6 })
    lu.assertEquals(y:shape(), { 0, 3, 2, 3 })
    lu.assertEquals(pool:backward(y):shape(), { 0, 3, 4, 6 })
  end
  local pool = nn.max_pool2d { kernel_size = 3, stride = 2, method = "3x3" }
  local y = pool:forward(lunet.zeros { 0, 3, 5, 7 })
  lu.assertEquals(pool:backward(y):shape(), { 0, 3, 5, 7 })
end

function TestMaxPool2d:test_items_alone()
  for _, method in ipairs(methods) do
    helpers.assert_items_alone(nn.max_pool2d {
      kernel_size = 2, method = method }, gradcheck.spaced { 5, 3, 7, 5 })
  end
  helpers.assert_items_alone(nn.max_pool2d { kernel_size = 3, stride = 2,
    padding = 1, method = "3x3" }, gradcheck.spaced { 5, 3, 7, 5 })
end

function TestMaxPool2d:test_gradients()
  local cases = {
    { kernel_size = 2, method = "2x2" },
    { kernel_size = 2, method = "textbook" },
    { kernel_size = 1, stride = 2, method = "1x1" },
    { kernel_size = 3, stride = 2, padding = 1, method = "3x3" },
    { kernel_size = 3, stride = 2, padding = 1, method = "textbook" },
    { kernel_size = { 2, 3 }, stride = { 1, 2 }, dilation = { 2, 1 } },
    { kernel_size = 3, stride = 2, ceil_mode = true, method = "3x3" },
    { kernel_size = 3, stride = 2, ceil_mode = true, method = "textbook" },
    { kernel_size = 2, stride = 3, padding = 1, dilation = 3,
      ceil_mode = true },
  }
  for _, options in ipairs(cases) do
    helpers.assert_gradients(nn.max_pool2d(options),
      { gradcheck.spaced { 2, 3, 8, 7 } }, { nonsmooth = true })
  end
end

-- All options with which a fast method works.
local fast = { { method = "2x2", kernel_size = 2 },
  { method = "1x1", kernel_size = 1, stride = 2 },
  { method = "1x1", kernel_size = 1, stride = { 1, 3 } } }
for _, padding in ipairs { 0, 1, { 0, 1 }, { 1, 0 } } do
  for _, ceil_mode in ipairs { false, true } do
    fast[#fast + 1] = { method = "3x3", kernel_size = 3, stride = 2,
      padding = padding, ceil_mode = ceil_mode }
  end
end

-- Images of random sizes, not below `least`; element() gives the numbers.
local function random_images(least, element)
  local shape = { math.random(3), math.random(4), math.random(least, 11),
    math.random(least, 40) }
  local list = {}
  for i = 1, shape[1] * shape[2] * shape[3] * shape[4] do
    list[i] = element()
  end
  return gradcheck.tensor(list, shape)
end

local function as_texts(t)
  local list = gradcheck.list(t)
  for i = 1, #list do
    list[i] = list[i] == list[i] and tostring(list[i]) or "nan"
  end
  return list
end

local function assert_same_as_textbook(options, x)
  local textbook = {}
  for name, value in pairs(options) do textbook[name] = value end
  textbook.method = "textbook"
  local a, b = nn.max_pool2d(options), nn.max_pool2d(textbook)
  local y = b:forward(x)
  lu.assertEquals(as_texts(a:forward(x)), as_texts(y))
  local dy = gradcheck.random(y:shape())
  lu.assertEquals(as_texts(a:backward(dy)), as_texts(b:backward(dy)))
end

-- With whole numbers there are many equal ones.
function TestMaxPool2d:test_fast_equals_textbook()
  for _, options in ipairs(fast) do
    for _ = 1, 20 do
      assert_same_as_textbook(options, random_images(
        options.kernel_size, function() return math.random(-2, 2) end))
    end
  end
end

function TestMaxPool2d:test_fast_equals_textbook_on_what_is_no_number()
  local few = { 0 / 0, -math.huge, -math.huge, -math.huge, 1, math.huge }
  for _, options in ipairs(fast) do
    for _ = 1, 20 do
      assert_same_as_textbook(options, random_images(
        options.kernel_size, function() return few[math.random(#few)] end))
    end
  end
end

-- With padding on all sides, one or two rows and columns are enough.
function TestMaxPool2d:test_fast_on_the_smallest_images()
  for _, ceil_mode in ipairs { false, true } do
    for H = 1, 5 do
      for W = 1, 5 do
        assert_same_as_textbook({ method = "3x3", kernel_size = 3, stride = 2,
          padding = 1, ceil_mode = ceil_mode }, gradcheck.random { 2, 2, H, W })
      end
    end
  end
end

function TestMaxPool2d:test_refuses_more_padding_than_half_a_window()
  helpers.assert_refused("padding = 2 with kernel_size = 3: it may be at most "
    .. "half of it, rounded down, so that no window lies in the padding "
    .. "alone; try padding = 1", nn.max_pool2d,
    { kernel_size = 3, padding = 2 })
end

function TestMaxPool2d:test_strict_refuses_what_is_left_over()
  local pool = nn.max_pool2d { kernel_size = 2, strict = true }
  pool:forward(lunet.zeros { 1, 1, 6, 8 })
  helpers.assert_refused("never read", pool.forward, pool,
    lunet.zeros { 1, 1, 6, 7 })
end

os.exit(lu.LuaUnit.run())
