-- comparison.lua - Lunet beside PyTorch: the ratios of a comparison that was
-- measured before, each beside its mark, whether above or below.
--
-- The file is a list in JSON: { workload, mode, batch, threads, lunet_s,
-- torch_s, variant, ratio = torch_s / lunet_s }, torch_s of the variant of
-- PyTorch that was the fastest.

local core = require "lunet_core"
local mark_of = require "lunet.bench.marks"
local markdown = require "lunet.bench.markdown"
local row_format = require "lunet.bench.row"
local workloads = require "lunet.bench.workloads"

local comparison = {}

local function place_of(row)
  for i, name in ipairs(workloads.names) do
    if name == row.workload then return i end
  end
  return #workloads.names + 1
end

local mode_places = { train = 1, infer = 2, forward = 3, backward_data = 4,
                      backward_weights = 5 }

local function comes_before(a, b)
  local place_a, place_b = place_of(a), place_of(b)
  if place_a ~= place_b then return place_a < place_b end
  local mode_a = mode_places[a.mode] or 6
  local mode_b = mode_places[b.mode] or 6
  if mode_a ~= mode_b then return mode_a < mode_b end
  if a.mode ~= b.mode then return a.mode < b.mode end
  if a.batch ~= b.batch then return (a.batch or 0) < (b.batch or 0) end
  return a.threads < b.threads
end

-- The rows of the file that hold a ratio, in the order of the list.
function comparison.read(path)
  local file, wrong = io.open(path)
  if not file then core.raise("--compare: %s", wrong) end
  local text = file:read("a")
  file:close()
  local rows = {}
  for _, row in ipairs(core.json_decode(text)) do
    if math.type(row.ratio) then
      if row.batch == core.null then row.batch = nil end
      rows[#rows + 1] = row
    end
  end
  table.sort(rows, comes_before)
  return rows
end

local function verdict(row)
  local mark = mark_of(row)
  if not mark then return "" end
  return row.ratio >= mark and "above" or "**below**"
end

local function cells_of(row)
  local mark = mark_of(row)
  return { row.workload, row.mode, row.variant, verdict(row),
           row.batch or "–", row.threads,
           ("%.3f"):format(1e3 * row.lunet_s),
           ("%.3f"):format(1e3 * row.torch_s), ("%.2f"):format(row.ratio),
           mark and ("%g"):format(mark) or "–" }
end

-- A row of the summary: the geometric mean over the networks, and how many rows
-- miss their marks.
local function summary_of(rows, threads)
  local sum, nets, marked, below = 0, 0, 0, 0
  for _, row in ipairs(rows) do
    if row.threads == threads then
      if workloads.nets[row.workload] then
        sum, nets = sum + math.log(row.ratio), nets + 1
      end
      local mark = mark_of(row)
      marked = marked + (mark and 1 or 0)
      below = below + (mark and row.ratio < mark and 1 or 0)
    end
  end
  local mean = nets > 0 and ("%.2f"):format(math.exp(sum / nets)) or "–"
  return { threads, mean, "3", marked - below, below }
end

-- The section of the page, with the lines that show its pictures.
function comparison.section(rows, pictures)
  local sums, cells = {}, {}
  for i, n in ipairs(row_format.threads_of(rows)) do
    sums[i] = summary_of(rows, n)
  end
  for i, row in ipairs(rows) do cells[i] = cells_of(row) end
  return table.concat({
    "## Beside PyTorch", "",
    "Both sides in alternation; the ratio is PyTorch's time over Lunet's, so",
    "above 1 Lunet is the faster. PyTorch runs in that variant of those",
    "compared that is its best for the row. The mean is geometric, over the",
    "networks.",
    "",
    markdown({ "threads", "mean of networks", "its mark", "at or above mark",
               "below" }, sums, 0), "",
    pictures .. markdown({ "workload", "mode", "PyTorch's best", "mark is",
               "batch", "threads", "Lunet ms", "PyTorch ms", "ratio", "mark" },
               cells, 4), "", "",
  }, "\n")
end

-- A bar a row, green at or above its mark, red below, blue without one.
function comparison.bars(rows, threads)
  local bars = {}
  for _, row in ipairs(rows) do
    -- The first step of a process would shrink all others to nothing.
    if row.threads == threads and row.workload ~= "startup" then
      local mark = mark_of(row)
      bars[#bars + 1] = {
        name = row_format.short_name(row),
        value = row.ratio,
        group = not mark and 1 or row.ratio >= mark and 3 or 5,
      }
    end
  end
  return bars
end

return comparison
