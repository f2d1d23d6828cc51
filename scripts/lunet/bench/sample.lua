-- sample.lua - how long a call takes: warmed up, repeated, the noise of other
-- programs watched.

local core = require "lunet_core"

local shortest = 0.020 -- a sample repeats the call until it lasts this long
local warm_up = 0.25
local quiet = 0.10     -- sample again if others used more cores than this

-- Calls, and gives a tensor back at once instead of leaving it to the garbage
-- collector: the next call then writes to memory that is still in the cache.
local function call_and_drop(call)
  local result = call()
  local _ <close> = core.is_tensor(result) and result or nil
end

local function time_of(n, call)
  local start = core.clock()
  for _ = 1, n do call_and_drop(call) end
  return core.clock() - start
end

-- How many calls make a sample, once the machine is warm.
local function calls_a_sample(call, o)
  local start, n = core.clock(), 0
  while n < 2 or core.clock() - start < (o.warm_up or warm_up) and n < 1000 do
    time_of(1, call)
    n = n + 1
  end
  local seconds = core.clock() - start
  return math.max(1, math.ceil((o.shortest or shortest) / (seconds / n)))
end

-- One try: a list of seconds a call, and the cores that others kept busy.
local function try(n, call, o)
  local seconds, start = {}, core.clock()
  local busy = core.busy_elsewhere()
  while #seconds < o.reps and
        (#seconds < 3 or core.clock() - start < o.max_s) do
    seconds[#seconds + 1] = time_of(n, call) / n
  end
  local others = (core.busy_elsewhere() - busy) / (core.clock() - start)
  return { seconds = seconds, others = math.max(0, others) }
end

local sample = {}

-- sample.run(call, o) -> { seconds = {…}, others =, first = }:
-- o.reps samples (fewer once o.max_s seconds have gone by, never under 3). Of
-- several tries, at most o.tries, the quietest counts. o.warm_up and o.shortest
-- take the place of the seconds above, for who is in a hurry.
function sample.run(call, o)
  local first = time_of(1, call)
  local n = calls_a_sample(call, o)
  local best, tries = nil, 0
  repeat
    if tries > 0 then os.execute("sleep 2") end
    local this = try(n, call, o)
    tries = tries + 1
    if not best or this.others < best.others then best = this end
  until this.others <= quiet or tries == o.tries
  best.first = first
  return best
end

function sample.median(seconds)
  local sorted = table.move(seconds, 1, #seconds, 1, {})
  table.sort(sorted)
  local middle = (#sorted + 1) // 2
  return (sorted[middle] + sorted[#sorted + 1 - middle]) / 2
end

return sample
