-- helpers.lua - what the tests of the layers have in common.
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"

local nn = lunet.nn
local helpers = {}

-- ---- numbers ---------------------------------------------------------------

-- Is the tensor (or number) `got` what the nested list says, shape included?
function helpers.assert_near(got, expected, tolerance)
  tolerance = tolerance or 1e-6
  if type(expected) == "table" then
    lu.assertEquals(got:shape(), lunet.tensor(expected):shape())
  end
  local a, b = gradcheck.list(got), gradcheck.list(expected)
  for i = 1, #b do
    local allowed = tolerance * math.max(1, math.abs(b[i]))
    lu.assertTrue(math.abs(a[i] - b[i]) <= allowed,
      ("element %d is %.9g, expected %.9g"):format(i, a[i], b[i]))
  end
end

-- Do two tensors hold the same bits?
function helpers.assert_same(a, b)
  lu.assertEquals(a:shape(), b:shape())
  local x, y = gradcheck.list(a), gradcheck.list(b)
  for i = 1, #y do
    lu.assertTrue(x[i] == y[i],
      ("element %d is %.9g, expected %.9g"):format(i, x[i], y[i]))
  end
end

-- One image with one channel, from its rows.
function helpers.image(rows)
  return lunet.tensor { { rows } }
end

-- The rows of the only channel of the only image.
function helpers.rows(t)
  lu.assertEquals({ t:shape()[1], t:shape()[2] }, { 1, 1 })
  return t:tolist()[1][1]
end

-- The input of the lecture's 5x5 example.
helpers.lecture_image = {
  { 3, 3, 2, 1, 0 },
  { 0, 0, 1, 3, 1 },
  { 3, 1, 2, 2, 3 },
  { 2, 0, 0, 2, 2 },
  { 2, 0, 0, 0, 1 },
}

-- A convolution of one channel with this kernel, without bias.
function helpers.filter(kernel, options)
  local all = { in_channels = 1, out_channels = 1, bias = false,
    kernel_size = { #kernel, #kernel[1] } }
  for name, value in pairs(options or {}) do all[name] = value end
  local conv = nn.conv2d(all)
  conv.weight:copy(helpers.image(kernel))
  return conv
end

-- Fills all parameters with random numbers.
function helpers.randomize(layer)
  for _, p in ipairs(layer:parameters()) do
    p.value:copy(gradcheck.random(p.value:shape()))
  end
end

-- ---- checks that all layers share ------------------------------------------

function helpers.assert_gradients(layer, inputs, options)
  helpers.randomize(layer)
  local ok, message = gradcheck.check(layer, inputs, options)
  lu.assertTrue(ok, message)
end

-- Does f fail with this sentence somewhere in its message?
function helpers.assert_refused(sentence, f, ...)
  local ok, message = pcall(f, ...)
  lu.assertFalse(ok, "not refused: " .. sentence)
  lu.assertStrContains(tostring(message), sentence)
end

local function copy_options(options, method)
  local copy = { method = method }
  for name, value in pairs(options) do copy[name] = value end
  return copy
end

local function assert_close(what, a, b)
  lu.assertEquals(a:shape(), b:shape(), what)
  local x, y, largest = gradcheck.list(a), gradcheck.list(b), 1
  for i = 1, #y do largest = math.max(largest, math.abs(y[i])) end
  for i = 1, #y do
    lu.assertTrue(math.abs(x[i] - y[i]) <= 1e-5 * largest,
      ("%s[%d] is %.9g, the textbook has %.9g"):format(what, i, x[i], y[i]))
  end
end

-- Does the method give what the textbook gives, forward and backward?
function helpers.assert_equals_textbook(word, method, options, x)
  local fast = nn[word](copy_options(options, method))
  local textbook = nn[word](copy_options(options, "textbook"))
  fast:forward(x) -- both know their weights now
  textbook:forward(x)
  helpers.randomize(textbook)
  fast:load_state(textbook:state())
  local expected = textbook:forward(x)
  assert_close("y", fast:forward(x), expected)
  local dy = gradcheck.random(expected:shape())
  assert_close("dx", fast:backward(dy), textbook:backward(dy))
  for i, p in ipairs(textbook:parameters()) do
    assert_close("d" .. p.name, fast:parameters()[i].grad, p.grad)
  end
end

-- Does each item alone give what it gives within the batch?
function helpers.assert_items_alone(layer, x)
  local dy = gradcheck.random(layer:forward(x):shape())
  local y = layer:forward(x)
  local dx = layer:backward(dy)
  for n = 1, x:shape()[1] do
    assert_close("y of item " .. n, layer:forward(x:narrow(1, n, 1)),
      y:narrow(1, n, 1):clone())
    assert_close("dx of item " .. n, layer:backward(dy:narrow(1, n, 1)),
      dx:narrow(1, n, 1):clone())
  end
end

-- Adds to a class what is true of every activation: it works on each number
-- alone. kinked: its slope is made of constants, so no NaN reaches dx.
function helpers.add_activation_tests(class, word, options)
  local new = lunet.nn[word]

  function class.test_a_nan_stays_visible()
    local layer = new {}
    local y = layer:forward(lunet.tensor { 0 / 0, 1 }):tolist()
    local dx = layer:backward(lunet.ones { 2 }):tolist()
    lu.assertNaN(y[1])
    if not (options and options.kinked) then lu.assertNaN(dx[1]) end
    lu.assertNotNaN(y[2] + dx[2])
  end

  function class.test_batch_of_none()
    local layer = new {}
    local y = layer:forward(lunet.zeros { 0, 3 })
    lu.assertEquals(y:shape(), { 0, 3 })
    lu.assertEquals(layer:backward(y):shape(), { 0, 3 })
  end

  function class.test_items_alone()
    helpers.assert_items_alone(new {}, gradcheck.random { 4, 3, 5 })
  end

  function class.test_refuses_two_inputs()
    local layer, x = new {}, lunet.zeros { 2 }
    helpers.assert_refused(word .. ": expects 1 input: x(...), but got 2",
      layer.forward, layer, x, x)
  end
end

-- f gives some tensors: the same bits whatever the number of threads?
function helpers.assert_threads_change_no_bit(f)
  local before, first = lunet.num_threads(), nil
  for _, threads in ipairs { 1, 2, 3, 7 } do
    lunet.set_num_threads(threads)
    local results = table.pack(f())
    first = first or results
    for i = 1, #first do helpers.assert_same(results[i], first[i]) end
  end
  lunet.set_num_threads(before)
end

-- Adds to a class what is true of every loss that compares number by number:
-- the mean over all numbers, or their sum, 0 at the target.
function helpers.add_loss_tests(class, word)
  local new, random = lunet.nn[word], gradcheck.random

  function class.test_sum_is_the_mean_times_the_elements()
    local x, target = random { 3, 4 }, random { 3, 4 }
    helpers.assert_near(new { reduction = "sum" }:forward(x, target),
      12 * new {}:forward(x, target), 1e-5)
  end

  function class.test_is_0_at_the_target()
    local loss, x = new {}, random { 3, 4 }
    lu.assertEquals(loss:forward(x, x), 0)
    helpers.assert_same(loss:backward(), lunet.zeros { 3, 4 })
  end

  -- The mean of nothing is 0 / 0.
  function class.test_no_elements()
    local none = lunet.zeros { 0, 3 }
    lu.assertNaN(new {}:forward(none, none))
    local sum = new { reduction = "sum" }
    lu.assertEquals(sum:forward(none, none), 0)
    lu.assertEquals(sum:backward():shape(), { 0, 3 })
  end

  function class.test_a_nan_stays_visible()
    local loss, nan = new {}, 0 / 0
    local x, target = lunet.tensor { nan, 1, 1 }, lunet.tensor { 0, 0, nan }
    lu.assertNaN(loss:forward(x, target))
    local dx = loss:backward():tolist()
    lu.assertNaN(dx[1])
    lu.assertNotNaN(dx[2])
    lu.assertNaN(dx[3])
  end

  function class.test_refuses_another_shape()
    local loss = new {}
    helpers.assert_refused("the inputs must have one shape, but target is "
      .. "(4,3) where the first is (3,4)", loss.forward, loss, random { 3, 4 },
      random { 4, 3 })
  end

  function class.test_refuses_to_run_without_a_target()
    local loss = new {}
    helpers.assert_refused("expects 2 inputs: x(...), target(...), but got 1",
      loss.forward, loss, random { 3 })
  end
end

return helpers
