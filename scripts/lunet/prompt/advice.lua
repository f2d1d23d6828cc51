-- advice.lua - what the prompt adds to an error of Lua's own: the name that
-- was probably meant.

local core = require "lunet_core"
local globals = require "lunet.prompt.globals"

local advice = {}

local function nearest_global(name)
  local names = {}
  for _, other in ipairs(globals.names()) do
    if other ~= name then names[#names + 1] = other end
  end
  return core.nearest(name, names)
end

-- The message with the advice behind it.
function advice.added(message)
  local name = message:match "a nil value %(global '([%w_]+)'%)"
  if name == "_" then return message .. ": there is no result yet" end
  local meant = name and nearest_global(name)
  if not meant then return message end
  return ("%s; did you mean '%s'?"):format(message, meant)
end

return advice
