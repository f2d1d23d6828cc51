-- gradcheck.lua - the library's check of gradients, with the seed of the tests:
-- LUNET_SEED draws other numbers.
local gradcheck = require "lunet.gradcheck"

local seed = tonumber(os.getenv "LUNET_SEED") or 1
math.randomseed(seed)
gradcheck.seed(seed)

return gradcheck
