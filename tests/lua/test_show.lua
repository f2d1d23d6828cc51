-- test_show.lua - lunet.show draws anywhere: as a file, with kitty's graphics,
-- in sixels, half blocks, ASCII. What a terminal gets is decoded here again.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local shell = require "support.shell"
local cells = require "lunet.cells"
local colour_map = require "lunet.colour_map"
local blocks = require "lunet.terminal.blocks"
local few_tiles = require "lunet.few_tiles"
local kind_of = require "lunet.terminal.kind"
local kitty = require "lunet.terminal.kitty"
local sixel = require "lunet.terminal.sixel"

local build = os.getenv("LUNET_BUILD") or "build"

-- What `lunet.show(x)` writes; the variables come first, as in a shell.
local function shown(variables, x)
  local ok, output = shell.run(
    "%s NO_COLOR= %s/lunet -e 'lunet = require \"lunet\" lunet.show(%s)'",
    variables, build, x)
  lu.assertTrue(ok, output)
  return output
end

-- ---- which kind ------------------------------------------------------------

TestKind = {}

local function kind(variables, is_terminal)
  return kind_of(function(name) return variables[name] end,
                 is_terminal ~= false)
end

function TestKind:test_terminals()
  local utf8 = { LANG = "en_GB.UTF-8" }
  for term, expected in pairs {
    ["xterm-kitty"] = "kitty", ["xterm-ghostty"] = "kitty", foot = "sixel",
    mlterm = "sixel", ["xterm-sixel"] = "sixel", ["yaft-256color"] = "sixel",
    ["xterm-256color"] = "blocks", ["tmux-256color"] = "blocks",
    ["screen-256color"] = "blocks", dumb = "ascii", linux = "ascii",
  } do
    utf8.TERM = term
    lu.assertEquals(kind(utf8), expected, term)
  end
  lu.assertEquals(kind { LANG = "C.UTF-8" }, "ascii") -- no TERM
end

function TestKind:test_other_signs()
  local x = { TERM = "xterm-256color", LANG = "C.UTF-8" }
  local function with(name, value, is_terminal)
    local variables = { [name] = value }
    for n, v in pairs(x) do
      if variables[n] == nil then variables[n] = v end
    end
    return (kind(variables, is_terminal))
  end
  lu.assertEquals(with("KITTY_WINDOW_ID", "1"), "kitty")
  lu.assertEquals(with("TERM_PROGRAM", "WezTerm"), "kitty")
  lu.assertEquals(with("TERM_PROGRAM", "mintty"), "sixel")
  lu.assertEquals(with("NO_COLOR", "1"), "ascii")
  lu.assertEquals(with("NO_COLOR", ""), "blocks")
  lu.assertEquals(with("LANG", "C"), "ascii")
  lu.assertEquals(with("LC_ALL", "POSIX"), "ascii")
  lu.assertEquals(with("LANG", "C.UTF-8", false), "ascii")
  lu.assertEquals(with("LUNET_SHOW", "sixel", false), "sixel")
end

-- A terminal in which tmux runs cannot be reached through it.
function TestKind:test_kitty_in_tmux()
  lu.assertEquals(kind { TERM = "tmux-256color", KITTY_WINDOW_ID = "1",
                         LANG = "C.UTF-8" }, "blocks")
end

function TestKind:test_depth()
  local _, depth = kind { TERM = "xterm" }
  lu.assertEquals(depth, 256)
  _, depth = kind { TERM = "xterm", COLORTERM = "truecolor" }
  lu.assertEquals(depth, 24)
end

function TestKind:test_wrong_override()
  lu.assertErrorMsgContains(
    "LUNET_SHOW is 'best', it must be one of kitty, sixel, blocks, ascii",
    kind, { LUNET_SHOW = "best" })
end

-- ---- sixels ----------------------------------------------------------------

-- Rows of dots { red, green, blue } in percent, as a terminal would draw them.
local function decode_sixel(text)
  local width, height, body =
    text:match("^\27Pq\"1;1;(%d+);(%d+)(.*)\27\\\n$")
  lu.assertNotNil(body, "no sixel picture")
  local colours, rows = {}, {}
  for y = 1, height do rows[y] = {} end
  local colour, x, band, i = nil, 1, 0, 1
  while i <= #body do
    local a, b, number = body:find("^#(%d+);2;%d+;%d+;%d+", i)
    if a then
      local red, green, blue = body:match("^#%d+;2;(%d+);(%d+);(%d+)", i)
      colours[number] = { tonumber(red), tonumber(green), tonumber(blue) }
      i = b + 1
    elseif body:find("^#%d", i) then
      colour = body:match("^#(%d+)", i)
      i = i + 1 + #colour
    elseif body:sub(i, i) == "$" then
      x, i = 1, i + 1
    elseif body:sub(i, i) == "-" then
      x, band, i = 1, band + 1, i + 1
    else
      local count, character = body:match("^!(%d+)(.)", i)
      i = i + (count and #count + 2 or 1)
      character = character or body:sub(i - 1, i - 1)
      local bits = character:byte() - 63
      lu.assertTrue(bits >= 0 and bits < 64, "no sixel: " .. character)
      for _ = 1, count or 1 do
        for bit = 0, 5 do
          if bits >> bit & 1 == 1 then
            local row = rows[band * 6 + bit + 1]
            lu.assertNil(row[x], "a dot is drawn twice")
            row[x] = colours[colour]
          end
        end
        x = x + 1
      end
      lu.assertTrue(x - 1 <= tonumber(width))
    end
  end
  return rows, tonumber(width), tonumber(height)
end

-- The picture that comes back differs by no more than this, of 1.
local function assert_decoded(picture, most)
  local rows, width, height = decode_sixel(sixel.text(picture))
  lu.assertEquals({ 3, height, width }, picture:shape())
  local planes = picture:tolist()
  for y = 1, height do
    for x = 1, width do
      for k = 1, 3 do
        local off = math.abs(rows[y][x][k] / 100 - planes[k][y][x])
        lu.assertTrue(off <= most, ("%d,%d is off by %g"):format(x, y, off))
      end
    end
  end
end

TestSixel = {}

function TestSixel:test_a_small_picture()
  local red = lunet.zeros { 3, 1, 2 }
  red[1]:fill(1)
  lu.assertEquals(sixel.text(red),
                  "\27Pq\"1;1;2;1#0;2;100;0;0#0@@-\27\\\n")
  lu.assertStrContains(sixel.text(lunet.zeros { 3, 1, 60 }), "#0!60@-")
end

-- Heights around the six rows of a band; long runs; colours that are exact.
function TestSixel:test_pictures_come_back()
  for _, size in ipairs { { 1, 1 }, { 5, 7 }, { 6, 6 }, { 7, 13 },
                          { 12, 5 } } do
    assert_decoded((lunet.rand { 3, size[1], size[2] } * 2):floor() / 2, 0.0051)
  end
  assert_decoded(lunet.picture.filters { weight = lunet.randn { 2, 1, 3, 3 } },
                 0.04) -- its bar alone has 300 colours
end

-- Of more than 256 colours similar ones are put together.
function TestSixel:test_many_colours()
  local rows = lunet.arange(64):view { 1, 64, 1 } / 63
  local columns = lunet.arange(64):view { 1, 1, 64 } / 63
  local ones, picture = lunet.ones { 1, 64, 64 }, lunet.zeros { 3, 64, 64 }
  picture[1]:copy((rows * ones)[1])
  picture[2]:copy((columns * ones)[1])
  picture[3]:copy((rows * columns)[1])
  assert_decoded(picture, 0.08)
  lunet.manual_seed(3)
  assert_decoded(lunet.rand { 3, 40, 40 }, 0.25)
end

-- A colour that many dots have is not spoilt by the many that few have.
function TestSixel:test_common_colours_stay()
  lunet.manual_seed(4)
  local picture = lunet.rand { 3, 30, 60 }
  picture:narrow(3, 1, 40):fill(0.2)
  local rows = decode_sixel(sixel.text(picture))
  lu.assertEquals(rows[15][20], { 20, 20, 20 })
end

-- ---- kitty -----------------------------------------------------------------

local function decode_base64(code)
  local digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  local bits, n, bytes = 0, 0, {}
  for digit in code:gmatch("[^=]") do
    bits = (bits << 6 | digits:find(digit, 1, true) - 1) & 0xffffff
    n = n + 6
    if n >= 8 then
      n = n - 8
      bytes[#bytes + 1] = string.char(bits >> n & 255)
    end
  end
  return table.concat(bytes)
end

-- The bytes of the picture that the escapes transmit.
local function decode_kitty(text)
  local code, expected = {}, "a=T,f=100,q=2,m=%d"
  local rest = text:gsub("\27_G([^;]*);([^\27]*)\27\\", function(control, part)
    local last = #code > 0 and code[#code]
    lu.assertTrue(#part <= 4096 and #part % 4 == 0)
    lu.assertTrue(not last or #last == 4096)
    lu.assertTrue(control == expected:format(1) or
                  control == expected:format(0), control)
    expected = control:find("m=1$") and "m=%d" or "nothing after the last"
    code[#code + 1] = part
    return ""
  end)
  lu.assertEquals(rest, "\n")
  lu.assertEquals(expected, "nothing after the last")
  return decode_base64(table.concat(code)), #code
end

TestKitty = {}

function TestKitty:test_base64()
  for text, code in pairs { [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v",
                            foob = "Zm9vYg==", foobar = "Zm9vYmFy" } do
    lu.assertEquals(kitty.base64(text), code) -- RFC 4648, section 10
    lu.assertEquals(decode_base64(code), text)
  end
end

function TestKitty:test_a_picture_comes_back()
  local picture = (lunet.rand { 3, 60, 50 } * 255):round() / 255
  local bytes, chunks = decode_kitty(kitty.text(picture))
  lu.assertTrue(chunks > 1)
  local path = os.tmpname() .. ".png"
  shell.write(path, bytes)
  local back = lunet.load(path)
  os.remove(path)
  lu.assertTrue((back - picture):abs():max() < 1e-6)
end

-- ---- blocks and ASCII ------------------------------------------------------

TestBlocks = {}

function TestBlocks:test_two_dots_a_character()
  local picture = cells.new(3, 2)
  picture:dot(0, 0, 0xff0000)
  picture:dot(0, 1, 0x0000ff)
  picture:dot(1, 1, 0x00ff00)
  picture:dot(2, 0, 0x0000ff)
  lu.assertEquals(blocks.coloured(picture, 24),
                  "\27[38;2;255;0;0;48;2;0;0;255m▀"
                  .. "\27[38;2;0;255;0;49m▄"
                  .. "\27[38;2;0;0;255;49m▀\27[0m\n")
end

function TestBlocks:test_256_colours()
  local picture = cells.new(1, 2)
  picture:fill(0, 0, 1, 2, 0xff0000)
  lu.assertEquals(blocks.coloured(picture, 256), "\27[38;5;196;49m█\27[0m\n")
  picture:fill(0, 0, 1, 2, 0x808080)
  lu.assertStrContains(blocks.coloured(picture, 256), "38;5;244")
end

function TestBlocks:test_text_keeps_its_characters()
  local picture = cells.new(6, 4)
  picture:text(3, 2, "é→", { align = "center" })
  lu.assertEquals(blocks.coloured(picture, 24), "\n  é→\n")
end

function TestBlocks:test_ascii()
  local picture = cells.new(4, 2)
  picture:fill(0, 0, 1, 2, 0xffffff)
  picture:fill(1, 0, 1, 2, 0x000000)
  picture:fill(2, 0, 1, 2, 0x808080)
  picture:fill(3, 0, 1, 2, 0x123456, "x")
  lu.assertEquals(blocks.ascii(picture), "@ +x\n")
end

-- ---- the whole -------------------------------------------------------------

TestShow = {}

function TestShow:test_ascii_where_nobody_looks()
  lu.assertEquals(shown("LUNET_SHOW=", "lunet.tensor{{0,1},{0.5,0}}"),
    ("                @@@@@@@@@@@@@@@@\n"):rep(8)
    .. ("++++++++++++++++\n"):rep(8))
end

function TestShow:test_every_kind()
  local x = "lunet.ones{4,4}"
  lu.assertStrContains(shown("LUNET_SHOW=kitty", x), "\27_Ga=T,f=100")
  lu.assertStrContains(shown("LUNET_SHOW=sixel", x), "\27Pq\"1;1;")
  lu.assertStrContains(shown("LUNET_SHOW=blocks COLORTERM=24bit", x),
                       "\27[38;2;255;255;255;49m█")
  lu.assertStrContains(shown("LUNET_SHOW=ascii", x), "@@@@")
end

-- The sixels that show writes are the picture that it saves.
function TestShow:test_sixels_are_the_file()
  local path = os.tmpname() .. ".png"
  local text = shown("LUNET_SHOW=sixel", "lunet.tensor{{0,1},{1,0}}")
  lunet.show(lunet.tensor { { 0, 1 }, { 1, 0 } }, path)
  local rows = decode_sixel(text)
  local planes = lunet.load(path):tolist()
  os.remove(path)
  for y, row in ipairs(rows) do
    for x, dot in ipairs(row) do
      lu.assertEquals(dot[1], math.floor(planes[1][y][x] * 100 + 0.5))
    end
  end
end

local function lines_of(text)
  local list = {}
  for line in text:gmatch("([^\n]*)\n") do list[#list + 1] = line end
  return list
end

-- Labels are text, not dots.
function TestShow:test_curves_in_ascii()
  local text = shown("LUNET_SHOW=ascii", [[{ title = "a title",
    x_title = "epoch", y_title = "loss", lines = {
      { name = "falls", y = { 3, 2, 1, 0 } },
      { name = "rises", y = { 0, 1, 2, 3 } } } }]])
  local lines = lines_of(text)
  lu.assertEquals(#lines, 20)
  lu.assertStrContains(lines[1], "a title")
  lu.assertStrMatches(lines[2], "loss .* %*%*%* falls  ooo rises")
  lu.assertStrMatches(lines[3], "^3 %+%*%*.*oo$")
  lu.assertStrMatches(lines[17], "^0 %+o+.*%*+$")
  lu.assertStrMatches(lines[18], "  %+[%-%+]+")
  lu.assertStrMatches(lines[19], " +1 +2 +3 +4")
  lu.assertStrContains(lines[20], "epoch")
end

function TestShow:test_bars_in_ascii()
  local text = shown("LUNET_SHOW=ascii", [[{ title = "speed", unit = "G/s",
    limit = 3, limit_name = "peak", bars = { { name = "one", value = 4 },
      { name = "two", value = 2, group = 2 } } }]])
  local lines = lines_of(text)
  lu.assertEquals(#lines, 4)
  lu.assertStrMatches(lines[1], " +speed")
  lu.assertStrMatches(lines[2], " G/s +peak")
  local before, behind = lines[3]:match "^ one|(#+)|(#+) 4%.00$"
  lu.assertAlmostEquals(#before / (#before + #behind), 3 / 4, 0.02)
  local half = lines[4]:match "^ two|(=+) 2%.00 +|$"
  lu.assertAlmostEquals(#half / (#before + 1 + #behind), 1 / 2, 0.02)
end

function TestShow:test_confusion_in_ascii()
  local text = shown("LUNET_SHOW=ascii",
    "{ counts = lunet.tensor{{50,2},{0,7}}, classes = { \"cat\", \"dog\" } }")
  lu.assertEquals(text, "       seen as\ntrue  cat  dog\n"
                  .. " cat  50    2\n dog   .    7\n")
end

-- Signs show without colours, too.
function TestShow:test_filters_in_ascii()
  local text = shown("LUNET_SHOW=ascii",
                     "lunet.tensor{{{{-2, 0}, {0.7, 2}}}}")
  local lines = lines_of(text)
  lu.assertEquals(lines[1], "====....")
  lu.assertStrMatches(lines[3], "%+%+%+%+####")
  lu.assertStrContains(text, "-2")
  lu.assertStrContains(text, "+2")
end

-- A character is two dots: a zero beside a sign hides it not.
function TestShow:test_zeros_hide_no_sign()
  for first, second in pairs { ["-"] = ".", ["."] = "-" } do
    local picture = cells.new(1, 2)
    picture:dot(0, 0, 0xffffff, first)
    picture:dot(0, 1, 0xffffff, second)
    lu.assertEquals(blocks.ascii(picture), "-\n")
  end
end

-- Tiles that belong together stay in one row: they become smaller.
function TestShow:test_groups_stay_together()
  local function columns(group)
    local text = shown("LUNET_SHOW=ascii", ([[{ group = %d, captions =
      { "1", "2", "3", "4", "5", "6", "7", "8", "9" },
      images = lunet.ones{ 9, 1, 8, 8 } }]]):format(group))
    local list = {}
    for line in text:gmatch "[^\n]+" do
      if line:find "%d" then
        list[#list + 1] = select(2, line:gsub("%d", ""))
      end
    end
    return list
  end
  lu.assertEquals(columns(1), { 4, 4, 1 })
  lu.assertEquals(columns(3), { 3, 3, 3 })
  lu.assertEquals(columns(5), { 5, 4 })
end

-- An overlay has no colour there, so the map alone is drawn.
function TestShow:test_overlays_in_ascii()
  local marks = colour_map.marks(lunet.tensor { { { 0, 1 }, { 0.5, -3 } } })
  lu.assertEquals(marks, { { " ", "@" }, { "+", " " } })
  lu.assertEquals(colour_map.marks(lunet.zeros { 1, 1, 2 }), { { " ", " " } })
end

-- An image wider than the terminal becomes smaller, by the mean of squares.
function TestShow:test_wide_images()
  local text = shown("LUNET_SHOW=ascii", "lunet.ones{10, 200}")
  lu.assertEquals(text, (("@"):rep(67) .. "\n"):rep(2))
end

local function saved(x)
  local path = os.tmpname() .. ".png"
  lu.assertEquals(lunet.show(x, path), path)
  local picture = lunet.load(path)
  os.remove(path)
  return picture
end

function TestShow:test_everything_can_be_saved()
  local run = { loss = { 2, 1 }, accuracy = { 0.1, 0.5 }, validation = {},
                validation_loss = {}, seconds = 1, epochs = 2 }
  for _, x in ipairs {
    lunet.rand { 5, 6 }, lunet.rand { 1, 5, 6 }, lunet.rand { 3, 5, 6 },
    lunet.rand { 4, 3, 5, 6 }, lunet.randn { 4, 2, 3, 3 },
    lunet.full({ 4, 1, 5, 6 }, 255), lunet.rand { 20 }, run,
    { lines = { { name = "a", y = { 1, 2 } } } }, { values = { 1, 2, 2 } },
    { counts = lunet.ones { 2, 2 } }, { points = lunet.randn { 5, 2 } },
    { images = lunet.rand { 2, 1, 4, 4 } },
    { weight = lunet.randn { 2, 1, 3, 3 } },
    { bars = { { name = "a", value = 1 } } },
  } do
    lu.assertEquals(saved(x):shape()[1], 3)
  end
end

function TestShow:test_long_batches_are_cut()
  local whole, cut = saved(lunet.rand { 64, 1, 4, 4 }),
                     saved(lunet.rand { 500, 1, 4, 4 })
  lu.assertEquals(whole:shape()[3], cut:shape()[3])
  local part, title = few_tiles(lunet.zeros { 512, 256, 3, 3 })
  lu.assertEquals(part:shape(), { 64, 8, 3, 3 })
  lu.assertEquals(title, "the first 64 of 512, 8 of 256 channels")
  part, title = few_tiles(lunet.zeros { 500, 3, 4, 4 })
  lu.assertEquals(part:shape(), { 64, 3, 4, 4 })
  lu.assertEquals(title, "the first 64 of 500")
  lu.assertEquals(select(2, few_tiles(lunet.zeros { 64, 8, 1, 1 })), "")
end

-- The byte of a dot, x and y from 0.
local function grey(picture, x, y)
  return math.floor(picture[1][y + 1][x + 1] * 255 + 0.5)
end

function TestShow:test_the_largest_is_white()
  local picture = saved(lunet.tensor { { 0, 5 }, { 10, 0 } })
  lu.assertEquals(grey(picture, 22, 22), 0)
  lu.assertEquals(grey(picture, 120, 22), 128)
  lu.assertEquals(grey(picture, 22, 120), 255)
end

function TestShow:test_gaps_of_a_curve_are_counted()
  lu.assertStrContains(shown("LUNET_SHOW=ascii",
                             "lunet.tensor { 1, 0/0, 3, 1/0 }"),
                       "2 not finite, left out")
  lu.assertNotStrContains(shown("LUNET_SHOW=ascii", "lunet.tensor { 1, 2, 3 }"),
                          "not finite")
end

-- A run that was stopped within its first epoch has no loss of an epoch yet.
function TestShow:test_a_run_that_was_stopped()
  local lines = lines_of(shown("LUNET_SHOW=ascii", "{ loss = {}, "
    .. "validation_loss = {}, record = { losses = { 3, 2, 1 } } }"))
  lu.assertStrMatches(lines[#lines - 1], " +1 +2 +3")
  lu.assertStrMatches(lines[#lines], " +step")
  lu.assertErrorMsgContains("the run has no step yet", lunet.show,
                            { loss = {}, validation_loss = {} })
end

function TestShow:test_refusals()
  lu.assertErrorMsgContains("of shape (0,3) holds no numbers", lunet.show,
                            lunet.rand { 0, 3 }, "x.png")
  lu.assertErrorMsgContains("of shape (2,3,4) is no image", lunet.show,
                            lunet.rand { 1, 2, 3, 4 }[1], "x.png")
  lu.assertErrorMsgContains("the first argument is 3, it must be a tensor",
                            lunet.show, 3, "x.png")
  lu.assertErrorMsgContains("the first argument is a table", lunet.show, {})
  lu.assertErrorMsgContains("lines, images, weight, counts, values, bars or "
                            .. "points",
                            lunet.show, { imges = lunet.rand { 1, 1, 3, 3 } })
  lu.assertErrorMsgContains("the first argument is nil", lunet.show)
  lu.assertErrorMsgContains("it must be a file's name", lunet.show,
                            lunet.rand { 3, 3 }, 7)
  lu.assertErrorMsgContains("not finite", lunet.show,
                            lunet.tensor { { 0, 0 / 0 } }, "x.png")
  lu.assertErrorMsgContains("did you mean 'title'?", lunet.show,
                            { lines = {}, tittle = "a" }, "x.png")
end

os.exit(lu.LuaUnit.run())
