-- summary.lua - a table of a net's layers: shapes, parameters, multiply-adds.

local summary = {}

local function count_parameters(layer)
  local n = 0
  for _, t in ipairs(layer.core_layer:tensors()) do
    if t.trained then n = n + t.value:numel() end
  end
  return n
end

-- 1234567 -> "1,234,567"
local function with_commas(n)
  local text = ("%d"):format(n)
  local head, tail = text:match("^(%-?%d%d?%d?)(%d*)$")
  while #head > 0 and #tail % 3 ~= 0 do
    head, tail = head:sub(1, -2), head:sub(-1) .. tail
  end
  return head .. tail:gsub("(%d%d%d)", ",%1")
end

-- One row a use of a layer: { label, shape (with N in front), parameters,
-- multiply_adds, notice }. The net must have been built. A shared layer's
-- parameters count at its first use.
function summary.rows(net)
  local core_net, builder = net:core_net()
  local rows, seen, names = {}, {}, {}
  net:walk(function(layer, name) names[layer] = name end)
  for i, n in ipairs(builder.nodes) do
    local info = core_net:node_info(i)
    local shape = table.move(info.shape, 2, #info.shape, 2, { "N" })
    rows[i] = { name = names[n.layer], word = n.layer.word,
                shape = "(" .. table.concat(shape, ",") .. ")",
                parameters = seen[n.layer] and 0 or count_parameters(n.layer),
                multiply_adds = info.flops // 2, notice = info.notice }
    seen[n.layer] = true
  end
  return rows
end

-- The table as text, with a line of totals.
function summary.text(net)
  local lines = { ("%-4s%-28s%-20s%14s%16s"):format(
    "", "layer", "output", "parameters", "multiply-adds") }
  local parameters, multiply_adds = 0, 0
  for i, row in ipairs(summary.rows(net)) do
    parameters = parameters + row.parameters
    multiply_adds = multiply_adds + row.multiply_adds
    local label = row.name == row.word and row.word or
                  ("%s %s"):format(row.name, row.word)
    lines[#lines + 1] = ("%-4d%-28s%-20s%14s%16s"):format(
      i, label, row.shape, with_commas(row.parameters),
      with_commas(row.multiply_adds))
    if row.notice then
      lines[#lines + 1] = "    note: " .. row.notice:gsub("\n", "\n    ")
    end
  end
  lines[#lines + 1] = ("%-4s%-48s%14s%16s"):format(
    "", "all, for one item", with_commas(parameters),
    with_commas(multiply_adds))
  return table.concat(lines, "\n")
end

return summary
