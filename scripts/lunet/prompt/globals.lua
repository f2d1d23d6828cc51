-- globals.lua - the names that are there at the prompt, and what happens to a
-- name that is not.

local core = require "lunet_core"

local globals = {}

-- Parts of the library, and helpers of the prompt: each loaded at its first
-- use.
local parts = { "nn", "optim", "data" }
local helpers = {
  show = function() return require("lunet").show end,
  help = function() return require("lunet").help end,
  who = function() return require("lunet.prompt.who") end,
  time = function() return require("lunet.prompt.time") end,
  prof = function() return require("lunet.prompt.prof") end,
}

local loaders = { lunet = function() return require "lunet" end }
for _, name in ipairs(parts) do
  loaders[name] = function() return require("lunet")[name] end
end

local at_first = {} -- names that are not the user's
local were_local = {} -- names of variables that ended with their line

function globals.is_users(name) return not (at_first[name] or loaders[name]) end

-- All names, for completion.
function globals.names()
  local list = {}
  for name in pairs(_G) do list[#list + 1] = name end
  for name in pairs(loaders) do
    if rawget(_G, name) == nil then list[#list + 1] = name end
  end
  return list
end

-- ---- Lua's own names ------------------------------------------------------

-- A line such as `table = {}` would break all that is written in Lua; print
-- alone may be another function. Here are names that no line can change.
local next, rawget, rawset, type, G = next, rawget, rawset, type, _G

local of_lua = {}
for name in ([[assert collectgarbage coroutine debug dofile error getmetatable
               io ipairs load loadfile math next os package pairs pcall print
               rawequal rawget rawlen rawset require select setmetatable string
               table tonumber tostring type utf8 xpcall _G]]):gmatch "[%w_]+" do
  of_lua[name] = G[name]
end

-- Gives Lua's own names back what they stand for. Returns one that had been
-- changed.
function globals.restore()
  local changed
  for name, value in next, of_lua do
    local now = rawget(G, name)
    local is_kept = now == value or name == "print" and type(now) == "function"
    if not is_kept then
      rawset(G, name, value)
      changed = name
    end
  end
  return changed
end

-- ---- names that are not there ---------------------------------------------

-- Remembers what `local x = 1` names: the line is over, and x with it.
function globals.note_locals(text)
  local names = text:match "^%s*local%s+([%a_][%w_%s,]*)"
  for name in (names or ""):gmatch "[%a_][%w_]*" do were_local[name] = true end
end

local function refuse(name)
  if name == "_" then return end -- no result yet
  if were_local[name] then
    core.raise("'%s' was local to the line that made it\n  at the prompt leave "
               .. "out 'local': %s = …", name, name)
  end
  local meant = core.nearest(name, globals.names())
  core.raise("there is no variable '%s'%s", name, meant and
             ("; did you mean '%s'?"):format(meant) or "")
end

-- Was the name read by a line of the prompt, not by a file?
local function is_typed()
  local frame = debug.getinfo(3, "S")
  return frame and frame.source == "=stdin"
end

-- Adds the names; `strict`: a name that nobody set is an error at the prompt.
function globals.add(strict)
  if strict then
    for name, load_it in pairs(helpers) do loaders[name] = load_it end
  end
  for name in pairs(_G) do at_first[name] = true end
  setmetatable(_G, {
    __index = function(t, name)
      if loaders[name] then
        local value = loaders[name]()
        rawset(t, name, value)
        return value
      end
      if strict and type(name) == "string" and is_typed() then refuse(name) end
    end,
  })
end

return globals
