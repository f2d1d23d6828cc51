-- float64.lua - what layers compute, in Lua's numbers, which are float64: some
-- outputs of the forward pass each, to measure errors against.
--
-- A function float64.WORD(o, x, w, b) gives a function at(...) -> the number of
-- y at that place, counted from 1; x, w, b are nested lists, o the options.

local float64 = {}

-- The window sum of w_at(c, ky, kx) * x[n][c]; zeros lie around x.
local function window_sum(o, plane, channels, first, top, left, w_at)
  local sum = 0
  for c = 1, channels do
    for ky = 1, o.kernel_size do
      local row = plane[first + c][top + ky - 1]
      for kx = 1, o.kernel_size do
        local pixel = row and row[left + kx - 1]
        if pixel then sum = sum + w_at(c, ky, kx) * pixel end
      end
    end
  end
  return sum
end

function float64.conv2d(o, x, w, b)
  local stride, padding = o.stride or 1, o.padding or 0
  local of_group = o.out_channels // (o.groups or 1)
  return function(n, k, oy, ox)
    local first = (k - 1) // of_group * #w[k]
    return b[k] + window_sum(o, x[n], #w[k], first,
      (oy - 1) * stride - padding + 1, (ox - 1) * stride - padding + 1,
      function(c, ky, kx) return w[k][c][ky][kx] end)
  end
end

function float64.linear(_, x, w, b)
  return function(n, k)
    local sum = b[k]
    for c = 1, #w[k] do sum = sum + w[k][c] * x[n][c] end
    return sum
  end
end

function float64.avg_pool2d(o, x)
  local size = o.kernel_size
  return function(n, c, oy, ox)
    local function one() return 1 / size ^ 2 end
    return window_sum(o, x[n], 1, c - 1, (oy - 1) * size + 1,
                      (ox - 1) * size + 1, one)
  end
end

function float64.max_pool2d(o, x)
  local stride, padding = o.stride or o.kernel_size, o.padding or 0
  return function(n, c, oy, ox)
    local most = -math.huge
    for ky = 1, o.kernel_size do
      local row = x[n][c][(oy - 1) * stride - padding + ky] or {}
      for kx = 1, o.kernel_size do
        most = math.max(most, row[(ox - 1) * stride - padding + kx] or most)
      end
    end
    return most
  end
end

-- Calls f with each number of channel c.
local function each_of_channel(x, c, f)
  for n = 1, #x do
    for _, row in ipairs(x[n][c]) do
      for _, value in ipairs(row) do f(value) end
    end
  end
end

local function moments(x, c)
  local count, sum, squares = 0, 0, 0
  each_of_channel(x, c, function(v) count, sum = count + 1, sum + v end)
  local mean = sum / count
  each_of_channel(x, c, function(v) squares = squares + (v - mean) ^ 2 end)
  return mean, math.sqrt(squares / count + 1e-5)
end

function float64.batch_norm2d(_, x)
  local known = {}
  return function(n, c, iy, ix)
    known[c] = known[c] or { moments(x, c) }
    return (x[n][c][iy][ix] - known[c][1]) / known[c][2]
  end
end

local function elementwise(f)
  return function(_, x)
    return function(n, c, iy, ix) return f(x[n][c][iy][ix]) end
  end
end

float64.relu = elementwise(function(v) return math.max(v, 0) end)
float64.sigmoid = elementwise(function(v) return 1 / (1 + math.exp(-v)) end)
float64.tanh = elementwise(function(v)
  local e = math.exp(-2 * math.abs(v))
  local size = math.abs(v) < 1e-3 and math.abs(v) - math.abs(v) ^ 3 / 3
               or (1 - e) / (1 + e)
  return v < 0 and -size or size
end)

return float64
