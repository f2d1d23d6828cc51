-- test_my_layer.lua - worked numbers and gradients of my_layer.
--
--   lunet build-plugin my_layer.c && lunet test_my_layer.lua

local lunet = require "lunet"
local gradcheck = require "lunet.gradcheck"

local here = arg[0]:match("^(.*/)") or "./"
lunet.plugins.load(here .. "my_layer.so")
local my_layer = lunet.nn.my_layer

local function assert_same(got, wanted)
  got = table.concat(got:tolist(), " ")
  assert(got == wanted, ("got %s, wanted %s"):format(got, wanted))
end

-- 1. Numbers that you have worked out by hand.
local layer = my_layer { factor = 3 }
local target = lunet.tensor { 1, 1 }
assert(layer:forward(lunet.tensor { 0, 5 }, target) == 25.5)
assert_same(layer:backward(), "-3.0 12.0")

-- 2. The gradient is the slope of forward, for each set of options.
for _, factor in ipairs { 1, 0.5 } do
  local x = { gradcheck.random { 3, 4 }, gradcheck.random { 3, 4 } }
  assert(gradcheck.check(my_layer { factor = factor }, x))
end

-- 3. What is on target costs nothing.
assert(layer:forward(target, target) == 0)

print("my_layer: all right")
