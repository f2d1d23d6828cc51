-- test_explain.lua - the products behind an output, the sum behind a gradient,
-- the numbers in a size formula: the lecture's numbers, and the layer's own.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local helpers = require "plugins.helpers"
local lunet = require "lunet"
local explain_gradient = require "lunet.explain.gradient"
local explain_output = require "lunet.explain.output"
local nn = lunet.nn

-- What f() prints.
local function printed(f)
  local lines, original = {}, print
  print = function(text) lines[#lines + 1] = text end -- luacheck: ignore
  local ok, problem = pcall(f)
  print = original -- luacheck: ignore
  lu.assertTrue(ok, tostring(problem))
  return table.concat(lines, "\n")
end

local lecture_kernel = { { 0, 1, 2 }, { 2, 2, 0 }, { 0, 1, 2 } }

local function lecture()
  return helpers.filter(lecture_kernel), helpers.image(helpers.lecture_image)
end

-- ---- explain ---------------------------------------------------------------

TestExplain = {}

-- The lecture's first step, 3 3 2 / 0 0 1 / 3 1 2 under the kernel, gives 12.
function TestExplain:test_the_lectures_first_output()
  local conv, x = lecture()
  local text = printed(function() conv:explain(x, { 1, 1, 1, 1 }) end)
  lu.assertEquals(text, [[
conv2d: item 1, channel 1 of y; each pixel times the weight that it meets
  channel 1 of x, rows 1 to 3 of 5, columns 1 to 3 of 5
    3·0  3·1  2·2   = 7
    0·2  0·2  1·0   = 0
    3·0  1·1  2·2   = 5
y[1][1] (the lecture's Y[0,0]) = 3·0 + 3·1 + 2·2 + 0·2 + 0·2 + 1·0 + 3·0 + 1·1
    + 2·2 = 12]])
end

-- 12 12 17 / 10 17 19 / 9 6 14, place by place; {oy, ox} is enough.
function TestExplain:test_all_of_the_lectures_outputs()
  local conv, x = lecture()
  for oy, row in ipairs { { 12, 12, 17 }, { 10, 17, 19 }, { 9, 6, 14 } } do
    for ox, value in ipairs(row) do
      local text = explain_output(conv, x, { oy, ox })
      lu.assertStrMatches(text, ".* = " .. value)
      lu.assertStrContains(text, ("the lecture's Y[%d,%d]"):format(oy - 1,
                                                                  ox - 1))
    end
  end
end

local function value_of(text) return tonumber(text:match("= ([%d.e+-]+)$")) end

-- The sum of what is shown is the output, to the digits that are shown.
local function assert_adds_up(text, value)
  lu.assertTrue(math.abs(value_of(text) - value) <=
                1e-3 * math.max(1, math.abs(value)), text)
  local equation = text:match("the lecture's.-%) = (.*) = [^=]*$")
  local sum = 0
  for term in (equation:gsub("%s+", " ") .. " + "):gmatch("(.-) %+ ") do
    local a, b = term:match("^(.-)·(.*)$")
    local function number(t) return tonumber((t:gsub("[()]", ""))) end
    if a then
      sum = sum + number(a) * number(b)
    else
      sum = sum + number(term:match("^%S+"))
    end
  end
  lu.assertTrue(math.abs(sum - value) < 0.02, text)
end

function TestExplain:test_adds_up()
  lunet.manual_seed(5)
  for _, case in ipairs {
    { nn.conv2d { in_channels = 3, out_channels = 4, kernel_size = { 3, 2 },
                  stride = 2, padding = 1 }, { 2, 3, 7, 6 }, { 2, 4, 1, 2 } },
    { nn.conv2d { in_channels = 4, out_channels = 6, kernel_size = 3,
                  groups = 2, dilation = 2 }, { 1, 4, 8, 8 }, { 1, 5, 2, 3 } },
    { nn.conv1d { in_channels = 2, out_channels = 3, kernel_size = 3 },
      { 2, 2, 9 }, { 2, 3, 4 } },
    { nn.locally_connected2d { in_channels = 2, out_channels = 3,
                               kernel_size = 2, input_size = { 4, 3 } },
      { 2, 2, 4, 3 }, { 2, 3, 3, 1 } },
    { nn.avg_pool2d { kernel_size = 2 }, { 1, 3, 6, 6 }, { 1, 3, 2, 2 } },
    { nn.max_pool2d { kernel_size = 3, stride = 2, padding = 1 },
      { 1, 2, 6, 6 }, { 1, 2, 1, 1 } },
  } do
    local layer, x, place = case[1], lunet.randn(case[2]), case[3]
    local value = layer:forward(x)
    for _, i in ipairs(place) do value = value[i] end
    assert_adds_up(explain_output(layer, x, place), value)
  end
end

function TestExplain:test_padding_and_channels()
  local conv = helpers.filter({ { 1, 2 }, { 3, 4 } }, { padding = 1 })
  local x = helpers.image { { 5, 6 }, { 7, 8 } }
  lu.assertStrContains(explain_output(conv, x, { 1, 1 }), [[
  channel 1 of x, rows 0 to 1 of 2, columns 0 to 1 of 2
    (0)·1  (0)·2   = 0
    (0)·3    5·4   = 20
  (0) lies outside the image
]])
  local two = nn.conv2d { in_channels = 2, out_channels = 1, kernel_size = 1 }
  two.weight:copy(lunet.tensor { { { { 2 } }, { { -3 } } } })
  two.bias:fill(10)
  lu.assertStrContains(
    explain_output(two, lunet.tensor { { { { 4 } }, { { 5 } } } }, { 1, 1 }),
    "Y[0,0]) = 8 (channel 1) + (-15) (channel 2) + 10 (bias)\n    = 3")
end

-- The winner has the slope 1; the other channel has no part in it.
function TestExplain:test_max_pooling()
  local x = lunet.tensor { { { { 1, 2 }, { 4, 3 } }, { { 9, 9 }, { 9, 9 } } } }
  local text = explain_output(nn.max_pool2d { kernel_size = 2 }, x, { 1, 1 })
  lu.assertStrContains(text, "1·0 + 2·0 + 4·1 + 3·0 = 4")
  lu.assertStrContains(text, "1 other channel has no part in it")
end

function TestExplain:test_linear_shows_the_largest_products()
  local layer = nn.linear { in_features = 12, out_features = 2 }
  layer.weight:fill(0.5)
  layer.bias:fill(1)
  local text = explain_output(layer, lunet.arange(12):view { 1, 12 }, { 2 })
  lu.assertStrContains(text, "linear: y[1][2] = 34")
  lu.assertStrContains(text, "  x[1][12]: 11·0.5 = 5.5\n  x[1][11]: 10·0.5 = 5")
  lu.assertStrContains(text, "2 more, together 0.5\n  bias: 1")
end

-- Without weights: slopes, and what they leave over.
function TestExplain:test_curves_have_a_rest()
  local x = lunet.tensor { { 0, 2 } }
  local text = explain_output(nn.relu {}, x, { 2 })
  lu.assertStrContains(text, "x[1][2]: 2·1 = 2")
  text = explain_output(nn.sigmoid {}, x, { 1 })
  lu.assertStrContains(text, "x[1][1]: 0·0.25 = 0\n  the rest: 0.5")
  text = explain_output(nn.add {}, { x, x }, { 2 })
  lu.assertStrContains(text, "x1[1][2]: 2·1 = 2\n  x2[1][2]: 2·1 = 2")
end

function TestExplain:test_in_a_net()
  local conv, x = lecture()
  local net = nn.sequential { nn.relu {}, conv, nn.flatten {} }
  local text = printed(function() net:explain(conv, x, { 2, 3 }) end)
  lu.assertStrMatches(text, ".*Y%[1,2%]%) = .* = 19")
  text = printed(function() net:explain("0", x, { 1, 1 }) end)
  lu.assertStrContains(text, "relu: y[1][1][1][1] = 3")
end

-- The layer is left as it was: mode, gradients, a pass under way.
function TestExplain:test_changes_nothing()
  local conv, x = lecture()
  local y = conv:forward(x)
  explain_output(conv, x, { 1, 1 })
  helpers.assert_near(conv:parameters()[1].grad:abs():sum(), 0)
  conv:backward(y)
  lu.assertTrue(conv.core_layer:training())
  lu.assertFalse(conv.core_layer:frozen())
end

function TestExplain:test_odd_values()
  local conv, x = lecture()
  x[1][1][1][1] = 0 / 0
  lu.assertStrMatches(explain_output(conv, x, { 1, 1 }), ".*[ (]nan·.* = nan")
end

function TestExplain:test_refusals()
  local conv, x = lecture()
  local function refused(sentence, ...)
    lu.assertErrorMsgContains(sentence, explain_output, ...)
  end
  refused("place 4 along dim 3 is not there; the shape is (1,1,3,3)", conv, x,
          { 4, 4 })
  refused("the place must be a list of up to 4 numbers", conv, x)
  refused("the place must be a list of up to 4 numbers", conv, x,
          { 1, 1, 1, 1, 1 })
  refused("place 0 along dim 4", conv, x, { 1, 0 })
  refused("input 1 is 3, it must be a tensor", conv, 3, { 1 })
  refused("place 1 along dim 1 is not there", conv, lunet.zeros { 0, 1, 5, 5 },
          { 1, 1, 1, 1 })
end

-- ---- explain_grad ----------------------------------------------------------

TestExplainGrad = {}

-- With dy = 1 everywhere each weight gets the sum of the pixels it met.
function TestExplainGrad:test_by_hand()
  local conv, x = lecture()
  local text = printed(function()
    conv:explain_grad(x, lunet.ones { 1, 1, 3, 3 }, { 1, 1, 2, 3 })
  end)
  lu.assertStrContains(text, "dw[1][1][2][3] (the lecture's dW[1,2]) = 16, the "
                       .. "sum of 9 products")
  lu.assertStrContains(text, "  dy[1][1][1][2] · x[1][1][2][4] = 1·3 = 3\n")
end

local function assert_gradient(layer, x, place)
  local y = layer:forward(x)
  local dy = lunet.randn(y:shape())
  layer:zero_grad()
  layer:backward(dy)
  local grad = layer:parameters()[1].grad
  for _, i in ipairs(place) do grad = grad[i] end
  local text = explain_gradient(layer, x, dy, place)
  local value = tonumber(text:match("= ([%d.e+-]+), the sum of"))
  lu.assertTrue(math.abs(value - grad) <= 1e-3 * math.max(1, math.abs(grad)),
                text)
end

function TestExplainGrad:test_is_the_layers_own()
  lunet.manual_seed(6)
  assert_gradient(nn.conv2d { in_channels = 4, out_channels = 6, stride = 2,
    kernel_size = 3, padding = 1, groups = 2 }, lunet.randn { 2, 4, 7, 6 },
    { 5, 2, 1, 3 })
  assert_gradient(nn.conv2d { in_channels = 1, out_channels = 1,
    kernel_size = 2, dilation = 3 }, lunet.randn { 1, 1, 7, 6 }, { 1, 1, 2, 2 })
  assert_gradient(nn.conv1d { in_channels = 2, out_channels = 3,
    kernel_size = 3 }, lunet.randn { 2, 2, 9 }, { 2, 2, 3 })
  assert_gradient(nn.linear { in_features = 5, out_features = 3 },
    lunet.randn { 4, 5 }, { 2, 4 })
  assert_gradient(nn.locally_connected2d { in_channels = 2, out_channels = 3,
    kernel_size = 2, input_size = 4 }, lunet.randn { 2, 2, 4, 4 },
    { 2, 3, 1, 2, 1, 2 })
end

function TestExplainGrad:test_refusals()
  local conv, x = lecture()
  lu.assertErrorMsgContains("relu has no weights that meet the input",
                            explain_gradient, nn.relu {}, x, x, { 1 })
  lu.assertErrorMsgContains("dy is a tensor (1,1,5,5), it must be the gradient "
                            .. "of y, of shape (1,1,3,3)", explain_gradient,
                            conv, x, x, { 1, 1, 1, 1 })
  lu.assertErrorMsgContains("dy is nil", explain_gradient, conv, x)
  lu.assertErrorMsgContains("dy is a function", explain_gradient, conv, x,
                            print)
end

-- ---- why_shape -------------------------------------------------------------

TestWhyShape = {}

-- 32x32x3, ten 5x5 filters, pad 2: 32x32x10 and 760 parameters. 7x7, 3x3:
-- stride 3 gives 2.33, so 2.
function TestWhyShape:test_the_lectures_sizes()
  local conv = nn.conv2d { out_channels = 10, kernel_size = 5, padding = 2 }
  lu.assertEquals(printed(function() conv:why_shape { 3, 32, 32 } end), [[
1  conv2d   (N,3,32,32) → (N,10,32,32)
     channels         out_channels = 10
     height and width floor((32 + 2*2 - 5) / 1) + 1 = 32
     parameters       10*(5*5*3 + 1) = 760]])
  for stride, sentence in ipairs {
    "floor((7 + 2*0 - 3) / 1) + 1 = 5", "floor((7 + 2*0 - 3) / 2) + 1 = 3",
    "floor((7 + 2*0 - 3) / 3) + 1 = floor(1.33) + 1 = 2" } do
    conv = nn.conv2d { out_channels = 1, kernel_size = 3, stride = stride }
    lu.assertStrContains(printed(function() conv:why_shape { 1, 7, 7 } end),
                         sentence .. "\n")
  end
end

function TestWhyShape:test_other_layers()
  local net = nn.sequential {
    nn.conv2d { out_channels = 4, kernel_size = { 2, 3 }, padding = "same",
                dilation = 2, bias = false, name = "conv1" }, nn.relu {},
    nn.max_pool2d { kernel_size = 2, ceil_mode = true }, nn.flatten {},
    nn.linear { out_features = 10 } }
  lu.assertEquals(printed(function() net:why_shape { 1, 7, 8 } end), [[
1  conv1 conv2d   (N,1,7,8) → (N,4,7,8)
     channels         out_channels = 4
     height           floor((7 + 2*1 - (2*(2-1) + 1)) / 1) + 1 = 7
     width            floor((8 + 2*2 - (2*(3-1) + 1)) / 1) + 1 = 8
     parameters       4*(2*3*1) = 24
2  1 relu   (N,4,7,8) → (N,4,7,8)
     as x
3  2 max_pool2d   (N,4,7,8) → (N,4,4,4)
     height           ceil((7 + 2*0 - 2) / 2) + 1 = ceil(2.50) + 1 = 4
     width            floor((8 + 2*0 - 2) / 2) + 1 = 4
4  3 flatten   (N,4,4,4) → (N,64)
     features         4*4*4 = 64
5  4 linear   (N,64) → (N,10)
     features         out_features = 10
     parameters       10*(64 + 1) = 650]])
end

function TestWhyShape:test_graphs()
  local x = nn.input { 3, 8, 8 }
  local net = nn.graph(x, nn.concat {} (
    nn.conv2d { out_channels = 4, kernel_size = 1 } (x), x))
  local text = printed(function() net:why_shape() end)
  lu.assertStrContains(text, "(N,7,8,8)\n     from (N,4,8,8) and (N,3,8,8)")
end

function TestWhyShape:test_refusals()
  local net = nn.sequential { nn.conv2d { out_channels = 2, kernel_size = 3 } }
  local function refused(text, ...)
    lu.assertErrorMsgContains(text, net.why_shape, net, ...)
  end
  refused "why_shape: the sizes are not known yet\n  try net:why_shape{1, 28, "
  refused("why_shape takes the shape of one item, without the batch N, such as "
          .. "{1, 28, 28}; got nil", nil)
  refused("; got 1", 1, 8, 8)
  refused("; got a tensor (5,3,8,8)\n  of this one it is {3, 8, 8}",
          lunet.zeros { 5, 3, 8, 8 })
  refused("; got a sequential", net)
  refused("size 2 of the shape is 8.5; sizes are whole numbers >= 0",
          { 1, 8.5, 8 })
  refused("size 1 of the shape is 'a'", { "a", 8, 8 })
  refused("size 3 of the shape is -1", { 1, 8, -1 })
  -- the layers' own rules, but for advice that is for batches
  refused("kernel 3x3 is larger than the padded input 2x2", { 1, 2, 2 })
  refused("with 3 dims\n  the batch N is added to what is given: an image is "
          .. "{C, H, W}", { 8, 8 })
end

-- ---- the receptive field, drawn --------------------------------------------

TestDrawnField = {}

local function small_net()
  local net = nn.sequential {
    nn.conv2d { out_channels = 2, kernel_size = 3, padding = 1 },
    nn.max_pool2d { kernel_size = 2, name = "pool" } }
  net:build { 1, 6, 6 }
  return net
end

function TestDrawnField:test_place()
  local net = small_net()
  local field = net:receptive_field("pool", 2, 3)
  lu.assertEquals(field.first, { 2, 4 })
  lu.assertEquals(field.last, { 5, 7 }) -- column 7 is padding
  local measured = net:measured_receptive_field("pool", 2, 3)
  lu.assertEquals(measured.first, { 2, 4 })
  lu.assertEquals(measured.last, { 5, 6 })
end

-- Red where it sees the image, blue where padding, grey elsewhere.
function TestDrawnField:test_picture()
  local field = small_net():receptive_field("pool", 2, 3, lunet.zeros { 6, 6 })
  local picture = field.picture.images[1]
  lu.assertEquals(picture:shape(), { 3, 6, 7 })
  local function colour(row, column)
    return { picture[1][row][column] > 0.5, picture[3][row][column] > 0.5 }
  end
  local half = picture[1][1][1]
  lu.assertEquals(half, 0.5)
  lu.assertEquals(colour(2, 4), { true, false })
  lu.assertEquals(colour(5, 6), { true, false })
  lu.assertEquals(colour(2, 7), { false, true })
  lu.assertEquals(picture[1][2][3], picture[3][2][3])
  local path = os.tmpname() .. ".png"
  lunet.show(field, path)
  os.remove(path)
end

function TestDrawnField:test_refusals()
  local net = small_net()
  lu.assertErrorMsgContains("there is no unit in row 4; the layer has the rows "
                            .. "1 to 3", net.receptive_field, net, "pool", 4, 1)
  lu.assertErrorMsgContains("no unit in column nil", net.receptive_field, net,
                            "pool", 1, nil, lunet.zeros { 6, 6 })
  lu.assertErrorMsgContains("no unit in row a tensor (2,2)",
                            net.receptive_field, net, "pool",
                            lunet.zeros { 2, 2 }, 1)
  lu.assertErrorMsgContains("36 of 36 numbers of the image are not finite",
                            net.receptive_field, net, "pool", 1, 1,
                            lunet.full({ 6, 6 }, 0 / 0))
  lu.assertErrorMsgContains("the image is 3, it must be a tensor",
                            net.receptive_field, net, "pool", 1, 1, 3)
  lu.assertErrorMsgContains("the net sees 6x6", net.receptive_field, net,
                            "pool", 1, 1, lunet.zeros { 5, 6 })
end

os.exit(lu.LuaUnit.run())
