-- confusion.lua - how often the net takes one class for another:
--
--   counts[t + 1][s + 1] = how many samples of class t are seen as class s

local core = require "lunet_core"
local options = require "lunet.options"

-- confusion(net, dataset) -> { counts (K,K), picture }
return function(net, dataset)
  options.argument("viz.confusion", "the second argument", dataset, "a dataset",
                   "test")
  if #dataset == 0 then core.raise("viz.confusion: the dataset is empty") end
  local counts
  for x, labels in dataset:batches { size = 256 } do
    local scores = net:predict(x)
    counts = counts or core.zeros { scores:shape()[2], scores:shape()[2] }
    local seen, truth = (scores:argmax(2) - 1):tolist(), labels:tolist()
    for i, t in ipairs(truth) do
      local row, column = math.floor(t) + 1, math.floor(seen[i]) + 1
      counts[row][column] = counts[row][column] + 1
    end
  end
  return { counts = counts, picture = { counts = counts } }
end
