-- Tensors to and from files, JSON texts, folders: as scripts see them.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local core = require "lunet_core"
local lunet = require "lunet"
local shell = require "support.shell"

local folder = shell.temporary_folder()

local function path(name) return folder .. "/" .. name end

-- The message without the place in front of it.
local function message_of(f, ...)
  local fine, message = pcall(f, ...)
  lu.assertFalse(fine)
  return (message:gsub("^[^:]*:%d+: ", ""))
end

-- ---- formats ----------------------------------------------------------------

TestFormats = {}

local function as_lists(tensors)
  local lists = {}
  for name, t in pairs(tensors) do
    lists[name] = { shape = t:shape(), numbers = t:tolist() }
  end
  return lists
end

function TestFormats:test_npy()
  lunet.save(path "a.npy", lunet.tensor { { 1.5, -2 }, { 3, 1e-30 } })
  local t = lunet.load(path "a.npy")
  lu.assertEquals(t:shape(), { 2, 2 })
  lu.assertAlmostEquals(t:tolist(), { { 1.5, -2 }, { 3, 1e-30 } }, 1e-36)
end

function TestFormats:test_npy_without_dims_or_numbers()
  lunet.save(path "number.npy", lunet.tensor(4))
  lu.assertEquals(lunet.load(path "number.npy"):tolist(), 4)
  lunet.save(path "none.npy", lunet.zeros { 0, 3 })
  lu.assertEquals(lunet.load(path "none.npy"):shape(), { 0, 3 })
end

function TestFormats:test_part_with_gaps_is_saved_as_it_looks()
  local part = lunet.arange(6):view({ 2, 3 }):narrow(2, 2, 2)
  for _, name in ipairs { "part.npy", "part.png" } do
    lunet.save(path(name), name:find("npy") and part
                             or (part / 5):clone():view { 1, 2, 2 })
  end
  lu.assertEquals(lunet.load(path "part.npy"):tolist(), { { 1, 2 }, { 4, 5 } })
  lu.assertEquals(lunet.load(path "part.png"):tolist(),
                  (part / 5):view({ 1, 2, 2 }):tolist())
end

function TestFormats:test_tables()
  local tensors = { weight = lunet.arange(6):view { 2, 3 },
                    ["layer1.0.bias"] = lunet.tensor { -1, 0.5 },
                    scale = lunet.tensor(2) }
  for _, suffix in ipairs { "npz", "safetensors" } do
    lunet.save(path("t." .. suffix), tensors)
    lu.assertEquals(as_lists(lunet.load(path("t." .. suffix))),
                    as_lists(tensors))
  end
end

function TestFormats:test_equal_content_equal_bytes()
  for _, suffix in ipairs { "npz", "safetensors" } do
    local first, second = path("1." .. suffix), path("2." .. suffix)
    lunet.save(first, { a = lunet.ones { 2 }, b = lunet.zeros { 3 } })
    lunet.save(second, { b = lunet.zeros { 3 }, a = lunet.ones { 2 } })
    lu.assertTrue(shell.read(first) == shell.read(second))
  end
end

function TestFormats:test_safetensors_with_metadata()
  local text = core.json_encode { net = "lenet5", epoch = "3" }
  core.save_safetensors(path "m.safetensors", { w = lunet.ones { 2 } }, text)
  local tensors, metadata = core.load_safetensors(path "m.safetensors")
  lu.assertEquals(tensors.w:tolist(), { 1, 1 })
  lu.assertEquals(core.json_decode(metadata), { net = "lenet5", epoch = "3" })
  lunet.save(path "none.safetensors", { w = lunet.ones { 2 } })
  lu.assertNil(select(2, core.load_safetensors(path "none.safetensors")))
end

function TestFormats:test_png()
  lunet.save(path "p.png", lunet.tensor { { { 0, 1 }, { 0.2, 0.6 } } })
  local picture = lunet.load(path "p.png")
  lu.assertEquals(picture:shape(), { 1, 2, 2 })
  lu.assertAlmostEquals(picture:tolist(), { { { 0, 1 }, { 0.2, 0.6 } } }, 1e-7)
end

function TestFormats:test_refusals()
  local w = lunet.ones { 2 }
  lu.assertEquals(message_of(lunet.load, "x.txt"),
    "lunet.load: 'x.txt' has none of the known suffixes: .npy (a tensor), "
    .. ".npz and .safetensors (a table name -> tensor), .png (an image "
    .. "(C,H,W))")
  lu.assertEquals(message_of(lunet.save, path "a.npy", { w }),
    "lunet.save: argument 2 must be a tensor, got a table")
  lu.assertEquals(message_of(lunet.save, path "a.npz", w),
    "lunet.save: x must be a table, got a tensor")
  lu.assertEquals(message_of(lunet.save, path "a.npz", { w = 1 }),
    "lunet.save: 'w' must be a tensor, got a number")
  lu.assertEquals(message_of(lunet.save, path "a.npz", { w }),
    "lunet.save: expected a table name -> tensor, but a name is a number")
  lu.assertEquals(message_of(lunet.save, w, path "a.npy"),
    "lunet.save: path must be a string, got a tensor")
  lu.assertStrContains(message_of(lunet.load, path "absent.npy"), "absent.npy")
end

function TestFormats:test_damaged_files_are_named()
  for _, name in ipairs { "d.npy", "d.npz", "d.safetensors", "d.png" } do
    shell.write(path(name), "no such thing")
    lu.assertStrContains(message_of(lunet.load, path(name)), path(name))
  end
end

-- ---- JSON -------------------------------------------------------------------

TestJson = {}

local function there_and_back(value)
  return core.json_decode(core.json_encode(value))
end

function TestJson:test_values()
  for _, value in ipairs { true, false, "", 'a "quoted" \\ line\n', "…",
                           { 1, 2, { "x" } }, { a = { b = { 1 } } } } do
    lu.assertEquals(there_and_back(value), value)
  end
  lu.assertTrue(there_and_back(core.null) == core.null)
end

function TestJson:test_numbers_survive()
  for _, number in ipairs { 0.1, 1 / 3, 1e300, 5e-324, -1.5, 2^53,
                            123456789012345678, 0.30000000000000004 } do
    if math.type(number) == "float" then
      lu.assertTrue(there_and_back(number) == number)
    end
  end
  lu.assertEquals(core.json_encode { 3, 0.1, -2^53 },
                  "[3,0.1,-9007199254740992]")
  lu.assertEquals(math.type(there_and_back(7)), "integer")
end

function TestJson:test_objects_are_sorted()
  lu.assertEquals(core.json_encode { b = 1, a = { d = 2, c = 3 } },
                  '{"a":{"c":3,"d":2},"b":1}')
end

function TestJson:test_empty_lists_stay_lists()
  lu.assertEquals(core.json_encode {}, "{}")
  lu.assertEquals(core.json_encode(core.json_decode '{"a":[],"b":{}}'),
                  '{"a":[],"b":{}}')
  lu.assertEquals(core.json_encode(setmetatable({}, core.list_class)), "[]")
end

function TestJson:test_refusals()
  local loop = {}
  loop.loop = loop
  local cases = {
    { 0 / 0, "json: -nan has no form in JSON" },
    { math.huge, "json: inf has no form in JSON" },
    { (1 << 53) + 1, "json: 9007199254740993 needs more than the 53 bits that "
                     .. "a JSON number has; write it as a string" },
    { math.maxinteger, "json: 9223372036854775807 needs more than the 53 bits "
                       .. "that a JSON number has; write it as a string" },
    { print, "json: a function has no form in JSON" },
    { { [true] = 1 }, "json: the keys of an object must be strings, got a "
                      .. "boolean" },
    { loop, "json: nested deeper than 100 tables; does a table contain "
            .. "itself?" },
    { "a\0b", "json: a string with a zero byte has no form here" },
  }
  for _, case in ipairs(cases) do
    lu.assertEquals(message_of(core.json_encode, case[1]):gsub("%-nan", "nan"),
                    (case[2]:gsub("%-nan", "nan")))
  end
end

function TestJson:test_damaged_texts_say_where()
  lu.assertEquals(message_of(core.json_decode, '{"a": nope}'),
                  "json: not understood from byte 7 on: nope}")
  lu.assertStrContains(message_of(core.json_decode, ""), "byte 1")
  lu.assertStrContains(message_of(core.json_decode, "[1] 2"), "byte 5")
end

-- ---- folders ----------------------------------------------------------------

TestFolders = {}

function TestFolders:test_names_are_sorted()
  shell.run("mkdir '%s' && cd '%s' && touch b c.png a .hidden", path "f",
            path "f")
  lu.assertEquals(core.list_folder(path "f"), { "a", "b", "c.png" })
end

function TestFolders:test_absent_folder()
  local names, reason = core.list_folder(path "absent")
  lu.assertNil(names)
  lu.assertEquals(reason, path "absent" .. ": No such file or directory")
end

local result = lu.LuaUnit.run()
shell.remove(folder)
os.exit(result)
