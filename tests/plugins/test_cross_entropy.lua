-- test_cross_entropy.lua - the loss of a classifier.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local random = gradcheck.random

local function loss_of(scores, labels, options)
  return nn.cross_entropy(options or {}):forward(lunet.tensor(scores),
    lunet.tensor(labels))
end

local function labels_of(N, K)
  local labels = lunet.zeros { N }
  for n = 1, N do labels[n] = n * 7 % K end
  return labels
end

local function with_method(method, options)
  local all = { method = method }
  for name, value in pairs(options) do all[name] = value end
  return nn.cross_entropy(all)
end

local function assert_methods_agree(x, labels, options)
  local fast = with_method("vector", options)
  local textbook = with_method("textbook", options)
  helpers.assert_near(fast:forward(x, labels), textbook:forward(x, labels))
  helpers.assert_near(fast:backward(), textbook:backward():tolist())
end

TestCrossEntropy = {}

-- exp of the scores: 1, 2, 5; so the shares are 1/8, 2/8, 5/8.
local scores = { { 0, math.log(2), math.log(5) } }

function TestCrossEntropy:test_worked_example()
  local loss = nn.cross_entropy {}
  local value = loss:forward(lunet.tensor(scores), lunet.tensor { 1 })
  helpers.assert_near(value, math.log(4)) -- -log(2/8)
  helpers.assert_near(loss:backward(), { { 0.125, -0.75, 0.625 } })
end

function TestCrossEntropy:test_label_smoothing()
  local loss = nn.cross_entropy { label_smoothing = 0.3 }
  local value = loss:forward(lunet.tensor(scores), lunet.tensor { 1 })
  -- q = 0.1, 0.8, 0.1
  helpers.assert_near(value, -0.1 * math.log(1 / 8) - 0.8 * math.log(2 / 8)
    - 0.1 * math.log(5 / 8))
  helpers.assert_near(loss:backward(), { { 0.025, -0.55, 0.525 } })
end

-- A net that knows nothing yet: all classes alike.
function TestCrossEntropy:test_knowing_nothing_costs_log_of_the_classes()
  local value = nn.cross_entropy {}:forward(lunet.zeros { 4, 10 },
    lunet.tensor { 0, 3, 9, 3 })
  helpers.assert_near(value, math.log(10))
end

function TestCrossEntropy:test_is_log_softmax_and_picking()
  local x = random { 3, 4 }
  local logs = nn.log_softmax {}:forward(x):tolist()
  local value = nn.cross_entropy {}:forward(x, lunet.tensor { 2, 0, 3 })
  helpers.assert_near(value, -(logs[1][3] + logs[2][1] + logs[3][4]) / 3)
end

function TestCrossEntropy:test_reduction()
  local two = { { 0, 1 }, { 2, 0 } }
  helpers.assert_near(loss_of(two, { 0, 1 }, { reduction = "sum" }),
    2 * loss_of(two, { 0, 1 }, { reduction = "mean" }))
end

function TestCrossEntropy:test_large_scores_do_not_overflow()
  helpers.assert_near(loss_of({ { 0, 5000 } }, { 0 }), 5000)
  helpers.assert_near(loss_of({ { 0, 5000 } }, { 1 }), 0)
end

function TestCrossEntropy:test_gradients_of_an_item_add_up_to_0()
  local loss = nn.cross_entropy { label_smoothing = 0.2 }
  loss:forward(random { 3, 5 }, lunet.tensor { 0, 4, 2 })
  for _, sum in ipairs(loss:backward():sum(2):tolist()) do
    lu.assertAlmostEquals(sum, 0, 1e-6)
  end
end

function TestCrossEntropy:test_gradients()
  local labels = lunet.tensor { 0, 4, 2 }
  for _, reduction in ipairs { "mean", "sum" } do
    for _, smoothing in ipairs { 0, 0.3 } do
      helpers.assert_gradients(nn.cross_entropy { reduction = reduction,
        label_smoothing = smoothing }, { random { 3, 5 }, labels })
    end
  end
end

function TestCrossEntropy:test_refuses_labels_that_are_no_class()
  helpers.assert_refused("label 10 of item 3 is no class: with 10 scores an "
    .. "item, classes are 0..9, as nn.cross_entropy counts classes from 0",
    function()
      nn.cross_entropy {}:forward(lunet.zeros { 3, 10 },
        lunet.tensor { 0, 1, 10 })
    end)
  for text, label in pairs { ["-1"] = -1, ["1.5"] = 1.5, nan = 0 / 0 } do
    helpers.assert_refused(text .. " of item 1 is no class", loss_of,
      { { 0, 0 } }, { label })
  end
end

-- The mean of no losses is 0 / 0.
function TestCrossEntropy:test_batch_of_none()
  local none, labels = lunet.zeros { 0, 3 }, lunet.zeros { 0 }
  lu.assertNaN(nn.cross_entropy {}:forward(none, labels))
  local sum = nn.cross_entropy { reduction = "sum" }
  lu.assertEquals(sum:forward(none, labels), 0)
  lu.assertEquals(sum:backward():shape(), { 0, 3 })
end

function TestCrossEntropy:test_a_nan_stays_visible()
  for _, score in ipairs { 0 / 0, math.huge } do
    local loss = nn.cross_entropy {}
    lu.assertNaN(loss:forward(lunet.tensor { { score, 1 }, { 0, 1 } },
      lunet.tensor { 0, 1 }))
    local dx = loss:backward():tolist()
    lu.assertNaN(dx[1][1])
    lu.assertNaN(dx[1][2])
    lu.assertNotNaN(dx[2][1] + dx[2][2])
  end
end

-- A class whose score is minus infinity is ruled out: free of cost, unless it
-- is the truth or gets a share of it.
function TestCrossEntropy:test_a_class_ruled_out()
  local ruled_out = { { 0, -math.huge } }
  lu.assertEquals(loss_of(ruled_out, { 0 }), 0)
  lu.assertEquals(loss_of(ruled_out, { 1 }), math.huge)
  lu.assertEquals(loss_of(ruled_out, { 0 }, { label_smoothing = 0.1 }),
    math.huge)
end

function TestCrossEntropy:test_refuses_other_shapes()
  local loss = nn.cross_entropy {}
  helpers.assert_refused("expects scores(N,K), but scores is (2,3,4) with 3 "
    .. "dims", loss.forward, loss, lunet.zeros { 2, 3, 4 }, lunet.zeros { 2 })
  helpers.assert_refused("expects target(N), but target is (2,3) with 2 dims",
    loss.forward, loss, lunet.zeros { 2, 3 }, lunet.zeros { 2, 3 })
  helpers.assert_refused("the scores have no classes: (N,K) = (2,0)",
    loss.forward, loss, lunet.zeros { 2, 0 }, lunet.zeros { 2 })
end

function TestCrossEntropy:test_refuses_other_numbers_of_labels()
  helpers.assert_refused("N = 2, but target has 3 there", loss_of,
    { { 0, 1 }, { 2, 3 } }, { 0, 1, 0 })
end

-- ---- method "vector" --------------------------------------------------------

-- The lengths around a vector of 16, with and without a tail.
function TestCrossEntropy:test_vector_equals_textbook()
  for _, K in ipairs { 16, 17, 63, 100, 1100 } do
    for _, options in ipairs { {}, { reduction = "sum" },
      { label_smoothing = 0.2 } } do
      assert_methods_agree(random { 5, K } * 8, labels_of(5, K), options)
    end
  end
end

function TestCrossEntropy:test_vector_takes_large_scores_and_ruled_out_classes()
  local x = random { 3, 20 } + 5000
  assert_methods_agree(x, labels_of(3, 20), {})
  x[2][4] = -math.huge
  assert_methods_agree(x, lunet.tensor { 19, 0, 1 }, {})
end

function TestCrossEntropy:test_vector_shows_a_nan()
  for _, score in ipairs { 0 / 0, math.huge } do
    for k = 1, 20 do
      local x, loss = random { 2, 20 }, nn.cross_entropy { method = "vector" }
      x[1][k] = score
      lu.assertNaN(loss:forward(x, lunet.tensor { 0, 1 }))
      local dx = loss:backward():tolist()
      lu.assertNaN(dx[1][1])
      lu.assertNotNaN(dx[2][1])
    end
  end
end

-- Enough items that every thread gets some.
function TestCrossEntropy:test_threads_change_no_bit()
  local x, labels = random { 100, 1000 }, labels_of(100, 1000)
  helpers.assert_threads_change_no_bit(function()
    local loss = nn.cross_entropy { method = "vector" }
    local value = loss:forward(x, labels)
    return lunet.tensor { value }, loss:backward()
  end)
end

os.exit(lu.LuaUnit.run())
