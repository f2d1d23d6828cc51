-- norms.lua - layers that set numbers in relation to the numbers around them.

local norms = {}

-- Calls f with each number of a nested list.
local function each(list, f)
  if type(list) == "number" then return f(list) end
  for _, part in ipairs(list) do each(part, f) end
end

-- Nested lists -> function(v): v with their mean taken off, over their
-- deviation.
local function normaliser(lists, eps)
  local count, sum, squares = 0, 0, 0
  each(lists, function(v) count, sum = count + 1, sum + v end)
  local mean = sum / count
  each(lists, function(v) squares = squares + (v - mean) ^ 2 end)
  local deviation = math.sqrt(squares / count + (eps or 1e-5))
  return function(v) return (v - mean) / deviation end
end

-- The values of make(key), each made once.
local function remembered(make)
  return setmetatable({}, { __index = function(values, key)
    values[key] = make(key)
    return values[key]
  end })
end

-- In training: by the moments of the batch.
function norms.batch_norm2d(o, x)
  local of_channel = remembered(function(c)
    local maps = {}
    for n = 1, #x do maps[n] = x[n][c] end
    return normaliser(maps, o.eps)
  end)
  return function(n, c, iy, ix)
    return o.weight[c] * of_channel[c](x[n][c][iy][ix]) + o.bias[c]
  end
end

function norms.group_norm(o, x)
  local size = #o.weight // o.num_groups
  local of_item = remembered(function(n)
    return remembered(function(g)
      return normaliser(table.move(x[n], g * size + 1, (g + 1) * size, 1, {}),
                        o.eps)
    end)
  end)
  return function(n, c, iy, ix)
    return o.weight[c] * of_item[n][(c - 1) // size](x[n][c][iy][ix])
           + o.bias[c]
  end
end

-- Rows of numbers, x (N,D).
function norms.layer_norm(o, x)
  local of_row = remembered(function(r) return normaliser(x[r], o.eps) end)
  return function(r, i)
    return o.weight[i] * of_row[r](x[r][i]) + o.bias[i]
  end
end

function norms.local_response_norm(o, x)
  local alpha, beta, k = o.alpha or 1e-4, o.beta or 0.75, o.k or 1
  return function(n, c, iy, ix)
    local squares = 0
    for j = c - o.size // 2, c + (o.size - 1) // 2 do
      if x[n][j] then squares = squares + x[n][j][iy][ix] ^ 2 end
    end
    return x[n][c][iy][ix] / (k + alpha / o.size * squares) ^ beta
  end
end

return norms
