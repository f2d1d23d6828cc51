-- report.lua - `lunet bench --report`: the results as a page with tables and
-- pictures.

local core = require "lunet_core"
local lunet = require "lunet"
local driver = require "lunet.bench.driver"
local comparison = require "lunet.bench.comparison"
local machine = require "lunet.bench.machine"
local markdown = require "lunet.bench.markdown"
local roofline = require "lunet.bench.roofline"
local row_format = require "lunet.bench.row"
local workloads = require "lunet.bench.workloads"

-- ---- rows -------------------------------------------------------------------

local function is_result(line) return line:find("^{") ~= nil end

-- Rows measured before, as the command printed them.
local function read_rows(path)
  local file, wrong = io.open(path)
  if not file then core.raise("--from: %s", wrong) end
  local rows = {}
  for line in file:lines() do
    if is_result(line) then rows[#rows + 1] = row_format.parse(line) end
  end
  file:close()
  return rows
end

-- What the time no longer sufficed for is told, not left out.
local function no_time_left(name, threads, o)
  return row_format.failed(name, "-", threads,
    ("left out after %g minutes; --minutes allows more"):format(o.minutes))
end

local function measure_workload(name, threads, o, rows)
  driver.run({ workloads = { name }, threads = { threads }, modes = o.mode,
               reps = o.reps, max_s = o.max_s, tries = o.tries }, function(line)
    io.stderr:write(line, "\n")
    rows[#rows + 1] = row_format.parse(line)
  end)
end

local function measure_rows(o)
  local rows, start = {}, core.clock()
  for _, name in ipairs(o.workload) do
    for _, threads in ipairs(o.threads) do
      if core.clock() - start < 60 * o.minutes then
        measure_workload(name, threads, o, rows)
      else
        rows[#rows + 1] = no_time_left(name, threads, o)
      end
    end
  end
  return rows
end

-- The results whose workload is a key of `set`: in the order of the list, and
-- what differs in threads alone side by side.
local function rows_of(rows, set)
  local places, modes, list = {}, {}, {}
  for i, name in ipairs(workloads.names) do places[name] = i end
  local function mode_of(row) return row.mode .. (row.batch or "") end
  for i, row in ipairs(rows) do
    if set[row.workload] and not row.error then
      list[#list + 1] = row
      modes[mode_of(row)] = modes[mode_of(row)] or i
    end
  end
  table.sort(list, function(a, b)
    local place_a, place_b = places[a.workload], places[b.workload]
    local mode_a, mode_b = modes[mode_of(a)], modes[mode_of(b)]
    if place_a ~= place_b then return place_a < place_b end
    if mode_a ~= mode_b then return mode_a < mode_b end
    return a.threads < b.threads
  end)
  return list
end

-- ---- tables -----------------------------------------------------------------

local function milliseconds(seconds) return ("%.3f"):format(1e3 * seconds) end

local function or_dash(format, value)
  return value and format:format(value) or "–"
end

local function net_table(rows, limits)
  local cells = {}
  for i, row in ipairs(rows) do
    cells[i] = { row.workload, row.mode, row.batch, row.threads,
                 milliseconds(row.median_s),
                 ("%.0f"):format(row.images_per_s),
                 ("%.1f"):format(row.gflops),
                 ("%.0f %%"):format(1e11 * row.gflops /
                                    limits[row.threads].flops),
                 ("%.0f"):format(row.peak_rss_mb),
                 ("%.2f"):format(row.other_cpu) }
  end
  return markdown({ "network", "mode", "batch", "threads", "ms", "images/s",
                    "GFLOP/s", "of peak", "peak MB", "others" }, cells)
end

local function layer_table(rows, limits)
  local cells = {}
  for i, row in ipairs(rows) do
    local bound, by = roofline.bound(row, limits[row.threads])
    cells[i] = { row.workload, row.mode, row.threads,
                 milliseconds(row.median_s), or_dash("%.1f", row.gflops),
                 or_dash("%.1f", row.gbytes_per_s), by,
                 ("%.0f %%"):format(100 * bound / row.median_s),
                 ("%.2f"):format(row.other_cpu) }
  end
  return markdown({ "layer", "pass", "threads", "ms", "GFLOP/s", "GB/s",
                    "bound by", "share", "others" }, cells)
end

local function other_table(rows)
  local cells = {}
  for i, row in ipairs(rows) do
    cells[i] = { row.workload, row.mode, row.threads,
                 milliseconds(row.median_s), or_dash("%.1f", row.gflops),
                 or_dash("%.1f", row.gbytes_per_s),
                 ("%.0f"):format(row.peak_rss_mb),
                 or_dash("%.2f", row.other_cpu) }
  end
  return markdown({ "workload", "mode", "threads", "ms", "GFLOP/s", "GB/s",
                    "peak MB", "others" }, cells)
end

local function limit_table(limits, threads)
  local cells = {}
  for _, n in ipairs(threads) do
    for _, peak in ipairs(limits[n].isas) do
      cells[#cells + 1] = { "multiply-adds, " .. peak.isa, n,
                            ("%.1f GFLOP/s"):format(peak.flops / 1e9) }
    end
    cells[#cells + 1] = { "copy", n,
                          ("%.1f GB/s"):format(limits[n].bytes / 1e9) }
  end
  return markdown({ "limit", "threads", "measured" }, cells)
end

local function failures(rows)
  local lines = {}
  for _, row in ipairs(rows) do
    if row.error then
      lines[#lines + 1] = ("- `%s` (%s, threads: %d): %s"):format(
        row.workload, row.case, row.threads, row.error[1])
    end
  end
  return #lines > 0 and "## Not measured\n\n" .. table.concat(lines, "\n")
                        .. "\n\n" or ""
end

-- ---- pictures ---------------------------------------------------------------

-- Bars of one field of the rows that have it; threads are told by colour.
local function draw(rows, field, o)
  local bars, groups = {}, {}
  for i, n in ipairs(o.threads) do groups[n] = i end
  for _, row in ipairs(rows) do
    if row[field] then
      bars[#bars + 1] = {
        name = ("%s x%d"):format(row_format.short_name(row), row.threads),
        value = row[field], group = groups[row.threads],
      }
    end
  end
  return #bars > 0 and lunet.picture.bars {
    bars = bars, title = o.title, limit = o.limit, limit_name = o.limit_name,
  }
end

-- Writes a picture, where there is one, and gives the line that shows it.
local function show(folder, name, title, picture)
  if not picture then return "" end
  lunet.save(folder .. "/" .. name, picture)
  return ("![%s](%s)\n\n"):format(title, name)
end

-- ---- the page ---------------------------------------------------------------

local page = [[
# What was measured

%s, %s, cores: %d, Lunet %s, instruction set %s. Written by
`lunet bench --report`; [how to read it](README.md). "Others" are the cores that
other programs kept busy meanwhile: distrust a row where they are many.

%s## What the machine allows

%s

## Networks

%s%s

## Layers

A share compares a pass with the roofline: 100 %% is the time of its
multiply-adds at the machine's peak, or of its least traffic at the rate of a
copy, whichever is longer.

%s%s%s

## The rest

%s

%s]]

local function collect(rows)
  local others = {}
  for _, name in ipairs(workloads.names) do
    others[name] = not workloads.nets[name] and not workloads.layers[name]
  end
  return rows_of(rows, workloads.nets), rows_of(rows, workloads.layers),
         rows_of(rows, others)
end

local function write(path, text)
  local file, wrong = io.open(path, "w")
  if not file then core.raise("--out: %s", wrong) end
  file:write(text)
  file:close()
  print("wrote " .. path)
end

-- The ratios to PyTorch, where there is a file of them.
local function comparison_section(o)
  if not o.compare then return "" end
  local rows, pictures = comparison.read(o.compare), ""
  for _, n in ipairs(row_format.threads_of(rows)) do
    local title = ("PyTorch's time / Lunet's, threads: %d"):format(n)
    pictures = pictures .. show(o.out, ("ratios%d.png"):format(n), title,
      lunet.picture.bars {
        bars = comparison.bars(rows, n), title = title, limit = 1,
        limit_name = "1: as fast (green: mark reached, red: below it)" })
  end
  return comparison.section(rows, pictures)
end

return function(o)
  local rows = o.from and read_rows(o.from) or measure_rows(o)
  local threads, limits = row_format.threads_of(rows), {}
  for _, n in ipairs(threads) do
    limits[n] = machine.limits(n, o.tries)
  end
  local most = limits[threads[#threads]]
  if not most then core.raise("--report: there is no result to show") end

  os.execute(("mkdir -p '%s'"):format(o.out))
  local nets, layers, others = collect(rows)
  local peak = ("%.0f GFLOP/s: peak of multiply-adds, threads: %d"):format(
    most.flops / 1e9, most.threads)
  local copy = ("%.0f GB/s: rate of a copy, threads: %d"):format(
    most.bytes / 1e9, most.threads)
  local function picture(name, list, field, title, limit, limit_name)
    return show(o.out, name, title, draw(list, field, {
      title = title, threads = threads, limit = limit,
      limit_name = limit_name }))
  end
  write(o.out .. "/report.md", page:format(
    os.date("%Y-%m-%d"), machine.name(), machine.cores(), lunet.version,
    most.isas[#most.isas].isa, comparison_section(o),
    limit_table(limits, threads),
    picture("networks.png", nets, "gflops", "Networks, useful GFLOP/s",
            most.flops / 1e9, peak),
    net_table(nets, limits),
    picture("layers.png", layers, "gflops", "Layers, GFLOP/s",
            most.flops / 1e9, peak),
    picture("memory.png", layers, "gbytes_per_s",
            "Layers bound by memory, GB/s", most.bytes / 1e9, copy),
    layer_table(layers, limits), other_table(others), failures(rows)))
  return true
end
