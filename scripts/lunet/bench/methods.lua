-- methods.lua - `lunet bench --methods`: for layers with several methods, what
-- each gains in forward over the textbook, and its error against float64.

local core = require "lunet_core"
local lunet = require "lunet"
local columns = require "lunet.bench.columns"
local float64 = require "lunet.bench.float64"
local machine = require "lunet.bench.machine"
local markdown = require "lunet.bench.markdown"
local sample = require "lunet.bench.sample"

-- Word, what the table calls it, shape of x, options.
local cases = {
  { "conv2d", "3x3, 32 to 32", { 16, 32, 28, 28 },
    { out_channels = 32, kernel_size = 3, padding = 1 } },
  { "conv2d", "5x5, 6 to 16", { 64, 6, 14, 14 },
    { out_channels = 16, kernel_size = 5 } },
  { "conv2d", "5x5, 32 to 64", { 16, 32, 16, 16 },
    { out_channels = 64, kernel_size = 5, padding = 2 } },
  { "conv2d", "3x3 depthwise", { 16, 64, 28, 28 },
    { out_channels = 64, kernel_size = 3, padding = 1, groups = 64 } },
  { "conv2d", "3x3 on 2x2 maps", { 16, 128, 2, 2 },
    { out_channels = 128, kernel_size = 3, padding = 1 } },
  { "linear", "1024 to 256", { 64, 1024 }, { out_features = 256 } },
  { "linear", "one item", { 1, 1024 }, { out_features = 256 } },
  { "max_pool2d", "2x2", { 16, 32, 56, 56 }, { kernel_size = 2 } },
  { "max_pool2d", "3x3, stride 2", { 16, 32, 56, 56 },
    { kernel_size = 3, stride = 2, padding = 1 } },
  { "avg_pool2d", "2x2", { 16, 32, 56, 56 }, { kernel_size = 2 } },
  { "batch_norm2d", "in training", { 16, 32, 28, 28 }, {} },
  { "relu", "", { 16, 32, 28, 28 }, {} },
  { "sigmoid", "", { 16, 32, 28, 28 }, {} },
  { "tanh", "", { 16, 32, 28, 28 }, {} },
}

local places, seed = 300, 20 -- so many numbers of y are compared

local function methods_of(word)
  core.layer_exists(word)
  for _, row in ipairs(lunet.plugins.list()) do
    if row.name == word then return row.methods end
  end
end

local function make_layer(word, given, method)
  local options = { method = method }
  for name, value in pairs(given) do options[name] = value end
  lunet.manual_seed(seed) -- the same weights for every method
  return lunet.nn[word](options)
end

-- The number of a nested list at a place.
local function at(list, place)
  for _, i in ipairs(place) do list = list[i] end
  return list
end

-- The same places for every method.
local function random_places(shape)
  math.randomseed(seed)
  local list = {}
  for i = 1, places do
    list[i] = {}
    for d, size in ipairs(shape) do list[i][d] = math.random(size) end
  end
  return list
end

local function nested(tensor) return tensor and tensor:tolist() end

-- Root mean square of y - exact, in parts of that of exact.
local function error_of(word, options, layer, x, y)
  local exact = float64[word](options, nested(x), nested(layer.weight),
                              nested(layer.bias))
  local wrong, all, numbers = 0, 0, nested(y)
  for _, place in ipairs(random_places(y:shape())) do
    local right = exact(table.unpack(place))
    wrong, all = wrong + (at(numbers, place) - right) ^ 2, all + right ^ 2
  end
  return math.sqrt(wrong / all)
end

-- { seconds =, error = }; nil where the method does not suit.
local function measure(word, options, method, x, o)
  local layer = make_layer(word, options, method)
  local fine, y = pcall(layer.forward, layer, x)
  if not fine then return end
  local timed = sample.run(function() return layer:forward(x) end, o)
  return { seconds = sample.median(timed.seconds),
           error = error_of(word, options, layer, x, y) }
end

-- Rows { layer, shapes, method, microseconds, gain, error }; the textbook, the
-- last of the layer's list, comes first.
local function rows_of(case, o)
  local word, name, shape, options = table.unpack(case)
  lunet.manual_seed(seed)
  local x, rows, first = lunet.rand(shape) - 0.5, {}, nil
  local methods = methods_of(word)
  for i = #methods, 1, -1 do
    local result = measure(word, options, methods[i], x, o)
    if result then
      first = first or result.seconds
      rows[#rows + 1] = {
        word, name .. (name == "" and "" or ": ") .. table.concat(shape, "x"),
        methods[i], ("%.1f"):format(1e6 * result.seconds),
        ("%.1f"):format(first / result.seconds),
        result.error > 0 and ("%.1e"):format(result.error) or "0",
      }
    end
  end
  return rows
end

-- Puts a text between the markers of a page.
local function write_between_markers(path, text)
  local file, wrong = io.open(path)
  if not file then core.raise("--page: %s", wrong) end
  local page = file:read("a")
  file:close()
  local from, _, start = page:find("<!%-%- methods %-%->\n()")
  local finish = page:find("<!-- end of methods -->", 1, true)
  if not from or not finish then
    core.raise("--page: %s has no lines <!-- methods --> and "
               .. "<!-- end of methods -->", path)
  end
  file = assert(io.open(path, "w"))
  file:write(page:sub(1, start - 1), text, page:sub(finish))
  file:close()
  print("wrote " .. path)
end

return function(o)
  local rows = {}
  lunet.set_num_threads(o.threads[1])
  for _, case in ipairs(cases) do
    if not o.layer or o.layer == case[1] then
      table.move(rows_of(case, o), 1, 1000, #rows + 1, rows)
    end
  end
  if #rows == 0 then core.raise("--layer: no case for '%s'", o.layer) end
  local head = { "layer", "shape of x", "method", "µs", "gain", "error" }
  if o.page then
    write_between_markers(o.page, ("%s, %s, threads: %d, forward.\n\n%s\n")
      :format(os.date("%Y-%m-%d"), machine.name(), o.threads[1],
              markdown(head, rows, 3)))
  else
    print(columns { head, table.unpack(rows) })
  end
  return true
end
