-- functions.lua - functions that Lua lacks, to nearly all digits of float64.

local functions = {}

-- exp(x) - 1 and log(1 + x) where x is small: the rounding of u is the same
-- above and below the line. After Kahan; see Higham, "Accuracy and Stability
-- of Numerical Algorithms", section 1.14.
function functions.expm1(x)
  local u = math.exp(x)
  if u == 1 then return x end
  return u == 0 and -1 or (u - 1) * x / math.log(u)
end

function functions.log1p(x)
  local u = 1 + x
  return u == 1 and x or math.log(u) * x / (u - 1)
end

-- Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.6:
-- 2/sqrt(pi) exp(-x^2) (x + 2/3 x^3 + 4/15 x^5 + ...), all of one sign.
local function erf_by_series(x)
  local sum, term, n = 0, x, 0
  while sum + term ~= sum do
    sum, n = sum + term, n + 1
    term = term * 2 * x ^ 2 / (2 * n + 1)
  end
  return 2 / math.sqrt(math.pi) * math.exp(-x ^ 2) * sum
end

-- The same, 7.1.14: exp(-x^2)/sqrt(pi) / (x + 1/2 / (x + 2/2 / (x + ...))), for
-- x > 0; the larger x, the fewer levels are needed. From 2 on 60 are enough.
local function erfc_by_fraction(x)
  local below = x
  for n = 60, 1, -1 do below = x + n / 2 / below end
  return math.exp(-x ^ 2) / math.sqrt(math.pi) / below
end

-- 1 - erf(x), with all digits where that is small.
function functions.erfc(x)
  return x < 2 and 1 - erf_by_series(x) or erfc_by_fraction(x)
end

return functions
