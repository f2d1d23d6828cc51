-- report.lua - lunet.report(run, "run.html"): one page about a training, in one
-- file that needs no network: curves, what stands out, spread of weights and
-- gradients over time, the first filters being born, the confusion matrix with
-- the images behind a cell, a map of the net, and what it takes to repeat the
-- run.
--
-- run is what lunet.fit or lunet.watch gave. The page shows the net as it is
-- now. The folder report/ has a file for each part of the data, and the page.

local core = require "lunet_core"
local run_class = require "lunet.run"

local function read(name)
  local file = assert(io.open(core.folder .. "/report/" .. name, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

-- As JSON has it: null in place of NaN and infinity, which tonumber does not
-- read, and no more digits than can be seen.
local function plain(v)
  if math.type(v) == "float" then
    return tonumber(("%.5g"):format(v)) or core.null
  end
  if type(v) ~= "table" then return v end
  local copy = {}
  for key, value in pairs(v) do copy[key] = plain(value) end
  return setmetatable(copy, next(v) == nil and core.list_class or
                            getmetatable(v))
end

local function check(run, path)
  if not run_class.is(run) then
    core.raise("report: the first argument must be a run, as lunet.fit returns "
               .. "it\n  try lunet.report(lunet.fit(net, train, { … }), "
               .. "\"run.html\")")
  end
  if type(path) ~= "string" then
    core.raise("report needs a file to write\n  try lunet.report(run, "
               .. "\"run.html\")")
  end
end

-- What stands out, without training anything for it; nil: unknown.
local function findings_of(run)
  if not run.record or run.record.steps == 0 then return nil end
  local list = {}
  for i, f in ipairs(require "lunet.diagnose"(run, { one_batch = false })) do
    list[i] = { what = f.what, numbers = f.numbers, rule = f.rule, try = f.try }
  end
  return list
end

local function data_of(run)
  local network, input = require "lunet.report.network"(run)
  return {
    summary = tostring(run),
    facts = require "lunet.report.facts"(run),
    findings = findings_of(run),
    curves = require "lunet.report.curves"(run),
    layers = require "lunet.report.layers"(run.record),
    network = network, input = input,
    confusion = require "lunet.report.confusion"(run),
  }
end

-- Puts the parts in their places; a function, as their text may hold a %.
local function fill(page, parts)
  return (page:gsub("<!%-%- ([%w%.]+) %-%->", function(name)
    return parts[name]
  end))
end

-- report(run, "run.html"): writes the page about a run, as lunet.fit or
-- lunet.watch gave it, and returns its path. An older file of that name is
-- replaced once the new one is whole.
return function(run, path)
  check(run, path)
  -- no "<" in the data: "</script>" in a name must not end the script
  local json = core.json_encode(plain(data_of(run))):gsub("<", "\\u003c")
  core.save_text(path, fill(read "page.html", {
    ["page.css"] = read "page.css", ["page.js"] = read "page.js",
    data = json }))
  return path
end
