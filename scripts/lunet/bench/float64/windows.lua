-- windows.lua - layers where each number of y sees a window of x.

local windows = {}

-- The sum over c,ky,kx of w[c][ky][kx] * x[first + c][top + ky][left + kx], all
-- counted from 1; zeros lie around x.
local function window_sum(w, x, first, top, left)
  local sum = 0
  for c, filter in ipairs(w) do
    for ky, weights in ipairs(filter) do
      local row = x[first + c][top + ky] or {}
      for kx, weight in ipairs(weights) do
        sum = sum + weight * (row[left + kx] or 0)
      end
    end
  end
  return sum
end

-- o -> function(output) -> how many pixels lie before its window.
local function start_of_windows(o, default_stride)
  local stride, padding = o.stride or default_stride, o.padding or 0
  return function(output) return (output - 1) * stride - padding end
end

function windows.conv2d(o, x)
  local start, w = start_of_windows(o, 1), o.weight
  local filters_of_group = #w // (o.groups or 1)
  return function(n, k, oy, ox)
    local first = (k - 1) // filters_of_group * #w[k]
    return o.bias[k] + window_sum(w[k], x[n], first, start(oy), start(ox))
  end
end

function windows.locally_connected2d(o, x)
  local start = start_of_windows(o, 1)
  return function(n, k, oy, ox)
    return o.bias[k][oy][ox] +
           window_sum(o.weight[oy][ox][k], x[n], 0, start(oy), start(ox))
  end
end

-- Rows below each other are a map, seen as high as it is by each window.
function windows.conv1d(o, x)
  local start, w = start_of_windows(o, 1), o.weight
  return function(n, k, ox)
    return o.bias[k] + window_sum({ w[k] }, { x[n] }, 0, 0, start(ox))
  end
end

-- y[iy*S + ky - P] gets what x[iy] paints, so y[oy] looks for the iy and ky
-- that meet there: calls f(iy, ky) for these, all counted from 1.
local function each_painter(o, output, f)
  for tap = 1, o.kernel_size do
    local distance = output - tap + (o.padding or 0)
    local stride = o.stride or 1
    if distance % stride == 0 then f(distance // stride + 1, tap) end
  end
end

function windows.conv_transpose2d(o, x)
  return function(n, k, oy, ox)
    local sum = o.bias[k]
    each_painter(o, oy, function(iy, ky)
      each_painter(o, ox, function(ix, kx)
        for c, map in ipairs(x[n]) do
          local pixel = map[iy] and map[iy][ix] or 0
          sum = sum + o.weight[c][k][ky][kx] * pixel
        end
      end)
    end)
    return sum
  end
end

-- Calls f with each pixel of a window that lies in a map.
local function each_pixel(map, size, top, left, f)
  for iy = math.max(top, 0) + 1, math.min(top + size, #map) do
    for ix = math.max(left, 0) + 1, math.min(left + size, #map[1]) do
      f(map[iy][ix])
    end
  end
end

function windows.max_pool2d(o, x)
  local start = start_of_windows(o, o.kernel_size)
  return function(n, c, oy, ox)
    local most = -math.huge
    each_pixel(x[n][c], o.kernel_size, start(oy), start(ox),
               function(pixel) most = math.max(most, pixel) end)
    return most
  end
end

-- The zeros around count, too.
function windows.avg_pool2d(o, x)
  local start = start_of_windows(o, o.kernel_size)
  return function(n, c, oy, ox)
    local sum = 0
    each_pixel(x[n][c], o.kernel_size, start(oy), start(ox),
               function(pixel) sum = sum + pixel end)
    return sum / o.kernel_size ^ 2
  end
end

function windows.global_avg_pool2d(_, x)
  return function(n, c)
    local sum, map = 0, x[n][c]
    for _, row in ipairs(map) do
      for _, pixel in ipairs(row) do sum = sum + pixel end
    end
    return sum / (#map * #map[1])
  end
end

-- A border as wide on all four sides, all of one number.
function windows.pad(o, x)
  return function(n, c, oy, ox)
    local row = x[n][c][oy - o.padding] or {}
    return row[ox - o.padding] or o.value or 0
  end
end

return windows
