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
local layer = my_layer { kernel_size = 2, stride = 1 }
local x = lunet.tensor { { { { 1, 2, 3 }, { 5, 6, 7 } } } }
assert_same(layer:forward(x), "3.5 4.5")
assert_same(layer:backward(lunet.tensor { { { { 4, 8 } } } }),
            "1.0 3.0 2.0 1.0 3.0 2.0")

-- 2. The gradient is the slope of forward, for each set of options.
for kernel_size = 1, 3 do
  for stride = 1, 3 do
    for padding = 0, kernel_size - 1 do
      local options = { kernel_size = kernel_size, stride = stride,
                        padding = padding }
      local one = kernel_size - 2 * padding -- the size that has one window
      local image = gradcheck.random { 2, 3, one + 3 * stride,
                                       one + 4 * stride }
      assert(gradcheck.check(my_layer(options), { image }))
    end
  end
end

-- 3. An empty batch is no special case.
assert(layer:forward(lunet.zeros { 0, 3, 4, 4 }):numel() == 0)

print("my_layer: all right")
