-- test_local_response_norm.lua - loud neighbour channels make quiet.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local random = gradcheck.random

TestLocalResponseNorm = {}

-- s of the middle channel: 1 + 3/3 * (1 + 4 + 4) = 10; the edges see two.
function TestLocalResponseNorm:test_worked_example()
  local norm = nn.local_response_norm { size = 3, alpha = 3, beta = 1 }
  local y = norm:forward(lunet.tensor { { 1, 2, 2 } })
  helpers.assert_near(y, { { 1 / 6, 2 / 10, 2 / 9 } })
  -- dy = 1 at the middle: 1/10 - 2 * 2 * 2/100 there, -2 * x * 2/100 around
  local dx = norm:backward(lunet.tensor { { 0, 1, 0 } })
  helpers.assert_near(dx, { { -0.04, 0.02, -0.08 } })
end

-- Of an even size the odd channel lies ahead: 4 sees c-2, c-1, c, c+1.
function TestLocalResponseNorm:test_the_window_of_an_even_size()
  local norm = nn.local_response_norm { size = 4, alpha = 4, beta = 1 }
  local y = norm:forward(lunet.ones { 1, 5 })
  helpers.assert_near(y, { { 1 / 3, 1 / 4, 1 / 5, 1 / 5, 1 / 4 } })
end

function TestLocalResponseNorm:test_size_1_sees_only_itself()
  local norm = nn.local_response_norm { size = 1, alpha = 1, beta = 1, k = 2 }
  helpers.assert_near(norm:forward(lunet.tensor { { 0, 1, 2 } }),
    { { 0, 1 / 3, 2 / 6 } })
end

function TestLocalResponseNorm:test_a_window_wider_than_the_channels()
  local options = { size = 2 ^ 40, alpha = 2 ^ 40, beta = 0.5 }
  local norm = nn.local_response_norm(options)
  helpers.assert_near(norm:forward(lunet.tensor { { 2, 2 } }),
    { { 2 / 3, 2 / 3 } })
end

function TestLocalResponseNorm:test_defaults()
  local norm = nn.local_response_norm { size = 2 }
  helpers.assert_near(norm:forward(lunet.tensor { { 100 } }),
    { { 100 / (1 + 1e-4 / 2 * 100 ^ 2) ^ 0.75 } })
end

function TestLocalResponseNorm:test_roots_equal_textbook()
  for _ = 1, 40 do
    helpers.assert_equals_textbook("local_response_norm", "roots", {
      size = math.random(9), alpha = math.random(), k = 1 + math.random() },
      random { math.random(3), math.random(9), math.random(7), math.random(7) })
  end
end

-- Another exponent has no roots.
function TestLocalResponseNorm:test_roots_are_for_three_quarters()
  local norm = nn.local_response_norm { size = 3, beta = 0.5, method = "roots" }
  helpers.assert_refused('the method "roots" of local_response_norm does not '
    .. "work here", norm.forward, norm, random { 1, 4, 2, 2 })
end

function TestLocalResponseNorm:test_places_do_not_see_each_other()
  local norm = nn.local_response_norm { size = 3, alpha = 1 }
  local x = random { 2, 5, 3, 4 }
  local y = norm:forward(x)
  local place = x:narrow(3, 2, 1):narrow(4, 3, 1):clone()
  helpers.assert_near(norm:forward(place),
    y:narrow(3, 2, 1):narrow(4, 3, 1):clone():tolist())
end

function TestLocalResponseNorm:test_items_alone()
  helpers.assert_items_alone(nn.local_response_norm { size = 3, alpha = 1 },
    random { 4, 5, 3, 2 })
end

function TestLocalResponseNorm:test_gradients()
  for _, size in ipairs { 1, 2, 3, 4, 5, 9 } do
    for _, beta in ipairs { 0.5, 0.75, 2, -1 } do
      for _, k in ipairs { 1, 2 } do
        local roots = beta == 0.75 and "roots" or nil
        for _, method in ipairs { "textbook", roots } do
          local norm = nn.local_response_norm { size = size, alpha = 0.8,
            beta = beta, k = k, method = method }
          helpers.assert_gradients(norm, { random { 2, 6, 2, 2 } })
        end
      end
    end
  end
end

function TestLocalResponseNorm:test_batch_of_none()
  local norm = nn.local_response_norm { size = 3 }
  local y = norm:forward(lunet.zeros { 0, 4, 2, 2 })
  lu.assertEquals(y:shape(), { 0, 4, 2, 2 })
  lu.assertEquals(norm:backward(y):shape(), { 0, 4, 2, 2 })
end

-- Where its channels are seen, and nowhere else.
function TestLocalResponseNorm:test_nan_stays_visible()
  local norm = nn.local_response_norm { size = 3, alpha = 1 }
  local y = norm:forward(lunet.tensor { { 0 / 0, 1, 1 } })
  lu.assertNaN(y[1][1])
  lu.assertNaN(y[1][2])
  lu.assertFalse(y[1][3] ~= y[1][3])
end

function TestLocalResponseNorm:test_refuses_what_has_no_channels()
  local norm = nn.local_response_norm { size = 3 }
  helpers.assert_refused("expects x(N,C,...), but x is (3) with 1 dim",
    norm.forward, norm, random { 3 })
  helpers.assert_refused("the output would be (2,0,3), with nothing in it",
    norm.forward, norm, lunet.zeros { 2, 0, 3 })
end

function TestLocalResponseNorm:test_refuses_options_out_of_range()
  helpers.assert_refused("the option size is missing; it must be a whole "
    .. "number >= 1", nn.local_response_norm, {})
  helpers.assert_refused("size = 0, but it must be a whole number >= 1",
    nn.local_response_norm, { size = 0 })
  helpers.assert_refused("alpha = -1, but it must be a number >= 0",
    nn.local_response_norm, { size = 3, alpha = -1 })
  helpers.assert_refused("k = -1, but it must be a number >= 0",
    nn.local_response_norm, { size = 3, k = -1 })
end

os.exit(lu.LuaUnit.run())
