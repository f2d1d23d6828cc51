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
local layer = my_layer { factor = 2 }
assert_same(layer:forward(lunet.tensor { -1, 0, 3 }), "2.0 0.0 18.0")
assert_same(layer:backward(lunet.tensor { 1, 1, 10 }), "-4.0 0.0 120.0")

-- 2. The gradient is the slope of forward, for each set of options.
for _, factor in ipairs { 1, -0.5, 2 } do
  local x = gradcheck.random { 3, 2, 4 }
  assert(gradcheck.check(my_layer { factor = factor }, { x }))
end

-- 3. An empty batch is no special case.
assert(layer:forward(lunet.zeros { 0, 3 }):numel() == 0)

print("my_layer: all right")
