-- scale.lua - `lunet bench --scale`: do time and memory grow as the work does?
-- Three tables: the time of an image in batches of all sizes; the memory of a
-- training step beside that of what it must hold; and a net of ten thousand
-- layers.

local core = require "lunet_core"
local lunet = require "lunet"
local columns = require "lunet.bench.columns"
local net_step = require "lunet.bench.net_step"
local process = require "lunet.bench.process"

local nn = lunet.nn
local scale = {}

-- ---- time ------------------------------------------------------------------

local timed_nets = { "lenet5", "resnet20" }
local batches = { 8, 16, 32, 64, 128, 256, 512 }
local at_least = 0.3 -- seconds a cell

-- Seconds of the fastest of several steps.
local function seconds_of_step(name, batch)
  local step = net_step.new(name, "train", batch)
  step()
  local best, start = math.huge, core.clock()
  repeat
    local before = core.clock()
    step()
    best = math.min(best, core.clock() - before)
  until core.clock() - start > at_least
  return best
end

local function time_table()
  local rows = { { "batch", table.unpack(batches) } }
  for _, name in ipairs(timed_nets) do
    local row = { name }
    for _, batch in ipairs(batches) do
      local seconds = seconds_of_step(name, batch) / batch
      row[#row + 1] = ("%.1f"):format(1e6 * seconds)
    end
    rows[#rows + 1] = row
  end
  return rows
end

-- ---- memory ----------------------------------------------------------------

local held = { { "lenet5", 64 }, { "resnet20", 128 }, { "vgg11_bn", 64 },
               { "resnet50", 8 } }

local function bytes_of(list, numbers)
  local bytes = 0
  for _, p in ipairs(list) do bytes = bytes + 4 * numbers * p.value:numel() end
  return bytes
end

-- What a step of training must hold: each layer's output, and of each parameter
-- its value, its gradient and its momentum.
local function bytes_needed(net, shape)
  local core_net, builder = net:core_net()
  core_net:build { shape }
  local bytes = bytes_of(net:parameters(), 3)
  for i in ipairs(builder.nodes) do
    bytes = bytes + core_net:node_info(i).activation_bytes
  end
  return bytes
end

-- The other half of memory_table, in a process of its own: prints the bytes
-- that a net needs, and those that two steps took.
function scale.print_memory(name, batch)
  local net = lunet.zoo[name] {}
  local shape = net:core_net():shape(0)
  shape[1] = batch
  local needed = bytes_needed(net, shape)
  local step = net_step.trainer(net)
  local x = lunet.randn(shape)
  local labels = net_step.random_labels(batch, 10)
  local before = core.peak_memory() - bytes_of(net:parameters(), 1)
  for _ = 1, 2 do step(x, labels) end
  print(needed, core.peak_memory() - before)
end

local function memory_of(name, batch)
  local code = ("require('lunet.bench.scale').print_memory('%s', %d)"):format(
    name, batch)
  local pipe = process.open { "-e", code }
  local needed, taken = pipe:read("n", "n")
  assert(pipe:close() and needed, name .. ": its memory could not be measured")
  return needed, taken
end

local function memory_table()
  local rows = { { "net", "batch", "needed MB", "taken MB", "ratio" } }
  for _, case in ipairs(held) do
    local needed, taken = memory_of(case[1], case[2])
    rows[#rows + 1] = { case[1], case[2], ("%.1f"):format(needed / 1e6),
                        ("%.1f"):format(taken / 1e6),
                        ("%.2f"):format(taken / needed) }
  end
  return rows
end

-- ---- depth -----------------------------------------------------------------

local depth = 10000

local function deep_net()
  local layers = {}
  for i = 1, depth do
    layers[i] = i % 2 == 1 and nn.linear { out_features = 8 } or nn.relu {}
  end
  return nn.sequential(layers)
end

local function depth_table()
  local start, rows = core.clock(), { { "", "seconds" } }
  local function note(what)
    rows[#rows + 1] = { what, ("%.2f"):format(core.clock() - start) }
    start = core.clock()
  end
  local net = deep_net()
  note "make the layers"
  net:build { 8 }
  note "build the net"
  require("lunet.summary").text(net)
  note "write its summary"
  net:forward(lunet.randn { 4, 8 })
  note "first forward"
  return rows
end

-- ---- the command -----------------------------------------------------------

function scale.run(o)
  lunet.set_num_threads(o.threads[1])
  -- memory first: a process begins with the peak of the one that starts it
  print("training: the outputs of all layers, the parameters with gradient "
        .. "and momentum, beside what the process took")
  print(columns(memory_table()))
  print(("\ntraining, microseconds an image, threads: %d"):format(o.threads[1]))
  print(columns(time_table()))
  print(("\na net of %d layers"):format(depth))
  print(columns(depth_table()))
  return true
end

return scale
