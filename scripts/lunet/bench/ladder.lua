-- ladder.lua - `lunet bench --ladder`: a 3x3 convolution, from the textbook up
-- to Winograd, with what each step gains and its error. docs/labs/ladder.md
-- leads up.

local core = require "lunet_core"
local lunet = require "lunet"
local columns = require "lunet.bench.columns"
local compile = require "lunet.compile"
local machine = require "lunet.bench.machine"
local sample = require "lunet.bench.sample"

local source = core.folder .. "/../labs/ladder.c"

-- For this machine, and with no vectors but those that the source asks for.
local flags = "-march=native -fno-tree-vectorize -fno-tree-slp-vectorize"

-- From bottom to top: name, layer, method.
local rungs = {
  { "textbook", "ladder", "textbook" },
  { "reordered", "ladder", "reordered" },
  { "blocked", "ladder", "blocked" },
  { "vectors", "ladder", "vectors" },
  { "winograd", "conv2d", "winograd" },
}

local is_loaded = false

-- Builds the reader's ladder and lets its layer be known, once a process.
local function load_ladder(path)
  if is_loaded then return end
  local plugin = os.tmpname()
  local fine, wrong = compile.build(path, plugin, flags)
  if fine then lunet.plugins.load(plugin) end
  os.remove(plugin)
  if not fine then core.raise("--ladder: %s", wrong) end
  is_loaded = true
end

-- filters (K,C,3,3)
local function make_layer(word, method, filters)
  local K, C = table.unpack(filters:shape())
  local options = { in_channels = C, out_channels = K, method = method }
  if word == "conv2d" then options.kernel_size, options.bias = 3, false end
  local layer = lunet.nn[word](options)
  layer.weight:copy(filters)
  return layer
end

-- The root of the mean square of y - exact, in parts of that of exact.
local function error_of(y, exact)
  local difference = y - exact
  return math.sqrt((difference * difference):mean() / (exact * exact):mean())
end

local ladder = {}

-- o: { shape = { N, C, H, W }, filters = K, reps =, max_s =, tries = [,
-- source =] }. A list of { name =, seconds =, gflops =, error = } for each
-- rung; in place of the last three `unsuited`, a sentence, where the shapes are
-- not for it.
function ladder.climb(o)
  load_ladder(o.source or source)
  local N, C, H, W = table.unpack(o.shape)
  local x = lunet.rand(o.shape) - 0.5
  local filters = lunet.rand { o.filters, C, 3, 3 } - 0.5
  local exact = make_layer("ladder", "float64", filters):predict(x)
  local flops = 18 * N * C * o.filters * (H - 2) * (W - 2)
  local steps = {}
  for i, rung in ipairs(rungs) do
    local layer = make_layer(rung[2], rung[3], filters)
    local fine, y = pcall(layer.predict, layer, x)
    if fine then
      local timed = sample.run(function() return layer:predict(x) end, o)
      local seconds = sample.median(timed.seconds)
      steps[i] = { name = rung[1], seconds = seconds,
                   gflops = flops / seconds / 1e9, error = error_of(y, exact) }
    else
      steps[i] = { name = rung[1], unsuited = tostring(y):match("[^\n]*") }
    end
  end
  return steps
end

local function rows_of(steps, peak)
  local rows = { { "rung", "ms", "GFLOP/s", "of peak", "step", "in all",
                   "error" } }
  local before, first
  for _, step in ipairs(steps) do
    if step.unsuited then
      rows[#rows + 1] = { step.name, step.unsuited }
    else
      first, before = first or step.seconds, before or step.seconds
      rows[#rows + 1] = {
        step.name, ("%.3f"):format(1e3 * step.seconds),
        ("%.1f"):format(step.gflops),
        ("%.0f %%"):format(1e11 * step.gflops / peak),
        ("x %.1f"):format(before / step.seconds),
        ("x %.1f"):format(first / step.seconds),
        ("%.1e"):format(step.error),
      }
      before = step.seconds
    end
  end
  return rows
end

local function draw(steps, peak, path)
  local bars = {}
  for _, step in ipairs(steps) do
    if not step.unsuited then
      bars[#bars + 1] = { name = step.name, value = step.gflops }
    end
  end
  lunet.save(path, lunet.picture.bars {
    bars = bars, title = "A 3x3 convolution, GFLOP/s", limit = peak / 1e9,
    limit_name = ("%.0f: peak of multiply-adds"):format(peak / 1e9) })
  print("wrote " .. path)
end

local function shape_of(text)
  local shape = {}
  for size in text:gmatch("%d+") do shape[#shape + 1] = math.tointeger(size) end
  if #shape ~= 4 then
    core.raise("--shape is '%s', --ladder takes N,C,H,W such as 4,64,58,58",
               text)
  end
  return shape
end

function ladder.run(o)
  local threads = o.threads[1]
  local shape = shape_of(o.shape or "4,64,58,58")
  local limits = machine.limits(threads, o.tries) -- sets the threads, too
  print(("x (%s), 64 filters of 3x3, threads: %d, peak %.1f GFLOP/s"):format(
    table.concat(shape, ","), threads, limits.flops / 1e9))
  local steps = ladder.climb { shape = shape, filters = 64, reps = o.reps,
                               max_s = o.max_s, tries = o.tries,
                               source = o.from }
  print(columns(rows_of(steps, limits.flops)))
  if o.picture then draw(steps, limits.flops, o.picture) end
  return true
end

return ladder
