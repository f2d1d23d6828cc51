-- Optimizer objects: first steps by hand, state, clipping, refusals. The rules
-- over many steps are tested with the core.
local lu = require "luaunit"
local lunet = require "lunet"
local optim = lunet.optim

local function parameter(name, values, gradients)
  return { name = name, value = lunet.tensor(values),
           grad = lunet.tensor(gradients) }
end

local function assert_values(tensor, expected)
  for i, value in ipairs(tensor:tolist()) do
    lu.assertAlmostEquals(value, expected[i], 1e-6)
  end
end

TestSteps = {}

function TestSteps:test_sgd()
  local p = parameter("w", { 1, 2 }, { 10, -10 })
  optim.sgd({ p }, { lr = 0.1 }):step()
  assert_values(p.value, { 0, 3 })
end

function TestSteps:test_momentum_gathers_speed()
  local p = parameter("w", { 0 }, { 1 })
  local opt = optim.sgd({ p }, { lr = 1, momentum = 0.5 })
  opt:step() -- velocity 1
  opt:step() -- velocity 1.5
  assert_values(p.value, { -2.5 })
end

function TestSteps:test_adam_walks_by_lr_at_first()
  for _, word in ipairs { "adam", "adamw" } do
    local p = parameter("w", { 0, 0 }, { 1000, -0.01 })
    optim[word]({ p }, { lr = 0.1 }):step()
    for i, sign in ipairs { -1, 1 } do
      lu.assertAlmostEquals(p.value[i], sign * 0.1, 1e-5, word)
    end
  end
end

function TestSteps:test_adagrad_and_rmsprop_divide_by_the_size()
  local p = parameter("w", { 0 }, { 4 })
  optim.adagrad({ p }, { lr = 0.1 }):step()
  assert_values(p.value, { -0.1 })
  p = parameter("w", { 0 }, { 4 })
  optim.rmsprop({ p }, { lr = 0.1, alpha = 0.75 }):step()
  assert_values(p.value, { -0.2 }) -- 0.1 * 4 / sqrt(0.25 * 16)
end

function TestSteps:test_zero_grad()
  local p = parameter("w", { 1, 1 }, { 3, 4 })
  optim.sgd({ p }, { lr = 1 }):zero_grad()
  lu.assertEquals(p.grad:tolist(), { 0, 0 })
end

function TestSteps:test_lr_is_read_and_written()
  local p = parameter("w", { 0 }, { 1 })
  local opt = optim.sgd({ p }, { lr = 0.5 })
  lu.assertEquals(opt.lr, 0.5)
  opt.lr = 2
  lu.assertEquals(opt.lr, 2)
  opt:step()
  assert_values(p.value, { -2 })
end

TestState = {}

local function train(opt, p, steps)
  for step = 1, steps do
    p.grad:copy(lunet.tensor { step * 0.37, -step * 1.3 })
    opt:step()
  end
end

-- Saved in the middle and loaded into new objects, each rule goes on exactly.
function TestState:test_resume_is_exact()
  local path = os.tmpname() .. ".safetensors"
  for _, word in ipairs { "sgd", "adam", "adamw", "rmsprop", "adagrad" } do
    local options = { lr = 0.1 }
    if word == "sgd" or word == "rmsprop" then options.momentum = 0.9 end
    local p = parameter("w", { 1, 2 }, { 0, 0 })
    local opt = optim[word]({ p }, options)
    train(opt, p, 3)
    opt.lr = 0.03
    lunet.save(path, opt:state())
    local q = { name = "w", value = p.value:clone(), grad = p.grad:clone() }
    local other = optim[word]({ q }, options)
    other:load_state(lunet.load(path))
    lu.assertEquals(other.lr, 0.03, word)
    train(opt, p, 4)
    train(other, q, 4)
    lu.assertEquals(q.value:tolist(), p.value:tolist(), word)
  end
  os.remove(path)
end

function TestState:test_names()
  local p = parameter("conv1.weight", { 1 }, { 1 })
  local opt = optim.sgd({ p }, { lr = 1, momentum = 0.9 })
  opt:step()
  local names, kept = {}, opt:state()
  opt:step() -- what was given stays as it was
  lu.assertNotEquals(opt:state()["conv1.weight.momentum_buffer"]:tolist(),
                     kept["conv1.weight.momentum_buffer"]:tolist())
  for name in pairs(kept) do names[#names + 1] = name end
  table.sort(names)
  lu.assertEquals(#names, 3)
  lu.assertStrContains(names[1], "conv1.weight.")
end

function TestState:test_refusals_copy_nothing()
  local p = parameter("w", { 1, 2 }, { 1, 1 })
  local opt = optim.sgd({ p }, { lr = 0.1, momentum = 0.9 })
  opt:step()
  local state = opt:state()
  for name, tensor in pairs(state) do
    if name:find("^w") then state[name] = tensor:narrow(1, 1, 1) end
  end
  lu.assertErrorMsgContains("has shape (1), it must be (2)",
                                 opt.load_state, opt, state)
  lu.assertErrorMsgContains("is missing", opt.load_state, opt, {})
  state = opt:state()
  state.extra = lunet.ones { 1 }
  lu.assertErrorMsgContains("'extra' is unknown", opt.load_state, opt,
                                 state)
end

TestClip = {}

function TestClip:test_long_gradients_are_shortened_together()
  local a = parameter("a", { 0 }, { 3 })
  local b = parameter("b", { 0 }, { 4 })
  lu.assertAlmostEquals(optim.clip_grad_norm({ a, b }, 1), 5, 1e-6)
  lu.assertAlmostEquals(a.grad[1], 0.6, 1e-5)
  lu.assertAlmostEquals(b.grad[1], 0.8, 1e-5)
end

function TestClip:test_short_gradients_stay()
  local a = parameter("a", { 0, 0 }, { 3, 4 })
  lu.assertAlmostEquals(optim.clip_grad_norm({ a }, 10), 5, 1e-6)
  lu.assertEquals(a.grad:tolist(), { 3, 4 })
end

TestRefusals = {}

function TestRefusals:test_what_is_no_list_of_parameters()
  local wrong = { [1] = 7, [2] = "net", [3] = lunet.nn.relu {} }
  for _, parameters in ipairs(wrong) do
    lu.assertErrorMsgContains("try optim.sgd(net:parameters(), …)",
                                   optim.sgd, parameters, { lr = 1 })
  end
  lu.assertErrorMsgContains("list of parameters is empty", optim.sgd, {},
                                 { lr = 1 })
  lu.assertErrorMsgContains("item 1 of the list is no parameter",
                                 optim.adam, { lunet.ones { 1 } })
end

function TestRefusals:test_options()
  local p = parameter("w", { 1 }, { 1 })
  lu.assertErrorMsgContains("did you mean 'momentum'?", optim.sgd, { p },
                                 { lr = 1, momentun = 0.9 })
  local opt = optim.sgd({ p }, { lr = 1 })
  lu.assertErrorMsgContains("no field 'rate'", function()
    opt.rate = 1
  end)
  lu.assertErrorMsgContains("it must be a number", function()
    opt.lr = "fast"
  end)
end

os.exit(lu.LuaUnit.run())
