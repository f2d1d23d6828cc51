-- make_sheet.lua - digits.png and labels.txt from the source's digits.csv.gz.
--
--   lunet make_sheet.lua digits.csv.gz FOLDER
--
-- A line of the source is a digit: 64 pixels from 0 to 16, row by row, then
-- its class. The sheet has 40 digits of 8x8 pixels in a row, in the order of
-- the source; a pixel p becomes the grey value 15 p, which is exact.
local lunet = require "lunet"

local COLUMNS, SIDE, LABELS_IN_A_LINE = 40, 8, 60

local function read_digits(path)
  local pipe = assert(io.popen("gzip -dc '" .. path .. "'"))
  local digits = {}
  for line in pipe:lines() do
    local digit = {}
    for number in line:gmatch("%d+") do
      digit[#digit + 1] = math.tointeger(number)
    end
    assert(#digit == SIDE * SIDE + 1, "not a line of 65 numbers: " .. line)
    digits[#digits + 1] = digit
  end
  assert(pipe:close() and #digits > 0, "no digits in " .. path)
  return digits
end

local function make_sheet(digits)
  local height = SIDE * math.ceil(#digits / COLUMNS)
  local rows = {}
  for y = 1, height do
    rows[y] = {}
    for x = 1, COLUMNS * SIDE do rows[y][x] = 0 end
  end
  for i, digit in ipairs(digits) do
    local top = SIDE * ((i - 1) // COLUMNS)
    local left = SIDE * ((i - 1) % COLUMNS)
    for y = 1, SIDE do
      for x = 1, SIDE do
        rows[top + y][left + x] = 15 * digit[SIDE * (y - 1) + x] / 255
      end
    end
  end
  return lunet.tensor { rows }
end

local function write_labels(path, digits)
  local file = assert(io.open(path, "w"))
  for i, digit in ipairs(digits) do
    file:write(digit[#digit])
    if i % LABELS_IN_A_LINE == 0 or i == #digits then file:write("\n") end
  end
  assert(file:close())
end

local source, folder = ...
assert(folder, "usage: lunet make_sheet.lua digits.csv.gz FOLDER")
local digits = read_digits(source)
lunet.save(folder .. "/digits.png", make_sheet(digits))
write_labels(folder .. "/labels.txt", digits)
