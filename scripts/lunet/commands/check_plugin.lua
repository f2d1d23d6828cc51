-- check_plugin.lua - the command `lunet check-plugin`: looks for the faults of
-- layers. The checks are core/check; here is what they need to compile a
-- source.

local core = require "lunet_core"
local compile = require "lunet.compile"

-- Returns the exit status: 0 no faults, 1 faults, 2 it cannot be done.
local function main(...)
  return core.check_plugin({ ... }, compile.build)
end

return { main = main }
