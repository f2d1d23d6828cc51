-- command_line.lua - what `lunet bench …` was asked for.

local machine = require "lunet.bench.machine"
local workloads = require "lunet.bench.workloads"

local command_line = {}

command_line.usage = [[
usage: lunet bench [options]

measures speed, one line of JSON a result
  --workload NAME ...    these only (default: all; see --list)
  --threads N ...        with so many threads each (default: 1)
  --mode MODE ...        networks: cases that begin so, "train" or "infer:1"
  --reps N               samples a result (default: 15)
  --max-s S              stop sampling after S seconds (default: 8)
  --tries N              sample again where others are busy, so many times in
                         all (default: 4); the quietest counts
  --list                 the names of the workloads

or shows a table
  --plugin WORD          one layer, all its methods side by side
    --options "k = v"      its options (default: those of its example)
    --shape N,C,H,W        the shape of its input
  --methods              layers with several methods: what each gains in
                         forward, and its error against float64
    --layer WORD           one of them
    --page FILE.md         writes the table into a page, between its markers
    --pages FOLDER         writes each layer's into its own, FOLDER/WORD.md
  --profile NET          a network of the zoo, layer by layer
    --batch N              (default: 32)
  --ladder               a 3x3 convolution from the textbook up to Winograd
    --shape N,C,H,W        the shape of its input (default: 4,64,58,58)
    --from FILE.c          your own ladder.c
    --picture FILE.png     draws it, too
  --scale                do time and memory grow as the work does?
  --roofline             what this machine allows, and how near kernels come

or writes a page
  --report               docs/bench/report.md with tables and pictures
    --from FILE            of rows measured before, instead of measuring
    --compare FILE         with the ratios of a comparison with PyTorch
    --minutes N            measure no longer than this (default: 8); threads are
                           by default 1 and as many as there are cores
    --out FOLDER           instead of docs/bench
]]

-- How many values an option takes, and of which kind.
local forms = {
  ["--workload"] = { "list", "text" }, ["--threads"] = { "list", "count" },
  ["--mode"] = { "list", "text" }, ["--reps"] = { "one", "count" },
  ["--max-s"] = { "one", "number" }, ["--tries"] = { "one", "count" },
  ["--list"] = { "flag" },
  ["--plugin"] = { "one", "text" }, ["--options"] = { "one", "text" },
  ["--shape"] = { "one", "text" }, ["--profile"] = { "one", "text" },
  ["--batch"] = { "one", "count" }, ["--roofline"] = { "flag" },
  ["--methods"] = { "flag" }, ["--layer"] = { "one", "text" },
  ["--page"] = { "one", "text" }, ["--pages"] = { "one", "text" },
  ["--scale"] = { "flag" },
  ["--ladder"] = { "flag" }, ["--picture"] = { "one", "text" },
  ["--report"] = { "flag" }, ["--from"] = { "one", "text" },
  ["--out"] = { "one", "text" }, ["--compare"] = { "one", "text" },
  ["--minutes"] = { "one", "number" }, ["--help"] = { "flag" },
  ["--worker"] = { "flag" }, ["--case"] = { "one", "text" },
}

local function to_value(option, kind, word)
  if kind == "text" then return word end
  local value = tonumber(word)
  if kind == "count" then value = value and math.tointeger(value) end
  if not value or value <= 0 then
    return nil, ("%s takes a %s above 0, not '%s'"):format(
      option, kind == "count" and "whole number" or "number", word)
  end
  return value
end

-- The values from words[i] on, up to the next option, and the place after
-- them. nil and a sentence where they are wrong.
local function read_values(words, i, option, form)
  local values = {}
  while words[i] and not words[i]:find("^%-%-") and
        (form[1] == "list" or #values == 0) do
    local value, wrong = to_value(option, form[2], words[i])
    if not value then return nil, wrong end
    values[#values + 1] = value
    i = i + 1
  end
  if #values == 0 then return nil, option .. " needs a value" end
  return form[1] == "list" and values or values[1], i
end

local function check(o)
  for _, name in ipairs(o.workload) do
    if not workloads.has(name) then
      return nil, ("unknown workload '%s'; see lunet bench --list"):format(name)
    end
  end
  return o
end

local function fill_in(o, defaults)
  for name, value in pairs(defaults) do
    if o[name] == nil then o[name] = value end
  end
end

-- A page measures all there is, so each result gets less time.
local function page_defaults()
  local cores = machine.cores()
  return { threads = cores > 1 and { 1, cores } or { 1 }, reps = 9, max_s = 3.0,
           tries = 2, minutes = 8 }
end

-- The words -> { workload = {…}, threads = {…}, reps =, max_s =, … }; nil and
-- a sentence where they are wrong.
function command_line.parse(words)
  local o, i = {}, 1
  while words[i] do
    local option, form = words[i], forms[words[i]]
    if not form then return nil, ("unknown option '%s'"):format(option) end
    local name, value = option:sub(3):gsub("-", "_"), true
    i = i + 1
    if form[1] ~= "flag" then
      local next_place
      value, next_place = read_values(words, i, option, form)
      if not value then return nil, next_place end
      i = next_place
    end
    o[name] = value
  end
  if o.report then fill_in(o, page_defaults()) end
  fill_in(o, { workload = workloads.names, threads = { 1 }, reps = 15,
               max_s = 8.0, tries = 4, batch = 32, out = "docs/bench" })
  return check(o)
end

return command_line
