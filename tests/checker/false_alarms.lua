-- false_alarms.lua - does check-plugin let all right layers pass?
--
--   build/lunet tests/checker/false_alarms.lua FIRST LAST
--
-- checks all layers of the build folder once for each seed from FIRST to LAST,
-- and prints what it finds and the sum.
package.path = "tests/?.lua;" .. package.path
local shell = require "support.shell"

local build = os.getenv("LUNET_BUILD") or "build"
local first, last = tonumber(arg[1]) or 1, tonumber(arg[2]) or 10

local words = {}
for _, path in ipairs(shell.lines("ls %s/plugins/*.so", build)) do
  words[#words + 1] = path:match("([%w_]+)%.so$")
end

local faults = 0
for seed = first, last do
  local ok, said = shell.run("%s/lunet check-plugin %s --seed %d", build,
    table.concat(words, " "), seed)
  if not ok then
    for finding in said:gmatch("%S+ fault: [^\n]*\n[^\n]*\n") do
      faults = faults + 1
      io.write(finding)
    end
  end
end

print(("%d layers, %d seeds: %d faults"):format(#words, last - first + 1,
  faults))
