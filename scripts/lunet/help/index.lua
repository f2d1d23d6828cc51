-- index.lua - the names of functions: from a function to what the user calls
-- it, and from a name to the value.

local core = require "lunet_core"
local names_of = require "lunet.names_of"

local index = {}

-- The tables that users reach by a name, those that are loaded by now.
local function tables()
  local loaded = package.loaded
  local lunet = loaded["lunet"]
  local list = { { "lunet.", lunet }, { "tensor:", core.tensor_methods } }
  for _, part in ipairs { "nn", "optim", "data", "picture", "plugins", "zoo",
                          "viz" } do
    local short = part == "nn" or part == "optim" or part == "data"
    list[#list + 1] = { (short and "" or "lunet.") .. part .. ".",
                        rawget(lunet, part) }
  end
  for name, module in pairs { ["net:"] = "module", ["net: "] = "sequential",
                              ["net:  "] = "graph", ["layer:"] = "layer",
                              ["dataset:"] = "dataset" } do
    list[#list + 1] = { name:gsub(" ", ""), loaded["lunet." .. module] }
  end
  list[#list + 1] = { "optim.schedule.", loaded["lunet.schedule"] }
  list[#list + 1] = { "nn.init.", loaded["lunet.initialise"] and
                                  loaded["lunet.initialise"].rules }
  return list
end

-- "lunet.fit" for the function fit; nil: it has no public name.
function index.name_of(f)
  for _, entry in ipairs(tables()) do
    for name, value in next, entry[2] or {} do
      if value == f then return entry[1] .. name end
    end
  end
  for _, name in ipairs { "who", "time", "prof", "edit" } do
    if rawget(_G, name) == f then return name end
  end
end

-- "string.format" for a function of Lua's own library.
function index.name_in_lua(f)
  for _, library in ipairs { "string", "table", "math", "io", "os", "utf8",
                             "coroutine", "debug" } do
    for name, value in pairs(_G[library]) do
      if value == f then return library .. "." .. name end
    end
  end
  for name, value in next, _G do
    local is_base = value == f and package.loaded._G[name] == f
    if is_base and debug.getinfo(f, "S").what == "C" then return name end
  end
end

-- All public names, for "did you mean" and for the test that each has a text.
function index.names()
  local lunet, list = require "lunet", {}
  local function add(prefix, value)
    for _, name in ipairs(names_of(value)) do
      list[#list + 1] = prefix .. name
    end
  end
  add("lunet.", lunet)
  add("nn.", lunet.nn)
  add("nn.init.", lunet.nn.init)
  add("optim.", lunet.optim)
  add("optim.schedule.", lunet.optim.schedule)
  add("data.", lunet.data)
  add("lunet.picture.", lunet.picture)
  add("lunet.plugins.", lunet.plugins)
  add("lunet.zoo.", lunet.zoo)
  add("tensor:", core.tensor_methods)
  local module = require "lunet.module"
  for _, name in ipairs(module.names(module)) do
    list[#list + 1] = "net:" .. name
  end
  add("dataset:", require "lunet.dataset")
  return list
end

return index
