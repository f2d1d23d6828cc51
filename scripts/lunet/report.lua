-- report.lua - lunet.report(run, "run.html"): one page about a training, in one
-- file that needs no network: curves, spread of weights and gradients over
-- time, the first filters being born, the confusion matrix with the images
-- behind a cell, a map of the net, and what it takes to repeat the run.
--
-- run is what lunet.fit returned. The page shows the net as it is now.

local core = require "lunet_core"

local function read(name)
  local file = assert(io.open(core.folder .. "/report/" .. name, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

-- JSON knows no NaN and no infinity: null.
local function finite(v)
  if type(v) == "number" then return v - v == 0 and v or core.null end
  if type(v) ~= "table" then return v end
  local copy = {}
  for key, value in pairs(v) do copy[key] = finite(value) end
  return setmetatable(copy, next(v) == nil and core.list_class or
                            getmetatable(v))
end

local function check(run, path)
  local is_run = type(run) == "table" and type(run.loss) == "table" and
                 type(run.options) == "table" and run.net ~= nil
  if not is_run then
    core.raise("report: the first argument must be a run, as lunet.fit returns "
               .. "it\n  try lunet.report(lunet.fit(net, train, { … }), "
               .. "\"run.html\")")
  end
  if type(path) ~= "string" then
    core.raise("report needs a file to write\n  try lunet.report(run, "
               .. "\"run.html\")")
  end
end

local function data_of(run)
  return {
    facts = require "lunet.report.facts"(run),
    curves = require "lunet.report.curves"(run),
    layers = require "lunet.report.layers"(run.record),
    network = require "lunet.report.network"(run.net),
    confusion = require "lunet.report.confusion"(run),
  }
end

-- Puts the parts in their places; a function, as their text may hold a %.
local function fill(page, parts)
  return (page:gsub("<!%-%- ([%w%.]+) %-%->", function(name)
    return parts[name]
  end))
end

-- Writes the page and returns its path.
return function(run, path)
  check(run, path)
  -- "</script>" in a name must not end the script that holds the data
  local json = core.json_encode(finite(data_of(run))):gsub("</", "<\\/")
  local page = fill(read "page.html", {
    ["page.css"] = read "page.css", ["page.js"] = read "page.js",
    data = json })
  local file, why = io.open(path, "wb")
  if not file then core.raise("report: cannot write %s", why) end
  file:write(page)
  file:close()
  return path
end
