-- scan.lua - where the end of an unfinished piece of Lua stands: within a
-- string, or within braces.

-- The place behind the comment or long string that begins at i; nil: it does
-- not end. Gives i itself where none begins.
local function after_long(text, i)
  local equals = text:match("^%[(=*)%[", i)
  if not equals then return i end
  local _, last = text:find("]" .. equals .. "]", i, true)
  return last and last + 1
end

local function after_comment(text, i)
  local behind = after_long(text, i + 2)
  if behind ~= i + 2 then return behind end
  return text:find("\n", i, true)
end

-- The place of the quote that ends the string begun at i; nil: it is open.
local function closing_quote(text, i)
  local quote, at = text:sub(i, i), i + 1
  while at <= #text do
    local c = text:sub(at, at)
    if c == quote then return at end
    if c == "\n" then return at end
    at = at + (c == "\\" and 2 or 1)
  end
end

-- { string = place of the open string's first byte, brackets = places of the
-- open brackets, outermost first, comment = true in a comment }
return function(text)
  local brackets, i = {}, 1
  while i and i <= #text do
    local c = text:sub(i, i)
    if text:find("^%-%-", i) then
      i = after_comment(text, i)
      if not i then return { brackets = brackets, comment = true } end
    elseif c == '"' or c == "'" then
      local last = closing_quote(text, i)
      if not last then return { brackets = brackets, string = i + 1 } end
      i = last + 1
    elseif c == "[" and after_long(text, i) ~= i then
      local behind = after_long(text, i)
      if not behind then return { brackets = brackets, comment = true } end
      i = behind
    else
      if c:find "[%({%[]" then
        brackets[#brackets + 1] = i
      elseif c:find "[%)}%]]" then
        brackets[#brackets] = nil
      end
      i = i + 1
    end
  end
  return { brackets = brackets }
end
