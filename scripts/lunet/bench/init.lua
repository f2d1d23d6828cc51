-- bench - the command `lunet bench`: how fast is this machine with Lunet?
-- docs/bench tells how to read what it says.

local command_line = require "lunet.bench.command_line"

local bench = {}

local function list()
  local workloads = require "lunet.bench.workloads"
  for _, name in ipairs(workloads.names) do print(workloads.line(name)) end
  return true
end

local function emit_line(line)
  print(line)
  io.flush()
end

-- The hidden half of measure(): one case in this process.
local function work(o)
  local row = require "lunet.bench.row"
  require "lunet.bench.worker" ({
    workload = o.workload[1], case = o.case or "-", threads = o.threads[1],
    reps = o.reps, max_s = o.max_s, tries = o.tries,
  }, function(r) emit_line(row.text(r)) end)
  return true
end

local function measure(o)
  return require("lunet.bench.driver").run({
    workloads = o.workload, threads = o.threads, modes = o.mode,
    reps = o.reps, max_s = o.max_s, tries = o.tries,
  }, emit_line)
end

local function task(o)
  if o.list then return list end
  if o.worker then return work end
  if o.plugin then return require "lunet.bench.race" end
  if o.profile then return require "lunet.bench.profile" end
  if o.methods then return require "lunet.bench.methods" end
  if o.ladder then return require("lunet.bench.ladder").run end
  if o.scale then return require("lunet.bench.scale").run end
  if o.roofline then return require("lunet.bench.roofline").run end
  if o.report then return require "lunet.bench.report" end
  return measure
end

-- Runs the command; true: all went well.
function bench.main(...)
  local o, wrong = command_line.parse { ... }
  if not o then
    io.stderr:write("lunet bench: ", wrong, "; see lunet bench --help\n")
    return false
  end
  if o.help then
    io.write(command_line.usage)
    return true
  end
  return task(o)(o)
end

return bench
