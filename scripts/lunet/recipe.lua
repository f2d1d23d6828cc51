-- recipe.lua - what the files of the zoo have in common.
--
--   return recipe { classes = 10, shape = { 1, 28, 28 },
--     net = function(o) return nn.sequential { … } end }
--
-- is a function that makes such a net. It takes the options classes and shape
-- (of one picture, without the batch) and knows what they are if left out;
-- `net` gets them, and what it returns is built for that shape. The function
-- returns the net and the shape.

local options = require "lunet.options"

return function(recipe)
  local rules = {
    { "classes", "a whole number", min = 1, default = recipe.classes },
    { "shape", "a list", default = recipe.shape },
  }
  return function(given)
    local o = options.check("a net of the zoo", given, rules)
    return recipe.net(o):build(o.shape), o.shape
  end
end
