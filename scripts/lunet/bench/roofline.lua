-- roofline.lua - `lunet bench --roofline`: what this machine allows, and the
-- share of it that each kernel reaches.
--
-- A pass can last no shorter than its operations at the peak of multiply-adds,
-- nor than its least traffic at the rate of a copy; the longer of the two
-- bounds it. Two things can lift a share above 100 %: a method that saves
-- operations, and caches that spare the memory.

local columns = require "lunet.bench.columns"
local driver = require "lunet.bench.driver"
local layer_passes = require "lunet.bench.layer_passes"
local machine = require "lunet.bench.machine"
local row = require "lunet.bench.row"
local workloads = require "lunet.bench.workloads"

local roofline = {}

-- The shortest time that the limits allow a row, and which of them it is.
function roofline.bound(result, limits)
  local spec = workloads.layers[result.workload]
  local bytes = layer_passes.least_bytes(spec, result.mode)
  local computing, moving = (spec.flops or 0) / limits.flops,
                            bytes / limits.bytes
  if computing >= moving then return computing, "FMA" end
  return moving, "copy"
end

local function layers_of(names)
  local list = {}
  for _, name in ipairs(names) do
    if workloads.layers[name] then list[#list + 1] = name end
  end
  return list
end

local function print_limits(limits)
  print(("%s, threads: %d"):format(machine.name(), limits.threads))
  for _, peak in ipairs(limits.isas) do
    print(("  multiply-adds, %-9s %8.1f GFLOP/s"):format(peak.isa,
                                                         peak.flops / 1e9))
  end
  print(("  copy                     %8.1f GB/s"):format(limits.bytes / 1e9))
end

local function cells_of(result, limits)
  if result.error then return { result.workload, result.error[1] } end
  local bound, by = roofline.bound(result, limits)
  return { result.workload, result.mode,
           ("%.3f"):format(1e3 * result.median_s),
           ("%.3f"):format(1e3 * bound), by,
           ("%.0f %%"):format(100 * bound / result.median_s) }
end

function roofline.run(o)
  local all_fine = true
  for _, threads in ipairs(o.threads) do
    local limits = machine.limits(threads, o.tries)
    print_limits(limits)
    local rows = { { "layer", "pass", "ms", "bound ms", "by", "share" } }
    local fine = driver.run({ workloads = layers_of(o.workload),
                              threads = { threads }, reps = o.reps,
                              max_s = o.max_s, tries = o.tries },
                            function(line)
      rows[#rows + 1] = cells_of(row.parse(line), limits)
    end)
    all_fine = all_fine and fine
    print(columns(rows))
  end
  return all_fine
end

return roofline
