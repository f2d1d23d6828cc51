-- output.lua - conv:explain(x, { n, k, oy, ox }): the very products of which
-- one output is the sum.
--
-- A layer with weights (told by their shapes, see one_layer.lua) shows pixel
-- times weight. Any other one, a pooling or a student's plugin, shows pixel
-- times slope: how much the output changes with that pixel, as the layer's own
-- backward says. For a maximum the slope is 1 at the winner, for a mean of four
-- 1/4 each. What that leaves over is named as the rest.

local core = require "lunet_core"
local numbers = require "lunet.explain.numbers"
local one_layer = require "lunet.explain.one_layer"

local most_channels, most_terms, most_listed = 4, 27, 10

-- ---- the terms -------------------------------------------------------------

-- channels: how many pixels' channels meet filter k, and the first of them.
local function channels_of(kind, layer, x, y, k)
  local c = x:shape()[2]
  if kind ~= "shared" then return 1, c end
  local per_group = layer.weight:shape()[2]
  local filters = y:shape()[2] // (c // per_group)
  return (k - 1) // filters * per_group + 1, per_group
end

-- weight(c, offset) for output `place`; c counts from the first channel.
local function weight_of(kind, layer, place)
  local _, k, o = place[1], place[2], table.move(place, 3, #place, 1, {})
  local w = layer.weight
  if kind == "unshared" then w = one_layer.part(w, o) end
  w = w[k]
  return function(c, offset) return one_layer.at(w[c], offset) end
end

local function bias_of(kind, layer, place)
  if not layer.bias then return 0 end
  if kind == "unshared" then
    return one_layer.at(layer.bias, table.move(place, 2, #place, 1, {}))
  end
  return layer.bias[place[2]]
end

-- The slopes of one output along the inputs.
local function slopes_of(net, y, place)
  local dy = core.zeros(y:shape())
  local unit = dy
  for d, i in ipairs(place) do unit = unit:narrow(d, i, 1) end
  unit:fill(1)
  return { net:backward(dy) }
end

-- One channel of a window: rows of terms { x, factor, outside }, their sum.
local function terms_of_channel(window, place, x, c, factor)
  local o = table.move(place, 3, #place, 1, {})
  local sizes, image = one_layer.image(x:shape()), x[place[1]][c]
  local terms, sum = {}, 0
  one_layer.each_offset(window, function(offset)
    local pixel, inside = one_layer.pixel(window, o, offset, sizes)
    local value = inside and one_layer.at(image, pixel) or 0
    local f = factor(c, offset, pixel, inside)
    terms[#terms + 1] = { x = value, factor = f, outside = not inside }
    sum = sum + value * f
  end)
  return { c = c, terms = terms, sum = sum }
end

local function adds_nothing(channel)
  for _, term in ipairs(channel.terms) do
    if term.factor ~= 0 then return false end
  end
  return true
end

-- ---- as text ---------------------------------------------------------------

local function term_text(term)
  local x = term.outside and "(0)" or numbers.factor(term.x)
  return x .. "·" .. numbers.factor(term.factor)
end

local function padded(text, width)
  return (" "):rep(width - utf8.len(text)) .. text
end

-- The terms as they lie in the window, a row of the image a line.
local function grid_text(channel, window)
  local columns, width, lines = window[#window].kernel, 0, {}
  for _, term in ipairs(channel.terms) do
    width = math.max(width, utf8.len(term_text(term)))
  end
  for first = 1, #channel.terms, columns do
    local row, sum = {}, 0
    for i = first, first + columns - 1 do
      local term = channel.terms[i]
      row[#row + 1] = padded(term_text(term), width)
      sum = sum + term.x * term.factor
    end
    lines[#lines + 1] = ("    %s   = %s"):format(table.concat(row, "  "),
                                               numbers.text(sum))
  end
  return table.concat(lines, "\n")
end

-- "rows 1 to 3, columns 2 to 4"
local function window_text(window, place, x)
  local names = #window == 1 and { "elements" } or { "rows", "columns" }
  local parts, sizes = {}, one_layer.image(x:shape())
  for i, axis in ipairs(window) do
    local first = (place[i + 2] - 1) * axis.stride - axis.pad_before + 1
    local last = first + (axis.kernel - 1) * axis.dilation
    parts[i] = ("%s %d to %d of %d"):format(names[i], first, last, sizes[i])
    if axis.dilation > 1 then
      parts[i] = ("%s in steps of %d"):format(parts[i], axis.dilation)
    end
  end
  return table.concat(parts, ", ")
end

local function has_padding(channels)
  for _, channel in ipairs(channels) do
    for _, term in ipairs(channel.terms) do
      if term.outside then return true end
    end
  end
end

-- "y[1][1] (the lecture's Y[0,0]) ="
local function left_side(place)
  local o = table.move(place, 3, #place, 1, {})
  return ("y%s (the lecture's Y%s) ="):format(numbers.place(o),
                                            numbers.lecture(o))
end

local function equation(place, channels, rest, rest_name, value)
  local terms = {}
  for _, channel in ipairs(channels) do
    for _, term in ipairs(#channels == 1 and channel.terms or {}) do
      terms[#terms + 1] = numbers.product(term.x, term.factor)
    end
    if #channels > 1 then
      terms[#terms + 1] = ("%s (channel %d)"):format(
        numbers.factor(channel.sum), channel.c)
    end
  end
  if #terms > most_terms then
    local left = #terms - most_terms
    terms = table.move(terms, 1, most_terms, 1, {})
    terms[#terms + 1] = ("%d more"):format(left)
  end
  if rest_name then
    terms[#terms + 1] = ("%s (%s)"):format(numbers.factor(rest), rest_name)
  end
  return numbers.sum(left_side(place), terms, " = " .. numbers.text(value))
end

-- ---- layers with a window --------------------------------------------------

local function collect(window, place, x, first, count, factor)
  local channels, silent = {}, 0
  for c = first, first + count - 1 do
    local channel = terms_of_channel(window, place, x, c, factor)
    channels[#channels + 1] = channel
  end
  local speaking = {}
  for _, channel in ipairs(channels) do
    if adds_nothing(channel) then
      silent = silent + 1
    else
      speaking[#speaking + 1] = channel
    end
  end
  if #speaking == 0 then return { channels[1] }, silent - 1 end
  return speaking, silent
end

local function factors_of(kind, layer, net, x, y, place)
  local first, count = channels_of(kind, layer, x, y, place[2])
  if kind then
    local weight = weight_of(kind, layer, place)
    return first, count, function(c, offset)
      return weight(c - first + 1, offset)
    end
  end
  local slopes = slopes_of(net, y, place)[1][place[1]]
  return first, count, function(c, _, pixel, inside)
    return inside and one_layer.at(slopes[c], pixel) or 0
  end
end

local function sum_of(channels)
  local sum = 0
  for _, channel in ipairs(channels) do sum = sum + channel.sum end
  return sum
end

local function rest_of(kind, layer, place, channels, value)
  if kind then
    return layer.bias and bias_of(kind, layer, place), layer.bias and "bias"
  end
  local rest = value - sum_of(channels)
  if math.abs(rest) > 1e-5 * math.max(1, math.abs(value)) then
    return rest, "the rest"
  end
end

local function head(layer, place, kind)
  return ("%s: item %d, channel %d of y; %s"):format(
    layer.word, place[1], place[2],
    kind and "each pixel times the weight that it meets"
    or "each pixel times its slope")
end

local function explain_window(layer, net, info, x, y, place)
  local kind = one_layer.kind(layer, info, x)
  local first, count, factor = factors_of(kind, layer, net, x, y, place)
  local channels, silent = collect(info.window, place, x, first, count, factor)
  local value = one_layer.at(y, place)
  local rest, rest_name = rest_of(kind, layer, place, channels, value)
  local lines = { head(layer, place, kind) }
  for i, channel in ipairs(channels) do
    if i > most_channels then
      lines[#lines + 1] = ("  and %d more channels"):format(#channels - i + 1)
      break
    end
    lines[#lines + 1] = ("  channel %d of x, %s"):format(
      channel.c, window_text(info.window, place, x))
    lines[#lines + 1] = grid_text(channel, info.window)
  end
  if silent > 0 then
    lines[#lines + 1] = silent == 1 and "  1 other channel has no part in it"
      or ("  %d other channels have no part in it"):format(silent)
  end
  if has_padding(channels) then
    lines[#lines + 1] = "  (0) lies outside the image"
  end
  lines[#lines + 1] = equation(place, channels, rest, rest_name, value)
  return table.concat(lines, "\n")
end

-- ---- all other layers ------------------------------------------------------

-- Terms { x, factor, name } of each element that has a slope.
local function listed_terms(inputs, slopes)
  local terms, sum = {}, 0
  for i, x in ipairs(inputs) do
    local shape, name = x:shape(), #inputs > 1 and "x" .. i or "x"
    local flat = { x = x:view { x:numel() }:tolist(),
                   slope = slopes[i]:view { x:numel() }:tolist() }
    for j, slope in ipairs(flat.slope) do
      if slope ~= 0 then
        terms[#terms + 1] = { x = flat.x[j], factor = slope, name = name
                              .. numbers.place(one_layer.unravel(j, shape)) }
        sum = sum + flat.x[j] * slope
      end
    end
  end
  table.sort(terms, function(a, b)
    local left, right = math.abs(a.x * a.factor), math.abs(b.x * b.factor)
    if left ~= right then return left > right end
    return a.name < b.name
  end)
  return terms, sum
end

local function explain_listed(layer, net, info, inputs, y, place)
  local kind = one_layer.kind(layer, info, inputs[1])
  local value = one_layer.at(y, place)
  local terms, sum = listed_terms(inputs, slopes_of(net, y, place))
  local lines = { ("%s: y%s = %s; the elements of x that it depends on, "
                   .. "times their %s"):format(
    layer.word, numbers.place(place), numbers.text(value),
    kind and "weights" or "slopes") }
  local shown, rest = 0, 0
  for i, term in ipairs(terms) do
    local product = term.x * term.factor
    if i <= most_listed then
      lines[#lines + 1] = ("  %s: %s = %s"):format(
        term.name, numbers.product(term.x, term.factor), numbers.text(product))
      shown = shown + 1
    else
      rest = rest + product
    end
  end
  if #terms > shown then
    lines[#lines + 1] = ("  %d more, together %s"):format(#terms - shown,
                                                        numbers.text(rest))
  end
  if kind and layer.bias then
    lines[#lines + 1] = "  bias: " .. numbers.text(bias_of(kind, layer, place))
  elseif math.abs(value - sum) > 1e-5 * math.max(1, math.abs(value)) then
    lines[#lines + 1] = "  the rest: " .. numbers.text(value - sum)
  end
  return table.concat(lines, "\n")
end

-- The text of an explanation.
return function(layer, x, place)
  return one_layer.run(layer, x, "explain", function(net, info, y, inputs)
    place = one_layer.place(place, y:shape(), "explain", "{n, k, oy, ox}")
    if info.window and #inputs == 1 and inputs[1]:dim() == #info.window + 2 then
      return explain_window(layer, net, info, inputs[1], y, place)
    end
    return explain_listed(layer, net, info, inputs, y, place)
  end)
end
