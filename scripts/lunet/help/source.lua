-- source.lua - ??x: the source of a function or a layer, where it is at hand.

local comment = require "lunet.help.comment"
local core = require "lunet_core"
local index = require "lunet.help.index"
local layer_help = require "lunet.help.layer"
local options = require "lunet.options"

local source = {}

local function read(path)
  local file = io.open(path)
  local text = file and file:read "a"
  if file then file:close() end
  return text
end

-- The C function that stands behind tensor:narrow and the like: its name is
-- told by the table of names at the end of its file.
local function c_function(name)
  local folder = core.folder .. "/../../core/lua"
  local short = name:match "[%w_]+$"
  for _, file in ipairs(core.list_folder(folder) or {}) do
    local text = file:find "%.c$" and read(folder .. "/" .. file) or ""
    local word = text:match('{ "' .. short .. '", ([%w_]+) }')
    local body = word and text:match("\n(static int " .. word ..
                                     "%(lua_State .-\n}\n)")
    if body then return "core/lua/" .. file, body end
  end
end

local function of_layer(word)
  local path, short = layer_help.source(word)
  if path then return short, read(path) end
  core.raise("the source of %s is not here; its plugin is %s", word,
             core.layer_about(word).path)
end

local function of_function(f)
  local path, first, text = comment.source(f)
  if path then return ("%s:%d"):format(path, first), text end
  local name = index.name_of(f)
  local word = name and name:match "^nn%.([%w_]+)$"
  if word then return of_layer(word) end
  if name then
    path, text = c_function(name)
    if path then return path, text end
  end
  if index.name_in_lua(f) then
    core.raise("%s is Lua's own, written in C", index.name_in_lua(f))
  end
  core.raise("the source of this function is not at hand")
end

local function is_layer_word(x)
  return type(x) == "string" and x:find "^[%w_]+$" and
         pcall(core.layer_about, x)
end

-- A name of which nothing is known stands for itself.
local function refuse(x)
  if type(x) ~= "string" then
    core.raise("?? shows the source of a function or a layer, not of %s",
               options.shown(x))
  end
  local names = index.names()
  for _, row in ipairs(core.plugins_list()) do names[#names + 1] = row.name end
  local meant = core.nearest(x, names)
  core.raise("?? knows no function and no layer '%s'%s\n  try ??relu or "
             .. "??lunet.fit", x,
             meant and ("; did you mean '%s'?"):format(meant) or "")
end

-- Where the source of x is, and its text.
function source.of(x)
  local is_module = type(x) == "table" and rawget(x, "core_layer")
  if is_module then return of_layer(x.word) end
  if type(x) == "function" then
    local name = index.name_of(x)
    local word = name and name:match "^nn%.([%w_]+)$"
    if word and is_layer_word(word) then return of_layer(word) end
    return of_function(x)
  end
  if is_layer_word(x) then return of_layer(x) end
  refuse(x)
end

local pager_of_the_system =
  "if command -v less >/dev/null; then less -FRX; else cat; fi"

-- Prints it; on a terminal a long one through $PAGER.
function source.show(x)
  local place, text = source.of(x)
  local whole = ("-- %s\n%s"):format(place, text)
  local _, lines = whole:gsub("\n", "")
  if not core.is_terminal() or lines < 40 then return print(whole) end
  local pager = io.popen(os.getenv "PAGER" or pager_of_the_system, "w")
  pager:write(whole, "\n")
  pager:close()
end

return source
