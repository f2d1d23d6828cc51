-- gradcheck.lua - are a layer's gradients the slopes of its output?
--
--   local gradcheck = require "lunet.gradcheck"
--   local ok, message = gradcheck.check(layer, { x })
--
-- The yardstick is L = sum of dy * y, with random dy and y = layer(x); a loss
-- is its own L. Along a random direction v, moving x by h*v changes L by
-- sum of dx * h*v, if dx is right. So L is measured on both sides of x (the
-- central difference) and compared with that sum; the same for each parameter.
--
-- All tensors are float32, so the step is large (0.01), the movement is what
-- is left after rounding (x+ - x-), sums are carried in Lua's doubles, and the
-- error is relative to the root of the sum of the squared terms dx * (x+ - x-).
-- Right gradients stay below 1e-4, the limit is 1e-3.
--
-- Layers with kinks (relu, max) need inputs that no step carries over a kink:
-- make them with `spaced`, and say `nonsmooth = true`.
local lunet = require "lunet"

local gradcheck = {}

local gap = 0.05 -- between the numbers of `spaced`

-- ---- random numbers --------------------------------------------------------

-- A generator of its own, so that a check in the midst of a training changes
-- neither math.random nor the engine's numbers: the multiplier and increment
-- of Knuth's MMIX, and the upper bits of its state.
local state = 1

function gradcheck.seed(n) state = n end

local function uniform()
  state = state * 6364136223846793005 + 1442695040888963407
  return (state >> 11) * 2.0 ^ -53
end

-- ---- tensors and lists -----------------------------------------------------

local function flatten_into(out, value)
  if type(value) == "table" then
    for _, element in ipairs(value) do flatten_into(out, element) end
  else
    out[#out + 1] = value
  end
  return out
end

-- The elements of a tensor (or a number, or a nested list), row by row.
function gradcheck.list(value)
  if type(value) == "userdata" then value = value:tolist() end
  return flatten_into({}, value)
end

-- The tensor with these elements.
function gradcheck.tensor(list, shape)
  return lunet.tensor(list):view(shape)
end

local function count_of(shape)
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  return n
end

-- Random numbers, evenly between -1 and 1.
function gradcheck.random(shape)
  local list = {}
  for i = 1, count_of(shape) do list[i] = 2 * uniform() - 1 end
  return gradcheck.tensor(list, shape)
end

-- The numbers gap/2, -gap/2, 3/2 gap, -3/2 gap ... shuffled: none is nearer
-- than half a gap to 0 and none than a gap to another one.
function gradcheck.spaced(shape)
  local list = {}
  for i = 1, count_of(shape) do
    local size = ((i - 1) // 2 + 0.5) * gap
    table.insert(list, 1 + math.floor(i * uniform()),
                 i % 2 == 1 and size or -size)
  end
  return gradcheck.tensor(list, shape)
end

-- ---- the check -------------------------------------------------------------

local function dot(a, b)
  local sum = 0
  for i = 1, #a do sum = sum + a[i] * b[i] end
  return sum
end

-- A layer with its inputs and a fixed dy.
local function new_probe(layer, inputs)
  local probe = { layer = layer, inputs = { table.unpack(inputs) } }
  local y = layer:forward(table.unpack(inputs))
  if type(y) == "number" or #y:shape() == 0 then
    probe.weights = { 1 } -- a loss
  else
    probe.dy = gradcheck.random(y:shape())
    probe.weights = gradcheck.list(probe.dy)
  end
  return probe
end

-- L, and how far the rounding of y alone may carry it.
local function measure(probe)
  local y = gradcheck.list(probe.layer:forward(table.unpack(probe.inputs)))
  local squares = 0
  for i = 1, #y do squares = squares + (y[i] * probe.weights[i]) ^ 2 end
  return dot(y, probe.weights), 2 ^ -24 * math.sqrt(squares)
end

-- value + h * direction, as float32 rounds it.
local function moved(value, direction, h)
  local list = gradcheck.list(value)
  for i = 1, #list do list[i] = list[i] + h * direction[i] end
  return gradcheck.tensor(list, value:shape())
end

-- `set` puts a tensor in the place of `value`. Returns the relative error,
-- what was measured, and what the gradient says.
local function error_along(probe, value, gradient, direction, h, set)
  local plus, minus = moved(value, direction, h), moved(value, direction, -h)
  set(plus)
  local upper, rounding = measure(probe)
  set(minus)
  local difference = upper - measure(probe)
  set(value)
  plus, minus = gradcheck.list(plus), gradcheck.list(minus)
  local expected, squares = 0, 0
  for i = 1, #plus do
    local term = gradient[i] * (plus[i] - minus[i])
    expected, squares = expected + term, squares + term * term
  end
  local off = math.max(0, math.abs(difference - expected) - 4 * rounding)
  return off / math.max(math.sqrt(squares), 1e-6), difference, expected
end

local function check_tensor(probe, name, value, gradient, options, set)
  local h = options.nonsmooth and 0.4 * gap or options.step or 1e-2
  local limit = options.tolerance or 1e-3
  gradient = gradcheck.list(gradient)
  for _ = 1, 3 do
    local direction = gradcheck.list(gradcheck.random(value:shape()))
    local off, got, expected =
      error_along(probe, value, gradient, direction, h, set)
    local right = off <= limit -- NaN is not
    if not right then
      return false, ("%s: the output moves by %.7g, the gradient says %.7g "
        .. "(relative error %.1e, allowed %.1e)"):format(
          name, got, expected, off, limit)
    end
  end
  return true
end

local function copies_of_gradients(layer)
  local copies = {}
  for i, p in ipairs(layer:parameters()) do copies[i] = p.grad:clone() end
  return copies
end

local function gradients(probe)
  probe.layer:zero_grad()
  measure(probe)
  local dx = { probe.layer:backward(probe.dy) }
  return dx, copies_of_gradients(probe.layer)
end

-- Checks the gradient of every input (but of a loss's target) and of every
-- parameter. options: nonsmooth, step, tolerance. Returns true, or false and
-- which gradient is how wrong.
function gradcheck.check(layer, inputs, options)
  options = options or {}
  local probe = new_probe(layer, inputs)
  local dx, dw = gradients(probe)
  for i in ipairs(dx) do
    local ok, message = check_tensor(probe, "dx" .. i, inputs[i], dx[i],
      options, function(t) probe.inputs[i] = t end)
    if not ok then return false, message end
  end
  for i, p in ipairs(layer:parameters()) do
    local ok, message = check_tensor(probe, "d" .. p.name, p.value:clone(),
      dw[i], options, function(t) p.value:copy(t) end)
    if not ok then return false, message end
  end
  return true
end

return gradcheck
