-- test_determinism.lua - same seed, same bits, whatever the number of threads.

local lu = require "luaunit"
local lunet = require "lunet"
local nn, optim, data = lunet.nn, lunet.optim, lunet.data

local threads = { 1, 2, 3, 7 }

-- Runs f with each number of threads; all results must be equal, bit by bit.
local function assert_equal_bits(f)
  local default, first = lunet.num_threads(), nil
  for _, n in ipairs(threads) do
    lunet.set_num_threads(n)
    local bits = f()
    first = first or bits
    lu.assertTrue(bits == first,
                  ("%d threads give other bits than 1"):format(n))
  end
  lunet.set_num_threads(default)
end

-- The bits of tensors and numbers as one text.
local function bits_of(...)
  local parts = {}
  for _, v in ipairs { ... } do
    if type(v) == "number" then
      parts[#parts + 1] = string.pack("d", v)
    else
      for _, e in ipairs(v:view { -1 }:tolist()) do
        parts[#parts + 1] = string.pack("f", e)
      end
    end
  end
  return table.concat(parts)
end

-- Appends parameters, running statistics and the like, in the order of names.
local function append_state(list, layer)
  local state, names = layer:state(), {}
  for name in pairs(state) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do list[#list + 1] = state[name] end
end

-- 40 items: more than a slice, and the last slice is smaller.
local image, line, row = { 40, 4, 9, 8 }, { 40, 4, 30 }, { 40, 30 }

-- Of each layer: the shapes of its inputs and, where they matter, options.
local layers = {
  adaptive_avg_pool2d = { image, options = { { output_size = { 4, 3 } } } },
  add = { image, image },
  avg_pool2d = { image, options = { { kernel_size = 2 },
                                    { kernel_size = 3, stride = 2 } } },
  batch_norm2d = { image },
  concat = { image, image },
  conv1d = { line, options = { { out_channels = 6, kernel_size = 3 } } },
  conv2d = { image, options = {
    { out_channels = 6, kernel_size = 3, padding = 1 },
    { out_channels = 20, kernel_size = 5, padding = 2 },
    { out_channels = 16, kernel_size = 1 },
    { out_channels = 4, kernel_size = 3, groups = 4 },
    { out_channels = 8, kernel_size = 3, stride = 2, groups = 2,
      dilation = 2 } } },
  conv_transpose2d = { image, options = {
    { out_channels = 6, kernel_size = 3, stride = 2 } } },
  cross_entropy = { row, { 40 } },
  dropout = { image, options = { { p = 0.4 } } },
  elu = { image },
  flatten = { image },
  gelu = { image, options = { {}, { approximate = "tanh" } } },
  global_avg_pool2d = { image },
  group_norm = { image, options = { { num_groups = 2 } } },
  hardswish = { image },
  l1_loss = { row, row },
  layer_norm = { image, options = { { normalized_shape = { 9, 8 } } } },
  leaky_relu = { image },
  linear = { row, options = { { out_features = 17 } } },
  local_response_norm = { image, options = { { size = 3, alpha = 1 } } },
  locally_connected2d = { image, options = {
    { out_channels = 5, kernel_size = 3 } } },
  log_softmax = { row },
  max_pool1d = { line, options = { { kernel_size = 3, stride = 2 } } },
  max_pool2d = { image, options = {
    { kernel_size = 2 }, { kernel_size = 3, stride = 2, padding = 1 } } },
  mse_loss = { row, row },
  mul = { image, image },
  pad = { image, options = { { padding = { 1, 2, 0, 1 }, mode = "reflect" } } },
  prelu = { image, options = { { num_parameters = 4 } } },
  relu = { image },
  sigmoid = { image },
  silu = { image },
  smooth_l1_loss = { row, row },
  softmax = { row },
  softplus = { image },
  tanh = { image },
  upsample = { image, options = {
    { scale_factor = 2 }, { size = { 13, 7 }, mode = "bilinear" } } },
}

-- Everything that a new layer computes in one forward and backward.
local function results_of(word, options, shapes)
  lunet.manual_seed(5)
  local inputs = {}
  for i, shape in ipairs(shapes) do
    inputs[i] = #shape == 1 and lunet.zeros(shape) -- class ids
                or lunet.randn(shape)
  end
  local layer = nn[word](options)
  local y = layer:forward(table.unpack(inputs))
  local dy = type(y) ~= "number" and lunet.randn(y:shape()) or nil
  local all = { y, layer:backward(dy) }
  for _, p in ipairs(layer:parameters()) do all[#all + 1] = p.grad end
  append_state(all, layer)
  return bits_of(table.unpack(all))
end

local function check_layer(word, case)
  for _, options in ipairs(case.options or { {} }) do
    for _, method in ipairs { "auto", "textbook" } do
      options.method = method
      assert_equal_bits(function()
        return results_of(word, options, case)
      end)
    end
  end
end

TestLayers = {}

for word, case in pairs(layers) do
  TestLayers["test_" .. word] = function() check_layer(word, case) end
end

function TestLayers:test_no_layer_is_left_out()
  for _, layer in ipairs(lunet.plugins.list()) do
    lu.assertNotNil(layers[layer.name], layer.name)
  end
end

-- A mask is a function of seed, layer, step and place alone: the item 23 of a
-- large batch, computed in some slice, has the mask of item 23 of a batch that
-- was computed at once.
function TestLayers:test_slices_draw_what_the_whole_draws()
  local function mask(layers_before)
    lunet.manual_seed(9)
    local drop = nn.dropout { p = 0.5 }
    local parts = { drop }
    for i = 1, layers_before do parts[i + 1] = nn.relu {} end
    local net = nn.sequential(parts)
    return net:forward(lunet.ones { 64, 3000 })
  end
  local alone = mask(0)
  lu.assertTrue(bits_of(alone) == bits_of(mask(3)))
  local zeros = alone:eq(0):mean()
  lu.assertTrue(zeros > 0.49 and zeros < 0.51)
  -- no two items share a mask, as they would if slices began again at 0
  for i = 2, 64 do
    lu.assertTrue((alone[1] - alone[i]):abs():max() > 0)
  end
end

TestTraining = {}

-- Batches are shuffled, the last one is smaller; 128 items of 16 channels are
-- several pieces of work in each layer.
local function train(seed)
  lunet.manual_seed(seed)
  local digits = data.digits():take(300)
  local net = nn.sequential {
    nn.conv2d { out_channels = 16, kernel_size = 3, padding = 1, bias = false },
    nn.batch_norm2d {}, nn.relu {}, nn.max_pool2d { kernel_size = 2 },
    nn.conv2d { out_channels = 8, kernel_size = 3 },
    nn.batch_norm2d { momentum = 0.3 }, nn.relu {}, nn.flatten {},
    nn.dropout { p = 0.2 }, nn.linear { out_features = 10 } }
  net:build { 1, 8, 8 }
  local run = lunet.fit(net, digits, {
    loss = nn.cross_entropy {}, epochs = 2, batch_size = 128, progress = false,
    shuffle = true, validate = data.digits():take(40),
    optimizer = optim.sgd(net:parameters(), { lr = 0.05, momentum = 0.9 }) })
  local all = { run.loss[1], run.loss[2], run.validation[2] }
  append_state(all, net)
  return bits_of(table.unpack(all))
end

function TestTraining:test_a_whole_run()
  assert_equal_bits(function() return train(3) end)
end

function TestTraining:test_another_seed_gives_another_run()
  lu.assertTrue(train(3) == train(3))
  lu.assertFalse(train(3) == train(4))
end

TestMethods = {}

function TestMethods:test_textbook_and_auto_agree_on_a_net()
  lunet.manual_seed(1)
  local net = nn.sequential {
    nn.conv2d { out_channels = 6, kernel_size = 5, padding = 2 }, nn.relu {},
    nn.max_pool2d { kernel_size = 2 }, nn.flatten {},
    nn.linear { out_features = 10 } }
  local x, dy = lunet.randn { 20, 1, 12, 12 }, lunet.randn { 20, 10 }
  local function gradients()
    local y = net:forward(x)
    net:zero_grad()
    net:backward(dy)
    local list = { y }
    for _, p in ipairs(net:parameters()) do list[#list + 1] = p.grad:clone() end
    return list
  end
  local auto = gradients()
  lunet.set_method("textbook")
  local textbook = gradients()
  lunet.set_method("auto")
  for i, t in ipairs(auto) do
    lu.assertTrue((t - textbook[i]):abs():max() <=
                  1e-5 * math.max(1, t:abs():max()))
  end
end

os.exit(lu.LuaUnit.run())
