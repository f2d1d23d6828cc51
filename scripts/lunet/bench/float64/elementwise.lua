-- elementwise.lua - layers where each number of y depends on the number of each
-- input at its place.

local functions = require "lunet.bench.float64.functions"
local number_at = require "lunet.bench.float64.number_at"

local elementwise = {}

-- A layer y = f(o, x).
local function activation(f)
  return function(o, x)
    return function(...) return f(o, number_at(x, ...)) end
  end
end

local function sigmoid(v) return 1 / (1 + math.exp(-v)) end

elementwise.relu = activation(function(_, v) return math.max(v, 0) end)

elementwise.leaky_relu = activation(function(o, v)
  return v > 0 and v or (o.negative_slope or 0.01) * v
end)

elementwise.elu = activation(function(o, v)
  return v > 0 and v or (o.alpha or 1) * functions.expm1(v)
end)

elementwise.gelu = activation(function(_, v)
  return v * functions.erfc(-v / math.sqrt(2)) / 2
end)

elementwise.hardswish = activation(function(_, v)
  return v * math.min(math.max(v + 3, 0), 6) / 6
end)

elementwise.sigmoid = activation(function(_, v) return sigmoid(v) end)
elementwise.silu = activation(function(_, v) return v * sigmoid(v) end)

elementwise.softplus = activation(function(o, v)
  local beta = o.beta or 1
  local t = beta * v
  return (math.max(t, 0) + functions.log1p(math.exp(-math.abs(t)))) / beta
end)

elementwise.tanh = activation(function(_, v)
  local e = functions.expm1(-2 * math.abs(v))
  local size = -e / (2 + e)
  return v < 0 and -size or size
end)

function elementwise.prelu(o, x)
  return function(n, c, ...)
    local v = number_at(x, n, c, ...)
    return v > 0 and v or o.weight[#o.weight == 1 and 1 or c] * v
  end
end

function elementwise.add(_, a, b)
  return function(...) return number_at(a, ...) + number_at(b, ...) end
end

function elementwise.mul(_, a, b)
  return function(...) return number_at(a, ...) * number_at(b, ...) end
end

return elementwise
