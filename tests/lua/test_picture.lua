-- Pictures, dot by dot where it matters.
local lu = require "luaunit"
local lunet = require "lunet"
local canvas = require "lunet.canvas"
local font = require "lunet.font"
local picture = lunet.picture

local white = { 255, 255, 255 }

-- The bytes {red, green, blue} of a dot, x and y from 0.
local function dot(tensor, x, y)
  local colour = {}
  for plane = 1, 3 do
    colour[plane] = math.floor(tensor[plane][y + 1][x + 1] * 255 + 0.5)
  end
  return colour
end

-- How many dots have this colour 0xRRGGBB.
local function count(tensor, colour)
  local here = lunet.ones { tensor:shape()[2], tensor:shape()[3] }
  for plane = 1, 3 do
    local byte = colour >> 24 - 8 * plane & 255
    here = here * ((tensor[plane] * 255 - byte):abs():lt(0.5))
  end
  return here:sum()
end

TestFont = {}

function TestFont:test_every_character_is_drawn_once()
  local seen = {}
  for code = 32, 126 do
    local rows = font.glyph(string.char(code))
    lu.assertEquals(#rows, font.height, string.char(code))
    for _, row in ipairs(rows) do
      lu.assertStrMatches(row, "[.#][.#][.#][.#][.#]")
    end
    local drawing = table.concat(rows)
    lu.assertNil(seen[drawing], "two characters look the same: "
                 .. string.char(code))
    seen[drawing] = true
  end
end

function TestFont:test_a_glyph()
  lu.assertEquals(table.concat(font.glyph("T"), "\n"), [[
#####
..#..
..#..
..#..
..#..
..#..
..#..
.....
.....]])
  lu.assertEquals(font.glyph("\200"), font.glyph("?"))
end

TestCanvas = {}

function TestCanvas:test_fill_is_cut_at_the_rim()
  local c = canvas.new(4, 3)
  c:fill(-5, 1, 7, 99, 0x102030)
  c:fill(3, 0, 9, 1, 0x405060)
  local t = c:tensor()
  lu.assertEquals(t:shape(), { 3, 3, 4 })
  lu.assertEquals(dot(t, 1, 1), { 0x10, 0x20, 0x30 })
  lu.assertEquals(dot(t, 1, 0), white)
  lu.assertEquals(dot(t, 2, 2), white)
  lu.assertEquals(count(t, 0x102030), 4)
  lu.assertEquals(count(t, 0x405060), 1)
end

function TestCanvas:test_line()
  local c = canvas.new(20, 20)
  c:line(2, 3, 17, 18, 0x000000, 3)
  local t = c:tensor()
  for i = 2, 17 do lu.assertEquals(dot(t, i, i + 1), { 0, 0, 0 }) end
  lu.assertEquals(dot(t, 2, 18), white)
  lu.assertEquals(dot(t, 17, 3), white)
end

function TestCanvas:test_text()
  local c = canvas.new(40, 20)
  c:text(1, 2, "T", { scale = 2 })
  local t = c:tensor()
  lu.assertEquals(count(t, 0x000000), 11 * 4) -- 5 + 6 dots of 2x2
  lu.assertEquals(dot(t, 1, 2), { 0, 0, 0 })
  lu.assertEquals(dot(t, 5, 15), { 0, 0, 0 })
  lu.assertEquals({ canvas.text_size("ab\nabc", 2) }, { 34, 38 })
end

function TestCanvas:test_alignment()
  local right, center = canvas.new(20, 9), canvas.new(20, 9)
  right:text(19, 0, "l", { align = "right" })
  center:text(10, 0, "T", { align = "center" })
  lu.assertEquals(dot(right:tensor(), 18 - 2, 3), { 0, 0, 0 })
  lu.assertEquals(dot(center:tensor(), 10, 3), { 0, 0, 0 })
end

TestCurves = {}

-- A line that runs level is drawn where its tick is.
function TestCurves:test_a_level_line()
  local t = picture.curves {
    lines = { { name = "level", y = { 5, 5, 5 } },
              { name = "rise", y = { 0, 5, 10 } } } }
  local _, height, width = table.unpack(t:shape())
  lu.assertEquals({ width, height }, { 800, 500 })
  local middle = (84 + 500 - 72) // 2 -- between the ends of the y axis
  lu.assertEquals(dot(t, 300, middle), { 0x1f, 0x5f, 0xbf })
  lu.assertEquals(dot(t, 300, middle + 6), white)
  lu.assertTrue(count(t, 0xd9480f) > 500)
  lu.assertEquals(dot(t, 771, 85), { 0xd9, 0x48, 0x0f }) -- the end of the rise
end

function TestCurves:test_gaps_and_single_points()
  local nan = 0 / 0
  picture.curves { lines = { { name = "gap", y = { 1, nan, 2, math.huge } } } }
  picture.curves { lines = { { name = "one", y = { 3 } } } }
  picture.curves { lines = { { name = "none", y = {} },
                             { name = "some", y = { 1, 2 } } } }
end

-- Empty axes would say nothing; each refusal gives the rule.
function TestCurves:test_nothing_to_draw()
  local function refused(text, lines, more)
    local o = { lines = lines }
    for name, value in pairs(more or {}) do o[name] = value end
    lu.assertErrorMsgContains(text, picture.curves, o)
  end
  refused("there are no lines, there is nothing to draw", {})
  refused("the lines have no numbers", { { name = "", y = {} } })
  refused("none of the 2 numbers can be drawn", { { name = "",
                                                    y = { 0 / 0, 1 / 0 } } })
  refused("shows finite numbers > 0", { { name = "", y = { 0, -1 } } },
          { y_scale = "log" })
  refused("line 1: 2 numbers x for 3 numbers y", { { name = "", x = { 1, 2 },
                                                     y = { 1, 2, 3 } } })
  refused("it must be a tensor or a list of numbers",
          { { name = "", y = { "a" } } })
  refused("y goes from 2 to 1", { { name = "", y = { 1, 2 } } },
          { y_min = 2, y_max = 1 })
  refused("must be a finite number", { { name = "", y = { 1 } } },
          { y_max = 1 / 0 })
  refused("which no axis can show", { { name = "", y = { -1e308, 1e308 } } })
  refused("must be a whole number >= 300 and <= 4000",
          { { name = "", y = { 1 } } }, { width = 1000000 })
end

-- A level line far from 0 keeps ticks that differ.
function TestCurves:test_a_large_level_line()
  picture.curves { lines = { { name = "", y = { 1e9, 1e9 } } } }
  picture.curves { lines = { { name = "", y = { 1e300 } } } }
end

function TestCurves:test_a_legend_of_several_rows()
  local lines = {}
  for i = 1, 6 do
    lines[i] = { name = ("a long name, number %d"):format(i), y = { 1, 2 } }
  end
  local function axis_top(of)
    local t = picture.curves { lines = of, y_title = "loss" }
    local x, y = 24 + canvas.text_size("2.0", 2), 400
    while dot(t, x, y - 1)[1] == 0x20 do y = y - 1 end
    return y
  end
  lu.assertEquals(axis_top { lines[1] }, 84)
  lu.assertEquals(axis_top(lines), 84 + 2 * 28) -- two names a row
end

-- A line without a name needs no sample.
function TestCurves:test_no_name_no_legend()
  local t = picture.curves { lines = { { name = "", y = { 0, 0, 1e-9 } } },
                             y_min = 0, y_max = 1 }
  local above = t:narrow(2, 1, 70)
  lu.assertTrue(above:min() > 0.99)
end

function TestCurves:test_refusals()
  lu.assertErrorMsgContains("needs the option 'lines'", picture.curves, {})
  lu.assertErrorMsgContains("needs the option 'y'", picture.curves,
                            { lines = { { name = "a" } } })
  lu.assertErrorMsgContains("did you mean 'title'?", picture.curves,
                            { lines = {}, tittle = "a" })
end

TestSheet = {}

function TestSheet:test_images_keep_their_dots()
  local image = lunet.tensor { { { 0, 1 }, { 0.2, 0.4 } } }
  local t = picture.sheet { images = { image }, zoom = 10 }
  -- border 20, then a rim of one dot
  lu.assertEquals(dot(t, 21, 21), { 0, 0, 0 })
  lu.assertEquals(dot(t, 31, 21), white)
  lu.assertEquals(dot(t, 21, 31), { 51, 51, 51 })
  lu.assertEquals(dot(t, 40, 40), { 102, 102, 102 })
end

function TestSheet:test_colour_and_batches()
  local batch = lunet.zeros { 2, 3, 4, 4 }
  batch[2][1]:fill(1)
  local t = picture.sheet { images = batch, zoom = 5, columns = 2,
                            captions = { "black", "red" } }
  lu.assertEquals(count(t, 0xff0000), 400)
  lu.assertEquals(count(t, 0x000000), 400)
  lu.assertEquals(dot(t, 20 + 58 // 2, 30), { 0, 0, 0 }) -- the first
end

function TestSheet:test_empty()
  local t = picture.sheet { images = {}, title = "no mistakes" }
  lu.assertTrue(count(t, 0x202020) > 50)
end

function TestSheet:test_refusals()
  for text, images in pairs {
    ["image 1 has shape (2,4,4)"] = { lunet.zeros { 2, 4, 4 } },
    ["images has shape (4,4)"] = lunet.zeros { 4, 4 },
    ["images has shape ()"] = lunet.tensor(3),
    ["image 2 holds numbers that are not finite"] = {
      lunet.ones { 1, 2, 2 }, lunet.full({ 1, 2, 2 }, 0 / 0) },
    ["image 1 of shape (1,0,4) holds no numbers"] = lunet.ones { 2, 1, 0, 4 },
    ["there are no images"] = lunet.ones { 0, 1, 4, 4 },
    ["it must be a tensor or a list of tensors"] = { 3 },
  } do
    lu.assertErrorMsgContains(text, picture.sheet, { images = images })
  end
  lu.assertErrorMsgContains("<= 400", picture.sheet,
                            { images = lunet.ones { 1, 1, 2, 2 }, zoom = 1e6 })
end

TestFilters = {}

function TestFilters:test_zero_is_white_and_signs_have_colours()
  local weight = lunet.tensor { { { { 0, 2 }, { -2, 1 } } } }
  local t = picture.filters { weight = weight, zoom = 40 }
  local middle = t:shape()[3] // 2
  lu.assertEquals(dot(t, middle - 20, 40), white)
  lu.assertEquals(dot(t, middle + 20, 40), { 0xc9, 0x2a, 0x1f })
  lu.assertEquals(dot(t, middle - 20, 80), { 0x1f, 0x4f, 0xbf })
  lu.assertEquals(dot(t, middle + 20, 80), { 228, 149, 143 })
end

function TestFilters:test_all_zero()
  picture.filters { weight = lunet.zeros { 2, 3, 3, 3 } }
end

function TestFilters:test_refusals()
  lu.assertErrorMsgContains("has shape (10,64)", picture.filters,
                            { weight = lunet.zeros { 10, 64 } })
  lu.assertErrorMsgContains("shape (0,1,3,3) holds no numbers",
                            picture.filters, { weight = lunet.zeros { 0, 1, 3,
                                                                      3 } })
  lu.assertErrorMsgContains("not finite", picture.filters,
                            { weight = lunet.full({ 1, 1, 2, 2 }, 0 / 0) })
end

TestBars = {}

local function bars(...)
  local list = {}
  for i, value in ipairs { ... } do
    list[i] = { name = ("bar %d"):format(i), value = value, group = i }
  end
  return list
end

-- Half the number is half the bar.
function TestBars:test_lengths()
  local t = picture.bars { bars = bars(8, 4) }
  local long, short = count(t, 0x1f5fbf), count(t, 0x74a9e8)
  lu.assertAlmostEquals(long / short, 2, 0.01)
end

function TestBars:test_the_limit_crosses_what_exceeds_it()
  local t = picture.bars { bars = bars(8), limit = 4, limit_name = "half" }
  lu.assertTrue(count(t, 0xd9480f) > 2 * 22)
end

function TestBars:test_odd_bars()
  picture.bars { bars = bars(0) }
  picture.bars { bars = bars(0, 1e300, 1e-300), unit = ("u"):rep(30) }
  picture.bars { bars = { { name = ("long "):rep(100), value = 1 } } }
  picture.bars { bars = { { name = ("\u{fc}"):rep(100), value = 1 } } }
end

function TestBars:test_refusals()
  for text, list in pairs {
    ["there are no bars"] = {},
    ["bar 1: option 'value' is -3, it must be a finite number >= 0"] = bars(-3),
    ["bar 2: option 'value' is inf"] = bars(1, 1 / 0),
    ["needs the option 'value'"] = { { name = "a" } },
    ["bar 1 takes a table of options"] = { 3 },
  } do
    lu.assertErrorMsgContains(text, picture.bars, { bars = list })
  end
end

TestLogarithms = {}

-- Equal factors are equally far apart: 1, 10, 100 lie on a straight line.
function TestLogarithms:test_powers_of_ten()
  local t = picture.curves { y_scale = "log", lines = {
    { name = "", y = { 1, 10, 100 } } } }
  local _, height, width = table.unpack(t:shape())
  local first = 24 + canvas.text_size("100", 2)
  local middle = (84 + height - 72) // 2
  local colour = { 0x1f, 0x5f, 0xbf }
  lu.assertEquals(dot(t, (first + width - 28) // 2, middle), colour)
  lu.assertEquals(dot(t, first + 1, height - 73), colour)
  lu.assertEquals(dot(t, width - 29, 85), colour)
end

-- What has no logarithm is left out.
function TestLogarithms:test_zero_and_below()
  local t = picture.curves { y_scale = "log", lines = {
    { name = "", y = { 0, -1, 0 } }, { name = "", y = { 1, 2 } } } }
  -- the sample of the legend is all there is of the line's colour
  lu.assertTrue(count(t, 0x1f5fbf) < 120)
  picture.curves { y_scale = "log", lines = { { name = "", y = { 5, 5 } } } }
end

function TestLogarithms:test_refusals()
  lu.assertErrorMsgContains("y_scale is 'lg'", picture.curves,
                            { lines = {}, y_scale = "lg" })
  lu.assertErrorMsgContains("must be > 0", picture.curves,
                            { lines = {}, y_scale = "log", y_min = 0 })
end

TestHistogram = {}

-- Two bins, one with twice as many: its bar is twice as high.
function TestHistogram:test_heights()
  local t = picture.histogram { values = { 0, 1, 1 }, bins = 2 }
  local blue = { 0x1f, 0x5f, 0xbf }
  local bottom, middle, top = 500 - 74, (84 + 428) // 2, 84
  lu.assertEquals(dot(t, 200, bottom), blue)
  lu.assertEquals(dot(t, 200, middle + 2), blue)
  lu.assertEquals(dot(t, 200, middle - 4), white)
  lu.assertEquals(dot(t, 700, top + 2), blue)
  lu.assertEquals(dot(t, 700, top - 2), white)
end

function TestHistogram:test_odd_values()
  picture.histogram { values = { 3, 3, 3 } }
  picture.histogram { values = { 1, 0 / 0, math.huge } }
  picture.histogram { values = { 0 / 0 } }
  picture.histogram { values = lunet.randn { 3, 4 } }
  lu.assertErrorMsgContains("there are no values", picture.histogram,
                            { values = {} })
end

TestConfusion = {}

function TestConfusion:test_right_is_green_and_wrong_is_orange()
  local right = picture.confusion { counts = lunet.tensor {
    { 4, 0 }, { 0, 0 } } }
  lu.assertTrue(count(right, 0x2b8a3e) > 500)
  lu.assertEquals(count(right, 0xd9480f), 0)
  local wrong = picture.confusion { counts = lunet.tensor {
    { 0, 0 }, { 4, 0 } } }
  lu.assertTrue(count(wrong, 0xd9480f) > 500)
  lu.assertEquals(count(wrong, 0x2b8a3e), 0)
end

function TestConfusion:test_refusals()
  lu.assertErrorMsgContains("the counts have shape (2,3)", picture.confusion,
                            { counts = lunet.ones { 2, 3 } })
  lu.assertErrorMsgContains("1 names for 2 classes", picture.confusion,
                            { counts = lunet.ones { 2, 2 }, classes = { "a" } })
  for _, value in ipairs { -1, 0 / 0, 1 / 0 } do
    lu.assertErrorMsgContains("must be finite numbers >= 0", picture.confusion,
                              { counts = lunet.full({ 2, 2 }, value) })
  end
end

TestScatter = {}

function TestScatter:test_classes_have_colours()
  local t = picture.scatter {
    points = lunet.tensor { { 0, 0 }, { 1, 1 }, { 2, 0 }, { 3, 3 } },
    labels = lunet.tensor { 0, 1, 1, 1 }, classes = { "a", "a" } }
  local discs = { count(t, 0x1f5fbf), count(t, 0xd9480f) }
  lu.assertTrue(discs[1] > 50 and discs[2] > discs[1] + 50)
end

function TestScatter:test_odd_points()
  picture.scatter { points = lunet.zeros { 3, 2 } }
  picture.scatter { points = lunet.tensor { { 0 / 0, 1 }, { 1, 2 } } }
end

function TestScatter:test_refusals()
  lu.assertErrorMsgContains("shape (2,3), they must be (N,2)", picture.scatter,
                            { points = lunet.ones { 2, 3 } })
  lu.assertErrorMsgContains("3 labels for 2 points", picture.scatter,
    { points = lunet.ones { 2, 2 }, labels = lunet.ones { 3 } })
  lu.assertErrorMsgContains("there are no points", picture.scatter,
                            { points = lunet.zeros { 0, 2 } })
  lu.assertErrorMsgContains("none of the points is finite", picture.scatter,
                            { points = lunet.full({ 3, 2 }, 0 / 0) })
  for _, label in ipairs { -1, 0.5, 0 / 0 } do
    lu.assertErrorMsgContains("labels are class ids", picture.scatter,
      { points = lunet.ones { 2, 2 }, labels = lunet.full({ 2 }, label) })
  end
end

os.exit(lu.LuaUnit.run())
