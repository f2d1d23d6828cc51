-- kind.lua - which kind of picture the terminal can show, as the environment
-- says. The terminal itself is not asked: its answer would have to be fished
-- out of what the user types, and one that never answers would be waited for.
--
--   kitty    TERM xterm-kitty or xterm-ghostty; KITTY_WINDOW_ID; WezTerm
--   sixel    TERM with "sixel" in it, foot, mlterm, yaft, contour; mintty
--   blocks   any other terminal with colours and UTF-8
--   ascii    the rest: files and pipes, NO_COLOR, TERM=dumb, no UTF-8
-- In tmux and screen pictures do not come through: blocks. LUNET_SHOW=kitty,
-- sixel, blocks or ascii decides instead, also where no terminal listens.

local core = require "lunet_core"

local kinds = { "kitty", "sixel", "blocks", "ascii" }
local colourless = { [""] = true, dumb = true, linux = true, vt52 = true,
                     vt100 = true, vt102 = true, vt220 = true }

local function has_kitty(variable)
  local term = variable("TERM")
  return term == "xterm-kitty" or term == "xterm-ghostty" or
         variable("KITTY_WINDOW_ID") ~= "" or
         variable("TERM_PROGRAM") == "WezTerm"
end

local function has_sixel(variable)
  local term = variable("TERM")
  return term:find("sixel", 1, true) or term:find("^foot") or
         term:find("^mlterm") or term:find("^yaft") or
         term:find("^contour") or variable("TERM_PROGRAM") == "mintty"
end

local function is_utf8(variable)
  local locale = variable("LC_ALL")
  if locale == "" then locale = variable("LC_CTYPE") end
  if locale == "" then locale = variable("LANG") end
  return locale:lower():find("utf%-?8") ~= nil
end

local function chosen(variable)
  local wanted = variable("LUNET_SHOW")
  if wanted == "" then return nil end
  for _, kind in ipairs(kinds) do
    if kind == wanted then return kind end
  end
  core.raise("show: LUNET_SHOW is '%s', it must be one of %s", wanted,
             table.concat(kinds, ", "))
end

local function detected(variable, is_terminal)
  local term = variable("TERM")
  if not is_terminal or variable("NO_COLOR") ~= "" or colourless[term] then
    return "ascii"
  end
  local inside = variable("TMUX") ~= "" or term:find("^screen")
    or term:find("^tmux")
  if not inside and has_kitty(variable) then return "kitty" end
  if not inside and has_sixel(variable) then return "sixel" end
  return is_utf8(variable) and "blocks" or "ascii"
end

local function depth_of(variable)
  local depth = variable("COLORTERM")
  return (depth == "truecolor" or depth == "24bit") and 24 or 256
end

-- get(name) gives a variable of the environment. Returns the kind and how many
-- colours blocks may have: 256, or 24 bits of them.
return function(get, is_terminal)
  local function variable(name) return get(name) or "" end
  return chosen(variable) or detected(variable, is_terminal),
         depth_of(variable)
end
