-- time.lua - time(f [, n]): how long a call takes.

local core = require "lunet_core"
local options = require "lunet.options"

local function seconds_text(s)
  if s >= 1 then return ("%.2f s"):format(s) end
  if s >= 1e-3 then return ("%.3g ms"):format(1e3 * s) end
  return ("%.3g µs"):format(1e6 * s)
end

local function report(seconds)
  table.sort(seconds)
  local n = #seconds
  if n == 1 then return print(seconds_text(seconds[1])) end
  print(("median %s, from %s to %s, %d calls"):format(
    seconds_text(seconds[(n + 1) // 2]), seconds_text(seconds[1]),
    seconds_text(seconds[n]), n))
end

-- Calls f n times (once, where n is left out), prints the seconds and gives
-- what the last call gave. Write time(function() … end).
return function(f, n)
  options.argument("time", "the first argument", f, "a function",
                   "time(function() return a:matmul(a) end)")
  n = options.argument("time", "n", n or 1, "a whole number", "10")
  if n < 1 then core.raise("time: n is %d, it must be at least 1", n) end
  local seconds, results = {}, nil
  for i = 1, n do
    local start = core.clock()
    results = table.pack(f())
    seconds[i] = core.clock() - start
  end
  report(seconds)
  return table.unpack(results, 1, results.n)
end
