-- commands.lua - what is no Lua: ?x explains, ??x shows the source, $ runs a
-- command of the system.

local chunks = require "lunet.prompt.chunks"

local commands = {}

-- The value that the text stands for; without one, the text itself is the
-- topic, as in ?conv2d or ?"x has 3 dims".
local function topic_of(text)
  local chunk = chunks.compile(text)
  if chunk then
    local fine, _, value = pcall(chunk)
    if fine and value ~= nil then return value end
  end
  return text
end

-- ? alone explains the last error, if there was one.
local function explain(text, session)
  local help = require "lunet.help"
  return function()
    if text ~= "" then return help(topic_of(text)) end
    local message = session.last_error
    session.last_error = nil
    help(message)
  end
end

local function show_source(text)
  return function() require("lunet.help.source").show(topic_of(text)) end
end

local function run_command(command)
  return function()
    io.stdout:flush()
    local fine, how, status = os.execute(command)
    if not fine then
      print(how == "exit" and ("(ended with status %d)"):format(status) or
            ("(ended by signal %d)"):format(status))
    end
  end
end

-- The function that does what the line asks for; nil: it is Lua.
function commands.of(text, session)
  local mark, rest = text:match "^%s*([?$]%??)%s*(.-)%s*$"
  if mark == "$" then return run_command(rest) end
  if mark == "??" then return show_source(rest) end
  if mark == "?" then return explain(rest, session) end
end

return commands
