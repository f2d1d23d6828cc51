-- lunet.diagnose: planted illnesses are named, a healthy run has none.
local lu = require "luaunit"
local lunet = require "lunet"
local core = require "lunet_core"
local nn, optim, data = lunet.nn, lunet.optim, lunet.data

local train, test = data.digits()

local function small_net()
  return nn.sequential {
    nn.conv2d { out_channels = 8, kernel_size = 3, padding = 1,
                name = "conv1" },
    nn.relu { name = "relu1" }, nn.max_pool2d { kernel_size = 2 },
    nn.flatten {}, nn.linear { out_features = 32, name = "hidden" },
    nn.relu {}, nn.linear { out_features = 10, name = "scores" } }
end

-- Trains a net and gives the run. o: { net =, prepare = f(net), train =, lr =,
-- epochs =, rule = }.
local function trained(o)
  lunet.manual_seed(o.seed or 1)
  local net = (o.net or small_net)():build { 1, 8, 8 }
  if o.prepare then o.prepare(net) end
  local rule = o.rule and o.rule(net:parameters()) or
               optim.sgd(net:parameters(), { lr = o.lr or 0.05,
                                             momentum = 0.9 })
  return lunet.fit(net, o.train or train, {
    loss = nn.cross_entropy {}, optimizer = rule, epochs = o.epochs or 4,
    batch_size = o.batch_size, validate = test, progress = false })
end

-- name -> finding; and their names in order, as one text.
local function findings_of(run, options)
  local byname, names = {}, {}
  for i, finding in ipairs(lunet.diagnose(run, options)) do
    for _, part in ipairs { "what", "numbers", "rule", "try" } do
      lu.assertEquals(type(finding[part]), "string", finding.name)
    end
    byname[finding.name], names[i] = finding, finding.name
  end
  return byname, table.concat(names, " ")
end

local function with_labels_shuffled()
  local labels = train.labels
  local shuffled = labels:clone()
  for i, place in ipairs(core.permutation(#train)) do
    shuffled[i] = labels[place]
  end
  return data.tensors { x = train.x, labels = shuffled }
end

TestHealthy = {}

function TestHealthy:test_no_findings()
  local cases = {
    sgd = {},
    one_epoch = { epochs = 1 },
    long = { epochs = 25 },
    adam = { rule = function(p) return optim.adam(p, { lr = 0.003 }) end },
    batch_1 = { lr = 0.002, epochs = 1, batch_size = 1 },
    linear = { lr = 0.1, net = function()
      return nn.sequential { nn.flatten {}, nn.linear { out_features = 10 } }
    end },
    norm = { net = function()
      return nn.sequential {
        nn.conv2d { out_channels = 8, kernel_size = 3 }, nn.batch_norm2d {},
        nn.relu {}, nn.flatten {}, nn.dropout {},
        nn.linear { out_features = 10 } }
    end },
  }
  for name, o in pairs(cases) do
    for seed = 1, 2 do
      o.seed = seed
      local _, names = findings_of(trained(o))
      lu.assertEquals(names, "", name)
    end
  end
end

function TestHealthy:test_is_told_in_a_line()
  local run = trained { epochs = 1 }
  lu.assertEquals(tostring(lunet.diagnose(run)),
                  "nothing stands out: 11 rules looked at 45 steps")
end

-- A net that was trained before and goes on has a flat, low loss.
function TestHealthy:test_a_net_that_knows_already()
  local run = trained { epochs = 20 }
  local again = lunet.fit(run.net, train, {
    loss = nn.cross_entropy {}, progress = false,
    optimizer = optim.sgd(run.net:parameters(), { lr = 0.001 }) })
  local _, names = findings_of(again)
  lu.assertEquals(names, "")
end

-- Layers that are frozen on purpose have no gradient, and are no illness.
function TestHealthy:test_frozen_layers()
  local run = trained { prepare = function(net)
    net:get("conv1"):requires_grad { inputs = true, parameters = false }
  end }
  local _, names = findings_of(run)
  lu.assertEquals(names, "")
end

TestIll = {}

function TestIll:test_lr_0()
  local found, names = findings_of(trained { lr = 0 })
  lu.assertEquals(names, "short_steps flat_loss one_batch")
  lu.assertStrContains(found.short_steps.numbers, "at most 0, with lr = 0")
  lu.assertStrContains(found.short_steps.try, "a rate that is not 0")
  lu.assertStrContains(found.one_batch.what, "can be learnt by heart")
  lu.assertStrContains(found.one_batch.try, "another rate: the net is sound")
end

function TestIll:test_lr_too_small()
  local found, names = findings_of(trained { lr = 1e-7 })
  lu.assertEquals(names, "short_steps flat_loss one_batch")
  lu.assertEquals(found.short_steps.try, "a larger rate, such as lr = 1e-05")
end

function TestIll:test_lr_huge()
  local found = findings_of(trained { lr = 1000 })
  lu.assertStrContains(found.long_steps.what, "too long")
  lu.assertStrMatches(found.long_steps.try, "a smaller rate, such as lr = .*")
  lu.assertStrContains(found.flat_loss.what, "the loss rises")
  local rate = tonumber(found.long_steps.try:match "lr = (%S+)")
  lu.assertTrue(rate > 0.001 and rate < 1, tostring(rate))
end

-- With the rate that it suggests, the net learns.
function TestIll:test_the_rate_suggested_works()
  local found = findings_of(trained { lr = 1000 })
  local rate = tonumber(found.long_steps.try:match "lr = (%S+)")
  local _, names = findings_of(trained { lr = rate / 2 })
  lu.assertNotStrContains(names, "long_steps")
end

function TestIll:test_dead_units()
  local found, names = findings_of(trained { prepare = function(net)
    net:get("conv1").bias:fill(-10)
  end })
  lu.assertEquals(names, "dead_units no_gradient flat_loss one_batch")
  lu.assertEquals(found.dead_units.numbers, "8 of 8 in layer relu1 (relu)")
  lu.assertStrContains(found.no_gradient.what, "conv1.weight")
  lu.assertStrContains(found.one_batch.what, "cannot learn even a single batch")
end

-- Some dead units are usual; three in four are not.
function TestIll:test_some_dead_units_are_usual()
  for dead = 5, 7 do
    local _, names = findings_of(trained { epochs = 1,
      prepare = function(net)
        for i = 1, dead do net:get("conv1").bias[i] = -10 end
      end }, { one_batch = false })
    lu.assertEquals(names:find "dead_units" ~= nil, dead == 7, dead)
  end
end

function TestIll:test_labels_shuffled()
  local shuffled = with_labels_shuffled()
  local found, names = findings_of(trained { train = shuffled })
  lu.assertEquals(names, "flat_loss one_batch")
  lu.assertStrContains(found.one_batch.what, "the data cannot")
  lu.assertStrContains(found.one_batch.try, "samples with their labels")
end

-- Learnt by heart after long, they are of no use for others.
function TestIll:test_labels_shuffled_and_learnt_by_heart()
  local found, names = findings_of(trained { train = with_labels_shuffled(),
                                             epochs = 80 })
  lu.assertEquals(names, "carry_over")
  lu.assertStrContains(found.carry_over.rule, "guessing among 10 classes has "
                       .. "10.0 % right")
end

function TestIll:test_weights_that_begin_at_zero()
  local found, names = findings_of(trained { prepare = function(net)
    for _, p in ipairs(net:parameters()) do p.value:fill(0) end
  end })
  lu.assertEquals(names, "same_weights flat_loss one_batch")
  lu.assertStrContains(found.same_weights.what,
                       "conv1.weight and hidden.weight")
  lu.assertEquals(found.flat_loss.try, "what stands above; this is its result")
end

function TestIll:test_inputs_that_are_not_scaled()
  local found = findings_of(trained {
    train = data.tensors { x = train.x * 255, labels = train.labels } })
  lu.assertStrContains(found.first_loss.numbers, "ln 10 = 2.303")
  lu.assertStrContains(found.first_loss.try, "they reach 255")
end

function TestIll:test_first_scores_that_are_large()
  local found = findings_of(trained { epochs = 1, prepare = function(net)
    net:get("scores").weight:copy(net:get("scores").weight * 100)
  end })
  lu.assertStrContains(found.first_loss.try, "smaller first weights")
end

function TestIll:test_a_gradient_that_fades()
  local found = findings_of(trained { net = function()
    local layers = { nn.flatten {} }
    for i = 1, 8 do
      layers[2 * i] = nn.linear { out_features = 32 }
      layers[2 * i + 1] = nn.sigmoid {}
    end
    layers[#layers + 1] = nn.linear { out_features = 10 }
    return nn.sequential(layers)
  end })
  lu.assertStrContains(found.fading_gradient.what, "back to 1.weight")
end

-- fit stops at such a loss; a loop of one's own may not.
function TestIll:test_a_loss_that_is_no_number()
  local net = small_net():build { 1, 8, 8 }
  local run = lunet.watch(net, { items = 3, progress = false })
  for _, loss in ipairs { 2.3, 0 / 0, 0 / 0 } do run:step(loss) end
  run:end_epoch()
  local found, names = findings_of(run)
  lu.assertStrMatches(names, "not_finite.*")
  lu.assertStrContains(found.not_finite.what, "from step 2 on")
end

TestManners = {}

-- Weights, modes and the state of batch norm are as before.
function TestManners:test_leaves_the_net_as_it_was()
  local run = trained { lr = 0, epochs = 1, net = function()
    return nn.sequential {
      nn.conv2d { out_channels = 4, kernel_size = 3 }, nn.batch_norm2d {},
      nn.relu {}, nn.flatten {}, nn.linear { out_features = 10 } }
  end }
  run.net:eval()
  local before = {}
  for name, t in pairs(run.net:state()) do before[name] = t:tolist() end
  local _, names = findings_of(run, { one_batch = true })
  lu.assertStrContains(names, "one_batch")
  for name, t in pairs(run.net:state()) do
    lu.assertEquals(t:tolist(), before[name], name)
  end
  for _, layer in ipairs(run.net:layers()) do
    lu.assertFalse(layer.core_layer:training())
  end
end

-- Rules that need samples do not look where the net cannot read them.
function TestManners:test_samples_that_the_net_does_not_read()
  local net = nn.sequential { nn.linear { in_features = 64,
                                          out_features = 10 }, nn.relu {} }
  local run = lunet.watch(net, { train = train, loss = nn.cross_entropy {},
                                 progress = false })
  for i = 1, 30 do run:step(3 - i / 10) end
  run:end_epoch()
  local findings = lunet.diagnose(run, { one_batch = true })
  lu.assertEquals(findings.rules, 9)
end

function TestManners:test_one_batch_may_be_left_out()
  local found, names = findings_of(trained { train = with_labels_shuffled() },
                                   { one_batch = false })
  lu.assertEquals(names, "flat_loss")
  lu.assertStrContains(found.flat_loss.try, "lunet.diagnose(run)")
end

function TestManners:test_printed()
  local run = trained { prepare = function(net)
    net:get("conv1").bias:fill(-10)
  end }
  local text = tostring(lunet.diagnose(run))
  lu.assertStrMatches(text, "1%. units are dead.*\n2%. no gradient.*\n3%..*")
  for line in text:gmatch "[^\n]+" do
    lu.assertTrue(utf8.len(line) <= 80, line)
  end
  for _, part in ipairs { "numbers", "rule", "try" } do
    lu.assertStrContains(text, "\n   " .. part)
  end
end

function TestManners:test_refusals()
  local function refused(text, ...)
    local fine, message = pcall(lunet.diagnose, ...)
    lu.assertFalse(fine)
    lu.assertStrContains(message, text)
  end
  refused("must be a run", { loss = {} })
  local net = small_net():build { 1, 8, 8 }
  refused("nothing was recorded", lunet.watch(net, { items = 1,
                                                     progress = false }))
  local run = lunet.fit(net, train, { loss = nn.cross_entropy {},
    optimizer = optim.sgd(net:parameters(), { lr = 0.1 }), record = false,
    progress = false })
  refused("without record = false", run)
  refused("did you mean 'one_batch'?", trained { epochs = 1 },
          { one_batches = true })
end

os.exit(lu.LuaUnit.run())
