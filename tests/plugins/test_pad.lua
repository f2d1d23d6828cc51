-- test_pad.lua - a border around each image.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local image, rows = helpers.image, helpers.rows

TestPad = {}

local methods = { "textbook", "rows" }

-- Two columns at the left, one at the right, a row at the bottom.
local sides = { 2, 1, 0, 1 }

function TestPad:test_worked_example_with_a_constant()
  for _, method in ipairs(methods) do
    local pad = nn.pad { padding = sides, value = 9, method = method }
    lu.assertEquals(rows(pad:forward(image { { 1, 2, 3 }, { 4, 5, 6 } })), {
      { 9, 9, 1, 2, 3, 9 },
      { 9, 9, 4, 5, 6, 9 },
      { 9, 9, 9, 9, 9, 9 } })
    lu.assertEquals(rows(pad:backward(image { { 1, 2, 3, 4, 5, 6 },
      { 7, 8, 9, 10, 11, 12 }, { 0, 0, 1, 1, 1, 0 } })),
      { { 3, 4, 5 }, { 9, 10, 11 } })
  end
end

function TestPad:test_worked_example_with_a_mirror()
  local pad = nn.pad { padding = sides, mode = "reflect" }
  lu.assertEquals(rows(pad:forward(image { { 1, 2, 3 }, { 4, 5, 6 } })), {
    { 3, 2, 1, 2, 3, 2 },
    { 6, 5, 4, 5, 6, 5 },
    { 3, 2, 1, 2, 3, 2 } })
  local ones = lunet.ones { 1, 1, 3, 6 }
  lu.assertEquals(rows(pad:backward(ones)), { { 2, 6, 4 }, { 1, 3, 2 } })
end

function TestPad:test_worked_example_with_the_edge()
  local pad = nn.pad { padding = sides, mode = "replicate" }
  lu.assertEquals(rows(pad:forward(image { { 1, 2, 3 }, { 4, 5, 6 } })), {
    { 1, 1, 1, 2, 3, 3 },
    { 4, 4, 4, 5, 6, 6 },
    { 4, 4, 4, 5, 6, 6 } })
  local ones = lunet.ones { 1, 1, 3, 6 }
  lu.assertEquals(rows(pad:backward(ones)), { { 3, 1, 2 }, { 6, 2, 4 } })
end

function TestPad:test_one_number_is_for_all_four_sides()
  local x = gradcheck.random { 2, 3, 4, 5 }
  helpers.assert_same(nn.pad { padding = 2 }:forward(x),
    nn.pad { padding = { 2, 2, 2, 2 } }:forward(x))
end

function TestPad:test_channels_in_front_and_behind()
  for _, method in ipairs(methods) do
    local pad = nn.pad { padding = { 0, 0, 0, 0, 1, 2 }, value = 5,
      method = method }
    lu.assertEquals(pad:forward(lunet.tensor { { { { 1 } }, { { 2 } } } })
      :tolist(), { { { { 5 } }, { { 1 } }, { { 2 } }, { { 5 } }, { { 5 } } } })
    lu.assertEquals(pad:backward(lunet.tensor { { { { 1 } }, { { 2 } },
      { { 3 } }, { { 4 } }, { { 5 } } } }):tolist(), { { { { 2 } },
      { { 3 } } } })
  end
end

function TestPad:test_what_is_inside_stays()
  local x = gradcheck.random { 2, 3, 4, 5 }
  for _, mode in ipairs { "constant", "reflect", "replicate" } do
    local y = nn.pad { padding = { 1, 2, 3, 1 }, mode = mode }:forward(x)
    helpers.assert_same(y:narrow(3, 4, 4):clone():narrow(4, 2, 5):clone(), x)
  end
end

-- The padding of a convolution is a layer of its own.
function TestPad:test_then_a_convolution_is_a_padded_convolution()
  local kernel = { { 1, 2, 3 }, { 4, 5, 6 }, { 7, 8, 9 } }
  local x = gradcheck.random { 1, 1, 5, 6 }
  helpers.assert_near(
    helpers.filter(kernel):forward(nn.pad { padding = 1 }:forward(x)),
    helpers.filter(kernel, { padding = 1 }):forward(x):tolist(), 1e-5)
end

function TestPad:test_nothing_to_pad_changes_nothing()
  local x = gradcheck.random { 2, 3, 4, 5 }
  for _, mode in ipairs { "constant", "reflect", "replicate" } do
    helpers.assert_same(nn.pad { padding = 0, mode = mode }:forward(x), x)
  end
end

function TestPad:test_a_nan_stays_where_it_is()
  local y = rows(nn.pad { padding = { 1, 1, 0, 0 } }:forward(
    image { { 0 / 0, 2 } }))[1]
  lu.assertEquals({ y[1], y[3], y[4] }, { 0, 2, 0 })
  lu.assertTrue(y[2] ~= y[2])
end

function TestPad:test_fast_equals_textbook()
  for _ = 1, 20 do
    local padding = {}
    for i = 1, 6 do padding[i] = math.random(0, 3) end
    helpers.assert_equals_textbook("pad", "rows", { padding = padding,
      value = 0.5 }, gradcheck.random { math.random(3), math.random(3),
      math.random(5), math.random(5) })
  end
end

function TestPad:test_batch_of_none()
  for _, mode in ipairs { "constant", "reflect", "replicate" } do
    local pad = nn.pad { padding = { 1, 2, 3, 0 }, mode = mode }
    local y = pad:forward(lunet.zeros { 0, 3, 4, 6 })
    lu.assertEquals(y:shape(), { 0, 3, 7, 9 })
    lu.assertEquals(pad:backward(y):shape(), { 0, 3, 4, 6 })
  end
end

function TestPad:test_items_alone()
  for _, mode in ipairs { "constant", "reflect", "replicate" } do
    helpers.assert_items_alone(nn.pad { padding = { 1, 2, 0, 1 },
      mode = mode }, gradcheck.random { 5, 3, 4, 3 })
  end
end

function TestPad:test_gradients()
  local cases = {
    { padding = 1, method = "textbook" },
    { padding = 1, method = "rows" },
    { padding = { 1, 0, 2, 3 }, value = 2 },
    { padding = { 1, 0, 2, 3, 1, 2 }, value = -1, method = "textbook" },
    { padding = { 1, 0, 2, 3, 1, 2 }, value = -1, method = "rows" },
    { padding = { 3, 0, 2, 4 }, mode = "reflect" },
    { padding = { 3, 9, 2, 4 }, mode = "replicate" },
  }
  for _, options in ipairs(cases) do
    helpers.assert_gradients(nn.pad(options),
      { gradcheck.random { 2, 3, 5, 4 } })
  end
end

function TestPad:test_refuses()
  local function refuses(sentence, options, shape)
    helpers.assert_refused("pad: " .. sentence, function()
      nn.pad(options):forward(lunet.zeros(shape))
    end)
  end
  refuses("padding has 2 numbers, but takes 1, 4 {left, right, top, bottom} or "
    .. "6 {left, right, top, bottom, front, back}", { padding = { 1, 2 } },
    { 1, 1, 2, 2 })
  refuses("channels have no neighbours to copy: front and back go with mode = "
    .. "\"constant\" alone; try without them",
    { padding = { 1, 1, 1, 1, 1, 0 }, mode = "reflect" }, { 1, 1, 2, 2 })
  refuses("a mirror image of 3 columns does not fit: x has 3 of them, and the "
    .. "edge is not repeated, so at most 2; try mode = \"replicate\"",
    { padding = { 0, 3, 0, 0 }, mode = "reflect" }, { 1, 1, 4, 3 })
  refuses("x has 0 rows; there must be 1 to 2^40 of them",
    { padding = 1 }, { 1, 1, 0, 3 })
  refuses("expects x(N,C,H,W), but x is (1,2,3) with 3 dims", { padding = 1 },
    { 1, 2, 3 })
end

function TestPad:test_refuses_what_no_memory_can_hold()
  helpers.assert_refused("more elements than memory can ever hold", function()
    nn.pad { padding = 65535 }:build { 2 ^ 40 // 1, 1, 1 }
  end)
end

os.exit(lu.LuaUnit.run())
