-- edit.lua - a text in the user's own editor: $VISUAL, $EDITOR, else vi.

local core = require "lunet_core"

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

-- The text as the editor left it; nil where the editor failed.
return function(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text, "\n")
  file:close()
  local editor = os.getenv "VISUAL" or os.getenv "EDITOR" or "vi"
  local fine = os.execute(("%s '%s'"):format(editor, path))
  local changed = fine and read(path):gsub("%s+$", "")
  os.remove(path)
  if not fine then
    core.raise("edit: the editor failed: %s\n  try EDITOR=nano lunet", editor)
  end
  return changed
end
