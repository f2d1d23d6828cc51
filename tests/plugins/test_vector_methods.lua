-- test_vector_methods.lua - the method "vector" of the layers that work
-- element by element gives what the textbook gives, whatever the instruction
-- set; and all that their own tests say holds for each of them.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local helpers = require "plugins.helpers"
local shell = require "support.shell"

local nn = lunet.nn

-- Word -> options that reach all its loops.
local layers = {
  elu = { {}, { alpha = -2 } },
  gelu = { {}, { approximate = "tanh" } },
  hardswish = { {} },
  leaky_relu = { {}, { negative_slope = -0.5 } },
  prelu = { {}, { num_parameters = 3 } },
  relu = { {} },
  sigmoid = { {} },
  silu = { {} },
  softplus = { {}, { beta = -2, threshold = 1 } },
  tanh = { {} },
}

-- From a row too short for a vector to some that fill blocks of all sizes.
local shapes = { { 1, 3, 1 }, { 2, 3, 7 }, { 3, 3, 16 }, { 2, 3, 531 } }

TestVectorMethods = {}

for word, variants in pairs(layers) do
  TestVectorMethods["test_" .. word .. "_equals_its_textbook"] = function()
    for _, options in ipairs(variants) do
      for _, shape in ipairs(shapes) do
        helpers.assert_equals_textbook(word, "vector", options,
          gradcheck.random(shape) * 10)
      end
    end
  end
end

function TestVectorMethods:test_mul_equals_its_textbook()
  local fast = nn.mul { method = "vector" }
  local textbook = nn.mul { method = "textbook" }
  for _, shape in ipairs(shapes) do
    local a, b = gradcheck.random(shape), gradcheck.random(shape)
    helpers.assert_same(fast:forward(a, b), textbook:forward(a, b))
    local da, db = fast:backward(a)
    local ea, eb = textbook:backward(a)
    helpers.assert_same(da, ea)
    helpers.assert_same(db, eb)
  end
end

-- Within a net, y lies in the memory of x, and dx in that of dy.
function TestVectorMethods:test_in_place()
  for _, word in ipairs { "relu", "sigmoid", "tanh" } do
    local x, dy = gradcheck.random { 3, 50 }, gradcheck.random { 3, 50 }
    local first, second = nn[word] {}, nn[word] {}
    local net = nn.sequential { nn[word] {}, nn[word] {} }
    net:requires_grad { inputs = true }
    helpers.assert_same(net:forward(x), second:forward(first:forward(x)))
    helpers.assert_same(net:backward(dy), first:backward(second:backward(dy)))
  end
end

-- In evaluation nobody wants x again, so more layers do so.
function TestVectorMethods:test_in_place_in_evaluation()
  for word in pairs(layers) do
    local x, layer = gradcheck.random { 3, 50 }, nn[word] {}
    local net = nn.sequential { nn[word] {}, nn[word] {} }
    helpers.assert_same(net:predict(x), layer:forward(layer:forward(x)))
  end
end

-- ---- the layers' own tests -------------------------------------------------

local program = (os.getenv("LUNET_BUILD") or "build") .. "/lunet"

local function run(environment, code)
  return shell.run("env %s %s -e 'local lunet = require \"lunet\" %s'",
    environment, program, code)
end

local function assert_own_tests(word, environment, first)
  local ok, output = run(environment, first .. (" arg = {} dofile "
    .. "\"tests/plugins/test_%s.lua\""):format(word))
  lu.assertTrue(ok, output)
end

for word in pairs(layers) do
  TestVectorMethods["test_of_" .. word .. "_hold_for_the_textbook"] = function()
    assert_own_tests(word, "", "lunet.set_method \"textbook\"")
  end
end

for _, isa in ipairs { "baseline", "avx2", "avx512" } do
  local has_it = run("LUNET_ISA=" .. isa,
    "lunet.nn.relu {}:forward(lunet.ones { 1 })")
  for word in pairs(layers) do
    TestVectorMethods["test_of_" .. word .. "_hold_for_" .. isa] = function()
      lu.skipIf(not has_it, "this machine has no " .. isa)
      assert_own_tests(word, "LUNET_ISA=" .. isa, "")
    end
  end
end

os.exit(lu.LuaUnit.run())
