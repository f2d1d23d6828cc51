-- test_to_convolutional.lua - a classifier slid over a page says in each window
-- what it says of that window alone.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"

local nn = lunet.nn
local refused = helpers.assert_refused

-- Small whole numbers: their sums are exact in any order.
local function whole_numbers(shape)
  local list = gradcheck.list(gradcheck.random(shape))
  for i, v in ipairs(list) do list[i] = math.floor(2.999 * v) end
  return gradcheck.tensor(list, shape)
end

local function use_whole_numbers(net)
  for _, p in ipairs(net:parameters()) do
    p.value:copy(whole_numbers(p.value:shape()))
  end
end

-- Calls f(window, scores) for each window of the page; both are (N,...).
local function each_window(net, shape, page, f)
  local big, step = nn.to_convolutional(net, shape)
  local map = big:predict(page)
  local _, classes, rows, columns = table.unpack(map:shape())
  for r = 1, rows do
    for c = 1, columns do
      local window = page:narrow(3, (r - 1) * step[1] + 1, shape[2]):narrow(
        4, (c - 1) * step[2] + 1, shape[3]):clone()
      local scores = map:narrow(3, r, 1):narrow(4, c, 1):clone()
      f(window, scores:view { page:shape()[1], classes })
    end
  end
  return rows, columns
end

local function assert_exact(net, shape, page)
  net:build(shape)
  use_whole_numbers(net)
  return each_window(net, shape, whole_numbers(page), function(window, scores)
    helpers.assert_same(net:predict(window), scores)
  end)
end

TestSliding = {}

function TestSliding:test_is_exact_in_each_window()
  local net = nn.sequential {
    nn.conv2d { out_channels = 4, kernel_size = 3 }, nn.relu {},
    nn.max_pool2d { kernel_size = 2 }, nn.flatten {},
    nn.linear { out_features = 6 }, nn.relu {}, nn.dropout {},
    nn.linear { out_features = 3, bias = false } }
  local rows, columns = assert_exact(net, { 1, 8, 8 }, { 2, 1, 15, 21 })
  lu.assertEquals({ rows, columns }, { 4, 7 })
end

function TestSliding:test_is_exact_with_strides_dilation_and_several_parts()
  local net = nn.sequential {
    nn.sequential { name = "features",
      nn.conv2d { out_channels = 4, kernel_size = { 3, 2 }, stride = { 2, 1 },
                  padding = "valid", dilation = { 1, 2 }, groups = 2 },
      nn.leaky_relu { negative_slope = 0.5 },
      nn.avg_pool2d { kernel_size = 2, stride = { 1, 2 }, ceil_mode = true } },
    nn.flatten {},
    nn.sequential { name = "classifier", nn.linear { out_features = 5 } } }
  local rows, columns = assert_exact(net, { 2, 9, 8 }, { 1, 2, 13, 14 })
  lu.assertEquals({ rows, columns }, { 3, 4 })
end

-- A window that hangs out nowhere on the small picture must not on the page.
function TestSliding:test_a_page_that_does_not_fit_has_no_cut_window()
  local net = nn.sequential { nn.max_pool2d { kernel_size = 2,
    ceil_mode = true }, nn.flatten {}, nn.linear { out_features = 2 } }
  local rows, columns = assert_exact(net, { 1, 4, 4 }, { 1, 1, 7, 9 })
  lu.assertEquals({ rows, columns }, { 2, 3 })
end

function TestSliding:test_batch_norm_and_global_pooling()
  local net = nn.sequential {
    nn.conv2d { out_channels = 3, kernel_size = 3 }, nn.batch_norm2d {},
    nn.tanh {}, nn.conv2d { out_channels = 4, kernel_size = 1 },
    nn.global_avg_pool2d {}, nn.flatten {}, nn.softmax {} }
  net:forward(lunet.randn { 20, 1, 6, 6 }) -- running statistics of its own
  net:eval()
  local n = each_window(net, { 1, 6, 6 }, lunet.randn { 1, 1, 8, 9 },
    function(window, scores)
      helpers.assert_near(scores, net:predict(window):tolist(), 1e-5)
    end)
  lu.assertEquals(n, 3)
end

function TestSliding:test_all_activations()
  for _, word in ipairs { "relu", "leaky_relu", "prelu", "elu", "gelu", "silu",
    "sigmoid", "tanh", "softplus", "hardswish", "log_softmax",
    "local_response_norm" } do
    local options = word == "local_response_norm" and { size = 3 } or nil
    local net = nn.sequential { nn.conv2d { out_channels = 4, kernel_size = 2 },
      nn[word](options), nn.flatten {}, nn.linear { out_features = 3 } }
    each_window(net, { 1, 4, 4 }, lunet.randn { 2, 1, 5, 6 },
      function(window, scores)
        helpers.assert_near(scores, net:predict(window):tolist(), 1e-5)
      end)
  end
end

function TestSliding:test_names_and_the_old_net_stay()
  local net = nn.sequential { name = "reader", nn.flatten {},
    nn.linear { out_features = 2 } }
  local big = nn.to_convolutional(net, { 3, 2, 4 })
  lu.assertEquals(big.name, "reader")
  lu.assertEquals(big:state()["1.weight"]:shape(), { 2, 3, 2, 4 })
  big:state()["1.weight"]:fill(0)
  lu.assertTrue(net:state()["1.weight"]:abs():sum() > 0)
end

function TestSliding:test_the_new_net_is_in_evaluation_mode()
  local big = nn.to_convolutional(nn.sequential { nn.dropout {}, nn.flatten {},
    nn.linear { out_features = 2 } }, { 1, 2, 2 })
  local page = lunet.randn { 1, 1, 20, 20 }
  helpers.assert_same(big:forward(page), big:predict(page))
end

function TestSliding:test_a_layer_that_stands_twice_stays_one()
  local relu = nn.relu {}
  local net = nn.sequential { nn.conv2d { out_channels = 2, kernel_size = 3 },
    relu, nn.flatten {}, nn.linear { out_features = 2 }, relu }
  local big = nn.to_convolutional(net, { 1, 4, 4 })
  lu.assertEquals(#big:layers(), 3)
  lu.assertIs(big[2], big[4])
end

TestRefusals = {}

local function refuses(sentence, shape, ...)
  refused(sentence, nn.to_convolutional, nn.sequential { ... }, shape)
end

local function flatten_and_score()
  return nn.flatten {}, nn.linear { out_features = 2 }
end

function TestRefusals:test_padding()
  refuses("layer 1 (conv2d 'edges') has padding = 1: on a page there are "
    .. "neighbours where the window has zeros", { 1, 8, 8 },
    nn.conv2d { out_channels = 2, kernel_size = 3, padding = 1,
                name = "edges" }, flatten_and_score())
  refuses("layer 2 (max_pool2d) has padding = {0, 1}", { 1, 8, 8 }, nn.relu {},
    nn.max_pool2d { kernel_size = 2, padding = { 0, 1 } },
    flatten_and_score())
  refuses("layer 1 (conv2d) has padding = same", { 1, 8, 8 },
    nn.conv2d { out_channels = 2, kernel_size = 3, padding = "same" },
    flatten_and_score())
end

function TestRefusals:test_a_cut_window()
  refuses("layer 1 (max_pool2d) has ceil_mode, and its last window hangs out "
    .. "over the border: (8 - 3) is no multiple of 2", { 1, 8, 8 },
    nn.max_pool2d { kernel_size = 3, stride = 2, ceil_mode = true },
    flatten_and_score())
end

function TestRefusals:test_places_and_channels_in_one_row()
  refuses("layer 2 (softmax) stands between flatten and linear", { 2, 3, 3 },
    nn.flatten {}, nn.softmax {}, nn.linear { out_features = 2 })
  refuses("layer 1 (softmax) goes along dim 3", { 2, 3, 3 },
    nn.softmax { dim = 3 }, flatten_and_score())
  refuses("the net ends with flatten", { 2, 3, 3 }, nn.relu {}, nn.flatten {})
end

function TestRefusals:test_a_grid_of_cells()
  refuses("layer 1 (adaptive_avg_pool2d) has output_size = {2, 2}; its cells "
    .. "grow with the page", { 1, 8, 8 },
    nn.adaptive_avg_pool2d { output_size = 2 }, flatten_and_score())
end

function TestRefusals:test_unknown_layers()
  refuses("layer 1 (pad) is not known to do the same in each window",
    { 1, 4, 4 }, nn.pad { padding = { 1, 1, 1, 1 } }, flatten_and_score())
end

function TestRefusals:test_what_is_no_sequence_or_picture()
  local x = nn.input { 1, 4, 4 }
  refused("takes a net of nn.sequential, got graph", nn.to_convolutional,
    nn.graph(x, nn.relu {} (x)), { 1, 4, 4 })
  refused("takes a net of nn.sequential, got relu", nn.to_convolutional,
    nn.relu {}, { 1, 4, 4 })
  refused("net is 3, it must be a net", nn.to_convolutional, 3, { 1, 4, 4 })
  refused("must be a picture {channels, rows, columns}", nn.to_convolutional,
    nn.sequential { nn.linear { out_features = 2 } }, { 16 })
end

os.exit(lu.LuaUnit.run())
