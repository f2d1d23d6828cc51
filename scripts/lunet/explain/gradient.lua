-- gradient.lua - conv:explain_grad(x, dy, { k, c, ky, kx }): where the gradient
-- of one weight comes from. It is a sum over all places that the weight was
-- used at, of the output's gradient times the pixel that the weight met there:
--
--   dw[k,c,ky,kx] = sum over n,oy,ox of
--                   dy[n,k,oy,ox] * x[n,c, oy*S + ky*D - P, ox*S + kx*D - P]
--
-- For a linear layer: dw[k,c] = sum over n of dy[n,k] * x[n,c].

local core = require "lunet_core"
local numbers = require "lunet.explain.numbers"
local options = require "lunet.options"
local one_layer = require "lunet.explain.one_layer"

local most_listed = 10

-- Which of x's channels the weight's c-th one is, for filter k.
local function channel_of(kind, layer, x, y, k, c)
  if kind ~= "shared" then return c end
  local per_group = layer.weight:shape()[2]
  local filters = y:shape()[2] // (x:shape()[2] // per_group)
  return (k - 1) // filters * per_group + c
end

-- Calls visit(place of y, place of x) for each use of the weight whose pixel
-- is inside the image.
local function each_use(kind, layer, info, x, y, place, visit)
  local shape, axes = y:shape(), info.window or {}
  local split = kind == "unshared" and #axes or 0
  local k, c = place[split + 1], place[split + 2]
  local offset = table.move(place, split + 3, #place, 1, {})
  local sizes = one_layer.image(x:shape())
  local c_x = channel_of(kind, layer, x, y, k, c)
  local o = {}
  local function walk(n, axis)
    if axis <= #axes then
      local only = kind == "unshared" and place[axis]
      for i = only or 1, only or shape[axis + 2] do
        o[axis] = i
        walk(n, axis + 1)
      end
      return
    end
    local pixel, inside = one_layer.pixel(axes, o, offset, sizes)
    if not inside then return end
    visit(table.move(o, 1, #axes, 3, { n, k }),
          table.move(pixel, 1, #axes, 3, { n, c_x }))
  end
  for n = 1, shape[1] do walk(n, 1) end
end

local function check(layer, kind, y, dy)
  if not kind then
    core.raise("explain_grad: %s has no weights that meet the input directly, "
               .. "as those of a convolution or a linear layer do", layer.word)
  end
  local wanted = table.concat(y:shape(), ",")
  if not core.is_tensor(dy) or table.concat(dy:shape(), ",") ~= wanted then
    core.raise("explain_grad: dy is %s, it must be the gradient of y, of shape "
               .. "(%s)\n  try net:tap(layer).gradient, after a backward",
               options.shown(dy), wanted)
  end
end

local function products_of(kind, layer, info, x, y, dy, place)
  local list, sum = {}, 0
  each_use(kind, layer, info, x, y, place, function(at_y, at_x)
    local a, b = one_layer.at(dy, at_y), one_layer.at(x, at_x)
    local product = { value = a * b, a = a, b = b, at_y = at_y, at_x = at_x,
                      number = #list + 1 }
    list[#list + 1] = product
    sum = sum + product.value
  end)
  table.sort(list, function(p, q)
    local left, right = math.abs(p.value), math.abs(q.value)
    if left ~= right then return left > right end
    return p.number < q.number
  end)
  return list, sum
end

local function head(layer, place, sum, n)
  local last = table.move(place, #place - 1, #place, 1, {})
  local lecture = #place > 2 and (" (the lecture's dW%s)"):format(
    numbers.lecture(last)) or ""
  return ("%s: dw%s%s = %s, the sum of %d products dy·x"):format(
    layer.word, numbers.place(place), lecture, numbers.text(sum), n)
end

-- The text of an explanation.
return function(layer, x, dy, place)
  return one_layer.run(layer, x, "explain_grad", function(_, info, y, inputs)
    local kind = one_layer.kind(layer, info, inputs[1])
    check(layer, kind, y, dy)
    place = one_layer.place(place, layer.weight:shape(), "explain_grad",
                            "of the weight")
    local list, sum = products_of(kind, layer, info, inputs[1], y, dy, place)
    local lines, rest = { head(layer, place, sum, #list) }, 0
    for i, p in ipairs(list) do
      if i <= most_listed then
        lines[i + 1] = ("  dy%s · x%s = %s = %s"):format(
          numbers.place(p.at_y), numbers.place(p.at_x),
          numbers.product(p.a, p.b), numbers.text(p.value))
      else
        rest = rest + p.value
      end
    end
    if #list > most_listed then
      lines[#lines + 1] = ("  %d more, together %s"):format(
        #list - most_listed, numbers.text(rest))
    end
    return table.concat(lines, "\n")
  end)
end
