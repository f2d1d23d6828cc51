-- summary.lua - a table of a net's layers: output shape, parameters, multiply-
-- adds, memory and receptive field, for one item.
--
--   memory  what the layer writes and what it keeps for backward
--   field   rows x columns of the image that one unit sees (of the first
--           input); jump: how far apart two neighbouring units look; start:
--           where the first one begins, 1 is the first pixel, 0 and below lie
--           in the padding. See receptive_field.lua.

local receptive_field = require "lunet.receptive_field"

local summary = {}

local most_columns = 100
local least_label = 16

-- ---- numbers as texts ----------------------------------------------------

-- 1234567 -> "1,234,567"
local function with_commas(n)
  local text = ("%.0f"):format(n)
  local head, tail = text:match("^(%-?%d%d?%d?)(%d*)$")
  while #head > 0 and #tail % 3 ~= 0 do
    head, tail = head:sub(1, -2), head:sub(-1) .. tail
  end
  return head .. tail:gsub("(%d%d%d)", ",%1")
end

-- 12800000 -> "12.8 MB"
local function bytes(n)
  if n < 1000 then return ("%d B"):format(n) end
  for _, unit in ipairs { "kB", "MB", "GB" } do
    n = n / 1000
    if n < 999.5 then
      return (n < 99.95 and "%.1f %s" or "%.0f %s"):format(n, unit)
    end
  end
  return with_commas(n / 1000) .. " TB"
end

-- Exact as long as it can be read at a glance.
local function operations(n)
  if n < 1e9 then return with_commas(n) end
  if n < 1e12 then return ("%.2f G"):format(n / 1e9) end
  return ("%.2f T"):format(n / 1e12)
end

-- ---- rows ----------------------------------------------------------------

local function parameters_of(layer)
  local count, size = 0, 0
  for _, t in ipairs(layer.core_layer:tensors()) do
    if t.trained then count = count + t.value:numel() end
    size = size + 4 * t.value:numel()
  end
  return count, size
end

-- One row a use of a layer: { name, word, shape (with N in front), parameters,
-- parameter_bytes, multiply_adds, memory, field, shared, notice }. The net must
-- have been built. A shared layer's parameters count at its first use.
function summary.rows(net)
  local core_net, builder = net:core_net()
  local fields = receptive_field.of_nodes(net, 1)
  local rows, seen, names = {}, {}, {}
  net:walk(function(layer, name) names[layer] = name end)
  for i, n in ipairs(builder.nodes) do
    local info = core_net:node_info(i)
    local shape = table.move(info.shape, 2, #info.shape, 2, { "N" })
    local parameters, parameter_bytes = parameters_of(n.layer)
    local shared = seen[n.layer] and parameters > 0
    rows[i] = {
      name = names[n.layer], word = n.layer.word,
      shape = "(" .. table.concat(shape, ",") .. ")",
      parameters = seen[n.layer] and 0 or parameters,
      parameter_bytes = seen[n.layer] and 0 or parameter_bytes,
      multiply_adds = info.flops // 2,
      memory = info.activation_bytes + info.saved_bytes,
      field = fields and fields[i], shared = shared, notice = info.notice,
    }
    seen[n.layer] = true
  end
  return rows, fields ~= nil
end

-- Over all rows: parameters, parameter_bytes, multiply_adds, memory.
function summary.totals(rows)
  local totals = { parameters = 0, parameter_bytes = 0, multiply_adds = 0,
                   memory = 0 }
  for _, row in ipairs(rows) do
    for name, sum in pairs(totals) do totals[name] = sum + row[name] end
  end
  return totals
end

-- ---- the table -----------------------------------------------------------

-- One number where all axes agree, else "2,1".
local function along_axes(field, name, mark, always)
  local list, same = {}, true
  for i, axis in ipairs(field) do
    list[i] = ("%d"):format(axis[name])
    same = same and list[i] == list[1]
  end
  return same and not always and list[1] or table.concat(list, mark)
end

-- field, jump, start; the last two say nothing where all units see the same.
local function field_cells(field)
  if not field then return "-", "", "" end
  local size = along_axes(field, "size", "x", true)
  if receptive_field.is_whole(field) then return size, "-", "-" end
  return size, along_axes(field, "jump", ","), along_axes(field, "start", ",")
end

local function cells_of(row, number, with_fields)
  local label = row.name == row.word and row.word or
                ("%s %s"):format(row.name, row.word)
  local cells = { tostring(number), label, row.shape,
                  row.shared and "shared" or with_commas(row.parameters),
                  operations(row.multiply_adds), bytes(row.memory) }
  if with_fields then
    cells[7], cells[8], cells[9] = field_cells(row.field)
  end
  return cells
end

local function total_cells(totals)
  return { "", "all, for one item", "", with_commas(totals.parameters),
           operations(totals.multiply_adds), bytes(totals.memory),
           "", "", "" }
end

local function widths_of(lines)
  local widths, sum = {}, 0
  for _, cells in ipairs(lines) do
    for i, cell in ipairs(cells) do
      widths[i] = math.max(widths[i] or 0, utf8.len(cell))
    end
  end
  for i, width in ipairs(widths) do
    sum = sum + width + (i > 1 and 2 or 0)
  end
  local room = widths[2] - math.max(0, sum - most_columns)
  widths[2] = math.max(room, math.min(widths[2], least_label))
  return widths
end

-- Cuts a label in front, where the outermost of its names stand.
local function shortened(text, width)
  local length = utf8.len(text)
  if length <= width then return text end
  return "…" .. text:sub(utf8.offset(text, length - width + 2))
end

-- Label and shape begin at the left, numbers end at the right.
local function line_of(cells, widths)
  local shown = {}
  for i, width in ipairs(widths) do
    local cell = shortened(cells[i] or "", width)
    local blanks = (" "):rep(width - utf8.len(cell))
    local left = i == 2 or i == 3
    shown[i] = left and cell .. blanks or blanks .. cell
  end
  return (table.concat(shown, "  "):gsub(" +$", ""))
end

-- A remark in lines that fit.
local function add_notice(lines, notice)
  local line = "     note:"
  for part in notice:gmatch("[^\n]+") do
    for word in part:gmatch("%S+") do
      if utf8.len(line) + 1 + utf8.len(word) > most_columns then
        lines[#lines + 1] = line
        line = "          "
      end
      line = line .. " " .. word
    end
    lines[#lines + 1] = line
    line = "          "
  end
end

local function footer(totals, net)
  local text = ("weights %s"):format(bytes(totals.parameter_bytes))
  if net:n_inputs() > 1 then
    text = text .. "; field, jump and start are of input 1"
  end
  return text
end

-- The table as text, with a line of totals.
function summary.text(net)
  local rows, with_fields = summary.rows(net)
  local header = { "", "layer", "output", "parameters", "multiply-adds",
                   "memory" }
  if with_fields then
    table.move({ "field", "jump", "start" }, 1, 3, 7, header)
  end
  local all = { header }
  for i, row in ipairs(rows) do
    all[i + 1] = cells_of(row, i, with_fields)
  end
  local totals = summary.totals(rows)
  all[#all + 1] = total_cells(totals)
  local widths, lines = widths_of(all), {}
  for i, cells in ipairs(all) do
    lines[#lines + 1] = line_of(cells, widths)
    local row = rows[i - 1]
    if row and row.notice then add_notice(lines, row.notice) end
  end
  lines[#lines + 1] = footer(totals, net)
  return table.concat(lines, "\n")
end

return summary
