-- scores.lua - the end of a classifier: the layer that makes scores, and the
-- loss that judges them.

local scores = {}

function scores.linear(o, x)
  return function(n, k)
    local sum = o.bias[k]
    for c, weight in ipairs(o.weight[k]) do sum = sum + weight * x[n][c] end
    return sum
  end
end

-- -log of the share that softmax gives to the class.
local function loss_of(row, class)
  local most, sum = math.max(table.unpack(row)), 0
  for _, score in ipairs(row) do sum = sum + math.exp(score - most) end
  return math.log(sum) - (row[class + 1] - most)
end

function scores.cross_entropy(_, x, target)
  return function()
    local sum = 0
    for n, row in ipairs(x) do sum = sum + loss_of(row, target[n]) end
    return sum / #x
  end
end

return scores
