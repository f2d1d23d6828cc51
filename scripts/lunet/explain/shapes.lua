-- shapes.lua - net:why_shape{ 3, 32, 32 }: the size formula of each layer with
-- the numbers put in, and that of its number of parameters.
--
-- A layer that looks through a window has, along each axis, as the lecture
-- writes it, (Input Size + 2 * Padding - Filter size) / Stride + 1, rounded
-- down; a dilation of D spreads a filter of K over D*(K-1) + 1.


local shapes = {}

local function shape_text(shape)
  return "(" .. table.concat(table.move(shape, 2, #shape, 2, { "N" }), ",")
    .. ")"
end

local function product_of(shape, first)
  local product = 1
  for i = first, #shape do product = product * shape[i] end
  return product
end

local function same(a, b) return shape_text(a) == shape_text(b) end

-- ---- windows ---------------------------------------------------------------

-- "28 + 2*2", or "28 + 0 + 1" where the sides differ.
local function padded_text(size, before, after)
  if before == after then return ("%d + 2*%d"):format(size, before) end
  return ("%d + %d + %d"):format(size, before, after)
end

-- What is added behind: as much as in front, unless the size says otherwise,
-- which only steps of 1 can ("same" with an even kernel).
local function pad_after(axis, out, size)
  if axis.stride > 1 then return axis.pad_before end
  return out - 1 + (axis.kernel - 1) * axis.dilation + 1 - size
    - axis.pad_before
end

-- "floor((7 + 2*0 - 3) / 3) + 1 = floor(1.33) + 1 = 2"
local function axis_text(axis, size, out)
  local extent = (axis.kernel - 1) * axis.dilation + 1
  local filter = axis.dilation > 1 and ("(%d*(%d-1) + 1)"):format(
    axis.dilation, axis.kernel) or tostring(axis.kernel)
  local after = pad_after(axis, out, size)
  local steps = (size + axis.pad_before + after - extent) / axis.stride
  local round = out > math.floor(steps) + 1 and "ceil" or "floor"
  local middle = ""
  if steps % 1 ~= 0 then
    local cut = math.floor(steps * 100 + 1e-6) / 100 -- 2.999 is not 3
    middle = (" = %s(%.2f) + 1"):format(round, cut)
  end
  return ("%s((%s - %s) / %d) + 1%s = %d"):format(
    round, padded_text(size, axis.pad_before, after), filter, axis.stride,
    middle, out)
end

local function window_lines(info, x)
  local names = #info.window == 1 and { "length" } or { "height", "width" }
  local lines, before = {}, nil
  for i, axis in ipairs(info.window) do
    local place = #x - #info.window + i
    local text = axis_text(axis, x[place], info.shape[place])
    if text == before then
      lines[#lines] = lines[#lines]:gsub("^height          ",
                                         "height and width")
    else
      lines[#lines + 1] = ("%-16s %s"):format(names[i], text)
    end
    before = text
  end
  return lines
end

-- ---- parameters ------------------------------------------------------------

-- "10*(5*5*3 + 1) = 760": filters times the weights of one, and its bias.
local function parameter_line(layer)
  local w, b = layer.weight, layer.bias
  if not w or w:dim() < 2 then return nil end
  local shape, inner = w:shape(), {}
  local bias = b and b:numel() == shape[1]
  if #layer.core_layer:tensors() ~= (b and 2 or 1) or b and not bias then
    return nil
  end
  for i = 3, #shape do inner[#inner + 1] = shape[i] end
  inner[#inner + 1] = shape[2]
  local count = w:numel() + (bias and shape[1] or 0)
  return ("%-16s %d*(%s%s) = %d"):format(
    "parameters", shape[1], table.concat(inner, "*"), bias and " + 1" or "",
    count)
end

-- ---- one layer -------------------------------------------------------------

local function flatten_line(x, y)
  if #y ~= 2 or #x < 3 or product_of(x, 2) ~= y[2] then return nil end
  return ("%-16s %s = %d"):format(
    "features", table.concat(table.move(x, 2, #x, 1, {}), "*"), y[2])
end

-- Sizes that come from an option, as out_channels does.
local function option_line(layer, y)
  for _, name in ipairs { "out_channels", "out_features" } do
    local value = layer:options()[name]
    if value and value == y[2] then
      return ("%-16s %s = %d"):format(
        name == "out_channels" and "channels" or "features", name, value)
    end
  end
end

-- Many inputs: as those of add and concat.
local function inputs_line(inputs)
  if #inputs < 2 then return nil end
  local texts = {}
  for i, shape in ipairs(inputs) do texts[i] = shape_text(shape) end
  return "from " .. table.concat(texts, " and ")
end

local function explained(node, info, inputs)
  local x, y, lines = inputs[1], info.shape, {}
  local function add(line) lines[#lines + 1] = line end
  add(inputs_line(inputs))
  add(option_line(node.layer, y))
  if info.window then
    table.move(window_lines(info, x), 1, #info.window, #lines + 1, lines)
  elseif #inputs == 1 and #lines == 0 then
    add(same(x, y) and "as x" or flatten_line(x, y)
        or "by the rule on its page, docs/layers/" .. node.layer.word .. ".md")
  end
  add(parameter_line(node.layer))
  return lines
end

-- The text for a net that has been built.
function shapes.text(net)
  local core_net, builder = net:core_net()
  local names, lines = {}, {}
  net:walk(function(layer, name) names[layer] = name end)
  for i, node in ipairs(builder.nodes) do
    local info, inputs = core_net:node_info(i), {}
    for k, value in ipairs(node.inputs) do
      inputs[k] = core_net:shape(value)
    end
    local name = names[node.layer] or node.layer.word
    local label = name == node.layer.word and name
      or name .. " " .. node.layer.word
    lines[#lines + 1] = ("%d  %s   %s → %s"):format(
      i, label, shape_text(inputs[1]), shape_text(info.shape))
    for _, line in ipairs(explained(node, info, inputs)) do
      lines[#lines + 1] = "     " .. line
    end
  end
  return table.concat(lines, "\n")
end

return shapes
