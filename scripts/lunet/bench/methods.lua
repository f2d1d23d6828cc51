-- methods.lua - `lunet bench --methods`: for layers with several methods, what
-- each gains in forward over the textbook, and its error against float64.

local core = require "lunet_core"
local lunet = require "lunet"
local cases = require "lunet.bench.method_cases"
local columns = require "lunet.bench.columns"
local float64 = require "lunet.bench.float64"
local machine = require "lunet.bench.machine"
local markdown = require "lunet.bench.markdown"
local number_at = require "lunet.bench.float64.number_at"
local page_section = require "lunet.bench.page_section"
local sample = require "lunet.bench.sample"

local places, seed = 300, 20 -- so many numbers of y are compared

local function methods_of(word)
  core.layer_exists(word)
  for _, row in ipairs(lunet.plugins.list()) do
    if row.name == word then return row.methods end
  end
end

local function make_layer(case, method)
  local options = { method = method }
  for name, value in pairs(case.options) do options[name] = value end
  lunet.manual_seed(seed) -- the same weights for every method
  return lunet.nn[case.word](options)
end

-- Calls f with places of y, the same ones for every method.
local function each_random_place(y, f)
  if not core.is_tensor(y) then return f() end -- a loss
  local shape = y:shape()
  math.randomseed(seed)
  for _ = 1, places do
    local place = {}
    for d, size in ipairs(shape) do place[d] = math.random(size) end
    f(table.unpack(place))
  end
end

local function nested(value)
  return core.is_tensor(value) and value:tolist() or value
end

-- What the layer computes in float64: function(place) -> number.
local function exact_of(case, layer, inputs)
  local o, lists = {}, {}
  for name, value in pairs(case.options) do o[name] = value end
  o.weight, o.bias = nested(layer.weight), nested(layer.bias)
  for i, input in ipairs(inputs) do lists[i] = nested(input) end
  return float64[case.word](o, table.unpack(lists))
end

-- Root mean square of y - exact, in parts of that of exact.
local function error_of(case, layer, inputs, y)
  local exact, numbers = exact_of(case, layer, inputs), nested(y)
  local wrong, all = 0, 0
  each_random_place(y, function(...)
    local right = exact(...)
    wrong, all = wrong + (number_at(numbers, ...) - right) ^ 2, all + right ^ 2
  end)
  return math.sqrt(wrong / all)
end

-- { seconds =, error = }; nil where the method does not suit.
local function measure(case, method, inputs, o)
  local layer = make_layer(case, method)
  local function forward() return layer:forward(table.unpack(inputs)) end
  local fine, y = pcall(forward)
  if not fine then return end
  return { seconds = sample.median(sample.run(forward, o).seconds),
           error = error_of(case, layer, inputs, y) }
end

-- Rows { layer, shapes, method, microseconds, gain, error }; the textbook, the
-- last of the layer's list, comes first.
local function rows_of(case, o)
  lunet.manual_seed(seed)
  local inputs, rows, first = case.inputs(case.shape), {}, nil
  local shape = table.concat(case.shape, "x")
  local methods = methods_of(case.word)
  for i = #methods, 1, -1 do
    local result = measure(case, methods[i], inputs, o)
    if result then
      first = first or result.seconds
      rows[#rows + 1] = {
        case.word, case.name == "" and shape or case.name .. ": " .. shape,
        methods[i], ("%.1f"):format(1e6 * result.seconds),
        ("%.1f"):format(first / result.seconds),
        result.error > 0 and ("%.1e"):format(result.error) or "0",
      }
    end
  end
  return rows
end

local function cases_of(layer)
  local list = {}
  for _, case in ipairs(cases) do
    if not layer or layer == case.word then list[#list + 1] = case end
  end
  if #list == 0 then core.raise("--layer: no case for '%s'", layer) end
  return list
end

-- The pages to write, and the rows that each gets: those of one layer, or, with
-- nil, all.
local function pages_of(list, o)
  local paths, words = { o.page }, {}
  for i, case in ipairs(o.pages and list or {}) do
    if i == 1 or case.word ~= list[i - 1].word then
      paths[#paths + 1] = ("%s/%s.md"):format(o.pages, case.word)
      words[paths[#paths]] = case.word
    end
  end
  return paths, words
end

local head = { "layer", "shape of x", "method", "µs", "gain", "error" }

local function text_of(rows, word, o)
  local own = {}
  for _, row in ipairs(rows) do
    if not word or row[1] == word then own[#own + 1] = row end
  end
  return ("%s, %s, threads: %d, forward.\n\n%s\n"):format(os.date("%Y-%m-%d"),
    machine.name(), o.threads[1], markdown(head, own, 3))
end

return function(o)
  local list, rows = cases_of(o.layer), {}
  local paths, words = pages_of(list, o)
  page_section.check(paths, "methods") -- before the time is spent
  lunet.set_num_threads(o.threads[1])
  for _, case in ipairs(list) do
    table.move(rows_of(case, o), 1, 1000, #rows + 1, rows)
  end
  for _, path in ipairs(paths) do
    page_section.write(path, "methods", text_of(rows, words[path], o))
    print("wrote " .. path)
  end
  if #paths == 0 then print(columns { head, table.unpack(rows) }) end
  return true
end
