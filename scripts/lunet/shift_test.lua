-- shift_test.lua - how far do a net's features or predictions move when the
-- picture is shifted?
--
-- A convolution moves along with the picture: its output is shifted as well.
-- What pooling does about that, and how much, is measured here, in the eight
-- directions of a chess king.

local core = require "lunet_core"
local options = require "lunet.options"
local shifted = require "lunet.shifted"

local directions = { { -1, -1 }, { -1, 0 }, { -1, 1 }, { 0, -1 }, { 0, 1 },
                     { 1, -1 }, { 1, 0 }, { 1, 1 } }

-- For how many pictures are the outputs a and b the same bits?
local function count_same(a, b)
  local n = a:shape()[1]
  local largest = (a - b):abs():view { n, a:numel() // n }:max(2)
  return largest:eq(0):sum()
end

local function count_same_class(a, b)
  return a:argmax(2):eq(b:argmax(2)):sum()
end

-- One row of the result: what a shift by so many pixels does.
local function measure(net, x, before, by)
  local squares, same, same_class = 0, 0, 0
  local is_score = before:dim() == 2
  for _, d in ipairs(directions) do
    local after = net:predict(shifted(x, by * d[1], by * d[2]))
    local difference = after - before
    squares = squares + (difference * difference):sum()
    same = same + count_same(before, after)
    same_class = same_class + (is_score and count_same_class(before, after)
                               or 0)
  end
  local pictures = #directions * x:shape()[1]
  return {
    shift = by,
    moved = math.sqrt(squares / (#directions * (before * before):sum())),
    unchanged = same / pictures,
    same_class = is_score and same_class / pictures or nil,
  }
end

local function check(net, x, most)
  options.argument("shift_test", "net", net, "a net")
  options.argument("shift_test", "x", x, "a tensor")
  options.argument("shift_test", "most", most, "a whole number", "3")
  local shape = x:shape()
  if #shape ~= 4 or x:numel() == 0 then
    core.raise("shift_test: x must hold pictures (N,C,H,W), it has shape (%s)",
               table.concat(shape, ","))
  end
  local room = math.min(shape[3], shape[4]) - 1
  if most < 1 or most > room then
    core.raise("shift_test: a shift by %d pixels; pictures of %dx%d can be "
               .. "shifted by 1 .. %d", most, shape[3], shape[4], room)
  end
end

-- Shifts the pictures x by 1 .. most pixels, and gives a row for each:
--   moved       length of the outputs' change over length of the outputs
--   unchanged   share of the pictures whose output is the same to the last bit
--   same_class  share whose highest score stays that of the same class; only
--               where the net gives scores (N,classes)
return function(net, x, most)
  check(net, x, most)
  local before, rows = net:predict(x), {}
  for by = 1, most do rows[by] = measure(net, x, before, by) end
  return rows
end
