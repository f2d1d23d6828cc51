-- test_dropout.lua - numbers dropped at random.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn

TestDropout = {}

function TestDropout:setUp()
  lunet.manual_seed(14)
end

local function share_of_zeros(t)
  local zeros, all = 0, gradcheck.list(t)
  for _, v in ipairs(all) do if v == 0 then zeros = zeros + 1 end end
  return zeros / #all
end

-- The page: with p = 0.5 a number is dropped or doubled.
function TestDropout:test_worked_example()
  local dropout = nn.dropout { p = 0.5 }
  local y = dropout:forward(lunet.full({ 4, 25 }, 3))
  for _, v in ipairs(gradcheck.list(y)) do
    lu.assertTrue(v == 0 or v == 6)
  end
end

-- 40,000 draws: three standard deviations are 0.007.
function TestDropout:test_drops_the_share_p_and_keeps_the_mean()
  local y = nn.dropout { p = 0.3 }:forward(lunet.ones { 40, 1000 })
  lu.assertAlmostEquals(share_of_zeros(y), 0.3, 0.007)
  lu.assertAlmostEquals(y:mean(), 1, 0.01)
end

function TestDropout:test_the_gradient_has_the_same_mask()
  local dropout, x = nn.dropout { p = 0.4 }, lunet.ones { 8, 50 }
  local y = dropout:forward(x)
  helpers.assert_near(dropout:backward(x * 3), (y * 3):tolist())
end

-- Finite differences need the same mask in each pass: that of a new layer
-- after the same seed.
local function with_one_mask(p)
  local fixed, dropout = { parameters = function() return {} end }, nil
  function fixed.zero_grad() end
  function fixed.backward(_, dy) return dropout:backward(dy) end
  function fixed.forward(_, x)
    lunet.manual_seed(14)
    dropout = nn.dropout { p = p }
    return dropout:forward(x)
  end
  return fixed
end

function TestDropout:test_gradients()
  for _, p in ipairs { 0, 0.3, 0.9 } do
    local x = { gradcheck.random { 4, 5, 6 } }
    helpers.assert_gradients(with_one_mask(p), x)
    local dropout = nn.dropout { p = p }
    dropout:eval()
    helpers.assert_gradients(dropout, x)
  end
end

function TestDropout:test_each_pass_draws_another_mask()
  local dropout, x = nn.dropout {}, lunet.ones { 4, 50 }
  local first = dropout:forward(x):tolist()
  lu.assertNotEquals(dropout:forward(x):tolist(), first)
end

-- Also where the host computes slices of the batch.
function TestDropout:test_each_item_has_a_mask_of_its_own()
  local seen, y = {}, nn.dropout {}:forward(lunet.ones { 64, 50 })
  for n, row in ipairs(y:tolist()) do
    local mask = table.concat(row, " ")
    lu.assertNil(seen[mask], ("item %d has the mask of another"):format(n))
    seen[mask] = true
  end
end

function TestDropout:test_same_seed_same_mask()
  local x = lunet.ones { 4, 50 }
  local first = nn.dropout {}:forward(x)
  lunet.manual_seed(14)
  helpers.assert_same(nn.dropout {}:forward(x), first)
  lunet.manual_seed(15)
  lu.assertNotEquals(nn.dropout {}:forward(x):tolist(), first:tolist())
end

function TestDropout:test_same_mask_for_any_number_of_threads()
  local x, before = lunet.ones { 64, 500 }, lunet.num_threads()
  local masks = {}
  for i, threads in ipairs { 1, 2, 7 } do
    lunet.manual_seed(14)
    lunet.set_num_threads(threads)
    masks[i] = nn.dropout {}:forward(x)
  end
  lunet.set_num_threads(before)
  helpers.assert_same(masks[2], masks[1])
  helpers.assert_same(masks[3], masks[1])
end

function TestDropout:test_does_nothing_in_evaluation()
  local dropout, x = nn.dropout { p = 0.9 }, gradcheck.random { 3, 4 }
  dropout:eval()
  helpers.assert_same(dropout:forward(x), x)
  helpers.assert_same(dropout:backward(x), x)
end

function TestDropout:test_p_0_keeps_all_and_p_1_drops_all()
  local x = gradcheck.random { 3, 4 }
  helpers.assert_same(nn.dropout { p = 0 }:forward(x), x)
  local dropout = nn.dropout { p = 1 }
  lu.assertEquals(share_of_zeros(dropout:forward(x)), 1)
  lu.assertEquals(share_of_zeros(dropout:backward(x)), 1)
end

function TestDropout:test_refuses_what_is_no_probability()
  helpers.assert_refused("p", nn.dropout, { p = 1.5 })
  helpers.assert_refused("p", nn.dropout, { p = -0.1 })
end

os.exit(lu.LuaUnit.run())
