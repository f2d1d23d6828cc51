-- Tensors as scripts see them: making, indexing, computing, printing, and the
-- exact sentence for each mistake.
local lu = require "luaunit"
local lunet = require "lunet"

local nan, infinity = 0 / 0, math.huge

-- Compares shape and numbers; tolerance 0 unless given.
local function assert_tensor(t, shape, expected, tolerance)
  lu.assertEquals(t:shape(), shape)
  if tolerance then
    lu.assertAlmostEquals(t:tolist(), expected, tolerance)
  else
    lu.assertEquals(t:tolist(), expected)
  end
end

-- ---- making -----------------------------------------------------------------

TestMaking = {}

function TestMaking:test_from_tables()
  assert_tensor(lunet.tensor { { 1, 2, 3 }, { 4, 5, 6 } }, { 2, 3 },
                { { 1, 2, 3 }, { 4, 5, 6 } })
  assert_tensor(lunet.tensor { { { 7 } } }, { 1, 1, 1 }, { { { 7 } } })
  assert_tensor(lunet.tensor { 0.5, -1 }, { 2 }, { 0.5, -1 })
end

function TestMaking:test_without_dims_and_without_numbers()
  assert_tensor(lunet.tensor(3.5), {}, 3.5)
  assert_tensor(lunet.zeros {}, {}, 0)
  assert_tensor(lunet.tensor {}, { 0 }, {})
  assert_tensor(lunet.tensor { {}, {} }, { 2, 0 }, { {}, {} })
  assert_tensor(lunet.ones { 0, 3 }, { 0, 3 }, {})
  lu.assertEquals(lunet.zeros({ 4, 0, 2 }):numel(), 0)
end

function TestMaking:test_filled()
  assert_tensor(lunet.zeros { 2, 2 }, { 2, 2 }, { { 0, 0 }, { 0, 0 } })
  assert_tensor(lunet.ones { 3 }, { 3 }, { 1, 1, 1 })
  assert_tensor(lunet.full({ 2 }, -2.5), { 2 }, { -2.5, -2.5 })
  assert_tensor(lunet.arange(4), { 4 }, { 0, 1, 2, 3 })
  assert_tensor(lunet.arange(0), { 0 }, {})
end

function TestMaking:test_eight_dims_and_back()
  local nested = lunet.arange(256):view { 2, 2, 2, 2, 2, 2, 2, 2 }:tolist()
  local t = lunet.tensor(nested)
  lu.assertEquals(t:dim(), 8)
  lu.assertEquals(t:view({ 256 }):tolist(), lunet.arange(256):tolist())
end

function TestMaking:test_same_seed_same_numbers()
  lunet.manual_seed(7)
  local a, b = lunet.rand { 50 }, lunet.randn { 50 }
  lunet.manual_seed(7)
  lu.assertEquals(lunet.rand({ 50 }):tolist(), a:tolist())
  lu.assertEquals(lunet.randn({ 50 }):tolist(), b:tolist())
  lunet.manual_seed(8)
  lu.assertNotEquals(lunet.rand({ 50 }):tolist(), a:tolist())
end

function TestMaking:test_random_numbers_are_distributed_as_named()
  lunet.manual_seed(1)
  local uniform, normal = lunet.rand { 100000 }, lunet.randn { 100000 }
  lu.assertAlmostEquals(uniform:mean(), 0.5, 0.01)
  lu.assertTrue(uniform:min() >= 0 and uniform:max() < 1)
  lu.assertAlmostEquals(normal:mean(), 0, 0.02)
  lu.assertAlmostEquals((normal * normal):mean(), 1, 0.03)
end

-- ---- entries, views, copies -------------------------------------------------

TestEntries = {}

function TestEntries:test_numbers_of_vectors()
  local t = lunet.tensor { 5, 6, 7 }
  lu.assertEquals({ t[1], t[3], #t }, { 5, 7, 3 })
  t[2] = -1
  lu.assertEquals(t:tolist(), { 5, -1, 7 })
end

function TestEntries:test_rows_are_views()
  local t = lunet.tensor { { 1, 2 }, { 3, 4 } }
  local row = t[2]
  row[1] = 30
  t[1] = 9
  lu.assertEquals(t:tolist(), { { 9, 9 }, { 30, 4 } })
  t[1] = lunet.tensor { 7, 8 }
  t[2] = t[1]
  lu.assertEquals(t:tolist(), { { 7, 8 }, { 7, 8 } })
end

function TestEntries:test_view_and_narrow_share()
  local t = lunet.arange(6)
  local matrix = t:view { 2, -1 }
  local column = matrix:narrow(2, 2, 1)
  assert_tensor(matrix, { 2, 3 }, { { 0, 1, 2 }, { 3, 4, 5 } })
  assert_tensor(column, { 2, 1 }, { { 1 }, { 4 } })
  column:fill(-1)
  lu.assertEquals(t:tolist(), { 0, -1, 2, 3, -1, 5 })
  assert_tensor(t:narrow(1, 7, 0), { 0 }, {})
end

-- A part of a row has gaps behind it; all must read it right.
function TestEntries:test_parts_with_gaps()
  local part = lunet.arange(12):view({ 3, 4 }):narrow(2, 2, 2)
  assert_tensor(part, { 3, 2 }, { { 1, 2 }, { 5, 6 }, { 9, 10 } })
  assert_tensor(part[2], { 2 }, { 5, 6 })
  assert_tensor(part:clone():view { 6 }, { 6 }, { 1, 2, 5, 6, 9, 10 })
  assert_tensor(part:transpose(1, 2), { 2, 3 }, { { 1, 5, 9 }, { 2, 6, 10 } })
  assert_tensor(part + part, { 3, 2 }, { { 2, 4 }, { 10, 12 }, { 18, 20 } })
  lu.assertEquals({ part:sum(), part:max(), part:argmax() }, { 33, 10, 6 })
  assert_tensor(part:sum(1), { 2 }, { 15, 18 })
end

function TestEntries:test_transpose_and_clone_copy()
  local t = lunet.tensor { { 1, 2 }, { 3, 4 } }
  t:transpose(1, 2):fill(0)
  t:clone():fill(0)
  lu.assertEquals(t:tolist(), { { 1, 2 }, { 3, 4 } })
end

function TestEntries:test_copy_and_fill_give_the_tensor()
  local t = lunet.zeros { 2, 2 }
  lu.assertTrue(rawequal(t:copy(lunet.tensor { 1, 2 }), t))
  lu.assertEquals(t:tolist(), { { 1, 2 }, { 1, 2 } })
  lu.assertTrue(rawequal(t:fill(3), t))
  lu.assertEquals(t:tolist(), { { 3, 3 }, { 3, 3 } })
end

-- More than one thread's part, and a part that is not whole.
function TestEntries:test_zeros_for_a_large_tensor()
  local t = lunet.ones { 3, 262147 }
  lu.assertEquals({ t:fill(0):min(), t:max() }, { 0, 0 })
  t[3][262147] = 2
  lu.assertEquals({ t:fill(0):min(), t:max() }, { 0, 0 })
end

function TestEntries:test_what_a_tensor_is()
  local t = lunet.zeros { 2, 3, 4 }
  lu.assertEquals({ t:numel(), t:dim(), #t }, { 24, 3, 2 })
  lu.assertEquals(lunet.full({ 1, 1 }, 4):item(), 4)
  lu.assertEquals({ lunet.is_tensor(t), lunet.is_tensor {} }, { true, false })
end

-- ---- computing --------------------------------------------------------------

TestComputing = {}

function TestComputing:test_operators()
  local a, b = lunet.tensor { 6, 8 }, lunet.tensor { 2, 4 }
  lu.assertEquals((a + b):tolist(), { 8, 12 })
  lu.assertEquals((a - b):tolist(), { 4, 4 })
  lu.assertEquals((a * b):tolist(), { 12, 32 })
  lu.assertEquals((a / b):tolist(), { 3, 2 })
  lu.assertEquals((b ^ 2):tolist(), { 4, 16 })
  lu.assertEquals((-a):tolist(), { -6, -8 })
end

function TestComputing:test_numbers_on_either_side()
  local t = lunet.tensor { 1, 4 }
  lu.assertEquals((10 - t):tolist(), { 9, 6 })
  lu.assertEquals((t - 10):tolist(), { -9, -6 })
  lu.assertEquals((8 / t):tolist(), { 8, 2 })
  lu.assertEquals((2 ^ t):tolist(), { 2, 16 })
  assert_tensor(lunet.tensor(2) * 3, {}, 6)
end

function TestComputing:test_broadcasting()
  local column, row = lunet.tensor { { 1 }, { 2 } }, lunet.tensor { 10, 20 }
  assert_tensor(column + row, { 2, 2 }, { { 11, 21 }, { 12, 22 } })
  assert_tensor(row * column, { 2, 2 }, { { 10, 20 }, { 20, 40 } })
  assert_tensor(lunet.ones { 3, 1, 2 } + lunet.zeros { 4, 1 }, { 3, 4, 2 },
                lunet.ones({ 3, 4, 2 }):tolist())
end

function TestComputing:test_comparisons_and_choices()
  local a, b = lunet.tensor { 1, 2, 3 }, lunet.tensor { 3, 2, 1 }
  lu.assertEquals(a:eq(b):tolist(), { 0, 1, 0 })
  lu.assertEquals(a:ne(b):tolist(), { 1, 0, 1 })
  lu.assertEquals(a:lt(b):tolist(), { 1, 0, 0 })
  lu.assertEquals(a:le(b):tolist(), { 1, 1, 0 })
  lu.assertEquals(a:gt(2):tolist(), { 0, 0, 1 })
  lu.assertEquals(a:ge(2):tolist(), { 0, 1, 1 })
  lu.assertEquals(a:maximum(b):tolist(), { 3, 2, 3 })
  lu.assertEquals(a:minimum(2):tolist(), { 1, 2, 2 })
end

function TestComputing:test_functions_of_each_element()
  local t = lunet.tensor { -1.5, 0.25, 2.5 }
  local expected = {
    abs = { 1.5, 0.25, 2.5 }, sign = { -1, 1, 1 }, floor = { -2, 0, 2 },
    round = { -2, 0, 2 }, -- halves to the even neighbour
    exp = { math.exp(-1.5), math.exp(0.25), math.exp(2.5) },
    sin = { math.sin(-1.5), math.sin(0.25), math.sin(2.5) },
    cos = { math.cos(-1.5), math.cos(0.25), math.cos(2.5) },
    sigmoid = { 1 / (1 + math.exp(1.5)), 1 / (1 + math.exp(-0.25)),
                1 / (1 + math.exp(-2.5)) },
  }
  for name, numbers in pairs(expected) do
    assert_tensor(t[name](t), { 3 }, numbers, 2e-6)
  end
  local e = math.exp(2)
  lu.assertAlmostEquals(lunet.tensor(1):tanh():item(), (e - 1) / (e + 1), 1e-6)
  lu.assertEquals(lunet.tensor({ 9, 0.25 }):sqrt():tolist(), { 3, 0.5 })
  lu.assertAlmostEquals(lunet.tensor(math.exp(1)):log():item(), 1, 1e-6)
end

function TestComputing:test_reductions_to_a_number()
  local t = lunet.tensor { { 3, -1, 4 }, { 1, -5, 9 } }
  lu.assertEquals({ t:sum(), t:mean(), t:max(), t:min() },
                  { 11, 11 / 6, 9, -5 })
  lu.assertEquals({ t:argmax(), t:argmin() }, { 6, 5 })
  lu.assertEquals(math.type(t:argmax()), "integer")
  lu.assertEquals(lunet.zeros({ 0 }):sum(), 0)
  lu.assertIsNaN(lunet.zeros({ 0 }):mean())
end

function TestComputing:test_reductions_over_a_dim()
  local t = lunet.tensor { { 3, -1, 4 }, { 1, -5, 9 } }
  assert_tensor(t:sum(1), { 3 }, { 4, -6, 13 })
  assert_tensor(t:sum(2), { 2 }, { 6, 5 })
  assert_tensor(t:mean(2), { 2 }, { 2, 5 / 3 }, 1e-6)
  assert_tensor(t:max(1), { 3 }, { 3, -1, 9 })
  assert_tensor(t:min(2), { 2 }, { -1, -5 })
  assert_tensor(t:argmax(2), { 2 }, { 3, 3 })
  assert_tensor(t:argmin(1), { 3 }, { 2, 2, 1 })
  assert_tensor(lunet.tensor({ 5, 7 }):sum(1), {}, 12)
end

function TestComputing:test_long_sums_are_carried_in_double()
  local tenths = lunet.full({ 1000000 }, 0.1)
  lu.assertAlmostEquals(tenths:sum(), 1000000 * tenths[1], 1e-6)
end

function TestComputing:test_matmul()
  local a = lunet.tensor { { 1, 2, 3 }, { 4, 5, 6 } }
  assert_tensor(a:matmul(a:transpose(1, 2)), { 2, 2 },
                { { 14, 32 }, { 32, 77 } })
  assert_tensor(a:matmul(lunet.tensor { 1, 0, -1 }), { 2 }, { -2, -2 })
  assert_tensor(lunet.tensor({ 1, 1 }):matmul(a), { 3 }, { 5, 7, 9 })
end

function TestComputing:test_not_a_number_is_not_lost()
  local t = lunet.tensor { 1, nan, infinity }
  lu.assertIsNaN(t:sum())
  lu.assertIsNaN(t:max())
  lu.assertEquals(t:argmax(), 2)
  lu.assertIsNaN((t * 0)[3])
end

-- ---- printing ---------------------------------------------------------------

TestPrinting = {}

function TestPrinting:test_small()
  lu.assertEquals(tostring(lunet.tensor { { 1, -20 }, { 3, 4 } }),
                  "tensor (2,2)\n    1  -20\n    3    4")
  lu.assertEquals(tostring(lunet.tensor { 0.5, 12.25 }),
                  "tensor (2)\n   0.50  12.25")
  lu.assertEquals(tostring(lunet.tensor(1.5)), "tensor ()\n  1.500")
  lu.assertEquals(tostring(lunet.zeros { 2, 0 }), "tensor (2,0), empty")
end

function TestPrinting:test_what_is_no_number()
  lu.assertEquals(tostring(lunet.tensor { nan, infinity, -infinity }),
                  "tensor (3)\n   nan   inf  -inf")
end

function TestPrinting:test_long_rows_are_cut()
  lu.assertEquals(tostring(lunet.arange(100)),
                  "tensor (100)\n   0   1   2   …  97  98  99\n"
                  .. "min 0   mean 49.5   max 99")
end

function TestPrinting:test_more_dims_have_titles()
  local text = tostring(lunet.arange(24):view { 6, 2, 1, 2 })
  lu.assertEquals(text, "tensor (6,2,1,2)\n"
    .. "[1][1]\n   0   1\n[1][2]\n   2   3\n…\n"
    .. "[6][1]\n  20  21\n[6][2]\n  22  23\n"
    .. "min 0   mean 11.5   max 23")
end

function TestPrinting:test_tiny_and_huge()
  lu.assertStrContains(tostring(lunet.tensor { 1.5e-9, 0 }), "1.500e-09")
  lu.assertStrContains(tostring(lunet.tensor { 1.5e9, 0.5 }), "1.500e+09")
end

-- ---- lifetime ---------------------------------------------------------------

TestLifetime = {}

function TestLifetime:test_a_view_keeps_the_numbers()
  local row = lunet.arange(1000):view({ 10, 100 })[3]
  for _ = 1, 20 do
    lunet.zeros { 1000 }
    collectgarbage()
  end
  lu.assertEquals({ row[1], row[100] }, { 200, 299 })
end

function TestLifetime:test_close_gives_the_memory_back()
  local kept
  do
    local t <close> = lunet.ones { 3 }
    kept = t
  end
  lu.assertErrorMsgContains("tensor:sum: the tensor has been closed",
                            function() kept:sum() end)
end

-- ---- mistakes: the call, and the sentence at the user's line ----------------

local mistakes = {
  { 'lunet.tensor{{1, 2}, {3}}',
    "lunet.tensor: entry [2] has size 1, but the entries before it have size "
    .. "2; all rows must be equally long" },
  { 'lunet.tensor{{1, 2}, 3}',
    "lunet.tensor: entry [2] is a number, but must be a table of 2 like the "
    .. "entries before it" },
  { 'lunet.tensor{{1, 2}, {3, "x"}}',
    "lunet.tensor: entry [2][2] is a string, but must be a number" },
  { 'lunet.tensor{1, {2}}',
    "lunet.tensor: entry [2] is a table, but must be a number" },
  { 'lunet.tensor()',
    "lunet.tensor: expected numbers in nested tables, such as {{1, 2}, {3, "
    .. "4}}, got nothing" },
  { 'lunet.tensor{{{{{{{{{1}}}}}}}}}',
    "lunet.tensor: the table is nested deeper than 8 levels" },
  { 'lunet.zeros(3)',
    "lunet.zeros: the shape must be a table of sizes such as {2, 3}, got a "
    .. "number" },
  { 'lunet.zeros{2, -1}',
    "lunet.zeros: size 2 of the shape is -1; sizes are whole numbers >= 0" },
  { 'lunet.ones{2.5}',
    "lunet.ones: size 1 of the shape is 2.5; sizes are whole numbers >= 0" },
  { 'lunet.full{2}', "lunet.full: value must be a number, got nothing" },
  { 'lunet.arange(-1)', "lunet.arange: n is -1, but must be >= 0" },
  { 'lunet.rand{1,1,1,1,1,1,1,1,1}',
    "lunet.rand: the shape has 9 sizes, but a tensor has at most 8 dims" },
  { 'lunet.zeros{1 << 40, 1 << 40}',
    "shape (1099511627776,1099511627776) has more elements than memory can "
    .. "ever hold" },
  { 't.shap()', "a tensor has no method 'shap'; did you mean 'shape'?" },
  { 't.shape()',
    "tensor:shape: called on nothing, not on a tensor; write t:shape(...), "
    .. "with a colon" },
  { 't.weight = 1', "a tensor has no fields to be set, such as 'weight'" },
  { 't[3]', "index 3 is out of range: dim 1 of shape (2,3) has the places 1 "
    .. "to 2" },
  { 't[0]', "index 0 is out of range: dim 1 of shape (2,3) has the places 1 "
    .. "to 2" },
  { 't[1.5]', "tensor[i]: i must be a whole number, got 1.5" },
  { 't[1] = "x"',
    "tensor[i] = v: v must be a number or a tensor, got a string" },
  { 'lunet.tensor(1)[1]',
    "a tensor without dims is a single number and cannot be indexed" },
  { '#lunet.tensor(1)', "#tensor: the tensor has no dims" },
  { 't:item()',
    "tensor:item: needs exactly one number, but shape (2,3) holds 6; try "
    .. "t[i], or sum(), mean(), max()" },
  { 't:copy(1)', "tensor:copy: argument 1 must be a tensor, got a number" },
  { 't:copy(lunet.zeros{5, 2, 3})',
    "copy: shape (5,2,3) is larger than the tensor (2,3) that it is copied "
    .. "into" },
  { 't:fill("x")', "tensor:fill: value must be a number, got a string" },
  { 't:narrow(4, 1, 1)',
    "tensor:narrow: dim is 4, but the tensor has 2 dims (1..2)" },
  { 't:narrow(0, 1, 1)',
    "tensor:narrow: dim is 0, but the tensor has 2 dims (1..2)" },
  { 't:narrow(2, 3, 2)',
    "narrow: 2 places from 3 on are not in dim 2, which has the places 1 to "
    .. "3" },
  { 't:narrow(1, 1)', "tensor:narrow: length must be a whole number, got "
    .. "nothing" },
  { 't:transpose(1, 3)',
    "tensor:transpose: dim is 3, but the tensor has 2 dims (1..2)" },
  { 't:view{4, 2}',
    "view: 6 elements of shape (2,3) do not fill shape (4,2)\n"
    .. "  the sizes must multiply to 6; one of them may be -1: what is left" },
  { 't:sum(3)', "tensor:sum: dim is 3, but the tensor has 2 dims (1..2)" },
  { 'lunet.tensor(1):max(1)',
    "tensor:max: dim is 1, but the tensor has no dims" },
  { 'lunet.zeros({0}):max()',
    "max of nothing: there is no element to choose from in shape (0)" },
  { 'return t + "x"',
    "tensor + tensor: both sides must be tensors or numbers, got a string" },
  { 'return nil * t',
    "tensor * tensor: both sides must be tensors or numbers, got nil" },
  { 't:lt{}',
    "tensor:lt: both sides must be tensors or numbers, got a table" },
  { 'lunet.tensors', "lunet has no 'tensors'; did you mean 'tensor'?" },
  { 'lunet.manual_seed("x")',
    "lunet.manual_seed: seed must be a whole number, got a string" },
}

local function message_of(code)
  local environment = { lunet = lunet, t = lunet.zeros { 2, 3 } }
  local chunk = load("local _ = " .. code, "=user", "t", environment)
    or assert(load(code, "=user", "t", environment))
  local _, message = pcall(chunk)
  return message
end

TestMistakes = {}

function TestMistakes:test_sentences()
  for _, mistake in ipairs(mistakes) do
    local code, sentence = table.unpack(mistake, 1, 2)
    lu.assertEquals(message_of(code), "user:1: " .. sentence, code)
  end
end

os.exit(lu.LuaUnit.run())
