-- test_adaptive_avg_pool2d.lua - means of as many cells as are wanted.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local image, rows = helpers.image, helpers.rows

TestAdaptiveAvgPool2d = {}

-- Five columns in two cells: columns 1 to 3 and 3 to 5.
function TestAdaptiveAvgPool2d:test_worked_example()
  local pool = nn.adaptive_avg_pool2d { output_size = { 1, 2 } }
  lu.assertEquals(rows(pool:forward(image { { 1, 2, 6, 4, 8 } })),
    { { 3, 6 } })
  lu.assertEquals(rows(pool:backward(image { { 3, 6 } })),
    { { 1, 1, 3, 2, 2 } })
end

function TestAdaptiveAvgPool2d:test_sizes_that_divide_are_avg_pool2d()
  local x = gradcheck.random { 2, 3, 8, 12 }
  local cells = nn.adaptive_avg_pool2d { output_size = { 4, 3 } }
  local pool = nn.avg_pool2d { kernel_size = { 2, 4 } }
  helpers.assert_near(cells:forward(x), pool:forward(x):tolist(), 1e-6)
end

function TestAdaptiveAvgPool2d:test_one_cell_is_global_avg_pool2d()
  local x = gradcheck.random { 2, 3, 5, 7 }
  local one = nn.adaptive_avg_pool2d { output_size = 1 }
  local global = nn.global_avg_pool2d {}
  helpers.assert_near(one:forward(x), global:forward(x):tolist(), 1e-6)
end

function TestAdaptiveAvgPool2d:test_as_many_cells_as_pixels_change_nothing()
  local x = gradcheck.random { 2, 3, 5, 7 }
  local pool = nn.adaptive_avg_pool2d { output_size = { 5, 7 } }
  helpers.assert_same(pool:forward(x), x)
end

function TestAdaptiveAvgPool2d:test_more_cells_than_pixels_repeat_them()
  local pool = nn.adaptive_avg_pool2d { output_size = { 1, 4 } }
  lu.assertEquals(rows(pool:forward(image { { 5, 7 } })), { { 5, 5, 7, 7 } })
end

function TestAdaptiveAvgPool2d:test_the_size_of_y_is_that_wanted()
  local pool = nn.adaptive_avg_pool2d { output_size = 3 }
  for size = 1, 12 do
    lu.assertEquals(pool:forward(lunet.zeros { 1, 2, size, 13 - size })
      :shape(), { 1, 2, 3, 3 })
  end
end

function TestAdaptiveAvgPool2d:test_a_nan_stays_in_its_cell()
  local pool = nn.adaptive_avg_pool2d { output_size = { 1, 2 } }
  local y = rows(pool:forward(image { { 0 / 0, 1, 2, 4 } }))[1]
  lu.assertTrue(y[1] ~= y[1])
  lu.assertEquals(y[2], 3)
end

function TestAdaptiveAvgPool2d:test_batch_of_none()
  local pool = nn.adaptive_avg_pool2d { output_size = 2 }
  local y = pool:forward(lunet.zeros { 0, 3, 4, 6 })
  lu.assertEquals(y:shape(), { 0, 3, 2, 2 })
  lu.assertEquals(pool:backward(y):shape(), { 0, 3, 4, 6 })
end

function TestAdaptiveAvgPool2d:test_items_alone()
  helpers.assert_items_alone(nn.adaptive_avg_pool2d { output_size = 3 },
    gradcheck.random { 5, 3, 7, 5 })
end

function TestAdaptiveAvgPool2d:test_gradients()
  for _, size in ipairs { 1, 3, { 4, 2 }, { 2, 6 }, { 9, 8 } } do
    helpers.assert_gradients(nn.adaptive_avg_pool2d { output_size = size },
      { gradcheck.random { 2, 3, 8, 6 } })
  end
end

function TestAdaptiveAvgPool2d:test_refuses()
  local function refuses(sentence, options, shape)
    helpers.assert_refused("adaptive_avg_pool2d: " .. sentence, function()
      nn.adaptive_avg_pool2d(options):forward(lunet.zeros(shape))
    end)
  end
  refuses("output_size = 0, but it must be a whole number from 1 to 65535 or "
    .. "a list of 2", { output_size = 0 }, { 1, 1, 2, 2 })
  refuses("expects x(N,C,H,W), but x is (2,2,2) with 3 dims",
    { output_size = 1 }, { 2, 2, 2 })
  refuses("images of 0 x 3 pixels: each side must have 1 to 2^40 of them",
    { output_size = 1 }, { 1, 1, 0, 3 })
end

function TestAdaptiveAvgPool2d:test_refuses_what_no_memory_can_hold()
  helpers.assert_refused("more elements than memory can ever hold", function()
    nn.adaptive_avg_pool2d { output_size = 65535 }:build { 2 ^ 40 // 1, 1, 1 }
  end)
end

os.exit(lu.LuaUnit.run())
