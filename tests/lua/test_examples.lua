-- test_examples.lua - the example line of every layer is code that runs.
local lu = require "luaunit"
local lunet = require "lunet"

-- What a prompt offers by itself.
local prompt = { lunet = lunet, nn = lunet.nn }

TestExamples = {}

for _, layer in ipairs(lunet.plugins.list()) do
  local name = layer.name or layer.path
  TestExamples["test_" .. name] = function()
    lu.assertNil(layer.refused)
    lu.assertStrContains(layer.example, "nn." .. name)
    local example = assert(load("return " .. layer.example, name, "t", prompt))
    lu.assertNotNil(example())
  end
end

function TestExamples:test_there_are_layers()
  lu.assertTrue(#lunet.plugins.list() > 0)
end

os.exit(lu.LuaUnit.run())
