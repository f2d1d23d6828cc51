-- mlp_digits.lua - two fully-connected layers for the bundled digits, their
-- 8x8 pixels in a row. 4,810 parameters.

local nn = require("lunet").nn
local recipe = require "lunet.recipe"

return recipe {
  name = "mlp_digits", classes = 10, shape = { 64 },
  net = function(o)
    return nn.sequential {
      nn.linear { out_features = 64 }, nn.relu {},
      nn.linear { out_features = o.classes },
    }
  end,
}
