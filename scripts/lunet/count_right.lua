-- count_right.lua - how many rows of scores are largest at the place of their
-- label: scores (N,classes), labels (N) from 0.

local core = require "lunet_core"

return function(scores, labels)
  local shape, n = scores:shape(), labels:numel()
  if #shape ~= 2 or #labels:shape() ~= 1 or shape[1] ~= n then
    core.raise("accuracy: scores have shape (%s) and labels (%s)\n  scores "
               .. "must be (N,classes) and labels (N), with the same N",
               table.concat(shape, ","), table.concat(labels:shape(), ","))
  end
  if n == 0 then return 0 end
  return (scores:argmax(2) - 1):eq(labels):sum()
end
