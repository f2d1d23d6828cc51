-- test_init.lua - nn.init: the statistics of each rule, whose fans it takes,
-- that a rule given with a layer waits for its sizes, and what is refused.

package.path = "tests/support/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local nn, init = lunet.nn, lunet.nn.init

local function same(a, b) lu.assertEquals(a:tolist(), b:tolist()) end

-- n numbers of standard deviation s: their mean lies within 5 s / sqrt(n), and
-- their own deviation within 5 s sqrt((k - 1) / 4n) of s, where the kurtosis k
-- is 3 at most here.
local function assert_statistics(t, mean, std)
  local n = t:numel()
  local got = t:mean()
  lu.assertTrue(math.abs(got - mean) <= 5 * std / math.sqrt(n),
                ("mean %g, expected %g"):format(got, mean))
  local deviation = math.sqrt(((t - got) * (t - got)):mean())
  lu.assertTrue(math.abs(deviation - std) <= 5 * std / math.sqrt(2 * n),
                ("std %g, expected %g"):format(deviation, std))
end

-- Of its 2 groups, each has 24 channels in and 48 out, through 9 places.
local function convolution()
  return nn.conv2d { in_channels = 48, out_channels = 96, kernel_size = 3,
                     groups = 2 }
end
local fan_in, fan_out = 24 * 9, 48 * 9

TestStatistics = {}

local deviations = {
  { "kaiming", {}, math.sqrt(2 / fan_in) },
  { "kaiming", { nonlinearity = "relu" }, math.sqrt(2 / fan_in) },
  { "kaiming", { nonlinearity = "relu", mode = "fan_out" },
    math.sqrt(2 / fan_out) },
  { "kaiming", { nonlinearity = "leaky_relu", a = 0.5 },
    math.sqrt(2 / 1.25 / fan_in) },
  { "kaiming", { nonlinearity = "linear" }, math.sqrt(1 / fan_in) },
  { "kaiming", { nonlinearity = "tanh" }, 5 / 3 / math.sqrt(fan_in) },
  { "xavier", {}, math.sqrt(2 / (fan_in + fan_out)) },
  { "xavier", { gain = 3 }, 3 * math.sqrt(2 / (fan_in + fan_out)) },
  { "lecun", {}, math.sqrt(1 / fan_in) },
}

function TestStatistics:test_normal_and_uniform_have_one_deviation()
  lunet.manual_seed(1)
  for _, row in ipairs(deviations) do
    local word, options, std = table.unpack(row)
    for _, form in ipairs { "_normal", "_uniform" } do
      local conv = convolution()
      init[word .. form](options)(conv)
      assert_statistics(conv.weight, 0, std)
    end
  end
end

function TestStatistics:test_uniform_ends_at_root_3_deviations()
  lunet.manual_seed(2)
  local conv = convolution()
  init.lecun_uniform {} (conv)
  local bound = math.sqrt(3 / fan_in)
  local largest = conv.weight:abs():max()
  lu.assertTrue(largest <= bound * (1 + 1e-6))
  lu.assertTrue(largest >= bound * 0.999)
end

function TestStatistics:test_normal_has_tails()
  lunet.manual_seed(3)
  local t = init.normal { mean = 2, std = 0.5 } (lunet.zeros { 40000 })
  assert_statistics(t, 2, 0.5)
  local beyond = (t - 2):abs():gt(1):mean() -- two deviations: 4.55 %
  lu.assertTrue(math.abs(beyond - 0.0455) <= 0.005)
end

function TestStatistics:test_uniform_between_a_and_b()
  lunet.manual_seed(4)
  local t = init.uniform { a = -1, b = 3 } (lunet.zeros { 40000 })
  assert_statistics(t, 1, 4 / math.sqrt(12))
  lu.assertTrue(t:min() >= -1 and t:max() <= 3)
end

function TestStatistics:test_constant_and_zeros()
  local t = init.constant { val = 0.25 } (lunet.zeros { 3, 4 })
  same(t, lunet.full({ 3, 4 }, 0.25))
  same(init.zeros {} (t), lunet.zeros { 3, 4 })
end

-- The Frobenius distance of Q Q^T to gain^2 I.
local function distance_to_identity(q, gain)
  local n = q:shape()[1]
  local identity = lunet.zeros { n, n }
  for i = 1, n do identity[i][i] = gain * gain end
  return (q:matmul(q:transpose(1, 2)) - identity):abs():max()
end

function TestStatistics:test_orthogonal()
  lunet.manual_seed(5)
  for _, shape in ipairs { { 5, 5 }, { 3, 20 }, { 1, 4 }, { 64, 100 } } do
    local q = init.orthogonal {} (lunet.zeros(shape))
    lu.assertTrue(distance_to_identity(q, 1) <= 1e-5)
  end
  local tall = init.orthogonal {} (lunet.zeros { 20, 3 })
  lu.assertTrue(distance_to_identity(tall:transpose(1, 2), 1) <= 1e-5)
  local filters = init.orthogonal { gain = 2 } (lunet.zeros { 6, 2, 3, 3 })
  lu.assertTrue(distance_to_identity(filters:view { 6, 18 }, 2) <= 1e-5)
end

-- Without favoured directions, the first column is as often left as right.
function TestStatistics:test_orthogonal_has_no_favourite_sign()
  lunet.manual_seed(6)
  local positive = 0
  for _ = 1, 400 do
    local q = init.orthogonal {} (lunet.zeros { 2, 2 })
    positive = positive + (q[1][1] > 0 and 1 or 0)
  end
  lu.assertTrue(math.abs(positive - 200) <= 60)
end

-- Through 20 layers of relu, He's rule keeps the size of the activations, the
-- layers' own rule loses it.
function TestStatistics:test_he_keeps_the_variance_through_relu()
  lunet.manual_seed(7)
  local layers = {}
  for i = 1, 20 do
    layers[2 * i - 1] = nn.linear { in_features = 256, out_features = 256,
                                    bias = false }
    layers[2 * i] = nn.relu {}
  end
  local net = nn.sequential(layers)
  local x = lunet.randn { 64, 256 }
  local function size() local y = net:predict(x); return (y * y):mean() end
  lu.assertTrue(size() < 1e-6)
  init.kaiming_normal { nonlinearity = "relu" } (net)
  local kept = size()
  lu.assertTrue(kept > 0.2 and kept < 5, tostring(kept))
end

-- ---- whose fans, which parameters -----------------------------------------

TestTargets = {}

function TestTargets:test_the_fans_are_the_plugins()
  local list = convolution():parameters()
  lu.assertEquals({ list[1].fan_in, list[1].fan_out }, { fan_in, fan_out })
  lu.assertEquals({ list[2].fan_in, list[2].fan_out }, { fan_in, 0 })
  local net = nn.sequential { nn.linear { in_features = 5, out_features = 7 } }
  local p = net:parameters()[1]
  lu.assertEquals({ p.name, p.fan_in, p.fan_out }, { "0.weight", 5, 7 })
end

function TestTargets:test_a_net_gets_its_weights_filled_and_keeps_its_biases()
  local net = nn.sequential { convolution(), nn.relu {}, nn.flatten {},
    nn.sequential { nn.linear { in_features = 2, out_features = 2 } } }
  local biases = { net[1].bias:clone(), net[4][1].bias:clone() }
  init.constant { val = 1 } (net)
  lu.assertEquals(net[1].weight:min(), 1)
  lu.assertEquals(net[4][1].weight:min(), 1)
  same(net[1].bias, biases[1])
  same(net[4][1].bias, biases[2])
  init.zeros {} (net, "bias")
  lu.assertEquals(net[1].bias:abs():max(), 0)
  lu.assertEquals(net[1].weight:min(), 1)
end

function TestTargets:test_a_parameter_and_a_plain_tensor()
  lunet.manual_seed(8)
  local conv = convolution()
  init.kaiming_normal { mode = "fan_out" } (conv:parameters()[1])
  assert_statistics(conv.weight, 0, math.sqrt(2 / fan_out))
  -- a tensor alone: (out, in, kh, kw)
  local t = init.xavier_normal {} (lunet.zeros { 100, 30, 3, 3 })
  assert_statistics(t, 0, math.sqrt(2 / (900 + 270)))
end

function TestTargets:test_a_view_with_gaps_is_filled()
  local t = lunet.zeros { 4, 6 }
  init.constant { val = 1 } (t:narrow(2, 2, 3))
  lu.assertEquals(t:sum(), 12)
  lu.assertEquals(t:narrow(2, 1, 1):sum(), 0)
end

function TestTargets:test_each_call_draws_anew_and_a_seed_repeats_it()
  lunet.manual_seed(9)
  local a = init.normal {} (lunet.zeros { 5 })
  local b = init.normal {} (lunet.zeros { 5 })
  lu.assertNotEquals(a:tolist(), b:tolist())
  lunet.manual_seed(9)
  same(init.normal {} (lunet.zeros { 5 }), a)
end

-- ---- given with the layer --------------------------------------------------

TestOption = {}

local function pair_of_layers(first, second)
  lunet.manual_seed(10)
  return nn.linear(first), nn.linear(second)
end

-- Whether the sizes are known at once, at the first forward, or at the last.
function TestOption:test_values_do_not_depend_on_when_a_size_is_known()
  for _, word in ipairs { "kaiming_normal", "orthogonal", "lecun_uniform" } do
    local rule = init[word] {}
    local function options(more)
      more.out_features, more.init = 6, { weight = rule, bias = init.zeros {} }
      return more
    end
    local a, b = pair_of_layers(options { in_features = 5 },
                                options { in_features = 4 })
    local c, d = pair_of_layers(options {}, options {})
    d:forward(lunet.ones { 1, 4 })
    lunet.randn { 10 }
    nn.sequential { c }:build { 5 }
    same(a.weight, c.weight)
    same(b.weight, d.weight)
    lu.assertEquals(c.bias:abs():max(), 0)
  end
end

function TestOption:test_one_rule_is_for_the_weights()
  lunet.manual_seed(11)
  local plain = nn.linear { in_features = 50, out_features = 400 }
  lunet.manual_seed(11)
  local he = nn.linear { in_features = 50, out_features = 400,
                         init = init.kaiming_normal { nonlinearity = "relu" } }
  same(he.bias, plain.bias)
  assert_statistics(he.weight, 0, math.sqrt(2 / 50))
end

-- prelu has an option of that name, a number, as in PyTorch.
function TestOption:test_a_number_is_for_the_layer()
  lu.assertEquals(nn.prelu { init = 0.5 }.weight:max(), 0.5)
  local named = nn.prelu { init = { weight = init.constant { val = 0.125 } } }
  lu.assertEquals(named.weight:max(), 0.125)
end

function TestOption:test_the_net_that_holds_it_may_be_saved()
  local net = nn.sequential { nn.linear { in_features = 3, out_features = 3,
                                          init = init.orthogonal {} } }
  local path = os.tmpname() .. ".safetensors"
  net:save(path)
  same(nn.load(path)[1].weight, net[1].weight)
  os.remove(path)
end

-- ---- what is refused -------------------------------------------------------

TestRefusals = {}

local function refused(sentence, f, ...)
  local ok, message = pcall(f, ...)
  lu.assertFalse(ok, "not refused: " .. sentence)
  lu.assertStrContains(message, sentence)
end

function TestRefusals:test_rules()
  refused("nn.init has no 'kaiming_norm'; did you mean 'kaiming_normal'?",
          function() return init.kaiming_norm end)
  refused("mode is 'fan', it must be \"fan_in\"", init.kaiming_normal,
          { mode = "fan" })
  refused("the nonlinearity 'gelu' has no gain here", init.kaiming_normal,
          { nonlinearity = "gelu" })
  refused("nn.init.constant needs the option 'val'", init.constant, {})
  refused("a = 2 is above b = 1", init.uniform, { a = 2 })
  refused("option 'std' is -1, it must be a number >= 0", init.normal,
          { std = -1 })
end

function TestRefusals:test_targets()
  local rule = init.kaiming_normal {}
  refused("a tensor of shape (3) has none", rule, lunet.ones { 3 })
  refused("got a number", rule, 3)
  refused("no parameter here has a fan_in and a fan_out", rule, nn.relu {})
  refused("there is no parameter 'biass' here\n  parameters: weight, bias",
          init.zeros {}, nn.linear { in_features = 1, out_features = 1 },
          "biass")
  refused("is unfinished", rule, nn.linear { out_features = 1 })
  refused("bias is drawn by its fan_out, which is 0 and must be > 0",
          init.kaiming_normal { mode = "fan_out" }, convolution(), "bias")
  refused("has shape (3), but orthogonal needs a matrix", init.orthogonal {},
          lunet.ones { 3 })
end

function TestRefusals:test_options()
  refused("linear: init is a function, it must be an initialiser such as "
          .. "nn.init.kaiming_normal{}; call it", nn.linear,
          { in_features = 1, out_features = 1, init = init.zeros })
  refused("relu: init is given, but no parameter here has a fan_in", nn.relu,
          { init = init.zeros {} })
  refused("linear has no option 'init'", nn.linear,
          { in_features = 1, out_features = 1, init = 3 })
  local given = { out_features = 2, init = { wieght = init.zeros {} } }
  local sentence = "linear: init is given for 'wieght', which is no parameter "
    .. "here\n  parameters: weight, bias"
  refused(sentence, nn.linear, { in_features = 2, out_features = 2,
                                 init = given.init })
  local late = nn.linear(given)
  refused(sentence, late.forward, late, lunet.ones { 1, 2 })
end

os.exit(lu.LuaUnit.run())
