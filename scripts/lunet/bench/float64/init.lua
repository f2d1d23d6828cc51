-- float64 - what layers compute, in Lua's numbers, which are float64: some
-- outputs of the forward pass each, to measure errors against.
--
-- A function float64.WORD(o, x, ...) takes the inputs as nested lists; o holds
-- the options, and `weight` and `bias` as nested lists. It gives a function
-- at(...) -> the number of y at that place, counted from 1.

local float64 = {}

for _, kind in ipairs { "windows", "norms", "elementwise", "scores" } do
  for word, layer in pairs(require("lunet.bench.float64." .. kind)) do
    float64[word] = layer
  end
end

return float64
