-- numbers.lua - numbers and places as the explanations write them.

local numbers = {}

-- Four digits, and no minus before a zero or before what is no number.
function numbers.text(value)
  if value ~= value then return "nan" end
  if value == 0 then return "0" end
  return ("%.4g"):format(value)
end

-- A factor: "(-1)" where a minus would run into the dot before it.
function numbers.factor(value)
  local text = numbers.text(value)
  return text:sub(1, 1) == "-" and "(" .. text .. ")" or text
end

function numbers.product(a, b)
  return numbers.factor(a) .. "·" .. numbers.factor(b)
end

-- { 1, 2 } -> "[1][2]", as Lua writes the place of an element.
function numbers.place(list)
  return #list > 0 and "[" .. table.concat(list, "][") .. "]" or ""
end

-- The same counted from 0, as the lecture does: "[0,1]".
function numbers.lecture(list)
  local counted = {}
  for i, place in ipairs(list) do counted[i] = place - 1 end
  return "[" .. table.concat(counted, ",") .. "]"
end

-- Joins terms with " + ", in lines of at most 78 columns.
function numbers.sum(start, terms, behind)
  local lines, line = {}, start
  for i, term in ipairs(terms) do
    local piece = (i > 1 and " + " or " ") .. term
    if utf8.len(line) + utf8.len(piece) > 78 then
      lines[#lines + 1] = line
      line, piece = "   ", piece:gsub("^ %+", " +")
    end
    line = line .. piece
  end
  if utf8.len(line) + utf8.len(behind) > 78 then
    lines[#lines + 1] = line
    line = "   "
  end
  lines[#lines + 1] = line .. behind
  return table.concat(lines, "\n")
end

return numbers
