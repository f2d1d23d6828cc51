-- to_convolutional.lua - a classifier becomes a net that slides over a page.
--
-- A linear layer that reads C maps of HxW is a convolution whose kernel is as
-- large as the maps: w (K, C*H*W) viewed as (K,C,H,W). The linear layers after
-- it are convolutions of 1x1. So a net that reads one picture,
--
--   conv2d, relu, max_pool2d, flatten, linear (10)
--
-- becomes conv2d, relu, max_pool2d, conv2d (10), and on a larger page it gives
-- a map of scores: each number is what the classifier says of the window that
-- begins there, while the windows share all they have in common.
--
-- The sums are the same, so the scores are the same numbers; where a method
-- adds in another order, they differ by the rounding. That holds only where no
-- layer looks at the border of its picture. Where one does, it is refused.

local core = require "lunet_core"
local options = require "lunet.options"

-- What is known on the way through the net:
--   builder, index   the nodes of the core net, and the one we are at
--   shape            of the input of the next layer, without the batch
--   flat             the maps that flatten made a row of, until a linear layer
--                    weighs them
--   step             pixels of the page from one window to the next
--   made             layer -> the new one, for layers that stand twice
local function refuse(at, reason, ...)
  core.raise("nn.to_convolutional: %s " .. reason, at.label, ...)
end

-- The same layer with the same weights, but for some options.
local function copy(layer, name, changes)
  local o = layer:options()
  for option, value in pairs(changes or {}) do o[option] = value end
  o.name = name
  local new = require("lunet.nn")[layer.word](o)
  new:load_state(layer:state())
  return new
end

-- ---- layers, by what they look at ------------------------------------------

local convert = {}

-- Each number for itself.
local function each_number(_, layer, name) return copy(layer, name) end

for _, word in ipairs { "relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid",
                        "tanh", "softplus", "hardswish", "dropout" } do
  convert[word] = each_number
end

-- All channels of a place, or each channel by its own rule.
local function each_place(at, layer, name)
  if at.flat then
    refuse(at, "stands between flatten and linear, where places and channels "
           .. "are one row\n  try it before flatten or after linear")
  end
  local dim = layer:options().dim
  if dim and dim ~= 2 then
    refuse(at, "goes along dim %d; only dim 2, the channels, is the same in "
           .. "each window", dim)
  end
  return copy(layer, name)
end

for _, word in ipairs { "batch_norm2d", "local_response_norm", "prelu",
                        "softmax", "log_softmax" } do
  convert[word] = each_place
end

local function check_padding(at, padding)
  local p = type(padding) == "table" and padding or { padding, padding }
  if p[1] == "valid" or p[1] == 0 and p[2] == 0 then return end
  refuse(at, "has padding = %s: on a page there are neighbours where the "
         .. "window has zeros\n  try training with padding = 0",
         p[1] == p[2] and p[1] or ("{%s, %s}"):format(p[1], p[2]))
end

-- With ceil_mode a last window may hang out over the border.
local function check_whole_windows(at, o)
  for i = 1, 2 do
    local size, dilation = at.shape[i + 1], o.dilation and o.dilation[i] or 1
    local reach = dilation * (o.kernel_size[i] - 1) + 1
    if (size - reach) % o.stride[i] ~= 0 then
      refuse(at, "has ceil_mode, and its last window hangs out over the "
             .. "border: (%d - %d) is no multiple of %d\n  try training "
             .. "with ceil_mode = false", size, reach, o.stride[i])
    end
  end
end

-- A window that is slid.
local function window(at, layer, name)
  local o = layer:options()
  check_padding(at, o.padding)
  if o.ceil_mode then check_whole_windows(at, o) end
  for i = 1, 2 do at.step[i] = at.step[i] * o.stride[i] end
  return copy(layer, name, { ceil_mode = o.ceil_mode and false })
end

for _, word in ipairs { "conv2d", "max_pool2d", "avg_pool2d" } do
  convert[word] = window
end

-- The mean of all places is the mean of a window as large as the maps.
function convert.global_avg_pool2d(at, _, name)
  return require("lunet.nn").avg_pool2d {
    kernel_size = { at.shape[2], at.shape[3] }, stride = 1, name = name }
end

function convert.adaptive_avg_pool2d(at, layer, name)
  local size = layer:options().output_size
  if size[1] ~= 1 or size[2] ~= 1 then
    refuse(at, "has output_size = {%d, %d}; its cells grow with the page\n"
           .. "  try output_size = 1, or avg_pool2d", size[1], size[2])
  end
  return convert.global_avg_pool2d(at, layer, name)
end

-- Is left out, but remembered if more than one place becomes a row.
function convert.flatten(at)
  local _, rows, columns = table.unpack(at.shape)
  if rows and rows * columns > 1 then at.flat = at.shape end
end

function convert.linear(at, layer, name)
  local o = layer:options()
  local maps = at.flat or { o.in_features, 1, 1 }
  at.flat = nil
  local conv = require("lunet.nn").conv2d {
    in_channels = maps[1], out_channels = o.out_features, bias = o.bias,
    kernel_size = { maps[2], maps[3] }, name = name }
  conv.weight:copy(layer.weight:view { o.out_features, table.unpack(maps) })
  if o.bias then conv.bias:copy(layer.bias) end
  return conv
end

-- ---- the net ---------------------------------------------------------------

-- Goes on to the next layer: at.label names it.
local function enter(at)
  at.index = at.index + 1
  at.label = at.builder.nodes[at.index].label
end

-- Its output is the input of the next one.
local function leave(at)
  local shape = at.builder.net:node_info(at.index).shape
  at.shape = table.move(shape, 2, #shape, 1, {})
end

local function convert_layer(at, layer, name)
  enter(at)
  local by_word = convert[layer.word]
  if not by_word then
    refuse(at, "is not known to do the same in each window of a page")
  end
  local new = by_word(at, layer, name)
  leave(at)
  return new
end

local function convert_sequential(at, net, name)
  local parts = { name = name }
  for _, part in ipairs(net.list) do
    local m = part.module
    local how = m.core_layer and convert_layer or convert_sequential
    local new = how(at, m, part.name)
    at.made[m] = at.made[m] or new
    parts[#parts + 1] = at.made[m]
  end
  return require("lunet.nn").sequential(parts)
end

local function check_sequential(net)
  if type(net) ~= "table" or net.word ~= "sequential" then
    core.raise("nn.to_convolutional takes a net of nn.sequential, got %s",
               type(net) == "table" and net.word or type(net))
  end
  for _, part in ipairs(net.list) do
    if not part.module.core_layer then check_sequential(part.module) end
  end
end

local function check_shape(shape)
  if type(shape) ~= "table" or #shape ~= 3 then
    core.raise("nn.to_convolutional: the input must be a picture {channels, "
               .. "rows, columns}, such as {1, 28, 28}")
  end
end

-- From a net that reads pictures of input_shape {C, H, W}: a new net, in
-- evaluation mode and with copies of the weights, that reads larger pages and
-- gives (N,K,rows,columns); and {rows, columns}, the pixels from one window to
-- the next.
return function(net, input_shape)
  options.argument("nn.to_convolutional", "net", net, "a net")
  check_sequential(net)
  check_shape(input_shape)
  net:build(input_shape)
  local _, builder = net:core_net()
  local at = { builder = builder, index = 0, shape = input_shape,
               step = { 1, 1 }, made = {} }
  local new = convert_sequential(at, net, net.name)
  if at.flat then
    core.raise("nn.to_convolutional: the net ends with flatten, whose numbers "
               .. "belong to places in the window; a linear layer must follow")
  end
  return new:eval(), at.step
end
