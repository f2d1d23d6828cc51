-- row.lua - a result as one line of JSON, with the fields of the other side.

local core = require "lunet_core"
local sample = require "lunet.bench.sample"
local workloads = require "lunet.bench.workloads"

local row = {}

-- These are in every row, null where they do not apply;
local always = { "workload", "mode", "variant", "threads", "batch", "median_s",
                 "min_s", "images_per_s", "gflops", "peak_rss_mb",
                 "gbytes_per_s", "reps", "other_cpu" }
-- and these only where they apply.
local sometimes = { "first_call_s", "optim", "gflops_best", "until_exit_s",
                    "cold_first_s", "case", "error" }

local function round(value, digits)
  local unit = 10 ^ digits
  return value and math.floor(value * unit + 0.5) / unit
end

-- what: { workload =, mode =, threads = [, batch =] [, flops =] [, traffic =
-- bytes] }; timed: what sample.run gave.
function row.new(what, timed)
  local median = sample.median(timed.seconds)
  local function rate(amount, unit, digits)
    return amount and round(amount / median / unit, digits)
  end
  return {
    workload = what.workload, mode = what.mode, variant = "lunet",
    threads = what.threads, batch = what.batch,
    median_s = round(median, 9),
    min_s = round(math.min(table.unpack(timed.seconds)), 9),
    images_per_s = rate(what.batch, 1, 2),
    gflops = rate(what.flops, 1e9, 3),
    peak_rss_mb = round(core.peak_memory() / 2 ^ 20, 1),
    gbytes_per_s = rate(what.traffic, 1e9, 3),
    reps = #timed.seconds, other_cpu = round(timed.others, 2),
  }
end

-- What stands in place of the rows of a case that failed.
function row.failed(workload, case, threads, message)
  return { workload = workload, case = case, variant = "lunet",
           threads = threads, error = { message } }
end

local function value_text(value)
  if math.type(value) == "float" then return ("%.12g"):format(value) end
  return value == nil and "null" or core.json_encode(value)
end

-- The line, without its end.
function row.text(r)
  local parts = {}
  local function add(name)
    parts[#parts + 1] = ('"%s": %s'):format(name, value_text(r[name]))
  end
  for _, name in ipairs(always) do
    if r[name] ~= nil or not r.error then add(name) end
  end
  for _, name in ipairs(sometimes) do
    if r[name] ~= nil then add(name) end
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

-- The row in such a line; what is null there is nil here.
function row.parse(line)
  local r = core.json_decode(line)
  for name, value in pairs(r) do
    if value == core.null then r[name] = nil end
  end
  return r
end

-- What a bar of a picture is called: so short that none is cut off.
function row.short_name(r)
  local workload = r.workload:gsub("_mnist_shape$", "")
  local mode = r.mode:gsub("^backward_", ""):gsub("^train_epoch_", "")
  return ("%s %s%s"):format(workload, mode,
    workloads.nets[r.workload] and " b" .. r.batch or "")
end

-- The numbers of threads that stand in these rows, from the least on.
function row.threads_of(rows)
  local list, seen = {}, {}
  for _, r in ipairs(rows) do
    if not seen[r.threads] then list[#list + 1] = r.threads end
    seen[r.threads] = true
  end
  table.sort(list)
  return list
end

return row
