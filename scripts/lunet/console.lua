-- console.lua - the prompt: read a line, run it, show what it gives. An error
-- is shown and never ends it; Ctrl-C goes back to the prompt, Ctrl-D ends.

local core = require "lunet_core"

local console = {}

local prompt, more_prompt = "lunet> ", "  ...> "

-- lunet, nn, optim and data as globals, each loaded when it is first named.
function console.add_globals()
  local words = { lunet = true, nn = true, optim = true, data = true }
  setmetatable(_G, {
    __index = function(globals, name)
      if not words[name] then return nil end
      local lunet = require "lunet"
      local value = name == "lunet" and lunet or lunet[name]
      rawset(globals, name, value)
      return value
    end,
  })
end

-- Does the message of load say that the chunk only wants to go on?
local function wants_more(message)
  return message:match("<eof>$") ~= nil
end

-- The lines as a function that returns true and their values. The `true` keeps
-- an expression from being a tail call, which would hide its line from errors.
local function compile(text)
  local expression = load("return true, " .. text, "=stdin")
  if expression then return expression end
  local statements, message = load(text, "=stdin")
  if not statements then return nil, message end
  return function() return true, statements() end
end

-- Reads until the lines make a whole chunk. Gives the chunk or a message;
-- nothing at the end of the input; false after Ctrl-C.
local function read_chunk(read_line)
  local text = read_line(prompt)
  while text do
    local chunk, message = compile(text)
    if chunk or not wants_more(message) then return chunk, message end
    local line = read_line(more_prompt)
    text = line and text .. "\n" .. line
  end
  return text
end

local function show(done, first, ...)
  if not done then
    io.stderr:write(tostring(first), "\n")
  elseif select("#", ...) > 0 then
    print(...)
  end
end

-- read_line(prompt) gives a line, false after Ctrl-C, nil at the end; call(f)
-- is a pcall that Ctrl-C can stop.
function console.run(read_line, call)
  console.add_globals()
  print("Lunet " .. require("lunet").version .. "   Ctrl-D ends")
  while true do
    local chunk, message = read_chunk(read_line)
    if core.between_steps then core.between_steps() end
    if chunk then
      local results = table.pack(call(chunk))
      local fine, problem = call(function()
        show(table.unpack(results, 1, results.n))
      end)
      if not fine then show(false, problem) end
    elseif message then
      show(false, message)
    else
      print()
      if chunk == nil then return end
    end
  end
end

return console
