-- net_text.lua - how print shows a net: its graph, one layer a row, with the
-- options that were given and, once the net is built, the shapes.

local core = require "lunet_core"
local rails = require "lunet.rails"

local widest_layer = 46

-- ---- options --------------------------------------------------------------

-- {5, 5} -> "5", {3, 1} -> "{3, 1}"
local function value_text(value)
  if type(value) == "string" then return ('"%s"'):format(value) end
  if type(value) ~= "table" then return tostring(value) end
  for _, v in ipairs(value) do
    if v ~= value[1] then return "{" .. table.concat(value, ", ") .. "}" end
  end
  return tostring(value[1])
end

local function is_default(option, text, all)
  local default = option.default or ""
  local other = default:match "^= ([%w_]+)$"
  if other then return text == value_text(all[other]) end
  local a, b = tonumber(default), tonumber(text)
  return default == "from the input" or default == text or
         default == "not set" and text == "" or a ~= nil and a == b
end

-- "conv2d{ out_channels = 6, kernel_size = 5 }": what is not the default.
local function layer_text(layer)
  local all, parts = layer:options(), {}
  for _, option in ipairs(core.layer_about(layer.word).options) do
    local value = option.name and all[option.name]
    local text = value ~= nil and value_text(value) or ""
    if option.name and value ~= nil and not is_default(option, text, all) then
      parts[#parts + 1] = ("%s = %s"):format(option.name, text)
    end
  end
  if #parts == 0 then return layer.word end
  return ("%s{ %s }"):format(layer.word, table.concat(parts, ", "))
end

local function shortened(text, width)
  if utf8.len(text) <= width then return text end
  return text:sub(1, utf8.offset(text, width) - 1) .. "…"
end

-- ---- rows -----------------------------------------------------------------

local function shape_text(core_net, value)
  local shape = core_net:shape(value)
  if not shape then return "" end
  return "(" .. table.concat(table.move(shape, 2, #shape, 2, { "N" }), ",") ..
         ")"
end

local function outputs_of(node)
  local values = {}
  for i = 1, node.n_outputs do values[i] = node.value + i - 1 end
  return values
end

-- Rows { rails, name, layer, shape }.
local function rows_of(net)
  local core_net, builder = net:core_net()
  local names, inputs, nodes = {}, {}, {}
  net:walk(function(layer, name) names[layer] = name end)
  for i = 1, net:n_inputs() do
    local name = net:n_inputs() > 1 and "x" .. i or "x"
    inputs[i] = { value = i - 1,
                  item = { name, "", shape_text(core_net, i - 1) } }
  end
  for i, node in ipairs(builder.nodes) do
    nodes[i] = { inputs = node.inputs, outputs = outputs_of(node),
                 item = { names[node.layer], layer_text(node.layer),
                          shape_text(core_net, node.value) } }
  end
  local rows = {}
  for i, row in ipairs(rails.rows(inputs, nodes)) do
    local item = row[2] or { "", "", "" }
    rows[i] = { row[1], item[1], shortened(item[2], widest_layer), item[3] }
  end
  return rows
end

local function aligned(rows)
  local widths, lines = { 0, 0, 0 }, {}
  for _, row in ipairs(rows) do
    for i = 1, 3 do widths[i] = math.max(widths[i], utf8.len(row[i])) end
  end
  for k, row in ipairs(rows) do
    local cells = {}
    for i = 1, 3 do
      cells[i] = row[i] .. (" "):rep(widths[i] - utf8.len(row[i]))
    end
    cells[4] = row[4]
    lines[k] = "  " .. table.concat(cells, "  "):gsub(" +$", "")
  end
  return table.concat(lines, "\n")
end

local function head_of(net)
  local fine, n = pcall(net.num_parameters, net)
  local name = net.name and (" '%s'"):format(net.name) or ""
  return ("%s%s, %s"):format(net.word, name, fine and
    ("%d parameters"):format(n) or "unfinished: sizes come with build{…}")
end

return function(net)
  if #net:layers() == 0 then return head_of(net) .. ", no layers" end
  return head_of(net) .. "\n" .. aligned(rows_of(net))
end
