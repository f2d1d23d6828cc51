-- complete.lua - what may stand at the end of an unfinished line: names, option
-- names within nn.conv2d{, file names in strings.
--
-- Only names are looked up; nothing is called that the line calls. Looking up a
-- field may run the __index of a broken object: that is protected, and stopped
-- after some time.

local core = require "lunet_core"
local globals = require "lunet.prompt.globals"
local names_of = require "lunet.names_of"
local scan = require "lunet.prompt.scan"

local keywords = {}
for word in ([[and break do else elseif end false for function goto if in local
               nil not or repeat return then true until while]]):gmatch "%a+" do
  keywords[#keywords + 1] = word
end

local patience = 1000000 -- instructions for one lookup

-- f(...) or nil, whatever goes wrong in it.
local function safely(f, ...)
  local hook, mask, count = debug.gethook()
  debug.sethook(function() error "too slow" end, "", patience)
  local fine, value = pcall(f, ...)
  debug.sethook(hook, mask, count)
  if fine then return value end
end

local function beginning_with(prefix, names)
  local list = {}
  for _, name in ipairs(names) do
    if name:sub(1, #prefix) == prefix then list[#list + 1] = name end
  end
  table.sort(list)
  return list, #prefix
end

-- ---- file names -----------------------------------------------------------

local function files(fragment)
  local folder, prefix = fragment:match "^(.*/)([^/]*)$"
  if not folder then folder, prefix = "", fragment end
  local names = core.list_folder(folder == "" and "." or folder) or {}
  local list = {}
  for i, name in ipairs(names) do
    list[i] = core.is_folder(folder .. name) and name .. "/" or name
  end
  return beginning_with(prefix, list)
end

-- ---- options --------------------------------------------------------------

local common_options = { "name", "init", "method" }

-- The layer whose table of options is open at the end of the text; and what
-- stands in the table so far.
local function open_layer(text, brackets)
  local at = brackets[#brackets]
  if not at or text:sub(at, at) ~= "{" then return end
  local word = text:sub(1, at - 1):match "nn%.([%w_]+)%s*%(?%s*$"
  local about = word and safely(core.layer_about, word)
  if about then return about, text:sub(at + 1) end
end

-- Those of the layer that are not given yet, with " = ".
local function layer_options(about)
  local names = {}
  for _, option in ipairs(about.options) do names[#names + 1] = option.name end
  return table.move(common_options, 1, #common_options, #names + 1, names)
end

-- The names that the table `body`, so far, does not give yet.
local function option_names(names, body, prefix)
  local left = {}
  for _, name in ipairs(names) do
    local given = ("," .. body):find("[,;{%s]" .. name .. "%s*=")
    if not given then left[#left + 1] = name .. " = " end
  end
  return beginning_with(prefix, left)
end

-- The words that an option can be: they stand in quotes in what it says of
-- itself.
local function option_words(about, name, prefix)
  local words = {}
  if name == "method" then
    words = table.move(about.methods, 1, #about.methods, 1, { "textbook" })
  end
  for _, option in ipairs(about.options) do
    if option.name == name then
      for word in option.kind:gmatch '"([^"]+)"' do words[#words + 1] = word end
    end
  end
  return beginning_with(prefix, words)
end

-- ---- names ----------------------------------------------------------------

local function is_callable(value, name)
  local v = safely(function() return value[name] end)
  local class = debug.getmetatable(v)
  return type(v) == "function" or
         type(class) == "table" and rawget(class, "__call") ~= nil
end

-- One step further along net[1].weight: the value and what is left.
local function step(value, rest)
  local name, left = rest:match "^[%.:]([%a_][%w_]*)(.*)$"
  if name then return safely(function() return value[name] end), left end
  local number, behind = rest:match "^%[(%d+)%](.*)$"
  if number then
    return safely(function() return value[tonumber(number)] end), behind
  end
  local key, after = rest:match "^%[[\"']([^\"']*)[\"']%](.*)$"
  if key then return safely(function() return value[key] end), after end
end

-- The value of the path, such as "net[1].weight"; nil where there is none.
local function value_of(path)
  local name, rest = path:match "^([%a_][%w_]*)(.*)$"
  local value = name and safely(function() return _G[name] end)
  while value ~= nil and rest and rest ~= "" do
    value, rest = step(value, rest)
  end
  return value
end

local function fields(path, mark, prefix)
  local value = value_of(path)
  if value == nil then return {}, 0 end
  local names = names_of(value)
  if mark == "." then return beginning_with(prefix, names) end
  local methods = {}
  for _, name in ipairs(names) do
    if is_callable(value, name) then methods[#methods + 1] = name end
  end
  return beginning_with(prefix, methods)
end

local function all_names(prefix)
  local names = globals.names()
  table.move(keywords, 1, #keywords, #names + 1, names)
  return beginning_with(prefix, names)
end

local function names(text, brackets)
  local at = brackets[#brackets]
  if at then text = text:sub(at + 1) end
  local path = text:match "[%w_%.:%[%]\"']*$"
  local before, mark, prefix = path:match "^([%a_].*)([%.:])([%w_]*)$"
  if before then return fields(before, mark, prefix) end
  prefix = text:match "[%w_]*$"
  local behind_dot = text:sub(1, -#prefix - 1):find "[%.:]%s*$"
  if behind_dot then return {}, 0 end -- of what a call gives: not known
  return all_names(prefix)
end

-- The options of the function whose table of options is open: lunet.fit(net,
-- train, { … or train:batches{ …; and what stands in the table so far.
local function open_function(text, brackets)
  local at = brackets[#brackets]
  if not at or text:sub(at, at) ~= "{" then return end
  local path = text:sub(1, at - 1):match "([%a_][%w_%.:]*)%s*$"
  local before = brackets[#brackets - 1]
  if not path and before and text:sub(before, before) == "(" then
    path = text:sub(1, before - 1):match "([%a_][%w_%.:]*)%s*$"
  end
  local f = path and value_of((path:gsub(":", ".")))
  local rules = type(f) == "function" and
                require("lunet.help.comment").rules(f)
  if not rules then return end
  local list = {}
  for i, rule in ipairs(rules) do list[i] = rule[1] end
  return list, text:sub(at + 1)
end

-- ---- all together ---------------------------------------------------------

-- A list of what may stand at the end of the text, and how many bytes of the
-- text each replaces.
return function(text)
  text = text:gsub("^%s*%?%??%s*", "")
  local place = scan(text)
  if place.comment then return {}, 0 end
  local about, body = open_layer(text, place.brackets)
  if place.string then
    local fragment = text:sub(place.string)
    local name = text:sub(1, place.string - 2):match "([%w_]+)%s*=%s*$"
    if about and name then return option_words(about, name, fragment) end
    return files(fragment)
  end
  local options = about and layer_options(about)
  if not about then options, body = open_function(text, place.brackets) end
  local prefix = options and (body:match "^%s*([%w_]*)$" or
                              body:match "[,;]%s*([%w_]*)$")
  if prefix then return option_names(options, body, prefix) end
  return names(text, place.brackets)
end
