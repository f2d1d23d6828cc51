-- dead_units.lua - units that give one and the same number for every sample,
-- though what they get differs: a relu whose input is never above 0.

local most_share = 0.75
local most_samples, most_bytes = 256, 2 ^ 28

-- Nodes that turn each number into another, without weights: as relu does.
local function activations(core_net, builder)
  local list = {}
  for i, node in ipairs(builder.nodes) do
    local shape = core_net:node_info(i).shape
    local x = #node.inputs == 1 and core_net:shape(node.inputs[1])
    local is_alike = x and #x >= 2 and node.n_outputs == 1 and
                     table.concat(x, ",", 2) == table.concat(shape, ",", 2)
    if is_alike and #node.layer.core_layer:tensors() == 0 and
       node.inputs[1] > 0 then
      list[#list + 1] = node
    end
  end
  return list
end

-- Of each unit the least and the largest number: of a channel, over all places.
local function ranges(t)
  local units = t:shape()[2]
  local rows = t:transpose(1, 2):view { units, t:numel() // units }
  return rows:min(2):tolist(), rows:max(2):tolist()
end

-- Widens known = { low, high } by what is in t.
local function widen(known, t)
  local low, high = ranges(t)
  for i in ipairs(low) do
    known.low[i] = math.min(known.low[i] or low[i], low[i])
    known.high[i] = math.max(known.high[i] or high[i], high[i])
  end
end

-- As many samples at once as leave room for all results.
local function batch_size(core_net, builder)
  local bytes = 1
  for i in ipairs(builder.nodes) do
    bytes = bytes + core_net:node_info(i).activation_bytes
  end
  return math.max(1, math.min(64, math.floor(most_bytes / bytes)))
end

-- Sends samples through; calls look(tensor of a value) for each of the values.
local function look_at(run, core_net, size, values, look)
  local taps = {}
  for value in pairs(values) do taps[value] = core_net:add_tap(value) end
  local samples = run.train:take(math.min(#run.train, most_samples))
  local fine, message = pcall(function()
    for x in samples:batches { size = size } do
      run.net:predict(x)
      for value, tap in pairs(taps) do look(value, tap:output()) end
    end
  end)
  for _, tap in pairs(taps) do tap:remove() end
  if not fine then error(message, 0) end
end

-- The range of each unit, before and behind each of the nodes.
local function measure(run, core_net, builder, nodes)
  local known = {}
  for _, node in ipairs(nodes) do
    known[node.inputs[1]] = { low = {}, high = {} }
    known[node.value] = { low = {}, high = {} }
  end
  look_at(run, core_net, batch_size(core_net, builder), known,
          function(value, t) widen(known[value], t) end)
  return known
end

local function count_dead(before, behind)
  local dead = 0
  for i, low in ipairs(behind.low) do
    if low == behind.high[i] and before.low[i] < before.high[i] then
      dead = dead + 1
    end
  end
  return dead, #behind.low
end

-- { name, dead, all } of each node with too many.
local function find(run)
  local core_net, builder = run.net:core_net()
  local nodes, names, list = activations(core_net, builder), {}, {}
  run.net:walk(function(layer, name) names[layer] = name end)
  local known = measure(run, core_net, builder, nodes)
  for _, node in ipairs(nodes) do
    local dead, all = count_dead(known[node.inputs[1]], known[node.value])
    if dead / all > most_share then
      list[#list + 1] = { name = ("%s (%s)"):format(names[node.layer],
                                                   node.layer.word),
                          dead = dead, all = all }
    end
  end
  return list
end

return function(run)
  if not run:reads(run.train) or not run:knows_sizes() then return nil, true end
  local list, numbers = find(run), {}
  if #list == 0 then return nil end
  for i, row in ipairs(list) do
    numbers[i] = ("%d of %d in layer %s"):format(row.dead, row.all, row.name)
  end
  return {
    what = "units are dead: they say the same to every sample",
    numbers = table.concat(numbers, "; "),
    rule = "such a unit lets no gradient through and does not wake up by "
           .. "itself; more than three quarters of a layer are too many",
    try = "a smaller rate, and biases that begin at 0; nn.leaky_relu{} lets a "
          .. "little through",
  }
end
