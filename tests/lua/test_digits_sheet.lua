-- The bundled sheet of digits: its layout, its greys, its classes; and that
-- make_sheet.lua makes the same files anew where the source is at hand.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local shell = require "support.shell"

local FOLDER = "scripts/lunet/digits/"
local SOURCE = (os.getenv("LUNET_SHARED") or "../shared")
  .. "/data/digits/digits.csv.gz"

TestDigitsSheet = {}

function TestDigitsSheet:test_sheet_is_40_by_45_digits_in_17_greys()
  local sheet = lunet.load(FOLDER .. "digits.png")
  lu.assertEquals(sheet:shape(), { 1, 360, 320 })
  local pixels = sheet * 17 -- grey / 15
  lu.assertEquals(pixels:max(), 16)
  lu.assertEquals((pixels - pixels:round()):abs():max(), 0)
end

function TestDigitsSheet:test_rest_of_the_last_row_is_empty()
  local sheet = lunet.load(FOLDER .. "digits.png")
  local last_row = sheet:narrow(2, 353, 8)
  lu.assertEquals(last_row:narrow(3, 37 * 8 + 1, 3 * 8):max(), 0)
  lu.assertTrue(last_row:narrow(3, 36 * 8 + 1, 8):max() > 0)
end

function TestDigitsSheet:test_classes_are_those_of_the_source()
  local counts = {}
  for class = 0, 9 do counts[class + 1] = 0 end
  for digit in shell.read(FOLDER .. "labels.txt"):gmatch("%d") do
    counts[digit + 1] = counts[digit + 1] + 1
  end
  lu.assertEquals(counts,
    { 178, 182, 177, 183, 181, 182, 181, 179, 174, 180 })
end

-- Another release of zlib may pack the sheet into other bytes, so the numbers
-- are compared.
function TestDigitsSheet:test_make_sheet_makes_it_anew()
  local source = io.open(SOURCE)
  lu.skipIf(not source, "no " .. SOURCE)
  source:close()
  local folder = shell.temporary_folder()
  local program = (os.getenv("LUNET_BUILD") or "build") .. "/lunet"
  lu.assertEquals({ shell.run("'%s' '%smake_sheet.lua' '%s' '%s'", program,
    FOLDER, SOURCE, folder) }, { true, "" })
  local new, old = lunet.load(folder .. "/digits.png"),
    lunet.load(FOLDER .. "digits.png")
  lu.assertEquals((new - old):abs():max(), 0)
  lu.assertEquals(shell.read(folder .. "/labels.txt"),
    shell.read(FOLDER .. "labels.txt"))
  shell.remove(folder)
end

os.exit(lu.LuaUnit.run())
