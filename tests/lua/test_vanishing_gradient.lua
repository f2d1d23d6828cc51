-- test_vanishing_gradient.lua - what comes back through twenty layers.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local helpers = require "plugins.helpers"

local function ratios(options)
  local by_name = {}
  for _, row in ipairs(lunet.vanishing_gradient(options)) do
    by_name[row.name] = row.ratio
  end
  return by_name
end

TestVanishingGradient = {}

-- The four claims of the lecture, each by a wide margin.
function TestVanishingGradient:test_of_twenty_layers()
  for seed = 1, 2 do
    local ratio = ratios { seed = seed }
    lu.assertTrue(ratio["sigmoid"] < 1e-9)
    lu.assertTrue(ratio["relu"] > 0.1)
    lu.assertTrue(ratio["sigmoid + residual"] > 0.01)
    lu.assertTrue(ratio["sigmoid + batch norm"] > 0.01)
    lu.assertTrue(ratio["relu + batch norm"] > 0.1)
    lu.assertTrue(ratio["sigmoid + residual + batch norm"] > 0.1)
  end
end

-- By He's choice of weights relu keeps the size itself, not only the ratio.
function TestVanishingGradient:test_relu_keeps_the_size()
  for _, row in ipairs(lunet.vanishing_gradient { seed = 1 }) do
    if row.name == "relu" then
      for _, norm in ipairs(row.norms) do
        lu.assertTrue(norm > 1e-3 and norm < 1)
      end
    end
  end
end

function TestVanishingGradient:test_more_sigmoids_leave_less()
  local before = 1
  for _, layers in ipairs { 2, 5, 10, 15 } do
    local ratio = ratios { layers = layers, seed = 1 }.sigmoid
    lu.assertTrue(ratio < before)
    before = ratio
  end
end

function TestVanishingGradient:test_gives_a_norm_a_layer()
  local row = lunet.vanishing_gradient { layers = 7, channels = 4 }[1]
  lu.assertEquals(row.name, "sigmoid")
  lu.assertEquals(#row.norms, 7)
  lu.assertEquals(row.ratio, row.norms[1] / row.norms[7])
  for i = 2, 7 do lu.assertTrue(row.norms[i] > row.norms[i - 1]) end
end

function TestVanishingGradient:test_the_seed_decides()
  local small = { layers = 3, channels = 4, batch_size = 8, seed = 5 }
  local first, again = ratios(small), ratios(small)
  lu.assertEquals(first, again)
  lunet.manual_seed(5)
  small.seed = nil
  lu.assertEquals(ratios(small), first)
  lu.assertNotEquals(ratios(small), first)
end

function TestVanishingGradient:test_refuses()
  local refused = helpers.assert_refused
  refused("option 'layers' is 1, it must be a whole number >= 2",
    lunet.vanishing_gradient, { layers = 1 })
  refused("has no option 'width'", lunet.vanishing_gradient, { width = 3 })
end

os.exit(lu.LuaUnit.run())
