-- machine.lua - what is measured on: the processor's name, and the two lines
-- of its roofline.

local core = require "lunet_core"
local lunet = require "lunet"

local machine = {}

-- The processor's name, where the system tells it.
function machine.name()
  local file = io.open("/proc/cpuinfo")
  local text = file and file:read("a") or ""
  if file then file:close() end
  return text:match("model name%s*:%s*([^\n]+)") or "an unnamed processor"
end

-- { isas = { { isa =, flops = }, … }, flops = the best, bytes = } a second,
-- with so many threads.
function machine.limits(threads)
  lunet.set_num_threads(threads)
  local isas = core.peak_flops()
  return { threads = threads, isas = isas, flops = isas[#isas].flops,
           bytes = core.copy_rate() }
end

return machine
