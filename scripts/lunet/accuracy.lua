-- accuracy.lua - the share of samples, 0..1, that are put into their class.
--
--   accuracy(net, dataset [, batch_size])
--   accuracy(scores, labels)   scores (N,classes), labels (N) from 0

local core = require "lunet_core"
local count_right = require "lunet.count_right"
local options = require "lunet.options"

local function of_net(net, dataset, batch_size)
  if not options.is("a net", net) then
    core.raise("accuracy takes a net and a dataset, or scores and labels")
  end
  options.argument("accuracy", "the second argument", dataset, "a dataset",
                   "accuracy(net, test)")
  local right = 0
  for x, labels in dataset:batches { size = batch_size or 256 } do
    right = right + count_right(net:predict(x), labels)
  end
  return right, #dataset
end

return function(what, labels, batch_size)
  local right, n
  if options.is("a tensor", what) then
    options.argument("accuracy", "labels", labels, "a tensor")
    right, n = count_right(what, labels), labels:numel()
  else
    right, n = of_net(what, labels, batch_size)
  end
  if n == 0 then core.raise("accuracy: there are no samples to look at") end
  return right / n
end
