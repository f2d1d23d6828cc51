-- tie.lua - from filters of each place to shared filters, and back.
--
--   nn.tie(locally_connected) -> conv2d     its filters: the mean over places
--   nn.untie(conv, input_size) -> locally_connected2d     a copy at each place
--
-- Untied, a convolution gives the same numbers as before; only when it learns
-- do its places go different ways. The gradient of a shared filter is the sum
-- of what its copies would get.

local core = require "lunet_core"
local layer = require "lunet.layer"
local options = require "lunet.options"

local tie = {}

-- The layer, if it is one of this word whose weights exist.
local function expect(where, given, word)
  local is_layer = type(given) == "table" and getmetatable(given) == layer
  if not is_layer or given.word ~= word then
    core.raise("nn.%s takes a layer nn.%s{ … }; got %s", where, word,
               is_layer and "nn." .. given.word or type(given))
  end
  given:parameters() -- an error where they do not exist yet
  return given, given:options()
end

-- A new layer of this word with those options that both kinds have.
local function sibling(word, source, changes)
  local given = { name = source.name }
  local from = source:options()
  for _, name in ipairs { "in_channels", "out_channels", "kernel_size",
                          "stride", "padding", "bias", "strict" } do
    given[name] = from[name]
  end
  for name, value in pairs(changes) do given[name] = value end
  return layer.new(word, given)
end

-- A convolution whose filters (and bias) are the mean over the places of a
-- locally_connected2d.
function tie.tie(locally_connected)
  local own = expect("tie", locally_connected, "locally_connected2d")
  local conv = sibling("conv2d", own, {})
  local OH, OW, K, C, KH, KW = table.unpack(own.weight:shape())
  local filters = own.weight:view { OH * OW, K * C * KH * KW }
  conv.weight:copy(filters:mean(1):view { K, C, KH, KW })
  if own.bias then
    conv.bias:copy(own.bias:view { K, OH * OW }:mean(2))
  end
  return conv
end

-- ---- untie -----------------------------------------------------------------

local function as_pair(size)
  if math.type(size) == "integer" then return { size, size } end
  local right = type(size) == "table" and #size == 2
                and options.is("a whole number", size[1])
                and options.is("a whole number", size[2])
  if right then return size end
  core.raise("nn.untie: input_size must be one whole number or {rows, "
             .. "columns}, such as nn.untie(conv, {28, 28})")
end

local function refuse_options_of_conv_alone(from)
  if from.groups ~= 1 then
    core.raise("nn.untie: groups = %d, but locally_connected2d has no groups: "
               .. "each of its filters sees all channels", from.groups)
  end
  local D = from.dilation
  if D[1] ~= 1 or D[2] ~= 1 then
    core.raise("nn.untie: dilation = {%d, %d}, but the filters of "
               .. "locally_connected2d are not spread: only dilation = 1 can "
               .. "be untied", D[1], D[2])
  end
end

-- The padding as two numbers: "same" is half a kernel, if that is whole.
local function padding_of(from)
  if from.padding == "valid" then return { 0, 0 } end
  if from.padding ~= "same" then return from.padding end
  local KH, KW = table.unpack(from.kernel_size)
  if KH % 2 == 0 or KW % 2 == 0 then
    core.raise("nn.untie: padding = \"same\" with a kernel of %dx%d puts an "
               .. "odd row or column on one side, which locally_connected2d "
               .. "cannot; only odd kernels can be untied", KH, KW)
  end
  return { KH // 2, KW // 2 }
end

-- A locally_connected2d for images of input_size (one number or {rows,
-- columns}) with the filters (and bias) of the convolution at every place.
function tie.untie(conv, input_size)
  local own, from = expect("untie", conv, "conv2d")
  refuse_options_of_conv_alone(from)
  local unshared = sibling("locally_connected2d", own,
    { input_size = as_pair(input_size), padding = padding_of(from) })
  unshared.weight:copy(own.weight + core.zeros(unshared.weight:shape()))
  if own.bias then
    local K = own.bias:shape()[1]
    unshared.bias:copy(own.bias:view { K, 1, 1 }
                       + core.zeros(unshared.bias:shape()))
  end
  return unshared
end

return tie
