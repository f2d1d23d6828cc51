-- comment.lua - what the source says of a Lua function: the comment above it,
-- its options, its lines.

local comment = {}

local function lines_of(path)
  local file, lines = io.open(path), {}
  if not file then return nil end
  for line in file:lines() do lines[#lines + 1] = line end
  file:close()
  return lines
end

-- The path and the first and last line of a function that lies in a file.
local function place_of(f)
  local about = debug.getinfo(f, "S")
  local path = about.source:match "^@(.*)"
  if path and about.linedefined > 0 then
    return path, about.linedefined, about.lastlinedefined
  end
end

-- The comment that ends at line `last`, without its dashes.
local function block_above(lines, last)
  local first = last
  while first >= 1 and lines[first]:find "^%s*%-%-" do first = first - 1 end
  local text = {}
  for i = first + 1, last do
    text[#text + 1] = lines[i]:match "^%s*%-%- ?(.*)$"
  end
  return table.concat(text, "\n")
end

local function head_of(lines)
  local last = 0
  while lines[last + 1] and lines[last + 1]:find "^%-%-" do last = last + 1 end
  return block_above(lines, last)
end

-- The head of a file, without the file's name; "" where there is none.
function comment.of_file(path)
  local lines = lines_of(path)
  return lines and head_of(lines):gsub("^[%w_]+%.lua %- ", "") or ""
end

-- The comment above the function; of a file that returns it as a whole, else
-- the head of that file. "" where there is none.
function comment.of(f)
  local path, first = place_of(f)
  local lines = path and lines_of(path)
  if not lines then return "" end
  local text = block_above(lines, first - 1)
  if text == "" and lines[first]:find "^return function" then
    return comment.of_file(path)
  end
  return text
end

-- The names of the parameters: "net, train, given".
function comment.parameters(f)
  local about, names = debug.getinfo(f, "u"), {}
  for i = 1, about.nparams do names[i] = debug.getlocal(f, i) end
  if about.isvararg then names[#names + 1] = "…" end
  if names[1] == "self" then table.remove(names, 1) end
  return table.concat(names, ", ")
end

-- Path, first line and text of the function's source; nil: it is not Lua, or
-- was typed.
function comment.source(f)
  local path, first, last = place_of(f)
  local lines = path and lines_of(path)
  if not lines then return nil end
  if lines[first]:find "^return function" then first = 1 end -- the whole file
  while first > 1 and lines[first - 1]:find "^%s*%-%-" do first = first - 1 end
  return path, first, table.concat(lines, "\n", first, last)
end

-- ---- options --------------------------------------------------------------

local function is_rules(t)
  local first = type(t) == "table" and rawget(t, 1)
  return type(first) == "table" and type(first[1]) == "string" and
         type(first[2]) == "string"
end

-- The rules (see options.lua) that the function checks its options by: it, or
-- a function that it calls, holds them.
function comment.rules(f, depth)
  depth = depth or 0
  local inner = {}
  for i = 1, 60 do
    local name, value = debug.getupvalue(f, i)
    if not name then break end
    if is_rules(value) then return value end
    if type(value) == "function" then inner[#inner + 1] = value end
  end
  if depth == 2 then return nil end
  for _, g in ipairs(inner) do
    local rules = comment.rules(g, depth + 1)
    if rules then return rules end
  end
end

return comment
