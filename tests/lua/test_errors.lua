-- test_errors.lua - every wrong call is answered by one clear sentence at the
-- user's line, and nothing ends the program.

local lu = require "luaunit"
local lunet = require "lunet"
package.path = "tests/support/?.lua;" .. package.path
local shell = require "shell"
local nn, optim, data = lunet.nn, lunet.optim, lunet.data

local program = (os.getenv("LUNET_BUILD") or "build") .. "/lunet"

local head = "local lunet = require 'lunet'; local nn, optim, data = "
             .. "lunet.nn, lunet.optim, lunet.data; "

-- The calls and sentences of tests/fixtures/errors.expected.
local function read_table()
  local rows, row = {}, nil
  for line in io.lines("tests/fixtures/errors.expected") do
    if line:sub(1, 2) == "> " then
      row = { call = line:sub(3), lines = {} }
      rows[#rows + 1] = row
    elseif line == "" then
      row = nil
    elseif row then
      row.lines[#row.lines + 1] = line
    end
  end
  return rows
end

TestSentences = {}

function TestSentences:test_all()
  local rows = read_table()
  lu.assertTrue(#rows > 60)
  for _, row in ipairs(rows) do
    local ok, message = pcall(assert(load(head .. row.call, "=call")))
    lu.assertFalse(ok, row.call .. " is no error")
    lu.assertEquals(message, "call:1: " .. table.concat(row.lines, "\n"))
  end
end

function TestSentences:test_an_unknown_layer_says_where_it_was_looked_for()
  local _, message = pcall(function() return nn.conv2 {} end)
  lu.assertStrContains(message, "unknown layer 'conv2'; did you mean 'conv2d'?")
  lu.assertStrContains(
    message, "\n  layers: [%w_, ]*conv2d, [%w_, ]*tanh[%w_, ]*\n", true)
  lu.assertStrContains(message, "\n  searched in:\n    ")
end

-- ---- the user's line -------------------------------------------------------

TestPosition = {}

local script = [[
local lunet = require "lunet"
local nn = lunet.nn
local net = nn.sequential { nn.linear { out_features = 2 } }

net:forward(lunet.ones { 1, 2, 3 })
]]

local sentence = "layer 1 (linear): expects x(N,in_features), but x is (1,2,3)"

local function with_script(text, f)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
  file:flush()
  f(path)
  os.remove(path)
end

local function output_of(arguments)
  return select(2, shell.run(arguments))
end

function TestPosition:test_in_a_script()
  with_script(script, function(path)
    lu.assertStrContains(output_of(("%s %s 2>&1"):format(program, path)),
                         path .. ":5: " .. sentence)
  end)
end

function TestPosition:test_on_the_command_line()
  lu.assertStrContains(
    output_of(program .. " -e 'nn.linear{ out_features = 2 }:forward("
              .. "lunet.ones{1,2,3})' 2>&1"),
    "(command line):1: linear: expects x(N,in_features)")
end

function TestPosition:test_at_the_prompt()
  lu.assertStrContains(
    output_of("echo 'nn.linear{ out_features = 2 }:forward(lunet.ones{1,2,3})'"
              .. " | " .. program .. " -i 2>&1"),
    "stdin:1: linear: expects x(N,in_features)")
end

function TestPosition:test_through_fit()
  with_script([[
local lunet = require "lunet"
local nn, optim = lunet.nn, lunet.optim
local net = nn.sequential { nn.linear { in_features = 3, out_features = 2 } }
local set = lunet.data.tensors { x = lunet.ones { 4, 2 },
                                 labels = lunet.zeros { 4 } }
local options = { loss = nn.cross_entropy {}, progress = false,
                  optimizer = optim.sgd(net:parameters(), { lr = 0.1 }) }
lunet.fit(net, set, options)
]], function(path)
    lu.assertStrContains(output_of(("%s %s 2>&1"):format(program, path)),
                         path .. ":8: layer 1 (linear): in_features = 3, but "
                         .. "x has 2 there: ")
  end)
end

-- ---- a loss that is not finite ---------------------------------------------

TestNotFinite = {}

function TestNotFinite:test_fit_names_the_layer()
  local net = nn.sequential { nn.flatten {},
    nn.linear { in_features = 64, out_features = 20 }, nn.relu {},
    nn.linear { in_features = 20, out_features = 10, name = "last" } }
  net:get("last").weight:fill(0 / 0)
  local train = data.digits():take(64)
  local ok, message = pcall(lunet.fit, net, train, {
    loss = nn.cross_entropy {}, progress = false,
    optimizer = optim.sgd(net:parameters(), { lr = 0.1 }) })
  lu.assertFalse(ok)
  lu.assertStrContains(message, "fit: the loss is NaN in epoch 1, batch 1, "
    .. "with lr = 0.1\n  the first result that is not finite is that of layer "
    .. "4 (linear 'last'), in the forward pass")
end

-- ---- nothing ends the program ----------------------------------------------

TestAnything = {}

local function any_value(i)
  local values = { nil, true, -1, 0, 1.5, 1e300, 0 / 0, "x", {}, { 1, 2 },
                   { -1 }, print, lunet.ones { 2, 3 }, lunet.zeros { 0 },
                   lunet.full({}, 1), nn.relu {}, nn.input { 2 },
                   { kernel_size = 2 }, { out_channels = 1e9 }, { lr = {} } }
  return values[i % 20 + 1]
end

local function targets()
  local list = {}
  local net = nn.sequential { nn.linear { in_features = 3, out_features = 2 } }
  local objects = { lunet.ones { 2, 3 }, nn.conv2d { out_channels = 1,
    kernel_size = 2 }, net, optim.sgd(net:parameters(), { lr = 0.1 }),
    data.tensors { x = lunet.ones { 2, 3 }, labels = lunet.zeros { 2 } } }
  local methods = { "forward", "backward", "predict", "build", "summary", "tap",
    "parameters", "load_state", "get", "requires_grad", "view", "narrow",
    "transpose", "copy", "fill", "sum", "max", "argmax", "matmul", "step",
    "zero_grad", "batches", "take", "split", "clone", "classify", "state" }
  for _, object in ipairs(objects) do
    for _, name in ipairs(methods) do
      list[#list + 1] = function(...)
        local found, f = pcall(function() return object[name] end)
        if found and f then return f(object, ...) end
      end
    end
  end
  for _, word in ipairs { "conv2d", "max_pool2d", "linear", "dropout", "concat",
                          "softmax", "sequential", "graph", "input" } do
    list[#list + 1] = nn[word]
  end
  for _, f in ipairs { lunet.tensor, lunet.zeros, lunet.full, lunet.arange,
                       lunet.fit, lunet.accuracy, optim.sgd, optim.adam,
                       data.tensors, data.digits, lunet.load, nn.load } do
    list[#list + 1] = f
  end
  return list
end

-- Calls of all kinds with wrong arguments: an error or not, but alive.
function TestAnything:test_survives()
  local all, calls = targets(), 0
  local print_before = print
  rawset(_G, "print", function() end) -- summaries
  for i, f in ipairs(all) do
    for k = 0, 19 do
      pcall(f, any_value(k), any_value(k * 7 + i), any_value(k * 3 + 2 * i))
      calls = calls + 1
    end
  end
  rawset(_G, "print", print_before)
  lu.assertTrue(calls > 2000)
  lu.assertEquals(lunet.ones { 2, 2 }:sum(), 4)
end

os.exit(lu.LuaUnit.run())
