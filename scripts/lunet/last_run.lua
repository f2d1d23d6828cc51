-- last_run.lua - lunet.last_run(): the run of the training that began last, by
-- lunet.fit or lunet.watch. Where an error or Ctrl-C ended it, nothing was
-- returned; what happened until then is here.
--
-- It is kept, and with it its net and data, until another one begins.

local core = require "lunet_core"
local run = require "lunet.run"

return function()
  return run.latest() or
         core.raise("last_run: nothing has been trained yet\n  try lunet.fit("
                    .. "net, train, { … })")
end
