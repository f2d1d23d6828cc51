-- history.lua - what was typed in earlier sessions, one file a user:
-- $XDG_STATE_HOME/lunet/history, else ~/.local/state/lunet/history. Each entry
-- is a line of the file; a line break within it is written as \n, a backslash
-- as two.

local core = require "lunet_core"

local history = {}

local most = 2000 -- entries that are kept

local function folder()
  local state, home = os.getenv "XDG_STATE_HOME", os.getenv "HOME"
  if state and state:sub(1, 1) == "/" then return state .. "/lunet" end
  return home and home ~= "" and home .. "/.local/state/lunet" or nil
end

local function to_line(entry)
  return (entry:gsub("\\", "\\\\"):gsub("\n", "\\n"))
end

local function to_entry(line)
  return (line:gsub("\\(.)", function(c) return c == "n" and "\n" or c end))
end

-- Calls each(entry) from the oldest to the newest; a long file is cut.
function history.read(each)
  local place = folder()
  local file = place and io.open(place .. "/history")
  if not file then return end
  local lines = {}
  for line in file:lines() do lines[#lines + 1] = line end
  file:close()
  local first = math.max(1, #lines - most + 1)
  for i = first, #lines do each(to_entry(lines[i])) end
  if #lines < 2 * most then return end
  file = io.open(place .. "/history", "w")
  if not file then return end
  file:write(table.concat(lines, "\n", first), "\n")
  file:close()
end

-- Adds an entry to the file. Where that is not possible, the history lasts for
-- this session alone.
function history.append(entry)
  local place = folder()
  if not place or not core.make_folder(place) then return end
  local file = io.open(place .. "/history", "a")
  if not file then return end
  file:write(to_line(entry), "\n")
  file:close()
end

return history
