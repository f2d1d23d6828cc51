-- race.lua - `lunet bench --plugin WORD`: one layer, all its methods side by
-- side, from the textbook upwards.

local core = require "lunet_core"
local lunet = require "lunet"
local columns = require "lunet.bench.columns"
local layer_passes = require "lunet.bench.layer_passes"
local sample = require "lunet.bench.sample"

local function description_of(word)
  core.layer_exists(word)
  for _, row in ipairs(lunet.plugins.list()) do
    if row.name == word then return row end
  end
  core.raise("'%s' is in no folder of the search path", word)
end

-- The options and inputs of the layer's own example: it runs with words that
-- only take down what they are given.
local function example_of(description)
  local taken
  local recorder = setmetatable({}, { __index = function()
    return function(options)
      local function take(_, ...) taken = { options or {}, { ... } } end
      return setmetatable({ forward = take }, { __call = take })
    end
  end })
  local run = load(description.example, "=example", "t",
                   { nn = recorder, lunet = lunet })
  run()
  return table.unpack(taken)
end

local function given_options(text)
  local make, wrong = load("return {" .. text .. "}", "=--options", "t", {})
  if not make then core.raise("--options: %s", wrong) end
  return make()
end

local function given_shape(text)
  local shape = {}
  for size in text:gmatch("[^,x%s]+") do
    shape[#shape + 1] = math.tointeger(tonumber(size)) or
      core.raise("--shape is '%s', it must be sizes such as 16,64,56,56", text)
  end
  return shape
end

-- The example's inputs, where those of the first one's shape get `shape`, and
-- class ids (N) the new N.
local function reshaped(inputs, shape)
  local before = inputs[1]:shape()
  for i, x in ipairs(inputs) do
    local is_ids = x:dim() == 1 and #x == before[1]
    if table.concat(x:shape(), ",") == table.concat(before, ",") then
      inputs[i] = lunet.randn(shape)
    elseif is_ids and #shape > 1 then
      inputs[i] = (lunet.rand { shape[1] } * shape[2]):floor()
    end
  end
  return inputs
end

local function flops_of(layer, inputs)
  local core_net, shapes = layer:core_net(), {}
  for i, x in ipairs(inputs) do shapes[i] = x:shape() end
  core_net:build(shapes)
  return core_net:node_info(1).flops
end

-- mode -> seconds; modes in order; operations of forward.
local function time_method(word, given, method, inputs, o)
  local options = { method = method }
  for name, value in pairs(given) do options[name] = value end
  local layer = lunet.nn[word](options)
  layer:forward(table.unpack(inputs)) -- completes it
  local flops = flops_of(layer, inputs)
  local times, modes = {}, {}
  for pass in layer_passes.each(layer, inputs, true) do
    modes[#modes + 1] = pass.mode
    local timed = sample.run(pass.call, o)
    times[pass.mode] = sample.median(timed.seconds)
  end
  return times, modes, flops
end

local function shape_text(inputs)
  local list = {}
  for i, x in ipairs(inputs) do
    list[i] = "(" .. table.concat(x:shape(), ",") .. ")"
  end
  return table.concat(list, ", ")
end

-- Adds the rows of a method; the gain is against the first method's times.
local function add_rows(rows, method, times, modes, first, flops)
  for _, mode in ipairs(modes) do
    local seconds = times[mode]
    rows[#rows + 1] = {
      method, mode, ("%.1f"):format(1e6 * seconds),
      flops > 0 and ("%.2f"):format(flops / seconds / 1e9) or "-",
      ("%.2f"):format(first[mode] / seconds),
    }
  end
end

-- The first line of what an error says.
local function reason(message) return tostring(message):match("[^\n]*") end

return function(o)
  local description = description_of(o.plugin)
  local options, inputs = example_of(description)
  if o.options then options = given_options(o.options) end
  if o.shape then inputs = reshaped(inputs, given_shape(o.shape)) end
  lunet.set_num_threads(o.threads[1])
  print(("%s on %s, threads: %d"):format(o.plugin, shape_text(inputs),
                                         o.threads[1]))
  local rows = { { "method", "pass", "microseconds", "GFLOP/s", "gain" } }
  local first
  for i = #description.methods, 1, -1 do -- the best last
    local method = description.methods[i]
    local fine, times, modes, flops = pcall(time_method, o.plugin, options,
                                            method, inputs, o)
    if fine then
      first = first or times
      add_rows(rows, method, times, modes, first, flops)
    elseif first then
      rows[#rows + 1] = { method, reason(times) }
    else
      error(times, 0)
    end
  end
  print(columns(rows))
  return true
end
