-- test_global_avg_pool2d.lua - one number a channel.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local image, rows = helpers.image, helpers.rows

TestGlobalAvgPool2d = {}

local methods = { "textbook", "lanes" }

function TestGlobalAvgPool2d:test_worked_example()
  for _, method in ipairs(methods) do
    local pool = nn.global_avg_pool2d { method = method }
    lu.assertEquals(rows(pool:forward(image { { 1, 5, 2 }, { 3, 4, 9 } })),
      { { 4 } })
    lu.assertEquals(rows(pool:backward(image { { 12 } })),
      { { 2, 2, 2 }, { 2, 2, 2 } })
  end
end

function TestGlobalAvgPool2d:test_channels_and_items_stay_apart()
  for _, method in ipairs(methods) do
    local pool = nn.global_avg_pool2d { method = method }
    local x = lunet.tensor { { { { 1, 3 } }, { { 5, 7 } } },
      { { { 0, 0 } }, { { -2, 4 } } } }
    lu.assertEquals(pool:forward(x):tolist(),
      { { { { 2 } }, { { 6 } } }, { { { 0 } }, { { 1 } } } })
  end
end

function TestGlobalAvgPool2d:test_a_shuffled_image_has_the_same_mean()
  local x = gradcheck.random { 1, 2, 6, 5 }
  local turned = x:transpose(3, 4)
  local pool = nn.global_avg_pool2d {}
  helpers.assert_near(pool:forward(turned), pool:forward(x):tolist(), 1e-6)
end

function TestGlobalAvgPool2d:test_fast_equals_textbook()
  for _ = 1, 20 do
    helpers.assert_equals_textbook("global_avg_pool2d", "lanes", {},
      gradcheck.random { math.random(3), math.random(4), math.random(9),
        math.random(9) })
  end
end

function TestGlobalAvgPool2d:test_a_nan_stays_visible()
  for _, method in ipairs(methods) do
    local pool = nn.global_avg_pool2d { method = method }
    local y = rows(pool:forward(image { { 1, 0 / 0 } }))[1][1]
    lu.assertTrue(y ~= y)
  end
end

function TestGlobalAvgPool2d:test_batch_of_none()
  for _, method in ipairs(methods) do
    local pool = nn.global_avg_pool2d { method = method }
    local y = pool:forward(lunet.zeros { 0, 3, 4, 6 })
    lu.assertEquals(y:shape(), { 0, 3, 1, 1 })
    lu.assertEquals(pool:backward(y):shape(), { 0, 3, 4, 6 })
  end
end

function TestGlobalAvgPool2d:test_items_alone()
  helpers.assert_items_alone(nn.global_avg_pool2d {},
    gradcheck.random { 5, 3, 7, 5 })
end

function TestGlobalAvgPool2d:test_gradients()
  for _, method in ipairs(methods) do
    helpers.assert_gradients(nn.global_avg_pool2d { method = method },
      { gradcheck.random { 2, 3, 8, 6 } })
  end
end

function TestGlobalAvgPool2d:test_refuses()
  local function refuses(sentence, shape)
    helpers.assert_refused("global_avg_pool2d: " .. sentence, function()
      nn.global_avg_pool2d {}:forward(lunet.zeros(shape))
    end)
  end
  refuses("expects x(N,C,H,W), but x is (2,2) with 2 dims", { 2, 2 })
  refuses("x has no pixels: its images are 3 x 0", { 1, 1, 3, 0 })
end

os.exit(lu.LuaUnit.run())
