-- test_my_layer.lua - worked numbers and gradients of my_layer.
--
--   lunet build-plugin my_layer.c && lunet test_my_layer.lua

local lunet = require "lunet"
local gradcheck = require "lunet.gradcheck"

local here = arg[0]:match("^(.*/)") or "./"
lunet.plugins.load(here .. "my_layer.so")
local my_layer = lunet.nn.my_layer

local function assert_same(got, wanted)
  got = table.concat(got:view { got:numel() }:tolist(), " ")
  assert(got == wanted, ("got %s, wanted %s"):format(got, wanted))
end

-- 1. Numbers that you have worked out by hand.
local layer = my_layer { channels = 2 }
layer.weight:copy(lunet.tensor { 2, 3 })
layer.bias:copy(lunet.tensor { 0, 1 })
assert_same(layer:forward(lunet.tensor { { 1, 2 }, { 3, 4 } }),
            "2.0 7.0 6.0 13.0")
assert_same(layer:backward(lunet.tensor { { 1, 1 }, { 10, 10 } }),
            "2.0 3.0 20.0 30.0")
assert_same(layer:parameters()[1].grad, "31.0 42.0")
assert_same(layer:parameters()[2].grad, "11.0 11.0")

-- 2. The gradients are the slopes of forward, for each set of options.
for _, bias in ipairs { true, false } do
  for _, shape in ipairs { { 2, 3 }, { 2, 3, 5 }, { 2, 3, 4, 2 } } do
    local x = gradcheck.random(shape)
    assert(gradcheck.check(my_layer { bias = bias, channels = 3 }, { x }))
  end
end

-- 3. An empty batch is no special case, and gives gradients of 0.
layer:zero_grad()
layer:backward(layer:forward(lunet.zeros { 0, 2 }))
assert_same(layer:parameters()[1].grad, "0.0 0.0")

print("my_layer: all right")
