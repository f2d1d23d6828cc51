-- shifted.lua - pictures moved by whole pixels; zeros come in.

local core = require "lunet_core"

-- Where the rows 1 .. size go when they are shifted: first place in the old
-- picture, first place in the new one, how many stay inside.
local function overlap(size, by)
  return math.max(1, 1 - by), math.max(1, 1 + by), size - math.abs(by)
end

-- The pictures x (N,C,H,W), moved down and to the right.
return function(x, down, right)
  local shape = x:shape()
  local y = core.zeros(shape)
  local from_row, to_row, rows = overlap(shape[3], down)
  local from_column, to_column, columns = overlap(shape[4], right)
  y:narrow(3, to_row, rows):narrow(4, to_column, columns):copy(
    x:narrow(3, from_row, rows):narrow(4, from_column, columns))
  return y
end
