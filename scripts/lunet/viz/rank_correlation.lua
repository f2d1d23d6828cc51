-- rank_correlation.lua - do two tensors order their elements alike? Spearman's
-- coefficient: the correlation of the ranks, equal elements sharing the mean of
-- theirs. 1: the same order, 0: none, -1: the opposite.

-- The ranks of the numbers, from 1, moved so that their mean is 0.
local function centred_ranks(values)
  local order, ranks, n = {}, {}, #values
  for i = 1, n do order[i] = i end
  table.sort(order, function(a, b) return values[a] < values[b] end)
  local first = 1
  while first <= n do
    local last = first
    while last < n and values[order[last + 1]] == values[order[first]] do
      last = last + 1
    end
    for i = first, last do
      ranks[order[i]] = (first + last) / 2 - (n + 1) / 2
    end
    first = last + 1
  end
  return ranks
end

local function dot(a, b)
  local sum = 0
  for i, v in ipairs(a) do sum = sum + v * b[i] end
  return sum
end

-- 0 where one of them has equal elements only.
return function(a, b)
  local ranks_a = centred_ranks(a:view { a:numel() }:tolist())
  local ranks_b = centred_ranks(b:view { b:numel() }:tolist())
  local length = math.sqrt(dot(ranks_a, ranks_a) * dot(ranks_b, ranks_b))
  return length > 0 and dot(ranks_a, ranks_b) / length or 0
end
