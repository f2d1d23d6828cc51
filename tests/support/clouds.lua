-- clouds.lua - n points in two clouds that one line divides, as a dataset.
local lunet = require "lunet"

return function(n)
  local x, labels = lunet.randn { n, 2 }, {}
  for i = 1, n do
    labels[i] = i % 2
    x[i] = x[i] + (4 * labels[i] - 2)
  end
  return lunet.data.tensors { x = x, labels = lunet.tensor(labels) }
end
