-- test_bad_input.lua - each layer × each kind of bad input: a sentence that
-- names the layer, or a value that can be told beforehand; never a crash.
--
-- A layer takes part by one line in `layers`: options and input shapes of a
-- right use. What must be refused follows from the shapes in its descriptor
-- ("x(N,in_channels,H,W)"); where a layer answers otherwise, its line says so:
--
--   allows  = { zero_size = true, … }  cases (see below) that give a value;
--                                      "some": some do, some are refused
--   refuses = { batch_0 = true, … }    cases that are refused instead
--   hides_nan = true                   a NaN in the input need not be seen
--   target = { 0, 1 }                  instead of the last input: class ids

local lu = require "luaunit"
local lunet = require "lunet"
local nn = lunet.nn

local pair = { { 2, 3, 4 }, { 2, 3, 4 } }
local image = { { 2, 4, 6, 6 } }

local layers = {
  adaptive_avg_pool2d = { x = image, output_size = 2 },
  add = { x = pair },
  avg_pool2d = { x = image, kernel_size = 2 },
  batch_norm2d = { x = image },
  concat = { x = pair },
  conv1d = { x = { { 2, 4, 6 } }, out_channels = 4, kernel_size = 3 },
  conv2d = { x = image, out_channels = 4, kernel_size = 3 },
  conv_transpose2d = { x = image, out_channels = 4, kernel_size = 3 },
  cross_entropy = { x = { { 2, 3 } }, target = { 0, 2 } },
  dropout = { x = { { 2, 5 } } },
  elu = { x = image },
  flatten = { x = image },
  gelu = { x = image },
  global_avg_pool2d = { x = image },
  group_norm = { x = image, num_groups = 2 },
  hardswish = { x = image },
  l1_loss = { x = pair, allows = { zero_size = true } },
  layer_norm = { x = { { 2, 5, 4 } }, normalized_shape = 4,
                 allows = { wrong_rank = "some" } },
  leaky_relu = { x = image },
  linear = { x = { { 2, 5 } }, out_features = 3 },
  local_response_norm = { x = image, size = 3 },
  locally_connected2d = { x = image, out_channels = 4, kernel_size = 3 },
  log_softmax = { x = { { 2, 5, 4 } } },
  max_pool1d = { x = { { 2, 4, 6 } }, kernel_size = 2 },
  max_pool2d = { x = image, kernel_size = 2 },
  mse_loss = { x = pair, allows = { zero_size = true } },
  mul = { x = pair },
  pad = { x = image, padding = 1, allows = { zero_size = "some" } },
  prelu = { x = image },
  relu = { x = image },
  sigmoid = { x = image },
  silu = { x = image },
  smooth_l1_loss = { x = pair, allows = { zero_size = true } },
  softmax = { x = { { 2, 5, 4 } } },
  softplus = { x = image },
  tanh = { x = image },
  upsample = { x = image, scale_factor = 2 },
}

local words_of_a_line = { x = true, allows = true, refuses = true,
                          hides_nan = true, target = true }

-- ---- the layers as they are found ------------------------------------------

local function make(word, more)
  local options = {}
  for name, value in pairs(layers[word]) do
    if not words_of_a_line[name] then options[name] = value end
  end
  for name, value in pairs(more or {}) do options[name] = value end
  return nn[word](options)
end

local function copy(list) return table.move(list, 1, #list, 1, {}) end

-- Tensors of these shapes; the target of a classifier stands behind them.
local function tensors(line, shapes)
  local list = {}
  for i, shape in ipairs(shapes) do list[i] = lunet.rand(shape) end
  if line.target then list[#list + 1] = lunet.tensor(line.target) end
  return list
end

local function changed(shapes, i, f)
  local all = {}
  for k, shape in ipairs(shapes) do all[k] = copy(shape) end
  f(all[i])
  return all
end

local function all_changed(shapes, f)
  local all = {}
  for k, shape in ipairs(shapes) do all[k] = copy(shape); f(all[k]) end
  return all
end

-- "x(N,in_channels,H,W)" -> { "N", "in_channels", "H", "W" }; nil: any dims
local function dims_of(row)
  local inside = row.inputs and row.inputs:match("^%w+%((.-)%)")
  if not inside then return nil end
  local dims = {}
  for dim in inside:gmatch("[^,]+") do dims[#dims + 1] = dim end
  return dims
end

local function any_rank(row)
  local dims = dims_of(row)
  return not dims or table.concat(dims):find("...", 1, true) ~= nil
end

-- ---- what a good answer is -------------------------------------------------

local here = debug.getinfo(1, "S").short_src:match("[^/]+$")

-- A sentence at the user's line that names the layer, made for people.
local function assert_sentence(word, what, message)
  local shown = ("%s, %s: %s"):format(word, what, tostring(message))
  lu.assertEquals(type(message), "string", shown)
  lu.assertStrContains(message, here .. ":", false, shown)
  lu.assertStrContains(message, word, false, shown)
  for _, bad in ipairs { "attempt to", "bad argument", "left no sentence",
                         "nil", "userdata" } do
    lu.assertNotStrContains(message, bad, false, shown)
  end
end

-- f must fail with a sentence, which is returned.
local function refused(word, what, f, ...)
  local ok, message = pcall(f, ...)
  lu.assertFalse(ok, ("%s, %s: is not refused"):format(word, what))
  assert_sentence(word, what, message)
  return message
end

-- f may do either; returns whether it gave a value, and the value.
local function answered(word, what, f, ...)
  local ok, result = pcall(f, ...)
  if not ok then assert_sentence(word, what, result) end
  return ok, result
end

local function run(word, inputs)
  local layer = make(word)
  local y = layer:forward(table.unpack(inputs))
  if type(y) == "number" then
    layer:backward()
  else
    layer:backward(lunet.ones(y:shape()))
  end
  return y, layer
end

-- ---- the cases: f(word, line, row of plugins.list()) -----------------------

local cases = {}

-- Does the line say otherwise than the rule?
local function expects_value(line, case, by_rule)
  if line.allows and line.allows[case] then return line.allows[case] end
  if line.refuses and line.refuses[case] then return false end
  return by_rule
end

local function expect(word, line, case, by_rule, what, shapes)
  local inputs, value = tensors(line, shapes),
                        expects_value(line, case, by_rule)
  if value == "some" then
    answered(word, what, run, word, inputs)
  elseif value then
    local ok, message = pcall(run, word, inputs)
    lu.assertTrue(ok, ("%s, %s: %s"):format(word, what, tostring(message)))
  else
    refused(word, what, run, word, inputs)
  end
end

function cases.wrong_rank(word, line, row)
  local fewer = changed(line.x, 1, function(s) s[#s] = nil end)
  local more = changed(line.x, 1, function(s) s[#s + 1] = 1 end)
  local value = any_rank(row) and #line.x == 1 and not line.target
  expect(word, line, "wrong_rank", value, "one dim less", fewer)
  expect(word, line, "wrong_rank", value, "one dim more", more)
  answered(word, "no dims", run, word,
           tensors(line, all_changed(line.x, function(s)
             for d = 1, #s do s[d] = nil end
           end)))
end

-- A size that was given, or seen, is kept.
function cases.wrong_channels(word, line, row)
  for d, dim in ipairs(dims_of(row) or {}) do
    if dim:find("^%l[%l_]+$") and #line.x[1] >= d then
      local layer = make(word)
      layer:forward(table.unpack(tensors(line, line.x)))
      local size = line.x[1][d]
      local other = changed(line.x, 1, function(s) s[d] = size + 1 end)
      local message = refused(word, "another size of " .. dim, layer.forward,
                              layer, table.unpack(tensors(line, other)))
      lu.assertStrContains(message, ("%d"):format(size))
      lu.assertStrContains(message, ("%d"):format(size + 1))
    end
  end
end

function cases.zero_size(word, line)
  for d = 2, #line.x[1] do
    local shapes = all_changed(line.x, function(s) s[d] = 0 end)
    expect(word, line, "zero_size", false, "size 0 in dim " .. d, shapes)
  end
end

-- Images of one pixel fit or do not; so do those of one channel.
function cases.size_1(word, line)
  for d = 2, #line.x[1] do
    local shapes = all_changed(line.x, function(s)
      for k = d, #s do s[k] = 1 end
    end)
    answered(word, "sizes of 1 from dim " .. d, run, word,
             tensors(line, shapes))
  end
end

-- No tensor can be so large, on any machine: 2^46 floats do not fit into the
-- 47 bits of an address. But a net can be asked for it.
function cases.overflow(word, line)
  local function build(size)
    local shapes = all_changed(line.x, function(s)
      table.remove(s, 1)
      for d = 1, #s do s[d] = size end
    end)
    if line.target then shapes[#shapes + 1] = {} end
    make(word):build(table.unpack(shapes))
  end
  for _, size in ipairs { 1 << 46, 1 << 62, math.maxinteger } do
    answered(word, "sizes of " .. size, build, size)
  end
end

function cases.batch_0(word, line)
  local shapes = all_changed(line.x, function(s) s[1] = 0 end)
  local inputs = tensors(line, shapes)
  if line.target then inputs[#inputs] = lunet.zeros { 0 } end
  if not expects_value(line, "batch_0", true) then
    refused(word, "batch 0", run, word, inputs)
    return
  end
  local y, layer = run(word, inputs)
  if type(y) ~= "number" then lu.assertEquals(y:shape()[1], 0, word) end
  for _, p in ipairs(layer:parameters()) do
    lu.assertEquals(p.grad:abs():sum(), 0, word .. "." .. p.name)
  end
end

local function is_nan(y)
  if type(y) == "number" then return y ~= y end
  local sum = y:sum()
  return sum ~= sum
end

function cases.nan_and_infinity(word, line)
  for _, number in ipairs { 0 / 0, 1 / 0, -1 / 0 } do
    for i = 1, #line.x do
      local inputs = tensors(line, line.x)
      inputs[i]:fill(number)
      local what = ("%s in input %d"):format(number, i)
      local ok, y = answered(word, what, run, word, inputs)
      if number ~= number and not line.hides_nan then
        lu.assertTrue(ok and is_nan(y), word .. ", " .. what .. ": not seen")
      end
    end
  end
end

function cases.number_of_inputs(word, line, row)
  local layer, inputs = make(word), tensors(line, line.x)
  refused(word, "no input", layer.forward, layer)
  local many = row.inputs and row.inputs:find("*", 1, true)
  if many then return end
  inputs[#inputs + 1] = inputs[1]
  refused(word, "one input too many", layer.forward, layer,
          table.unpack(inputs))
end

function cases.mismatching_inputs(word, line)
  if #line.x < 2 then return end
  local last = changed(line.x, 2, function(s) s[#s] = s[#s] + 1 end)
  expect(word, line, "mismatching_inputs", false, "another last size", last)
  local batch = changed(line.x, 2, function(s) s[1] = s[1] + 1 end)
  expect(word, line, "mismatching_inputs", false, "another batch", batch)
end

function cases.no_tensor(word, line)
  for i, what in ipairs { 3, "x", {}, true, print } do
    local layer, inputs = make(word), tensors(line, line.x)
    inputs[1] = what
    local ok, message = pcall(layer.forward, layer, table.unpack(inputs))
    lu.assertFalse(ok, word)
    lu.assertStrContains(message, "must be a tensor", false, word .. i)
  end
end

function cases.backward_out_of_turn(word, line)
  local layer = make(word)
  layer:build(table.unpack(all_changed(
    line.target and { line.x[1], { 2 } } or line.x,
    function(s) table.remove(s, 1) end)))
  local dy = not layer.loss and lunet.ones { 2 } or nil
  lu.assertErrorMsgContains("there was no forward yet", layer.backward, layer,
                            dy)
  local y = layer:forward(table.unpack(tensors(line, line.x)))
  if layer.loss then return end
  local shape = y:shape()
  shape[#shape] = shape[#shape] + 1
  lu.assertErrorMsgContains("but the output is", layer.backward, layer,
                            lunet.ones(shape))
end

function cases.options(word, line)
  local message = refused(word, "an unknown option", make, word,
                          { no_such_option = 1 })
  lu.assertStrContains(message, "has no option 'no_such_option'")
  for name, value in pairs(make(word):options()) do
    for _, wrong in ipairs { "wrong", { "wrong" }, -1e300, 0 / 0, 1 / 0 } do
      answered(word, ("%s = %s"):format(name, wrong), make, word,
               { [name] = wrong })
    end
    if math.type(value) == "integer" then
      answered(word, name .. " is huge", function()
        make(word, { [name] = math.maxinteger })
          :forward(table.unpack(tensors(line, line.x)))
      end)
    end
    if name == "groups" then
      local what = "groups that do not divide"
      refused(word, what, function()
        make(word, { groups = 7 }):forward(table.unpack(tensors(line, line.x)))
      end)
    end
  end
end

-- ---- the table -------------------------------------------------------------

TestBadInput = {}

for _, row in ipairs(lunet.plugins.list()) do
  local word = row.name
  for case, check in pairs(cases) do
    if word and layers[word] then
      TestBadInput[("test_%s_%s"):format(word, case)] = function()
        check(word, layers[word], row)
      end
    end
  end
end

TestTable = {}

function TestTable:test_every_layer_has_its_line()
  local missing = {}
  for _, row in ipairs(lunet.plugins.list()) do
    if row.name and not layers[row.name] then
      missing[#missing + 1] = row.name
    end
  end
  lu.assertEquals(missing, {}, "these layers have no line in `layers` of "
    .. here .. ": give the options and input shapes of a right use")
end

-- The checks can fail: a value where a refusal is due, and a poor sentence.
function TestTable:test_the_checks_can_fail()
  lu.assertError(refused, "relu", "nothing wrong", run, "relu",
                 { lunet.ones { 1, 2 } })
  lu.assertError(refused, "relu", "no sentence for people", function()
    return #nil
  end)
  lu.assertError(cases.wrong_rank, "relu", { x = image },
                 { inputs = "x(N,C,H,W)" })
end

os.exit(lu.LuaUnit.run())
