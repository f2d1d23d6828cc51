-- receptive_field.lua - which part of the image a unit of a layer sees, worked
-- out from the windows of the layers before it.
--
-- Along one axis, with places counted from 1, the unit at place o sees
--   start + (o - 1) * jump   and the  size - 1  places behind it.
-- For the image itself size, jump and start are 1. A window of `kernel` places
-- that lie `dilation` apart, moved by `stride` and begun `pad` before the
-- input, makes of the field of its input that of its output:
--   size  = size + (kernel - 1) * dilation * jump
--   start = start - pad * jump
--   jump  = jump * stride
-- Where branches meet, the fields are joined: from the first place of any to
-- the last of any. A layer without a window leaves the field as it is if it
-- keeps the rows and columns, as a relu does; else, as after flatten, each of
-- its units sees all that any unit before it sees, which is the whole image but
-- for rows that no window reads; jump is 0.
--
-- Source: Araujo, Norris and Sim, "Computing receptive fields of convolutional
-- neural networks", Distill 2019; they count places from 0.

local core = require "lunet_core"

local receptive_field = {}

-- The sizes of the image in a shape (N,C,H,W): {H, W}.
local function image_of(shape) return table.move(shape, 3, #shape, 1, {}) end

local function same_list(a, b)
  return table.concat(a, ",") == table.concat(b, ",")
end

-- ---- fields: a list of { size, jump, start }, one an axis ----------------

local function of_the_image(image)
  local field = {}
  for i = 1, #image do field[i] = { size = 1, jump = 1, start = 1 } end
  return field
end

-- What all units together see of an image; `units` says how many there are
-- along each axis.
local function of_all(field, units, image)
  local all = {}
  for i, axis in ipairs(field) do
    local last = axis.start + ((units[i] or 1) - 1) * axis.jump + axis.size - 1
    local first = math.max(axis.start, 1)
    all[i] = { start = first, jump = 0,
               size = math.min(last, image[i]) - first + 1 }
  end
  return all
end

function receptive_field.is_whole(field)
  for _, axis in ipairs(field) do
    if axis.jump ~= 0 then return false end
  end
  return true
end

-- `windows` belong to the last axes.
local function through(field, windows)
  local seen = table.move(field, 1, #field, 1, {})
  for i, w in ipairs(windows) do
    local place = #field - #windows + i
    local axis = field[place]
    seen[place] = {
      size = axis.size + (w.kernel - 1) * w.dilation * axis.jump,
      start = axis.start - w.pad_before * axis.jump,
      jump = axis.jump * w.stride,
    }
  end
  return seen
end

-- Fields that move by different jumps have no one size: then all is seen.
local function join_axis(a, b, image_size)
  if a.jump ~= b.jump then return { size = image_size, jump = 0, start = 1 } end
  local start = math.min(a.start, b.start)
  local behind = math.max(a.start + a.size, b.start + b.size)
  return { size = behind - start, jump = a.jump, start = start }
end

local function join(a, b, image)
  if not a or not b then return a or b end
  local joined = {}
  for i, size in ipairs(image) do joined[i] = join_axis(a[i], b[i], size) end
  return joined
end

-- ---- the graph -----------------------------------------------------------

-- What an output of this node sees through its k-th input.
local function through_input(core_net, node, info, k, field, image)
  if k == 1 and info.window and not receptive_field.is_whole(field) then
    return through(field, info.window)
  end
  local x = image_of(core_net:shape(node.inputs[k]))
  local y = image_of(info.shape)
  return same_list(x, y) and field or of_all(field, x, image)
end

local function of_node(core_net, node, info, fields, image)
  local field
  for k, value in ipairs(node.inputs) do
    local before = fields[value]
    if before then
      local seen = through_input(core_net, node, info, k, before, image)
      field = join(field, seen, image)
    end
  end
  return field
end

local function check(core_net, input)
  local shape = core_net:shape(input - 1)
  if not shape then
    core.raise("receptive_field: the sizes are not known yet\n  call "
               .. "net:build{…} with the shape of one item first")
  end
  return shape
end

-- One field a node of the net, false where it does not see this input (from
-- 1); nil where the input is no image.
function receptive_field.of_nodes(net, input)
  local core_net, builder = net:core_net()
  local image = image_of(check(core_net, input))
  if #image == 0 then return nil end
  local fields, list = { [input - 1] = of_the_image(image) }, {}
  for i, node in ipairs(builder.nodes) do
    local info = core_net:node_info(i)
    local field = of_node(core_net, node, info, fields, image)
    list[i] = field or false
    for k = 0, node.n_outputs - 1 do fields[node.value + k] = field end
  end
  return list
end

-- ---- for the user --------------------------------------------------------

function receptive_field.check_input(net, input)
  if math.type(input) ~= "integer" or input < 1 or input > net:n_inputs() then
    core.raise("receptive_field: input %s does not exist; the net has %d",
               tostring(input), net:n_inputs())
  end
end

function receptive_field.refuse_no_image(net, input)
  core.raise("receptive_field: the input has shape (%s), which is no image: "
             .. "(N,C,H,W) or (N,C,L)",
             table.concat(check(net:core_net(), input), ","))
end

-- The field of a node (left out: the last) as { size = {h, w}, jump, start }.
function receptive_field.computed(net, node, input)
  receptive_field.check_input(net, input)
  local fields = receptive_field.of_nodes(net, input)
  if not fields then receptive_field.refuse_no_image(net, input) end
  local field = fields[node or #fields]
  if not field then return nil end
  local result = { size = {}, jump = {}, start = {} }
  for i, axis in ipairs(field) do
    for name, list in pairs(result) do list[i] = axis[name] end
  end
  return result
end

return receptive_field
