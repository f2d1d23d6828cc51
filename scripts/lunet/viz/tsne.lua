-- tsne.lua - points of many dims laid out in a plane, so that near ones stay
-- near: t-distributed stochastic neighbour embedding.
--
--   p[j|i] = exp(-b[i] * |x[i] - x[j]|^2) / sum over k of the same,  p[i|i] = 0
--   P = (p[j|i] + p[i|j]) / 2N
--   q[i,j] = 1 / (1 + |y[i] - y[j]|^2),  Q = q / sum of q
--   y[i] moves against  4 * sum over j of (P - Q)[i,j] * q[i,j] * (y[i] - y[j])
--
-- b[i] is set so that point i has as many neighbours as the perplexity says:
-- the entropy of its p is log(perplexity). The start is the PCA, small, so that
-- the picture does not depend on chance (Kobak and Berens 2019). Distances
-- between far clusters, and their sizes, mean little in such a picture.
--
-- Source: van der Maaten and Hinton, "Visualizing data using t-SNE", 2008.

local core = require "lunet_core"
local pca = require "lunet.viz.pca"

local early, early_factor = 100, 12 -- iterations with P made larger
local smallest = 1e-12

-- |a[i] - a[j]|^2 for all pairs (N,N), 0 on the diagonal.
local function distances(a, off_diagonal)
  local n = #a
  local squares = (a * a):sum(2)
  local d = squares:view { n, 1 } + squares:view { 1, n }
    - a:matmul(a:transpose(1, 2)) * 2
  return d:maximum(0) * off_diagonal
end

local function off_diagonal_mask(n)
  local places = core.arange(n)
  return places:view { n, 1 }:ne(places:view { 1, n })
end

-- p[j|i] for b = exp(log_b) (N,1), and each row's entropy (N,1).
local function neighbours(d, log_b, mask)
  local n = #d
  local w = (-(d * log_b:exp())):exp() * mask
  local sum = w:sum(2):view { n, 1 }:maximum(smallest)
  local p = w / sum
  local entropy = -((p * p:maximum(smallest):log()):sum(2))
  return p, entropy:view { n, 1 }
end

-- Bisection for all rows at once: a larger b leaves fewer neighbours.
local function find_p(x, perplexity, mask)
  local n, target = #x, math.log(perplexity)
  local d = distances(x, mask)
  local scale = d:mean()
  d = d / (scale > 0 and scale or 1)
  -- counted from the nearest neighbour, so that not all of a row underflow
  local nearest = -((-(d + (-mask + 1) * 1e9)):max(2):view { n, 1 })
  d = (d - nearest) * mask
  local low, high = core.full({ n, 1 }, -15), core.full({ n, 1 }, 15)
  local p, entropy
  for _ = 1, 40 do
    local middle = (low + high) / 2
    p, entropy = neighbours(d, middle, mask)
    local too_many = entropy:gt(target)
    low = low + (middle - low) * too_many
    high = high + (middle - high) * (-too_many + 1)
  end
  return (p + p:transpose(1, 2)) / (2 * n)
end

-- The slope along all y (N,2).
local function slope(p, y, mask)
  local q = (distances(y, mask) + 1) ^ -1 * mask
  local pull = (p - q / q:sum()) * q
  return (y * pull:sum(2):view { #y, 1 } - pull:matmul(y)) * 4
end

-- tsne(x (N,D), perplexity, iterations) -> points (N,2)
return function(x, perplexity, iterations)
  local n = #x
  local mask = off_diagonal_mask(n)
  local p = find_p(x, perplexity, mask)
  local y = pca(x, 2)
  local spread = math.sqrt((y * y):mean())
  y = y * (spread > 0 and 1e-2 / spread or 0)
  local velocity, gain = core.zeros { n, 2 }, core.ones { n, 2 }
  local lr = math.max(50, n / early_factor)
  for i = 1, iterations do
    local factor = i <= early and early_factor or 1
    local g = slope(p * factor, y, mask)
    local turned = (g:sign() * velocity:sign()):gt(0)
    gain = (gain + 0.2 - turned * (gain * 0.2 + 0.2)):maximum(0.01)
    velocity = velocity * (i <= early and 0.5 or 0.8) - gain * g * lr
    y = y + velocity
    y = y - y:mean(1):view { 1, 2 }
  end
  return y
end
