-- names_of.lua - the names that a value answers to, for completion and help.
--
-- What a value's metatable finds by a function cannot be listed; so classes
-- say what is there: their metatable's __names(value) is a list of names, or
-- of tables whose keys are names. Else it is the keys of the value, and of the
-- tables that its metatable names by __index.

local function add_keys(names, t)
  for key in next, t do
    if type(key) == "string" and key:find "^[%a_][%w_]*$" then
      names[key] = true
    end
  end
end

local function add_listed(names, list)
  for _, entry in ipairs(list) do
    if type(entry) == "table" then
      add_keys(names, entry)
    else
      names[entry] = true
    end
  end
end

local function add_names(names, value, depth)
  local class = debug.getmetatable(value)
  local list = type(class) == "table" and rawget(class, "__names")
  if list then return add_listed(names, list(value)) end
  if type(value) == "table" then add_keys(names, value) end
  local index = type(class) == "table" and rawget(class, "__index")
  if type(index) == "table" and depth < 10 then
    add_names(names, index, depth + 1)
  end
end

-- A sorted list. Names that begin with _ are not meant for users.
return function(value)
  local names, list = {}, {}
  add_names(names, value, 0)
  for name in pairs(names) do
    if name:sub(1, 1) ~= "_" then list[#list + 1] = name end
  end
  table.sort(list)
  return list
end
