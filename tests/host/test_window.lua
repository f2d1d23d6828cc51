-- test_window.lua - what is said where a window does not fit: which lines are
-- never read, and remedies that hold.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local rows_of = require("lunet.summary").rows
local shell = require "support.shell"

local nn = lunet.nn
local program = (os.getenv("LUNET_BUILD") or "build") .. "/lunet"

-- ---- helpers ---------------------------------------------------------------

local function conv(options)
  options.out_channels = 1
  return nn.conv2d(options)
end

-- What a layer remarks on items of this shape, or nil.
local function notice_of(layer, shape)
  layer:infer_shapes(shape)
  return rows_of(layer)[1].notice
end

-- The message of a refusal, without the position.
local function refusal_of(layer, shape)
  local ok, message = pcall(layer.build, layer, shape)
  if not ok then return message:match(":%d+: (.*)$") end
end

-- ---- the sentences ---------------------------------------------------------

TestSentences = {}

function TestSentences:test_a_row_and_a_column()
  lu.assertEquals(notice_of(conv { kernel_size = 3, stride = 3 }, { 1, 7, 7 }),
    "row 7 of 7 and column 7 of 7 are never read, as no window fits there\n"
    .. "  output height and width = floor((7 + 0 + 0 - 3) / 3) + 1 = 2, "
    .. "rounded down from 2.33")
end

function TestSentences:test_one_line()
  lu.assertEquals(notice_of(nn.max_pool2d { kernel_size = 2 }, { 1, 7, 8 }),
    "row 7 of 7 is never read, as no window fits there\n"
    .. "  output height = floor((7 + 0 + 0 - 2) / 2) + 1 = 3, "
    .. "rounded down from 3.50")
end

function TestSentences:test_two_lines_and_more()
  lu.assertEquals(notice_of(nn.avg_pool2d { kernel_size = { 3, 5 } },
    { 1, 8, 9 }),
    "rows 7 and 8 of 8 and columns 6 to 9 of 9 are never read, as no window "
    .. "fits there\n"
    .. "  output height = floor((8 + 0 + 0 - 3) / 3) + 1 = 2, rounded down "
    .. "from 2.66\n"
    .. "  output width = floor((9 + 0 + 0 - 5) / 5) + 1 = 1, rounded down "
    .. "from 1.80")
end

function TestSentences:test_along_a_line()
  lu.assertEquals(notice_of(nn.max_pool1d { kernel_size = 3 }, { 1, 11 }),
    "elements 10 and 11 of 11 are never read, as no window fits there\n"
    .. "  output length = floor((11 + 0 + 0 - 3) / 3) + 1 = 3, rounded down "
    .. "from 3.66")
end

function TestSentences:test_with_padding_and_dilation()
  lu.assertEquals(notice_of(nn.max_pool2d { kernel_size = { 1, 3 },
    stride = { 1, 4 }, padding = { 0, 1 }, dilation = { 1, 2 } },
    { 1, 2, 10 }),
    "columns 9 and 10 of 10 are never read, as no window fits there\n"
    .. "  output width = floor((10 + 1 + 1 - 2*(3-1) - 1) / 4) + 1 = 2, "
    .. "rounded down from 2.75")
end

-- Of the padding, nothing is missed: 8 + 1 + 1 leaves one zero.
function TestSentences:test_nothing_where_padding_is_left_over()
  lu.assertNil(notice_of(conv { kernel_size = 3, stride = 2, padding = 1 },
    { 1, 8, 8 }))
end

-- A stride beyond the kernel leaves lines out on purpose.
function TestSentences:test_nothing_where_the_stride_steps_over_lines()
  lu.assertNil(notice_of(conv { kernel_size = 1, stride = 2 }, { 1, 8, 8 }))
end

function TestSentences:test_nothing_with_ceil_mode()
  lu.assertNil(notice_of(nn.max_pool2d { kernel_size = 2, ceil_mode = true },
    { 1, 7, 7 }))
end

function TestSentences:test_strict_refuses_with_remedies()
  lu.assertEquals(refusal_of(conv { kernel_size = 3, stride = 3,
    strict = true }, { 1, 7, 7 }),
    "conv2d: row 7 of 7 and column 7 of 7 are never read, which strict = true "
    .. "refuses\n"
    .. "  output height and width = floor((7 + 0 + 0 - 3) / 3) + 1 = 2, "
    .. "rounded down from 2.33\n"
    .. "  try padding = 1 → 3×3, stride = 2 → 3×3, or crop x to 6×6")
  lu.assertEquals(refusal_of(nn.max_pool2d { kernel_size = 2, strict = true },
    { 1, 7, 8 }),
    "max_pool2d: row 7 of 7 is never read, which strict = true refuses\n"
    .. "  output height = floor((7 + 0 + 0 - 2) / 2) + 1 = 3, rounded down "
    .. "from 3.50\n"
    .. "  try padding = {1, 0} → 4×4, stride = {1, 2} → 6×4, "
    .. "ceil_mode = true → 4×4, or crop x to 6×8")
end

-- More padding than half a window is no remedy: here it would take 2.
function TestSentences:test_strict_offers_no_padding_that_a_pool_refuses()
  lu.assertStrContains(refusal_of(nn.max_pool1d { kernel_size = 2, stride = 5,
    dilation = 7, strict = true }, { 1, 10 }),
    "\n  try stride = 2 → 2, ceil_mode = true → 2, or crop x to 8")
end

-- ---- every remedy holds, every line named is unread ------------------------

TestRemedies = {}

local function copy_of(options)
  local copy = {}
  for name, value in pairs(options) do copy[name] = value end
  return copy
end

local function numbers_of(text)
  local list = {}
  for number in text:gmatch("%d+") do list[#list + 1] = tonumber(number) end
  return list
end

-- The remedies of a refusal: { option, value, sizes of y } or { crop }.
local function remedies_of(message)
  local list, text = {}, message:match("\n  try (.*)$")
  for name, value, sizes in text:gmatch("(%l[%l_]*) = ([^→]-) → ([%d×]+)") do
    local numbers = numbers_of(value)
    list[#list + 1] = { option = name, sizes = numbers_of(sizes),
      value = value == "true" or #numbers == 1 and numbers[1] or numbers }
  end
  local crop = text:match("crop x to ([%d×]+)")
  if crop then list[#list + 1] = { crop = numbers_of(crop) } end
  return list
end

local function assert_holds(word, options, shape, remedy)
  options, shape = copy_of(options), copy_of(shape)
  if remedy.crop then
    shape = { 1, table.unpack(remedy.crop) }
  else
    options[remedy.option] = remedy.value
  end
  local layer = nn[word](options)
  layer:build(shape) -- strict: it would refuse
  local y = layer:predict(lunet.zeros { 1, table.unpack(shape) }):shape()
  if remedy.sizes then
    lu.assertEquals({ table.unpack(y, 3) }, remedy.sizes)
  end
end

local function pair(low, high)
  return { math.random(low, high), math.random(low, high) }
end

local function random_pool()
  local kernel = pair(1, 6)
  return { kernel_size = kernel, stride = pair(1, 5), ceil_mode = false,
    padding = { math.random(0, kernel[1] // 2),
      math.random(0, kernel[2] // 2) }, strict = true }
end

local makers = {
  conv2d = function()
    return { out_channels = 1, kernel_size = pair(1, 6), stride = pair(1, 5),
      padding = pair(0, 3), dilation = pair(1, 2), strict = true }
  end,
  avg_pool2d = random_pool,
  max_pool2d = function()
    local options = random_pool()
    options.dilation = pair(1, 2)
    return options
  end,
}

-- Each remedy of a refusal, taken, is refused no more.
function TestRemedies:test_all_hold()
  local offered, refused = 0, 0
  for word, make in pairs(makers) do
    for _ = 1, 300 do
      local options, shape = make(), { 1, math.random(12, 30),
        math.random(12, 30) }
      local message = refusal_of(nn[word](options), shape)
      if message then
        local remedies = remedies_of(message)
        lu.assertTrue(#remedies >= 2, message)
        for _, remedy in ipairs(remedies) do
          assert_holds(word, options, shape, remedy)
          offered = offered + 1
        end
        refused = refused + 1
      end
    end
  end
  lu.assertTrue(refused > 200 and offered > 600)
end

-- "rows 7 and 8 of 8" -> 7, 8; nothing: the first beyond the last.
local function named(notice, line, size)
  local from = notice and notice:match(line .. "s? (%d+)")
  return tonumber(from) or size + 1
end

-- The first row (or column, with dim 4) from which on dx is 0.
local function first_without_gradient(dx, dim)
  local sums = dx:sum(1):sum(1)
  sums = (dim == 3 and sums:sum(2) or sums:sum(1)):tolist()
  local first = #sums + 1
  while first > 1 and sums[first - 1] == 0 do first = first - 1 end
  return first
end

-- With a mean, every pixel that is read gets a positive gradient.
function TestRemedies:test_lines_named_get_no_gradient_and_no_others()
  for _ = 1, 300 do
    local options = random_pool()
    options.strict = false
    for i = 1, 2 do
      options.stride[i] = math.min(options.stride[i], options.kernel_size[i])
    end
    local pool = nn.avg_pool2d(options)
    local x = lunet.zeros { 1, 1, math.random(6, 20), math.random(6, 20) }
    local notice = notice_of(pool, { table.unpack(x:shape(), 2) })
    local dx = pool:backward(lunet.ones(pool:forward(x):shape()))
    lu.assertEquals(first_without_gradient(dx, 3),
      named(notice, "row", x:shape()[3]))
    lu.assertEquals(first_without_gradient(dx, 4),
      named(notice, "column", x:shape()[4]))
  end
end

-- ---- where it is shown -----------------------------------------------------

TestShown = {}

local sentence = "row 5 of 5 is never read, as no window fits there\n"
  .. "  output height = floor((5 + 0 + 0 - 2) / 2) + 1 = 2, rounded down "
  .. "from 2.50\n"

local head = [[
local lunet = require "lunet"
local nn = lunet.nn
local pool = nn.max_pool2d { kernel_size = 2 }
local net = nn.sequential { nn.relu {}, pool }
local x = lunet.ones { 2, 1, 5, 6 }
]]

-- What the script after the head writes to stderr, the folder taken off.
local function stderr_of(script, environment)
  local folder = shell.temporary_folder()
  shell.write(folder .. "/s.lua", head .. script)
  local _, output = shell.run("%s %s %s/s.lua 2>&1 >/dev/null",
    environment or "LUNET_NOTICES=1", program, folder)
  shell.remove(folder)
  return (output:gsub(folder .. "/", "", 1))
end

function TestShown:test_once_where_it_is_built_first()
  lu.assertEquals(stderr_of("net:forward(x)\nnet:forward(x)\nnet:predict(x)\n"
    .. "net:forward(x:narrow(1, 1, 1))\npool:forward(x)\n"),
    "s.lua:6: note: layer 2 (max_pool2d): " .. sentence)
  lu.assertEquals(stderr_of("net:build { 1, 5, 6 }\nnet:forward(x)\n"),
    "s.lua:6: note: layer 2 (max_pool2d): " .. sentence)
  lu.assertEquals(stderr_of("pool:predict(x)\nnet:forward(x)\n"),
    "s.lua:6: note: max_pool2d: " .. sentence)
end

function TestShown:test_once_for_a_line_that_makes_many_layers()
  local _, notes = stderr_of("for _ = 1, 5 do nn.max_pool2d "
    .. "{ kernel_size = 2 }:forward(x) end\n"):gsub("note", "")
  lu.assertEquals(notes, 1)
end

function TestShown:test_again_where_it_says_something_else()
  local _, notes = stderr_of("net:forward(x)\nnet:forward(x:transpose(3, 4))\n"
    .. "net:forward(x)\n"):gsub("note", "")
  lu.assertEquals(notes, 2)
end

function TestShown:test_a_graph_says_it_when_it_is_made()
  lu.assertEquals(stderr_of("local a = nn.input { 1, 5, 6 }\n"
    .. "nn.graph(a, pool(a)):forward(x)\n"),
    "s.lua:7: note: layer 1 (max_pool2d): " .. sentence)
end

function TestShown:test_not_where_the_user_wants_quiet()
  lu.assertEquals(stderr_of("net:forward(x)\n", "LUNET_NOTICES=0"), "")
end

function TestShown:test_in_a_summary()
  local net = nn.sequential { nn.max_pool2d { kernel_size = 2 } }
  net:infer_shapes { 1, 5, 6 }
  lu.assertStrContains(require("lunet.summary").text(net),
    "\n     note: row 5 of 5 is never read, as no window fits there\n"
    .. "           output height = floor((5 + 0 + 0 - 2) / 2) + 1 = 2, ")
end

os.exit(lu.LuaUnit.run())
