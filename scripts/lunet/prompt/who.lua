-- who.lua - who(): the user's variables, with shapes and memory.

local columns = require "lunet.bench.columns"
local core = require "lunet_core"
local globals = require "lunet.prompt.globals"
local values = require "lunet.prompt.values"

local float_bytes = 4

local function memory_text(bytes)
  if bytes < 1000 then return ("%d B"):format(bytes) end
  if bytes < 1e6 then return ("%.1f kB"):format(bytes / 1e3) end
  return ("%.1f MB"):format(bytes / 1e6)
end

local function of_tensor(t)
  return "tensor", "(" .. table.concat(t:shape(), ",") .. ")",
         memory_text(float_bytes * t:numel())
end

-- A layer or net: its weights, and their gradients.
local function of_module(m)
  local n, complete = 0, pcall(m.num_parameters, m)
  if complete then n = m:num_parameters() end
  return m.word, complete and ("%d parameters"):format(n) or "unfinished",
         memory_text(2 * float_bytes * n)
end

local function shortened(text)
  text = text:match "^[^\n]*"
  if #text <= 40 then return text end
  return text:sub(1, (utf8.offset(text, -1, 38))) .. "…"
end

local function row_of(name, value)
  if core.is_tensor(value) then return { name, of_tensor(value) } end
  local fine, is_module = pcall(function()
    return type(value) == "table" and type(value.num_parameters) == "function"
  end)
  if fine and is_module then return { name, of_module(value) } end
  local class = getmetatable(value)
  local kind = type(class) == "table" and rawget(class, "__name") or
               type(value)
  local shown, text = pcall(values.text, value)
  if type(value) == "function" then text = "" end
  return { name, kind, shown and shortened(text) or "(cannot be shown)", "" }
end

-- Prints the variables that the user made: name, kind, shape or value, memory.
return function()
  local rows = {}
  for name, value in pairs(_G) do
    if globals.is_users(name) and name ~= "_" and name ~= "edit" then
      rows[#rows + 1] = row_of(name, value)
    end
  end
  table.sort(rows, function(a, b) return a[1] < b[1] end)
  if #rows == 0 then return print "no variables yet" end
  table.insert(rows, 1, { "name", "kind", "shape or value", "memory" })
  print(columns(rows))
end
