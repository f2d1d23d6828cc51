-- item_shapes.lua - the shapes of one item, as net:build{ 3, 32, 32 } and
-- net:why_shape take them, checked, and with a batch of 1 put in front.

local core = require "lunet_core"
local options = require "lunet.options"

local item_shapes = {}

-- "\n  of this one that is {3, 32, 32}", for who gives a batch.
local function without_batch(t)
  if not core.is_tensor(t) or t:dim() < 2 then return "" end
  local shape = t:shape()
  return ("\n  of this one it is {%s}"):format(table.concat(shape, ", ", 2))
end

local function check(what, shape)
  if type(shape) ~= "table" or options.is_object(shape) then
    core.raise("%s takes the shape of one item, without the batch N, such as "
               .. "{1, 28, 28}; got %s%s", what, options.shown(shape),
               without_batch(shape))
  end
  for i = 1, #shape do
    local size = shape[i]
    if type(size) ~= "number" or not math.tointeger(size) or size < 0 then
      core.raise("%s: size %d of the shape is %s; sizes are whole numbers >= 0",
                 what, i, options.shown(size))
    end
  end
end

-- Of each argument: { 3, 32, 32 } -> { 1, 3, 32, 32 }.
function item_shapes.with_batch(what, ...)
  local list = {}
  for i = 1, select("#", ...) do
    local shape = select(i, ...)
    check(what, shape)
    list[i] = table.move(shape, 1, #shape, 2, { 1 })
  end
  return list
end

-- f(...), of whose errors one would mislead here: that a batch is missing.
function item_shapes.run(f, ...)
  local fine, why = pcall(f, ...)
  if fine then return end
  error(tostring(why):gsub("\n  the first dim is the batch N:.*$",
    "\n  the batch N is added to what is given: an image is {C, H, W}"), 0)
end

return item_shapes
