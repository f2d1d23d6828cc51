-- confusion.lua - how often the net takes one class for another:
--
--   counts[t + 1][s + 1] = how many samples of class t are seen as class s

local core = require "lunet_core"
local options = require "lunet.options"
local pass = require "lunet.viz.pass"

local function check_label(label, classes)
  local id = math.tointeger(label)
  if id and id >= 0 and id < classes then return id end
  core.raise("viz.confusion: a sample has the label %g; the net has the "
             .. "classes 0 to %d", label, classes - 1)
end

-- confusion(net, dataset) -> { counts (K,K), picture }
return function(net, dataset)
  pass.check_net("viz.confusion", net)
  options.argument("viz.confusion", "the second argument", dataset, "a dataset",
                   "test")
  if #dataset == 0 then core.raise("viz.confusion: the dataset is empty") end
  local counts
  for x, labels in dataset:batches { size = 256 } do
    local scores = net:predict(x)
    pass.check_scores("viz.confusion", scores)
    local classes = scores:shape()[2]
    counts = counts or core.zeros { classes, classes }
    local seen, truth = (scores:argmax(2) - 1):tolist(), labels:tolist()
    for i, t in ipairs(truth) do
      local row = check_label(t, classes) + 1
      local column = math.floor(seen[i]) + 1
      counts[row][column] = counts[row][column] + 1
    end
  end
  return { counts = counts, picture = { counts = counts } }
end
