-- new_plugin.lua - the command `lunet new-plugin`: a layer that works as it
-- stands, with test, page and README, to be made one's own step by step.
--
-- The templates are the folder scripts/templates, one folder a kind; in them
-- the layer is called my_layer.

local core = require "lunet_core"
require "lunet" -- which knows its folder

local usage = [[
usage: lunet new-plugin NAME [--kind elementwise|windowed|weights|loss]

Writes NAME.c, test_NAME.lua, NAME.md and README.NAME.md into this folder: a
layer nn.NAME{} that works as it stands. The steps in NAME.c lead on.

  --kind elementwise   y[i] from x[i], as an activation (the default)
         windowed      a window slid over an image, as a pooling
         weights       with weights to be learnt
         loss          a number from a prediction and a target
]]

local kinds = { elementwise = true, windowed = true, weights = true,
                loss = true }

-- What C keeps for itself; what the template uses is found in the template.
local c_words = {}
for word in ([[auto bool break case char const continue default do double else
  enum extern false float for goto if inline int long register restrict return
  short signed sizeof static struct switch true typedef union unsigned void
  volatile while]]):gmatch("%l+") do
  c_words[word] = true
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

-- Why the name will not do; nil: it will.
local function objection(name, source)
  if not name:find("^%l[%l%d_]*$") then
    return ("'%s' is no name for a layer: names begin with a small letter and "
            .. "go on with small letters, digits and _, such as my_swish")
           :format(name)
  end
  if c_words[name] or source:find("%f[%w_]" .. name .. "%f[^%w_]") then
    return ("'%s' has a meaning in the C file already; try my_%s"):format(
      name, name)
  end
  if pcall(core.layer_exists, name) then
    return ("nn.%s is a layer already, and of two with one name only the "
            .. "first is found; try my_%s"):format(name, name)
  end
end

-- The files to write: a list of { path, text }.
local function fill(folder, kind, name)
  local files = {}
  for _, pattern in ipairs { kind .. "/my_layer.c", kind .. "/my_layer.md",
                             kind .. "/test_my_layer.lua",
                             "README.my_layer.md" } do
    local text = read(folder .. "/" .. pattern):gsub("my_layer", name)
    local path = pattern:match("[^/]+$"):gsub("my_layer", name)
    files[#files + 1] = { path = path, text = text }
  end
  return files
end

-- All or nothing: what is there already stays.
local function write(files)
  for _, file in ipairs(files) do
    if exists(file.path) then
      return ("%s is there already, and new-plugin never overwrites"):format(
        file.path)
    end
  end
  for _, file in ipairs(files) do
    local out, reason = io.open(file.path, "wb")
    if not out then return reason end
    out:write(file.text)
    if not out:close() then return file.path .. " cannot be written" end
  end
end

-- { name, kind }, or nil and what is not understood.
local function read_arguments(arguments)
  local wanted, i = { kind = "elementwise" }, 1
  while i <= #arguments do
    local word = arguments[i]
    if word == "--kind" then
      i = i + 1
      wanted.kind = arguments[i] or ""
      if not kinds[wanted.kind] then
        return nil, ("unknown kind '%s'"):format(wanted.kind)
      end
    elseif word:find("^%-") or wanted.name then
      return nil, ("unexpected '%s'"):format(word)
    else
      wanted.name = word
    end
    i = i + 1
  end
  if not wanted.name then return nil, "a NAME is missing" end
  return wanted
end

local function complain(text, ...)
  io.stderr:write("lunet new-plugin: ", text, "\n", ...)
end

local function main(...)
  local arguments = { ... }
  if arguments[1] == "--help" then
    io.write(usage)
    return true
  end
  local wanted, problem = read_arguments(arguments)
  if not wanted then
    complain(problem, usage)
    return false
  end
  local folder = core.folder .. "/../templates"
  local source = read(("%s/%s/my_layer.c"):format(folder, wanted.kind))
  local files = {}
  problem = objection(wanted.name, source)
  if not problem then
    files = fill(folder, wanted.kind, wanted.name)
    problem = write(files)
  end
  if problem then
    complain(problem)
    return false
  end
  for _, file in ipairs(files) do print("wrote " .. file.path) end
  print((("next: edit NAME.c, then\n  lunet check-plugin NAME.c\n"
          .. "  lunet build-plugin NAME.c && lunet test_NAME.lua"):gsub(
    "NAME", wanted.name)))
  return true
end

return { main = main }
