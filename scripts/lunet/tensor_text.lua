-- tensor_text.lua - how print shows a tensor: its shape; its numbers in rows,
-- aligned, with … where something is left out; and then also the least, the
-- mean and the largest of all that are finite, and how many are not.

local core = require "lunet_core"

local most_entries = 6  -- of a row, and rows of a matrix
local most_matrices = 4 -- of a tensor with more than two dims
local digits = 4        -- significant ones of the largest number

local cut = "…"

-- The places 1 .. size, or the first and last of them with a cut between.
local function places(size, most)
  local list = {}
  local first = size <= most and size or most - most // 2
  for i = 1, first do list[i] = i end
  if size <= most then return list end
  list[first + 1] = cut
  for i = size - most // 2 + 1, size do list[#list + 1] = i end
  return list
end

-- ---- what is shown ----------------------------------------------------------

-- The shown entries along the first dim of t, each read by `read`.
local function entries(t, read)
  local list = {}
  for k, i in ipairs(places(#t, most_entries)) do
    list[k] = i == cut and cut or read(t[i])
  end
  return list
end

local function row(t)
  return entries(t, function(number) return number end)
end

-- The k-th matrix of t, row by row, and its title "[1][3]".
local function nth_matrix(t, k)
  local shape, place, left = t:shape(), {}, k - 1
  for d = #shape - 2, 1, -1 do
    place[d] = left % shape[d] + 1
    left = left // shape[d]
  end
  for _, i in ipairs(place) do t = t[i] end
  local title = #place > 0 and "[" .. table.concat(place, "][") .. "]" or nil
  return { title = title, rows = entries(t, row) }
end

local function matrices(t)
  local shape, count, list = t:shape(), 1, {}
  if #shape == 0 then return { { rows = { { t:item() } } } } end
  if #shape == 1 then return { { rows = { row(t) } } } end
  for d = 1, #shape - 2 do count = count * shape[d] end
  for i, k in ipairs(places(count, most_matrices)) do
    list[i] = k == cut and { title = cut, rows = {} } or nth_matrix(t, k)
  end
  return list
end

-- ---- as text ----------------------------------------------------------------

local function each_number(list, f)
  for _, matrix in ipairs(list) do
    for _, numbers in ipairs(matrix.rows) do
      for _, number in ipairs(numbers ~= cut and numbers or {}) do
        if number ~= cut then f(number) end
      end
    end
  end
end

-- One format for all, so that they can be compared at a glance.
local function common_format(list)
  local largest, whole = 0, true
  each_number(list, function(number)
    if number - number ~= 0 then return end -- infinite or not a number
    largest = math.max(largest, math.abs(number))
    whole = whole and number % 1 == 0
  end)
  if whole and largest < 1e6 then return "%.0f" end
  if largest >= 1e5 or largest < 1e-3 then return "%.3e" end
  local exponent = math.floor(math.log(largest, 10))
  return ("%%.%df"):format(math.max(1, digits - 1 - exponent))
end

local function number_text(number, format)
  if number ~= number then return "nan" end
  if number == 0 then number = 0.0 end -- no minus before a zero
  return format:format(number)
end

local function widest_text(list, format)
  local widest = 1
  each_number(list, function(number)
    widest = math.max(widest, #number_text(number, format))
  end)
  return widest
end

local function row_text(numbers, format, width)
  if numbers == cut then return "  " .. cut end
  local texts = {}
  for i, number in ipairs(numbers) do
    local text = number == cut and cut or number_text(number, format)
    texts[i] = (" "):rep(2 + width - utf8.len(text)) .. text
  end
  return table.concat(texts)
end

local function add_lines(lines, list)
  local format = common_format(list)
  local width = widest_text(list, format)
  for _, matrix in ipairs(list) do
    lines[#lines + 1] = matrix.title
    for _, numbers in ipairs(matrix.rows) do
      lines[#lines + 1] = row_text(numbers, format, width)
    end
  end
end

-- "min -1   mean 0.2   max 3", of the finite numbers; how many are not.
local function summary(t)
  local h = core.histogram(t, -1, 1, 1)
  local parts = {}
  if h.min then
    parts[1] = ("min %.4g   mean %.4g   max %.4g"):format(h.min, h.mean, h.max)
  end
  if h.not_finite > 0 then
    parts[#parts + 1] = ("%d of %d not finite"):format(h.not_finite, t:numel())
  end
  return table.concat(parts, "   ")
end

return function(t)
  local title = ("tensor (%s)"):format(table.concat(t:shape(), ","))
  if t:numel() == 0 then return title .. ", empty" end
  local list, shown = matrices(t), 0
  each_number(list, function() shown = shown + 1 end)
  local lines = { title }
  add_lines(lines, list)
  if shown < t:numel() then lines[#lines + 1] = summary(t) end
  return table.concat(lines, "\n")
end
