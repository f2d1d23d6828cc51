-- pca.lua - the directions along which points vary most: the eigenvectors of
-- their covariance with the largest eigenvalues, found by power iteration,
--
--   v <- X' (X v) / |X' (X v)|
--
-- on the centred points X, one after the other, each at right angles to those
-- before it.
--
-- Source: Pearson, "On lines and planes of closest fit", 1901; Hotelling 1933.

local core = require "lunet_core"

local most_iterations, close_enough = 500, 1e-7

local function length(v) return math.sqrt((v * v):sum()) end

-- v (D,1) without its parts along the directions found before.
local function at_right_angles(v, found)
  for _, u in ipairs(found) do v = v - u * (u * v):sum() end
  return v
end

-- Of the two directions of a line, the one whose largest part is positive.
local function with_sign(v)
  local largest, sign = 0, 1
  for _, row in ipairs(v:tolist()) do
    if math.abs(row[1]) > math.abs(largest) then largest = row[1] end
  end
  if largest < 0 then sign = -1 end
  return v * sign
end

local function direction(x, transposed, found)
  local d = x:shape()[2]
  local v = core.ones { d, 1 } + core.arange(d):view { d, 1 } * (1 / d)
  v = at_right_angles(v, found)
  if length(v) == 0 then return core.zeros { d, 1 } end
  v = v / length(v)
  for _ = 1, most_iterations do
    local next_v = at_right_angles(transposed:matmul(x:matmul(v)), found)
    local size = length(next_v)
    if size < 1e-20 then return core.zeros { d, 1 } end
    next_v = next_v / size
    local change = length(next_v - v)
    v = next_v
    if change < close_enough then break end
  end
  return with_sign(v)
end

-- pca(x (N,D), k) -> the points along the k first directions (N,k); the share
-- of the variance that each has.
return function(x, k)
  local n = #x
  local centred = x - x:mean(1):view { 1, x:shape()[2] }
  local transposed, total = centred:transpose(1, 2), (centred * centred):sum()
  local found, shares, points = {}, {}, core.zeros { n, k }
  for i = 1, k do
    found[i] = direction(centred, transposed, found)
    local along = centred:matmul(found[i])
    points:narrow(2, i, 1):copy(along)
    shares[i] = total > 0 and (along * along):sum() / total or 0
  end
  return points, shares
end
