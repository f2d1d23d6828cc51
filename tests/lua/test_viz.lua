-- test_viz.lua - looking into nets of which the right answer is known: a cue is
-- planted in noise, a net is built by hand, or trained, to look for it.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local helpers = require "plugins.helpers"
local lunet = require "lunet"
local shell = require "support.shell"
local pca = require "lunet.viz.pca"
local rank_correlation = require "lunet.viz.rank_correlation"
local nn, viz = lunet.nn, lunet.viz

-- ---- a cue and a net that looks for it -------------------------------------

local cross = { { 1, -1, 1 }, { -1, 1, -1 }, { 1, -1, 1 } }
local bar = { { 0, 1, 0 }, { 0, 1, 0 }, { 0, 1, 0 } }

local function plant(x, pattern, row, column)
  for i = 1, 3 do
    for j = 1, 3 do x[row + i - 1][column + j - 1] = pattern[i][j] end
  end
end

-- One image (1,1,12,14): faint noise, and a cross with its upper left corner
-- at this place.
local function image_with_cross(row, column)
  local x = lunet.randn { 1, 1, 12, 14 } * 0.05
  plant(x[1][1], cross, row, column)
  return x
end

-- Channel 1 of conv1 answers to crosses, channel 2 to bars; class 1 is the
-- largest answer to a cross, class 0 that to a bar.
local function detector()
  local conv = nn.conv2d { in_channels = 1, out_channels = 2, kernel_size = 3,
                           padding = 1, name = "conv1" }
  conv.weight:copy(lunet.tensor { { cross }, { bar } })
  conv.bias:fill(-1)
  local linear = nn.linear { in_features = 2, out_features = 2 }
  linear.weight:copy(lunet.tensor { { -0.2, 1 }, { 1, -0.2 } })
  linear.bias:fill(0)
  local net = nn.sequential {
    conv, nn.relu { name = "relu1" },
    nn.max_pool2d { kernel_size = { 12, 14 } }, nn.flatten {}, linear }
  net:build { 1, 12, 14 }
  return net
end

-- { row, column } of the largest element of a map (1,H,W).
local function peak(map)
  local width = map:shape()[3]
  local place = math.tointeger(map:clone():view { map:numel() }:argmax()) - 1
  return { place // width + 1, place % width + 1 }
end

-- The share of the whole map's sum that lies in the 3x3 at this place.
local function share_at(map, row, column)
  local part = map:narrow(2, row, 3):narrow(3, column, 3):sum()
  return part / map:sum()
end

-- What every method must leave as it was.
local function signature(net)
  local list = {}
  for i, layer in ipairs(net:layers()) do
    list[i] = ("%s %s %d"):format(layer.core_layer:training(),
                                  layer.core_layer:frozen(),
                                  layer.core_layer:step())
  end
  for _, p in ipairs(net:parameters()) do
    list[#list + 1] = ("%.9g %.9g"):format((p.value * p.value):sum(),
                                           p.grad:abs():sum())
  end
  return table.concat(list, ", ") .. tostring(rawget(net, "wants_inputs") or
                                                false)
end

local function draws(result)
  local path = os.tmpname() .. ".png"
  lunet.show(result, path)
  lu.assertEquals(lunet.load(path):shape()[1], 3)
  os.remove(path)
end

-- ---- maps of one image -----------------------------------------------------

TestMaps = {}

function TestMaps:setUp() lunet.manual_seed(11) end

local own_options = { occlusion = { size = 1 } }

local function with_options(word, class)
  local o = { class = class }
  for name, value in pairs(own_options[word] or {}) do o[name] = value end
  return o
end

for _, word in ipairs { "saliency", "guided_backpropagation", "occlusion",
                        "grad_cam" } do
  TestMaps["test_" .. word .. "_finds_the_cue"] = function()
    for _, place in ipairs { { 1, 1 }, { 5, 8 }, { 10, 12 } } do
      local row, column = table.unpack(place)
      local net, x = detector(), image_with_cross(row, column)
      local before = signature(net)
      local result = viz[word](net, x, with_options(word))
      lu.assertEquals(signature(net), before)
      lu.assertEquals(result.classes, { 1 })
      lu.assertEquals(result.map:shape(), { 1, 1, 12, 14 })
      local found = peak(result.map[1])
      lu.assertTrue(math.abs(found[1] - row - 1) <= 1 and
                    math.abs(found[2] - column - 1) <= 1, word)
      lu.assertTrue(share_at(result.map[1], row, column) > 0.5, word)
      draws(result)
    end
  end

  TestMaps["test_" .. word .. "_asks_about_the_class"] = function()
    local net, x = detector(), image_with_cross(3, 3)
    plant(x[1][1], bar, 8, 9)
    local map = viz[word](net, x, with_options(word, 0)).map
    lu.assertTrue(share_at(map[1]:maximum(0), 8, 9) > 0.5, word)
  end

  TestMaps["test_" .. word .. "_refuses"] = function()
    local net, x = detector(), image_with_cross(3, 3)
    local function refused(sentence, ...)
      lu.assertErrorMsgContains(sentence, viz[word], ...)
    end
    refused("class 2 does not exist; the net has the classes 0 to 1", net, x,
            { class = 2 })
    refused("a list or tensor of 1, one an image", net, x, { class = { 1, 1 } })
    refused("must hold images: (N,C,H,W)", net, lunet.rand { 3, 3 })
    refused("it must be a net", 3, x)
    refused("it must be a tensor", net, 3)
    refused("has no option 'clas'; did you mean 'class'?", net, x, { clas = 1 })
    refused("must hold images", net, lunet.zeros { 0, 1, 12, 14 })
  end
end

-- The gradient of a maximum of sums: the filter itself, at the winner's place.
function TestMaps:test_saliency_is_the_gradient()
  local net, x = detector(), image_with_cross(4, 6)
  local gradient = viz.saliency(net, x).gradient[1][1]
  local filter = gradient:narrow(1, 4, 3):narrow(2, 6, 3)
  local other = lunet.tensor(cross) - filter
  lu.assertTrue(other:abs():max() <= 0.2) -- class 1 takes 0.2 of the bars away
  helpers.assert_same(viz.saliency(net, x[1]).map, viz.saliency(net, x).map)
end

-- A patch as large as the cue: most of the fall is where it can touch it.
function TestMaps:test_occlusion_by_patches()
  local map = viz.occlusion(detector(), image_with_cross(5, 8)).map[1]
  local near = map:narrow(2, 3, 7):narrow(3, 6, 7):sum()
  lu.assertTrue(near / map:sum() > 0.95)
end

-- Two rectifiers: what is negative on the way down stops at each.
function TestMaps:test_guided_by_hand()
  local linear = nn.linear { in_features = 3, out_features = 1, bias = false }
  linear.weight:copy(lunet.tensor { { 1, -1, 1 } })
  local net = nn.sequential { nn.relu {}, nn.flatten {}, linear }
  local x = lunet.tensor { { { { 2, 2, -2 } } } }
  local o = { class = 0 }
  lu.assertEquals(viz.saliency(net, x, o).gradient:tolist(),
                  { { { { 1, -1, 0 } } } })
  lu.assertEquals(viz.guided_backpropagation(net, x, o).gradient:tolist(),
                  { { { { 1, 0, 0 } } } })
  -- and the taps are gone
  lu.assertEquals(viz.saliency(net, x, o).gradient:tolist(),
                  { { { { 1, -1, 0 } } } })
end

function TestMaps:test_guided_needs_a_rectifier()
  local net = nn.sequential { nn.flatten {}, nn.linear { out_features = 2 } }
  lu.assertErrorMsgContains("has no rectifier", viz.guided_backpropagation, net,
                            lunet.rand { 1, 1, 2, 2 })
end

-- Each pixel alone: the map is weight times pixel.
function TestMaps:test_occlusion_by_hand()
  local linear = nn.linear { in_features = 4, out_features = 1 }
  linear.weight:copy(lunet.tensor { { 1, -2, 3, 4 } })
  local net = nn.sequential { nn.flatten {}, linear }
  local x = lunet.tensor { { { { 1, 1 }, { 2, 0 } } } }
  local o = { class = 0, size = 1 }
  lu.assertEquals(viz.occlusion(net, x, o).map:tolist(),
                  { { { { 1, -2 }, { 6, 0 } } } })
  o.value = 1
  helpers.assert_near(viz.occlusion(net, x, o).map,
                      { { { { 0, 0 }, { 3, -4 } } } })
  lu.assertErrorMsgContains("3x3 does not fit", viz.occlusion, net, x,
                            { size = 3 })
  lu.assertErrorMsgContains("stride 2 is larger", viz.occlusion, net, x,
                            { size = 1, stride = 2 })
end

-- weight = mean gradient = 1/4 of the linear's; the map is their sum, cut at 0.
function TestMaps:test_grad_cam_by_hand()
  local linear = nn.linear { in_features = 2, out_features = 1 }
  linear.weight:copy(lunet.tensor { { 2, -1 } })
  local net = nn.sequential { nn.relu { name = "maps" },
                              nn.global_avg_pool2d {}, nn.flatten {}, linear }
  local x = lunet.tensor { { { { 4, 0 }, { 0, 4 } }, { { 0, 8 }, { 0, 8 } } } }
  local result = viz.grad_cam(net, x, { class = 0, layer = "maps" })
  lu.assertEquals(result.small:tolist(), { { { { 2, 0 }, { 0, 0 } } } })
  lu.assertErrorMsgContains("it must give maps", viz.grad_cam, net, x,
                            { layer = linear })
end

-- Layers of whatever plugin, nets of whatever form, an input of any channels.
function TestMaps:test_on_a_graph()
  local x = nn.input { 2, 8, 8 }
  local h = nn.batch_norm2d {} (nn.conv2d { out_channels = 4, kernel_size = 3,
                                            padding = 1 } (x))
  local h2 = nn.add {} (nn.dropout { p = 0.5 } (nn.relu {} (h)), h)
  local y = nn.linear { out_features = 3 } (nn.flatten {} (nn.silu {} (h2)))
  local net, batch = nn.graph(x, y), lunet.randn { 3, 2, 8, 8 }
  local before = signature(net)
  for _, word in ipairs { "saliency", "guided_backpropagation", "occlusion",
                          "grad_cam" } do
    local result = viz[word](net, batch, { class = { 0, 1, 2 } })
    lu.assertEquals(result.map:shape(), { 3, 1, 8, 8 })
    helpers.assert_same(result.map, viz[word](net, batch,
                        { class = lunet.tensor { 0, 1, 2 } }).map)
    draws(result)
  end
  lu.assertEquals(signature(net), before)
end

-- A rectifier is told by what it does, not by its name: a student's plugin is
-- guided as relu is.
local students_relu = [[
#include <lunet/plugin.h>
static ln_status forward(const void *self, const ln_call *c) {
  (void)self;
  for (int64_t i = 0; i < c->x[0]->count; i++)
    ln_y(c, 0)[i] = ln_x(c, 0)[i] > 0 ? ln_x(c, 0)[i] : 0;
  return LN_OK;
}
static ln_status backward(const void *self, const ln_call *c) {
  (void)self;
  for (int64_t i = 0; i < c->x[0]->count; i++)
    ln_dx(c, 0)[i] = ln_x(c, 0)[i] > 0 ? ln_dy(c, 0)[i] : 0;
  return LN_OK;
}
static const ln_layer layer = {
  LN_LAYER, .name = "gate", .brief = "lets pass what is positive",
  .formula = "y = max(x, 0)", .example = "nn.gate{}",
  .forward = forward, .backward = backward,
};
LN_PLUGIN("gate", "1.0", &layer);
]]

function TestMaps:test_with_a_students_plugin()
  local folder = shell.temporary_folder()
  shell.write(folder .. "/gate.c", students_relu)
  shell.lines("cc -shared -fPIC -Icore/include '%s/gate.c' -o '%s/gate.so'",
              folder, folder)
  lunet.plugins.load(folder .. "/gate.so")
  shell.remove(folder)
  local linear = nn.linear { in_features = 3, out_features = 1, bias = false }
  linear.weight:copy(lunet.tensor { { 1, -1, 1 } })
  local net = nn.sequential { nn.gate {}, nn.flatten {}, linear }
  local x = lunet.tensor { { { { 2, 2, -2 } } } }
  local map = viz.guided_backpropagation(net, x, { class = 0 }).gradient
  lu.assertEquals(map:tolist(), { { { { 1, 0, 0 } } } })
  map = viz.saliency(net, x, { class = 0 }).gradient
  lu.assertEquals(map:tolist(), { { { { 1, -1, 0 } } } })
end

-- ---- layers ----------------------------------------------------------------

TestLayers = {}

function TestLayers:setUp() lunet.manual_seed(12) end

function TestLayers:test_filters()
  local net = detector()
  lu.assertTrue(viz.filters(net).weight == net[1].weight or
                viz.filters(net).weight:shape()[1] == 2)
  helpers.assert_same(viz.filters(net, "conv1").weight, net[1].weight)
  draws(viz.filters(net))
  lu.assertErrorMsgContains("the layer relu has not a weight", viz.filters, net,
                            "relu1")
  lu.assertErrorMsgContains("no layer of the net has", viz.filters,
                            nn.sequential { nn.relu {} })
end

function TestLayers:test_feature_maps()
  local net, x = detector(), image_with_cross(5, 8)
  local result = viz.feature_maps(net, "conv1", x)
  helpers.assert_same(result.maps, net[1]:forward(x))
  lu.assertEquals(peak(result.maps[1]:narrow(1, 1, 1)), { 6, 9 })
  draws(result)
  lu.assertErrorMsgContains("it must give maps", viz.feature_maps, net, net[5],
                            x)
end

-- 20 images, 3 of them with a cross: those, at their places, cut out exactly.
function TestLayers:test_patches_find_the_crosses()
  local net, x = detector(), lunet.randn { 20, 1, 12, 14 } * 0.05
  local where = { [4] = { 2, 3 }, [11] = { 10, 12 }, [17] = { 1, 1 } }
  for i, place in pairs(where) do
    plant(x[i][1], cross, place[1], place[2])
  end
  local list = viz.patches(net, x, { layer = "conv1", count = 3 })
  lu.assertEquals(#list, 3)
  for _, found in ipairs(list) do
    local place = where[found.image]
    lu.assertNotNil(place)
    lu.assertEquals(found.place, { place[1] + 1, place[2] + 1 })
    lu.assertEquals(found.patch:tolist(), { cross })
    where[found.image] = nil
  end
  draws(list)
end

-- A patch at the border keeps its size; what is outside is 0.
function TestLayers:test_patches_at_the_border()
  local net, x = detector(), lunet.zeros { 1, 1, 12, 14 }
  x[1][1][1][1] = 5
  local found = viz.patches(net, x, { layer = "conv1" })[1]
  lu.assertEquals(found.place, { 1, 1 })
  lu.assertEquals(found.patch:tolist(), { { { 0, 0, 0 }, { 0, 5, 0 },
                                            { 0, 0, 0 } } })
  lu.assertErrorMsgContains("channel 3 does not exist; the layer has 2",
    viz.patches, net, x, { layer = "conv1", channel = 3 })
  lu.assertErrorMsgContains("needs the option 'layer'", viz.patches, net, x)
end

-- Climbing towards a linear score gives the weights' own picture.
function TestLayers:test_activation_maximisation()
  local net = nn.sequential { nn.flatten {}, nn.linear { out_features = 2 } }
  net:build { 1, 5, 5 }
  local result = viz.activation_maximisation(net, { class = 1 })
  local weight = net[2].weight[2]:view { 25 }
  local image = result.image:view { 25 }
  local cosine = (weight * image):sum() /
    math.sqrt((weight * weight):sum() * (image * image):sum())
  lu.assertTrue(cosine > 0.98, tostring(cosine))
  lu.assertEquals(#result.values, 101)
  lu.assertTrue(result.values[101] > result.values[1] + 1)
  draws(result)
end

-- The cross appears for the channel that answers to crosses.
function TestLayers:test_activation_maximisation_of_a_channel()
  local net = detector()
  local before = signature(net)
  local result = viz.activation_maximisation(net,
    { class = 1, start = image_with_cross(4, 4) * 0.3 })
  local part = result.image[1]:narrow(1, 4, 3):narrow(2, 4, 3)
  lu.assertTrue((part * lunet.tensor(cross)):min() > 0)
  local channel = viz.activation_maximisation(net, { layer = "conv1",
                                                     channel = 2, steps = 20 })
  lu.assertTrue(channel.values[21] > channel.values[1])
  lu.assertEquals(signature(net), before)
end

function TestLayers:test_activation_maximisation_refuses()
  local net = detector()
  local function refused(sentence, o)
    lu.assertErrorMsgContains(sentence, viz.activation_maximisation, net, o)
  end
  refused("needs either a class or a layer", {})
  refused("needs either a class or a layer", { class = 1, layer = "conv1" })
  refused("which channel of the layer?", { layer = "conv1" })
  refused("channel 9 does not exist", { layer = "conv1", channel = 9 })
  refused("class 9 does not exist", { class = 9 })
end

-- ---- many images -----------------------------------------------------------

TestMany = {}

function TestMany:setUp() lunet.manual_seed(13) end

-- A stretched cloud: its axis, and how much of the variance lies along it.
function TestMany:test_pca_by_hand()
  local t = lunet.randn { 500, 1 }
  local axis = lunet.tensor { { 3, 0, 4 } } / 5
  local other = lunet.tensor { { 4, 0, -3 } } / 5
  local x = t * axis * 10 + lunet.randn { 500, 1 } * other + 7
  local points, shares = pca(x, 2)
  lu.assertTrue(shares[1] > 0.97)
  lu.assertAlmostEquals(shares[1] + shares[2], 1, 1e-4)
  local along = (points:narrow(2, 1, 1) - t * 10)
  lu.assertTrue((along - along:mean()):abs():max() < 1)
  lu.assertTrue(math.abs(points:mean()) < 1e-3)
  helpers.assert_same(pca(lunet.ones { 4, 3 }, 2), lunet.zeros { 4, 2 })
end

-- Three far groups in 10 dims stay three groups, by either method.
function TestMany:test_embedding_keeps_groups()
  local net = nn.sequential { nn.flatten {}, nn.linear { out_features = 3 } }
  net:build { 1, 2, 5 }
  local x, labels = lunet.randn { 60, 1, 2, 5 } * 0.3, lunet.zeros { 60 }
  for i = 1, 60 do
    local group = i % 3
    labels[i] = group
    x[i]:narrow(3, group + 1, 1):fill(4)
  end
  local before = signature(net)
  for _, method in ipairs { "pca", "tsne" } do
    local result = viz.embedding(net, x, { method = method, perplexity = 10,
                                           labels = labels })
    lu.assertEquals(result.points:shape(), { 60, 2 })
    helpers.assert_same(result.features, x:view { 60, 10 })
    local p, right = result.points:tolist(), 0
    for i = 1, 60 do
      local nearest, least = nil, math.huge
      for j = 1, 60 do
        local d = (p[i][1] - p[j][1]) ^ 2 + (p[i][2] - p[j][2]) ^ 2
        if j ~= i and d < least then nearest, least = j, d end
      end
      if nearest % 3 == i % 3 then right = right + 1 end
    end
    lu.assertEquals(right, 60, method)
    draws(result)
  end
  lu.assertEquals(signature(net), before)
end

function TestMany:test_embedding_of_datasets_and_layers()
  local _, test = lunet.data.digits()
  local net = nn.sequential { nn.conv2d { out_channels = 2, kernel_size = 3,
                                          name = "conv1" },
                              nn.flatten {}, nn.linear { out_features = 10 } }
  net:build { 1, 8, 8 }
  local result = viz.embedding(net, test, { most = 50 })
  lu.assertEquals(result.features:shape(), { 50, 72 })
  lu.assertEquals(result.labels:shape(), { 50 })
  result = viz.embedding(net, test, { most = 40, layer = net[3] })
  lu.assertEquals(result.features:shape(), { 40, 10 })
  lu.assertErrorMsgContains("method is 'umap'", viz.embedding, net, test,
                            { method = "umap" })
  lu.assertErrorMsgContains("perplexity 30 is too large for 50 samples",
    viz.embedding, net, test, { method = "tsne", most = 50 })
end

-- The detector does not care where the cross is, as long as it is whole.
function TestMany:test_shifts()
  local net, x = detector(), lunet.zeros { 1, 1, 12, 14 }
  plant(x[1][1], cross, 5, 6)
  local result = viz.shifts(net, x, { most = 3 })
  lu.assertEquals(result.class, 1)
  helpers.assert_same(result.decisions, lunet.ones { 7, 7 })
  lu.assertEquals(result.scores:shape(), { 7, 7 })
  lu.assertTrue(result.scores:max() - result.scores:min() < 1e-5)
  draws(result)
  -- one that looks at one pixel does: it waits right of the middle
  local linear = nn.linear { in_features = 9, out_features = 2, bias = false }
  linear.weight:fill(0)
  linear.weight[1]:fill(0.5)
  linear.weight[2][6] = 1 -- row 2, column 3
  local pixel = nn.sequential { nn.flatten {}, linear }
  x = lunet.zeros { 1, 3, 3 }
  x[1][2][2] = 1
  lu.assertEquals(viz.shifts(pixel, x, { most = 1 }).decisions:tolist(),
                  { { 0, 0, 0 }, { 0, 0, 1 }, { 0, 0, 0 } })
  lu.assertErrorMsgContains("can be shifted by 1 .. 2, not 3", viz.shifts,
                            pixel, x, { most = 3 })
end

function TestMany:test_confusion()
  local x = lunet.tensor { { 1, 0 }, { 0, 1 }, { 0, 1 }, { 0, 1 } }
  local set = lunet.data.tensors { x = x, labels = lunet.tensor { 0, 0, 1, 1 } }
  local net = nn.sequential { nn.relu {} }
  local result = viz.confusion(net, set)
  lu.assertEquals(result.counts:tolist(), { { 1, 1 }, { 0, 2 } })
  draws(result)
end

-- ---- a planted cheat, and the sanity check ---------------------------------

-- Digits; class 1 is marked by a pixel in the corner, and nothing else.
local function cheating_set(n)
  local train = lunet.data.digits():take(n)
  local x, labels = nil, lunet.zeros { n }
  for images in train:batches { size = n } do x = images end
  for i = 1, n do
    labels[i] = i % 2
    x[i][1][8][1] = i % 2
  end
  return lunet.data.tensors { x = x, labels = labels }, x
end

TestCheat = {}

function TestCheat:setUp()
  lunet.manual_seed(14)
  self.net = nn.sequential {
    nn.conv2d { out_channels = 8, kernel_size = 3, padding = 1 }, nn.relu {},
    nn.conv2d { out_channels = 8, kernel_size = 3, padding = 1 }, nn.relu {},
    nn.flatten {}, nn.linear { out_features = 2 } }
  self.net:build { 1, 8, 8 }
  local set, x = cheating_set(400)
  lunet.fit(self.net, set, { loss = nn.cross_entropy {}, epochs = 4,
    progress = false,
    optimizer = lunet.optim.adam(self.net:parameters(), { lr = 0.003 }) })
  lu.assertTrue(lunet.accuracy(self.net, set) > 0.99)
  self.x = x:narrow(1, 1, 8)
  self.marked = x:narrow(1, 1, 1)
end

function TestCheat:test_is_found()
  local map = viz.occlusion(self.net, self.marked, { size = 2 }).map[1]
  lu.assertEquals(peak(map), { 8, 1 })
  map = viz.saliency(self.net, self.marked).map[1]
  lu.assertTrue(peak(map)[1] >= 6 and peak(map)[2] <= 3)
end

-- A map that shows the image only is the same for any weights; a map of the
-- decision is not.
function TestCheat:test_sanity_check()
  local before = signature(self.net)
  local function image_only(_, x) return { map = x } end
  local fails = viz.sanity_check(self.net, self.x, image_only)
  lu.assertAlmostEquals(fails.correlation, 1, 1e-9)
  local passes = viz.sanity_check(self.net, self.x, viz.saliency)
  lu.assertTrue(math.abs(passes.correlation) < 0.5,
                tostring(passes.correlation))
  helpers.assert_same(passes.learnt, viz.saliency(self.net, self.x).map)
  lu.assertEquals(signature(self.net), before)
  draws(passes)
end

function TestCheat:test_weights_come_back_after_an_error()
  local before = signature(self.net)
  local calls = 0
  lu.assertErrorMsgContains("stopped", viz.sanity_check, self.net, self.x,
    function(_, x)
      calls = calls + 1
      if calls == 2 then error("stopped") end
      return { map = x }
    end)
  lu.assertEquals(signature(self.net), before)
end

TestRanks = {}

function TestRanks:test_by_hand()
  local function t(list) return lunet.tensor(list) end
  lu.assertEquals(rank_correlation(t { 1, 5, 9 }, t { 2, 3, 100 }), 1)
  lu.assertEquals(rank_correlation(t { 1, 5, 9 }, t { 3, 2, 1 }), -1)
  lu.assertEquals(rank_correlation(t { 1, 2, 3 }, t { 4, 4, 4 }), 0)
  lu.assertAlmostEquals(rank_correlation(t { 1, 2, 2, 3 }, t { 1, 2, 3, 4 }),
                        4.5 / math.sqrt(4.5 * 5), 1e-12)
end

TestWords = {}

function TestWords:test_unknown()
  lu.assertErrorMsgContains("did you mean 'saliency'?", function()
    return viz.salience
  end)
end

-- ---- wrong input -----------------------------------------------------------

TestWrongInput = {}

function TestWrongInput:setUp() lunet.manual_seed(12) end

-- Each method with this in place of the net, or of x, or in another net.
local function each_method(visit)
  local x = image_with_cross(5, 8)
  local dataset = lunet.data.tensors { x = x, labels = lunet.tensor { 0 } }
  for name, call in pairs {
    activation_maximisation = function(net, _, start)
      return net, { class = 1, steps = 1, start = start }
    end,
    confusion = function(net, given) return net, given or dataset end,
    embedding = function(net, given)
      return net, given or lunet.rand { 3, 1, 12, 14 }
    end,
    feature_maps = function(net, given) return net, "conv1", given or x end,
    filters = function(net) return net end,
    patches = function(net, given)
      return net, given or x, { layer = "conv1" }
    end,
    sanity_check = function(net, given)
      return net, given or x, viz.saliency
    end,
    saliency = false, guided_backpropagation = false, occlusion = false,
    grad_cam = false, shifts = false,
  } do
    visit(name, call or function(net, given) return net, given or x end)
  end
end

function TestWrongInput:test_what_is_no_net()
  each_method(function(name, call)
    for _, net in ipairs { false, 3, "net", {}, lunet.rand { 2, 2 } } do
      lu.assertErrorMsgContains("viz." .. name .. ": the first argument is ",
                                viz[name], call(net or nil))
    end
  end)
end

-- Not drawn in silence: NaN neither marks a place nor decides for a class.
function TestWrongInput:test_nan_in_the_images()
  local nan = lunet.full({ 1, 1, 12, 14 }, 0 / 0)
  each_method(function(name, call)
    if name == "filters" or name == "confusion" or name == "embedding" then
      return
    end
    lu.assertErrorMsgContains("viz." .. name .. ": 168 of 168 numbers of x are "
                              .. "not finite", viz[name],
                              call(detector(), nan, nan))
  end)
  lu.assertErrorMsgContains("are not finite", viz.embedding, detector(),
                            lunet.full({ 3, 1, 12, 14 }, 0 / 0))
end

function TestWrongInput:test_nan_in_the_net()
  local net = detector()
  net[1].weight:fill(0 / 0)
  for _, name in ipairs { "saliency", "occlusion", "confusion", "shifts",
                          "sanity_check" } do
    each_method(function(other, call)
      if other == name then
        lu.assertErrorMsgContains("of the net's scores are not finite\n",
                                  viz[name], call(net))
      end
    end)
  end
end

-- Sizes that are not known yet come from the images, where there are some.
function TestWrongInput:test_a_net_that_was_not_built()
  each_method(function(name, call)
    local net = nn.sequential {
      nn.conv2d { out_channels = 2, kernel_size = 3, name = "conv1" },
      nn.relu {}, nn.flatten {}, nn.linear { out_features = 2 } }
    if name == "filters" or name == "activation_maximisation" then
      lu.assertErrorMsgContains("net:build{…}", viz[name], call(net))
    else
      lu.assertTable(viz[name](call(net)), name)
    end
  end)
end

function TestWrongInput:test_layers_that_are_none()
  local net, x = detector(), image_with_cross(5, 8)
  for _, layer in ipairs { 3, x, {}, print } do
    local text = "it must be a layer or its name"
    lu.assertErrorMsgContains(text, viz.filters, net, layer)
    lu.assertErrorMsgContains(text, viz.feature_maps, net, layer, x)
    lu.assertErrorMsgContains(text, viz.patches, net, x, { layer = layer })
    lu.assertErrorMsgContains(text, viz.grad_cam, net, x, { layer = layer })
    lu.assertErrorMsgContains(text, viz.embedding, net, lunet.rand { 3, 1, 12,
      14 }, { layer = layer })
    lu.assertErrorMsgContains(text, viz.activation_maximisation, net,
                              { layer = layer, channel = 1 })
  end
end

function TestWrongInput:test_labels_and_methods()
  local net, x = detector(), image_with_cross(5, 8)
  lu.assertErrorMsgContains("has the label 2; the net has the classes 0 to 1",
    viz.confusion, net, lunet.data.tensors { x = x,
                                             labels = lunet.tensor { 2 } })
  lu.assertErrorMsgContains("labels have shape (2), they must be one class "
                            .. "id a sample, (3)", viz.embedding, net,
                            lunet.rand { 3, 1, 12, 14 },
                            { labels = lunet.zeros { 2 } })
  lu.assertErrorMsgContains("the method returned nil", viz.sanity_check, net, x,
                            function() end)
  lu.assertErrorMsgContains("class must be a class id", viz.saliency, net, x,
                            { class = { "one" } })
  lu.assertErrorMsgContains("got a sequential", viz.saliency, net, x, net)
end

os.exit(lu.LuaUnit.run())
