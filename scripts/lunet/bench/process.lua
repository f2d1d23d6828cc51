-- process.lua - starts this program once more.

local core = require "lunet_core"

local process = {}

-- A word as the shell takes it whole.
local function quoted(word)
  return "'" .. tostring(word):gsub("'", [['\'']]) .. "'"
end

-- A pipe from `lunet` with these arguments. errors: a file for what it says on
-- the error channel.
function process.open(arguments, errors)
  local words = { "exec", quoted(core.program()) }
  for _, argument in ipairs(arguments) do
    words[#words + 1] = quoted(argument)
  end
  if errors then words[#words + 1] = "2>" .. quoted(errors) end
  return assert(io.popen(table.concat(words, " "), "r"))
end

return process
