-- startup.lua - from the start of a process to the end of its first training
-- step, seen from outside.

local core = require "lunet_core"
local process = require "lunet.bench.process"
local row = require "lunet.bench.row"
local sample = require "lunet.bench.sample"

local batch, most_samples = 64, 7

local function round(seconds) return math.floor(1e4 * seconds + 0.5) / 1e4 end

-- Seconds until the loss is there, and until the process has ended.
local function time_one(threads)
  local start = core.clock()
  local pipe = process.open({ core.folder .. "/bench/first_step.lua",
                              threads })
  local line = pipe:read("l")
  local done = core.clock() - start
  local fine = pipe:close()
  if not fine or not (line or ""):find("^loss") then
    error("the first step failed", 0)
  end
  return done, core.clock() - start
end

-- The first run fills the caches of files: it stands apart.
return function(o, emit)
  local cold = time_one(o.threads)
  local seconds, exits = {}, {}
  for i = 1, math.min(o.reps, most_samples) do
    seconds[i], exits[i] = time_one(o.threads)
  end
  local r = row.new({ workload = "startup", mode = "lenet5_first_step",
                      batch = batch, threads = o.threads },
                    { seconds = seconds, others = 0 })
  local _, child = core.peak_memory()
  r.peak_rss_mb = math.floor(10 * child / 2 ^ 20 + 0.5) / 10
  r.images_per_s, r.other_cpu = nil, nil
  r.until_exit_s, r.cold_first_s = round(sample.median(exits)), round(cold)
  emit(r)
end
