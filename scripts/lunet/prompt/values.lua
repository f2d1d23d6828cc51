-- values.lua - how the prompt shows a result. print would show a table as its
-- address; here it is { 1, 2, name = "…" }, cut where it gets long.

local values = {}

local most_entries, most_depth, most_width = 20, 3, 76

local text_of

local function key_text(key)
  if type(key) == "string" and key:find "^[%a_][%w_]*$" then return key end
  return "[" .. text_of(key, most_depth, {}) .. "]"
end

-- Numbers first, then by name.
local function sorted_keys(t)
  local keys = {}
  for key in next, t do
    local place = math.type(key) == "integer" and key >= 1 and key <= #t
    if not place then keys[#keys + 1] = key end
  end
  table.sort(keys, function(a, b)
    if type(a) == type(b) and (type(a) == "number" or type(a) == "string") then
      return a < b
    end
    return type(a) .. tostring(a) < type(b) .. tostring(b)
  end)
  return keys
end

local function entries_of(t, depth, open)
  local parts, keys = {}, sorted_keys(t)
  for i = 1, math.min(#t, most_entries) do
    parts[i] = text_of(rawget(t, i), depth + 1, open)
  end
  for i = 1, math.min(#keys, most_entries - #parts) do
    parts[#parts + 1] = key_text(keys[i]) .. " = " ..
                        text_of(rawget(t, keys[i]), depth + 1, open)
  end
  local left = #t + #keys - #parts
  if left > 0 then parts[#parts + 1] = ("… %d more"):format(left) end
  return parts
end

local function table_text(t, depth, open)
  if open[t] then return "{ itself }" end
  if next(t) == nil then return "{}" end
  if depth >= most_depth then return "{…}" end
  open[t] = true
  local parts = entries_of(t, depth, open)
  open[t] = nil
  local line = "{ " .. table.concat(parts, ", ") .. " }"
  if utf8.len(line) and utf8.len(line) <= most_width and
     not line:find "\n" then
    return line
  end
  local indent = ("  "):rep(depth + 1)
  for i, part in ipairs(parts) do parts[i] = indent .. part end
  return "{\n" .. table.concat(parts, ",\n") .. "\n" .. ("  "):rep(depth) .. "}"
end

local function is_plain(t)
  local class = getmetatable(t)
  return class == nil or type(class) == "table" and
         rawget(class, "__tostring") == nil and rawget(class, "__name") == nil
end

-- One line for what would fill several: a tensor or a net within a table.
local function inner_text(v)
  local text = tostring(v)
  return text:match "^([^\n]*)\n" and text:match "^[^\n]*" .. " …" or text
end

function text_of(v, depth, open)
  if type(v) == "string" then return ("%q"):format(v):gsub("\\\n", "\\n") end
  if type(v) == "table" and is_plain(v) then
    return table_text(v, depth, open)
  end
  return inner_text(v)
end

-- A result as text, for a line of its own.
function values.text(v)
  if type(v) == "table" and is_plain(v) then return table_text(v, 0, {}) end
  return tostring(v)
end

return values
