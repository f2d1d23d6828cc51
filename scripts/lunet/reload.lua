-- reload.lua - other code for a layer while nets that use it live, and the
-- watch that does it on every save.
--
-- The way of a change: compile (a source), try it in a process of its own, and
-- only then let the session's layers go on with it. So neither an error nor a
-- crash nor an endless loop in the new code reaches the session.

local core = require "lunet_core"
local compile = require "lunet.compile"

local reload = {}

-- ---- trying in a process of its own --------------------------------------

-- Lua source of a value: tables of numbers, texts and booleans.
local function source_of(value)
  if type(value) ~= "table" then return ("%q"):format(value) end
  local parts, keys = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do
    parts[#parts + 1] = ("[%q]=%s"):format(key, source_of(value[key]))
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- Each layer that lives, but equal ones once.
local function living_layers()
  local list, seen = {}, {}
  for _, layer in ipairs(core.living_layers()) do
    local text = source_of(layer)
    if not seen[text] then list[#list + 1] = layer end
    seen[text] = true
  end
  return list
end

local seconds_to_try = 20

-- The command that runs try_plugin.lua with this very program.
local function trial_command(request)
  local quote = compile.quote
  local limit = ("timeout -k 1 %d "):format(seconds_to_try)
  if not os.execute "command -v timeout >/dev/null 2>&1" then limit = "" end
  return ("LUNET_NOTICES=0 LUA_PATH_5_4=%s LUA_CPATH_5_4=%s %s%s %s %s 2>&1 "
          .. "</dev/null"):format(
    quote(package.path), quote(package.cpath), limit, quote(core.program()),
    quote(core.folder .. "/try_plugin.lua"), quote(request))
end

local function verdict(output, how, code)
  if how == "exit" and code == 124 then
    return ("it does not come to an end within %d seconds\n%s"):format(
      seconds_to_try, output)
  end
  local signal = how == "signal" and code or code > 128 and code - 128
  if signal then
    return ("it crashes, with signal %d\n%s"):format(signal, output)
  end
  return output
end

-- true and what the trial tells; or false and why not.
local function try(file, gradients)
  local request = os.tmpname()
  local out = assert(io.open(request, "w"))
  out:write("return ", source_of { file = file, gradients = gradients,
                                   layers = living_layers() })
  out:close()
  local pipe = assert(io.popen(trial_command(request)))
  local output = pipe:read("a"):gsub("%s+$", "")
  local fine, how, code = pipe:close()
  os.remove(request)
  if fine then return true, output end
  return false, verdict(output, how, code)
end

-- ---- reloading -----------------------------------------------------------

-- The file behind a word: a plugin, or the source that it was built from.
local function path_of_word(word)
  core.layer_exists(word) -- or an error
  return core.layer_path(word)
end

local function path_of(what)
  if what:find("[/.]") then return what end
  return path_of_word(what)
end

-- A plugin made of a source, for the time of `f(plugin)`.
local function with_built(source, f)
  local plugin = os.tmpname()
  local built, problem = compile.build(source, plugin)
  if not built then
    os.remove(plugin)
    return false, problem
  end
  local results = table.pack(f(plugin))
  os.remove(plugin)
  return table.unpack(results, 1, results.n)
end

-- true, what the trial tells, name, version, layers; or false and the reason.
local function exchange(file, origin, gradients)
  if not core.file_stamp(file) then
    return false, ("plugin %s not reloaded: it cannot be read"):format(origin)
  end
  local fine, told = try(file, gradients)
  if not fine then
    return false, ("plugin %s not reloaded: %s"):format(origin, told)
  end
  local name, version, n = core.plugins_reload(file, origin)
  if not name then return false, version end
  return true, told, name, version, n
end

function reload.attempt(path, gradients)
  if not compile.is_source(path) then return exchange(path, path, gradients) end
  return with_built(path, function(plugin)
    return exchange(plugin, path, gradients)
  end)
end

-- The word of a layer, a plugin (.so), or a source (.c, .cpp), which is
-- compiled. Every layer of its words goes on with the new code, and keeps its
-- options and weights. Returns the plugin's name and version, and how many
-- layers there are. Any failure is an error, and all stays as it was.
function reload.reload(what)
  if type(what) ~= "string" then
    core.raise("plugins.reload takes a word or a file, such as \"swish\" or "
               .. "\"swish.c\"; got a %s", type(what))
  end
  local fine, told, name, version, n = reload.attempt(path_of(what), false)
  if not fine then core.raise("%s", told) end
  return name, version, n
end

-- ---- watching ------------------------------------------------------------

local watched = {} -- path -> the stamp that was seen last

local function say(text, ...)
  io.stderr:write("lunet: ", text:format(...), "\n")
end

local function look_at(path)
  local stamp = core.file_stamp(path)
  if not stamp or stamp == watched[path] then return end
  watched[path] = stamp
  local started = core.clock()
  local fine, told = reload.attempt(path, true)
  if fine then
    say("%s runs, after %.2f s; %s", path, core.clock() - started, told)
  else
    say("%s\n  the code before goes on", told)
  end
end

local function look() for path in pairs(watched) do look_at(path) end end

-- Reloads a source (or a plugin) whenever it is saved, with a check of the
-- gradients, between two steps of a training: at the end of opt:step(), and
-- before a line at the prompt. What happens is said on standard error.
function reload.watch(path)
  if type(path) ~= "string" or not core.file_stamp(path) then
    core.raise("plugins.watch takes the path of a file, such as \"swish.c\"; "
               .. "%s is none", tostring(path))
  end
  watched[path] = "not loaded"
  look_at(path)
  core.between_steps = look
end

-- No longer.
function reload.unwatch(path)
  watched[path] = nil
  if not next(watched) then core.between_steps = nil end
end

return reload
