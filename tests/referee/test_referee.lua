-- test_referee.lua - layers, optimizers and nets against PyTorch in float64:
-- the cases frozen in tests/fixtures/referee (README.md there says how).
--
-- A case gives inputs, parameters and options, and for each result what is
-- expected and how far off (`tol`) it may be. Each case runs in a new layer:
-- forward and backward; once more without zero_grad, when the gradients of the
-- parameters have doubled; zero_grad; and the first item of the batch alone.

local lu = require "luaunit"
local core = require "lunet_core"
local lunet = require "lunet"
local nn, optim = lunet.nn, lunet.optim

local folder = "tests/fixtures/referee/"

local function read_cases()
  local file <close> = assert(io.open(folder .. "cases.json"))
  return core.json_decode(file:read("a"))
end

local cases = read_cases()

-- ---- comparing -------------------------------------------------------------

local function as_tensor(v)
  return type(v) == "number" and lunet.tensor { v } or v
end

-- got = times * want up to the tolerance; `what` names it in the failure.
local function assert_near(what, got, want, spec, times)
  got = as_tensor(got)
  lu.assertNotNil(got, what .. " is missing")
  if want:numel() ~= 1 then -- a loss may be a number or a tensor
    lu.assertEquals(got:shape(), want:shape(), what .. ": shape")
  end
  lu.assertEquals(got:numel(), want:numel(), what .. ": elements")
  local off = got:numel() == 0 and 0 or
              (got:view { -1 } - (want * times):view { -1 }):abs():max()
  local right = off <= spec.tol * times -- NaN is not
  lu.assertTrue(right, ("%s is off by %g, allowed are %g"):format(
    what, off, spec.tol * times))
end

local function by_name(parameters)
  local map = {}
  for _, p in ipairs(parameters) do map[p.name] = p end
  return map
end

-- The tensors of a case under their own names.
local function tensors_of(case, all)
  local mine, prefix = {}, case.id .. "/"
  for name, t in pairs(all) do
    if name:sub(1, #prefix) == prefix then mine[name:sub(#prefix + 1)] = t end
  end
  return mine
end

-- ---- layers ----------------------------------------------------------------

local function set_parameters(layer, case, t)
  local parameters = by_name(layer:parameters())
  for _, name in ipairs(case.params) do
    parameters[name].value:copy(t["param_" .. name])
    parameters[name] = nil
  end
  lu.assertNil(next(parameters), case.id .. ": a parameter too many")
end

local function check_pass(case, layer, inputs, t, times)
  local id, expect = case.id .. ": ", case.expect
  assert_near(id .. "y", layer:forward(table.unpack(inputs)), t.y, expect.y, 1)
  local dx = { layer:backward(not case.loss and t.dy or nil) }
  for k, name in ipairs(case.inputs) do
    local key = "d" .. name
    if expect[key] then
      assert_near(id .. key, dx[k], t[key], expect[key], 1)
    end
  end
  for name, p in pairs(by_name(layer:parameters())) do
    local key = "grad_" .. name
    assert_near(id .. key, p.grad, t[key], expect[key], times)
  end
end

local function check_first_item(case, layer, inputs, t)
  local items = {}
  for k, x in ipairs(inputs) do items[k] = x:narrow(1, 1, 1) end
  assert_near(case.id .. ": y of one item",
              layer:forward(table.unpack(items)), t.y:narrow(1, 1, 1),
              case.expect.y, 1)
  local dx = { layer:backward(t.dy:narrow(1, 1, 1)) }
  for k, name in ipairs(case.inputs) do
    local key = "d" .. name
    assert_near(("%s: %s of one item"):format(case.id, key), dx[k],
                t[key]:narrow(1, 1, 1), case.expect[key], 1)
  end
end

local function check_zero_grad(case, layer)
  layer:zero_grad()
  for name, p in pairs(by_name(layer:parameters())) do
    assert_near(case.id .. ": zeroed grad_" .. name, p.grad,
                lunet.zeros(p.grad:shape()), { tol = 0 }, 1)
  end
end

local function check_layer(case, t)
  local layer = nn[case.layer](case.options)
  if case.training then layer:train() else layer:eval() end
  set_parameters(layer, case, t)
  local inputs, before = {}, {}
  for k, name in ipairs(case.inputs) do
    inputs[k], before[k] = t[name], t[name]:clone()
  end
  layer:zero_grad()
  check_pass(case, layer, inputs, t, 1)
  check_pass(case, layer, inputs, t, 2)
  check_zero_grad(case, layer)
  for k, x in ipairs(inputs) do
    lu.assertEquals(x:tolist(), before[k]:tolist(), case.id .. " changed x")
  end
  if case.per_item and inputs[1]:shape()[1] > 1 then
    check_first_item(case, layer, inputs, t)
  end
end

-- ---- optimizers ------------------------------------------------------------

local function check_optimizer(case, t)
  local layer = nn.linear { in_features = case.in_features,
                            out_features = case.out_features }
  local parameters = by_name(layer:parameters())
  for name, p in pairs(parameters) do p.value:copy(t["param_" .. name]) end
  local opt = optim[case.optimizer](layer:parameters(), case.options)
  for step = 1, case.steps do
    opt:zero_grad()
    for name, p in pairs(parameters) do
      p.grad:copy(t[("grad_%d_%s"):format(step, name)])
    end
    opt:step()
    for name, p in pairs(parameters) do
      local key = ("out_%d_%s"):format(step, name)
      assert_near(case.id .. ": " .. key, p.value, t[key], case.expect[key], 1)
    end
  end
end

-- ---- nets ------------------------------------------------------------------

local nets = {}

function nets.lenet5()
  return nn.sequential {
    nn.conv2d { name = "conv1", out_channels = 6, kernel_size = 5,
                padding = 2 },
    nn.relu {}, nn.max_pool2d { kernel_size = 2 },
    nn.conv2d { name = "conv2", out_channels = 16, kernel_size = 5 },
    nn.relu {}, nn.max_pool2d { kernel_size = 2 }, nn.flatten {},
    nn.linear { name = "fc1", out_features = 120 }, nn.relu {},
    nn.linear { name = "fc2", out_features = 84 }, nn.relu {},
    nn.linear { name = "fc3", out_features = 10 },
  }:build { 1, 28, 28 }
end

function nets.inception()
  local function conv(name, channels, size, x)
    return nn.conv2d { name = name, out_channels = channels, kernel_size = size,
                       padding = size // 2 } (x)
  end
  local function relu(x) return nn.relu {} (x) end
  local x = nn.input { 3, 12, 11 }
  local s = relu(conv("stem", 8, 3, x))
  local pooled = nn.max_pool2d { kernel_size = 3, stride = 1, padding = 1 } (s)
  local y = relu(nn.concat {} (
    conv("a1", 4, 1, s),
    conv("b2", 6, 3, relu(conv("b1", 4, 1, s))),
    conv("c2", 4, 5, relu(conv("c1", 2, 1, s))),
    conv("d1", 3, 1, pooled)))
  y = nn.flatten {} (nn.max_pool2d { kernel_size = 2, ceil_mode = true } (y))
  return nn.graph(x, nn.linear { name = "fc", out_features = 10 } (y))
end

local function check_net(case, t)
  local net = nets[case.net]()
  local weights, losses = {}, {}
  for _, name in ipairs(case.params) do
    weights[name] = t["weights/" .. name]
  end
  net:load_state(weights, { strict = true })
  local loss_fn = nn.cross_entropy {}
  local opt = optim.sgd(net:parameters(), case.options)
  for step = 1, 3 do
    local scores = net:forward(t.x)
    losses[step] = loss_fn:forward(scores, t.target)
    opt:zero_grad()
    net:backward(loss_fn:backward())
    if step == 1 then
      assert_near(case.id .. ": scores", scores, t.y, case.expect.y, 1)
      for _, p in ipairs(net:parameters()) do
        local key = "grad_" .. p.name
        assert_near(case.id .. ": " .. key, p.grad, t[key], case.expect[key], 1)
      end
    end
    opt:step()
  end
  assert_near(case.id .. ": losses", lunet.tensor(losses), t.losses,
              case.expect.losses, 1)
end

-- ---- one test a word -------------------------------------------------------

TestReferee = {}

for _, case in ipairs(cases) do
  TestReferee["test_" .. case.layer] = function()
    local all, count = lunet.load(folder .. case.layer .. ".npz"), 0
    for _, c in ipairs(cases) do
      if c.layer == case.layer then
        local check = c.optimizer and check_optimizer or
                      c.net and check_net or check_layer
        check(c, tensors_of(c, all))
        count = count + 1
      end
    end
    lu.assertTrue(count > 0)
  end
end

os.exit(lu.LuaUnit.run())
