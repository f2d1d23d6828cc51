-- driver.lua - measures workloads, each case in a process of its own: so peak
-- memory and the state of caches belong to that case alone.

local process = require "lunet.bench.process"
local row = require "lunet.bench.row"
local workloads = require "lunet.bench.workloads"

local driver = {}

local function is_wanted(case, modes)
  if not modes or case == "-" then return true end
  for _, mode in ipairs(modes) do
    if case:sub(1, #mode) == mode then return true end
  end
  return false
end

-- The first line of a file, which vanishes: the rest of an error only advises.
local function take_first_line(path)
  local file = assert(io.open(path))
  local line = file:read("l")
  file:close()
  os.remove(path)
  return line or "the process ended without a word"
end

-- Runs a case and hands the lines that it prints on; false: it failed.
local function run_case(name, case, threads, o, emit_line)
  local errors = os.tmpname()
  local pipe = process.open({
    "bench", "--worker", "--workload", name, "--case", case,
    "--threads", threads, "--reps", o.reps, "--max-s", o.max_s,
    "--tries", o.tries }, errors)
  for line in pipe:lines() do emit_line(line) end
  local fine = pipe:close()
  local message = take_first_line(errors)
  if not fine then
    emit_line(row.text(row.failed(name, case, threads, message)))
  end
  return fine == true
end

-- o: { workloads =, threads = list, reps =, max_s =, tries = [, modes =] }.
-- Calls emit_line(text) for every row; true: all cases succeeded.
function driver.run(o, emit_line)
  local all_fine = true
  for _, name in ipairs(o.workloads) do
    for _, threads in ipairs(o.threads) do
      for _, case in ipairs(workloads.cases(name)) do
        if is_wanted(case, o.modes) then
          local fine = run_case(name, case, threads, o, emit_line)
          all_fine = all_fine and fine
        end
      end
    end
  end
  return all_fine
end

return driver
