-- test_zoo.lua - the networks of the zoo have the published numbers of
-- parameters and PyTorch's names, and learn.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local shell = require "support.shell"
local helpers = require "plugins.helpers"

local nn, optim, zoo = lunet.nn, lunet.optim, lunet.zoo

-- name -> parameters, a name among them, and pictures for a training step:
-- how many, and of which size where that is not the net's own: at its own size
-- vgg16 wants more memory than a test should (scripts/examples/zoo_step.lua).
local nets = {
  mlp_digits = { 4810, "2.weight", 4 },
  lenet5 = { 61706, "3.weight", 4 },
  cifar_quick = { 145578, "11.bias", 4 },
  nin = { 966986, "8.weight", 2 },
  vgg11_bn = { 9231114, "1.running_mean", 2 },
  resnet20 = { 269722, "layer2.0.conv1.weight", 4 },
  resnet18 = { 11689512, "layer2.0.downsample.1.running_var", 2 },
  resnet50 = { 25557032, "layer1.0.conv3.weight", 2 },
  alexnet = { 61100840, "classifier.6.bias", 1 },
  vgg16 = { 138357544, "features.28.weight", 1, { 3, 32, 32 } },
  squeezenet = { 1248424, "features.12.expand3x3.bias", 1 },
  googlenet = { 6998552, "inception4a.branch3.1.conv.weight", 1 },
  densenet121 = { 7978856, "features.denseblock4.denselayer16.conv2.weight",
                  2 },
}

TestParameters, TestSteps = {}, {}

-- The loss of a few random pictures before and after a step of training.
local function step(net, n, shape)
  local x = lunet.randn { n, table.unpack(shape) }
  local labels, loss_fn = lunet.zeros { n }, nn.cross_entropy {}
  local opt = optim.sgd(net:parameters(), { lr = 0.001 })
  local before = loss_fn:forward(net:forward(x), labels)
  net:backward(loss_fn:backward())
  opt:step()
  return before, loss_fn:forward(net:forward(x), labels)
end

for name, expected in pairs(nets) do
  local parameters, part, n, size = table.unpack(expected)

  TestParameters["test_" .. name] = function()
    local net = zoo[name] {}
    lu.assertEquals(net:num_parameters(), parameters)
    lu.assertNotNil(net:state()[part], "there is no " .. part)
  end

  TestSteps["test_" .. name] = function()
    lunet.manual_seed(1)
    local net, shape = zoo[name] { shape = size, classes = 10 }
    for _, layer in ipairs(net:layers()) do
      if layer.word == "dropout" then layer:eval() end
    end
    local before, after = step(net, n, shape)
    lu.assertTrue(after < before, ("%g -> %g"):format(before, after))
  end
end

TestZoo = {}

function TestZoo:test_all_are_tested_here()
  local names = {}
  for name in pairs(nets) do names[#names + 1] = name end
  table.sort(names)
  lu.assertEquals(zoo.names(), names)
end

function TestZoo:test_each_is_a_page_that_names_itself()
  for name in pairs(nets) do
    local text = shell.read(("scripts/zoo/%s.lua"):format(name))
    local _, lines = text:gsub("\n", "")
    lu.assertTrue(lines <= 40, name .. " has more than 40 lines")
    lu.assertStrContains(text:match("[^\n]*"), name .. ".lua - ")
  end
end

-- "1,234" -> 1234
local function number(text) return tonumber((text:gsub(",", ""))) end

function TestZoo:test_the_page_has_the_same_numbers()
  local page = shell.read "docs/zoo.md"
  for name, expected in pairs(nets) do
    local cells = page:match(("\n| %%[%s%%][^\n]*"):format(name))
    lu.assertNotNil(cells, name)
    lu.assertEquals(number(cells:match("| ([%d,]+) |")), expected[1], name)
  end
end

function TestZoo:test_the_table_of_nin_is_the_net()
  local rows, layer = shell.read("docs/zoo.md"):gmatch(
    "\n| convolution, relu [^\n]*| ([%d,]+) |"), 0
  for _, conv in ipairs(zoo.nin {}:layers()) do
    if conv.word == "conv2d" then
      layer = layer + 1
      lu.assertEquals(number(rows()), conv.weight:numel() + conv.bias:numel(),
        "convolution " .. layer)
    end
  end
  lu.assertNil(rows())
end

function TestZoo:test_classes_and_shape()
  local net = zoo.resnet20 { classes = 3, shape = { 1, 16, 24 } }
  lu.assertEquals(net:predict(lunet.randn { 2, 1, 16, 24 }):shape(), { 2, 3 })
end

-- first, first + 1, … modulo 251, between 0 and 1.
local function sawtooth(shape, first)
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  local t = lunet.arange(n) + first
  return ((t - (t / 251):floor() * 251) / 251):view(shape)
end

-- PyTorch's numbers, in double precision, for the same weights.
function TestZoo:test_scores_of_resnet20()
  local net = zoo.resnet20 {}
  for i, p in ipairs(net:parameters()) do
    p.value:copy(sawtooth(p.value:shape(), i - 1) - 0.5)
  end
  local scores = net:forward(sawtooth({ 2, 3, 32, 32 }, 0))
  helpers.assert_near(scores:narrow(2, 1, 3):clone(), {
    { -1.1116, 0.1751, 1.4617 }, { -0.5817, -0.0767, 0.4282 } }, 2e-4)
end

-- Only every second row and column pass the shortcut, between zero channels.
function TestZoo:test_a_shortcut_of_resnet20_has_no_weights()
  local block = zoo.resnet20 {}:get("layer2.0")
  for _, p in ipairs(block:parameters()) do p.value:fill(0) end
  local x = lunet.rand { 1, 16, 4, 4 }
  local y = block:predict(x)
  lu.assertEquals(y:shape(), { 1, 32, 2, 2 })
  lu.assertEquals(y[1][9][2][2], x[1][1][3][3])
  lu.assertEquals(y[1][24][1][2], x[1][16][1][3])
  for _, channel in ipairs { 1, 8, 25, 32 } do
    lu.assertEquals(y[1][channel]:abs():sum(), 0)
  end
end

function TestZoo:test_a_net_can_be_saved()
  local net = zoo.squeezenet { classes = 4, shape = { 3, 48, 48 } }
  local folder = shell.temporary_folder()
  net:save(folder .. "/net.safetensors")
  local x = lunet.randn { 1, 3, 48, 48 }
  local again = nn.load(folder .. "/net.safetensors")
  helpers.assert_same(net:predict(x), again:predict(x))
  shell.remove(folder)
end

function TestZoo:test_the_example_takes_a_step()
  local program = ("'%s/lunet' scripts/examples/zoo_step.lua "):format(
    os.getenv("LUNET_BUILD") or "build")
  local lines = shell.lines(program .. "lenet5 3")
  lu.assertStrContains(lines[1], "lenet5: 61706 parameters, loss ")
  lu.assertStrContains(lines[2], "one step of 3 pictures (1,28,28): ")
  local right, text = shell.run(program)
  lu.assertFalse(right)
  lu.assertStrContains(text, "usage: lunet zoo_step.lua NAME [pictures]")
end

function TestZoo:test_refuses()
  helpers.assert_refused("the zoo has no 'resnet19'; did you mean 'resnet18'?",
    function() return zoo.resnet19 end)
  helpers.assert_refused("has no option 'clases'; did you mean 'classes'?",
    zoo.lenet5, { clases = 3 })
end

os.exit(lu.LuaUnit.run())
