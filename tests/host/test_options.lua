-- test_options.lua - the option table says all that the layers of this project
-- and its optimizers need: tests/fixtures/plugins/every_option.c has a layer
-- for each row of their list, and every legal form of every option is parsed
-- and read back, every illegal one refused.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local shell = require "support.shell"
local nn = lunet.nn

local folder = shell.temporary_folder()
shell.lines("cc -shared -fPIC -Icore/include "
            .. "tests/fixtures/plugins/every_option.c -o %s/every_option.so",
            folder)
lunet.plugins.load(folder .. "/every_option.so")

-- The options that must be given, where a row has some.
local needed = {
  conv2d = { in_channels = 3, out_channels = 4, kernel_size = 5 },
  max_pool1d = { kernel_size = 2 }, avg_pool2d = { kernel_size = 2 },
  pad = { padding = { 1, 2, 3, 4 } }, upsample = { scale_factor = 2 },
  norm = { num_groups = 2, normalized_shape = 7 },
}

-- Row, option, what a script writes, what is read back (nil: the same).
local legal = {
  { "conv2d", "kernel_size", 3, { 3, 3 } },
  { "conv2d", "kernel_size", { 3, 2 } },
  { "conv2d", "stride", nil, { 1, 1 } },
  { "conv2d", "stride", { 1, 2 } },
  { "conv2d", "padding", nil, { 0, 0 } },
  { "conv2d", "padding", 2, { 2, 2 } },
  { "conv2d", "padding", { 0, 2 } },
  { "conv2d", "padding", "same" },
  { "conv2d", "padding", "valid" },
  { "conv2d", "dilation", { 3, 1 } },
  { "conv2d", "output_padding", 1, { 1, 1 } },
  { "conv2d", "groups", 3 },
  { "conv2d", "bias", nil, true },
  { "conv2d", "bias", false },
  { "max_pool1d", "kernel_size", 3, { 3 } },
  { "max_pool1d", "kernel_size", { 3 } },
  { "max_pool1d", "stride", nil, { 2 } }, -- as the kernel_size
  { "max_pool1d", "stride", 1, { 1 } },
  { "max_pool1d", "padding", 1, { 1 } },
  { "max_pool1d", "dilation", 2, { 2 } },
  { "max_pool1d", "ceil_mode", true },
  { "avg_pool2d", "stride", nil, { 2, 2 } },
  { "avg_pool2d", "stride", { 3, 1 } },
  { "avg_pool2d", "count_include_pad", nil, true },
  { "avg_pool2d", "count_include_pad", false },
  { "local", "input_size", { 28, 27 } },
  { "local", "input_size", 28, { 28, 28 } },
  { "local", "in_channels", 3 },
  { "local", "output_size" }, -- left out: nothing to read back
  { "local", "output_size", { 4, 3 } },
  { "pad", "padding", { 1, 2, 3, 4 } },
  { "pad", "padding", { 1, 2, 3, 4, 5, 6 } },
  { "pad", "mode", nil, "constant" },
  { "pad", "mode", "reflect" },
  { "pad", "mode", "replicate" },
  { "pad", "value", 1.5 },
  { "pad", "value", -2 },
  { "upsample", "scale_factor", 3, { 3, 3 } },
  { "upsample", "scale_factor", { 2, 4 } },
  { "upsample", "mode", "bilinear" },
  { "activation", "alpha", 0.5 },
  { "activation", "threshold", nil, 20 },
  { "activation", "negative_slope", 0.25 },
  { "activation", "beta", 2 },
  { "activation", "approximate", nil, "none" },
  { "activation", "approximate", "tanh" },
  { "activation", "num_parameters", 17 },
  { "activation", "dim", nil, 2 },
  { "activation", "dim", 3 },
  { "norm", "num_features", 64 },
  { "norm", "num_groups", 4 },
  { "norm", "num_channels", 8 },
  { "norm", "size", 3 },
  { "norm", "normalized_shape", 33, { 33 } },
  { "norm", "normalized_shape", { 5, 7, 9 } },
  { "norm", "eps", nil, 1e-5 },
  { "norm", "momentum", 0.25 },
  { "norm", "k", 2 },
  { "norm", "affine", false },
  { "norm", "elementwise_affine", false },
  { "loss", "p", 0 },
  { "loss", "label_smoothing", 0.125 },
  { "loss", "reduction", "sum" },
  { "optimizer", "lr", 0.05 },
  { "optimizer", "momentum", 0.9 },
  { "optimizer", "weight_decay", 0.1 },
  { "optimizer", "betas", nil, { 0.9, 0.999 } },
  { "optimizer", "betas", { 0.8, 0.95 } },
  { "optimizer", "eps", 0.01 },
  { "optimizer", "alpha", 0.9 },
  { "optimizer", "lr_decay", 0.1 },
  { "optimizer", "initial_accumulator_value", 0.5 },
  { "optimizer", "nesterov", true },
  { "optimizer", "centered", true },
  { "optimizer", "comment", "a text of one's own" },
}

local function construct(row, name, value)
  local options = {}
  for key, v in pairs(needed[row] or {}) do options[key] = v end
  options[name] = value
  return nn["row_" .. row](options)
end

TestLegal = {}

function TestLegal:test_every_form_of_every_option()
  for _, case in ipairs(legal) do
    local row, name, value, read = table.unpack(case, 1, 4)
    local got = construct(row, name, value):options()[name]
    if read == nil then read = value end
    lu.assertEquals(got, read, row .. "." .. name)
  end
end

function TestLegal:test_one_of_two()
  local size = nn.row_upsample { size = { 5, 7 } }:options()
  lu.assertEquals(size.size, { 5, 7 })
  lu.assertNil(size.scale_factor)
end

function TestLegal:test_options_read_back_make_the_same_layer()
  for _, case in ipairs(legal) do
    local row, name, value = table.unpack(case, 1, 3)
    local options = construct(row, name, value):options()
    lu.assertEquals(nn["row_" .. row](options):options(),
                    construct(row, name, value):options())
  end
end

TestIllegal = {}

local illegal = {
  { "conv2d", "kernel_size", 0, "kernel_size = 0, but it must be a whole "
    .. "number >= 1 or a list of 2" },
  { "conv2d", "kernel_size", { 1, 2, 3 }, "kernel_size = {1, 2, 3}, but" },
  { "conv2d", "kernel_size", { 1, "2" }, 'kernel_size = {1, "2"}, but' },
  { "conv2d", "padding", "sane", 'but it must be a whole number >= 0 or a '
    .. 'list of 2 or "valid" or "same"' },
  { "conv2d", "padding", -1, "padding = -1, but" },
  { "conv2d", "groups", 2 ^ 40, "groups = 1099511627776, but" },
  { "conv2d", "bias", 1, "bias = 1, but it must be true or false" },
  { "pad", "padding", { 1, 2, 3, 4, 5, 6, 7, 8, 9 }, "a list of up to 8" },
  { "pad", "padding", {}, "a list of up to 8" },
  { "pad", "mode", "wrap", 'one of "constant", "reflect" or "replicate"' },
  { "activation", "dim", 9, "a whole number from 1 to 8" },
  { "activation", "dim", 1.5, "a whole number from 1 to 8" },
  { "norm", "momentum", 1.01, "momentum = 1.01, but it must be a number from "
    .. "0 to 1" },
  { "norm", "eps", 0 / 0, "eps = nan, but" },
  { "norm", "k", 1 / 0, "k = inf, but" },
  { "optimizer", "betas", { 0.9 }, "betas = {0.9}, but it must be a number "
    .. "from 0 to 1 or a list of 2" },
  { "optimizer", "comment", 3, "comment = 3, but it must be a text" },
  { "upsample", "size", 4, 'give exactly one of "size" and "scale_factor", not '
    .. "both" },
}

function TestIllegal:test_each_is_refused_with_the_rule()
  for _, case in ipairs(illegal) do
    local row, name, value, sentence = table.unpack(case)
    lu.assertErrorMsgContains(sentence, construct, row, name, value)
  end
  lu.assertErrorMsgContains("not none of them", nn.row_upsample, {})
end

local status = lu.LuaUnit.run()
shell.remove(folder)
os.exit(status)
