-- machine.lua - what is measured on: the processor's name, and the two lines
-- of its roofline.

local core = require "lunet_core"
local lunet = require "lunet"

local machine = {}

local function cpuinfo()
  local file = io.open("/proc/cpuinfo")
  local text = file and file:read("a") or ""
  if file then file:close() end
  return text
end

-- The processor's name, where the system tells it.
function machine.name()
  return cpuinfo():match("model name%s*:%s*([^\n]+)") or "an unnamed processor"
end

-- How many cores the system tells of, at least 1.
function machine.cores()
  local _, count = ("\n" .. cpuinfo()):gsub("\nprocessor%s*:", "")
  return math.max(count, 1)
end

local quiet = 0.10 -- as in sample.lua

-- Cores that others kept busy while f ran.
local function others_during(f)
  local start, busy = core.clock(), core.busy_elsewhere()
  f()
  return (core.busy_elsewhere() - busy) / (core.clock() - start)
end

-- Keeps the higher of what was measured before and now.
local function measure(limits)
  for i, peak in ipairs(core.peak_flops()) do
    local before = limits.isas[i]
    limits.isas[i] = before and before.flops > peak.flops and before or peak
  end
  limits.flops = limits.isas[#limits.isas].flops
  limits.bytes = math.max(limits.bytes, core.copy_rate())
end

-- { isas = { { isa =, flops = }, … }, flops = of the best, bytes = } a second,
-- with so many threads; tried again, so many times in all, where others are
-- busy.
function machine.limits(threads, tries)
  lunet.set_num_threads(threads)
  local limits = { threads = threads, isas = {}, bytes = 0 }
  for try = 1, tries do
    if try > 1 then os.execute("sleep 2") end
    if others_during(function() measure(limits) end) <= quiet then break end
  end
  return limits
end

return machine
