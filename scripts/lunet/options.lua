-- options.lua - checks tables of named options, and teaches where one is
-- wrong.
--
-- A rule is { name, kind [, default =] [, required = true, example =]
-- [, min =] [, max =] }. The kinds stand below; each says what a right value
-- is, in the words of the error.

local core = require "lunet_core"

local options = {}

-- Is the value an object that answers these methods?
local function answers(value, ...)
  if type(value) ~= "table" and type(value) ~= "userdata" then return false end
  for _, method in ipairs { ... } do
    local found, f = pcall(function() return value[method] end)
    if not found or f == nil then return false end
  end
  return true
end

-- Is it a table whose entries are all of this kind?
local function list_of(is_right, v)
  if type(v) ~= "table" then return false end
  for _, entry in ipairs(v) do
    if not is_right(entry) then return false end
  end
  return true
end

local function is_number(v) return type(v) == "number" end

local function is_tensor(v) return answers(v, "shape", "tolist") end

local kinds = {
  ["any"] = function() return true end,
  ["a number"] = function(v) return type(v) == "number" and v == v end,
  ["a finite number"] = function(v) return is_number(v) and v - v == 0 end,
  ["a whole number"] = function(v) return math.type(v) == "integer" end,
  ["true or false"] = function(v) return type(v) == "boolean" end,
  ["a text"] = function(v) return type(v) == "string" end,
  ["a function"] = function(v) return type(v) == "function" end,
  ["a list"] = function(v) return type(v) == "table" end,
  ["a list of numbers"] = function(v) return list_of(is_number, v) end,
  ["a tensor"] = is_tensor,
  ["a text or a tensor"] = function(v)
    return type(v) == "string" or is_tensor(v)
  end,
  ["a tensor or a list of numbers"] = function(v)
    return is_tensor(v) or list_of(is_number, v)
  end,
  ["a tensor or a list of tensors"] = function(v)
    return is_tensor(v) or list_of(is_tensor, v)
  end,
  ["a layer or its name"] = function(v)
    return type(v) == "string" or answers(v, "forward", "predict")
  end,
  ["a net"] = function(v) return answers(v, "forward", "predict") end,
  ["a loss layer"] = function(v) return answers(v, "forward", "backward") end,
  ["an optimizer"] = function(v) return answers(v, "step", "zero_grad") end,
  ["a schedule"] = function(v) return answers(v, "step", "per") end,
  ["a dataset"] = function(v) return answers(v, "batches", "get") end,
}

-- What was given, as a message shows it.
local function shown(value)
  if type(value) == "string" then return ("'%s'"):format(value) end
  if value ~= value then return "NaN" end
  if core.is_tensor(value) then
    return ("a tensor (%s)"):format(table.concat(value:shape(), ","))
  end
  if type(value) == "table" or type(value) == "userdata" then
    local class = getmetatable(value)
    local name = class and class.__name or type(value)
    return (name:find("^[aeiou]") and "an " or "a ") .. name
  end
  if type(value) == "function" then return "a function" end
  return tostring(value)
end

local function names_of(rules)
  local names = {}
  for i, rule in ipairs(rules) do names[i] = rule[1] end
  return names
end

local function refuse_unknown(where, given, rules)
  local names, known = names_of(rules), {}
  for _, name in ipairs(names) do known[name] = true end
  for name in pairs(given) do
    if not known[name] then
      local nearest = core.nearest(tostring(name), names)
      core.raise("%s has no option '%s'%s\n  options: %s", where,
                 tostring(name),
                 nearest and ("; did you mean '%s'?"):format(nearest) or "",
                 table.concat(names, ", "))
    end
  end
end

-- "a whole number >= 1"
local function wanted(rule)
  local text = rule[2]
  if rule.min then text = ("%s >= %s"):format(text, rule.min) end
  if rule.max then
    text = ("%s%s <= %s"):format(text, rule.min and " and" or "", rule.max)
  end
  return text
end

local function check_value(where, rule, value)
  if math.type(value) == "float" and value % 1 == 0 and
     rule[2] == "a whole number" then
    value = math.tointeger(value)
  end
  local right = kinds[rule[2]](value) and
                not (rule.min and value < rule.min) and
                not (rule.max and value > rule.max)
  if not right then
    core.raise("%s: option '%s' is %s, it must be %s", where, rule[1],
               shown(value), wanted(rule))
  end
  return value
end

-- A net or a dataset is a table, too, but none of options.
local function is_object(value)
  local class = getmetatable(value)
  return type(class) == "table" and class ~= core.list_class and
         rawget(class, "__name") ~= nil
end

options.is_object = is_object

-- A new table with all options: what was given, checked, and the defaults.
function options.check(where, given, rules)
  if given == nil then given = {} end
  if type(given) ~= "table" or is_object(given) then
    core.raise("%s takes a table of options, such as { %s = … }; got %s",
               where, rules[1][1], shown(given))
  end
  refuse_unknown(where, given, rules)
  local checked = {}
  for _, rule in ipairs(rules) do
    local value = given[rule[1]]
    if value ~= nil then
      checked[rule[1]] = check_value(where, rule, value)
    elseif rule.required then
      core.raise("%s needs the option '%s' (%s)\n  try %s", where, rule[1],
                 rule[2], rule.example)
    else
      checked[rule[1]] = rule.default
    end
  end
  return checked
end

-- Checks one argument that is not in a table of options.
function options.argument(where, name, value, kind, example)
  if not kinds[kind](value) then
    core.raise("%s: %s is %s, it must be %s%s", where, name, shown(value),
               kind, example and (", such as %s"):format(example) or "")
  end
  return value
end

options.shown = shown

function options.is(kind, value) return kinds[kind](value) end

return options
