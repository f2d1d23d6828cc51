-- Items that stay on the disk: data.npy gives what data.tensors gives, needs
-- memory for a batch only, and says what is wrong with a file.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local core = require "lunet_core"
local lunet = require "lunet"
local shell = require "support.shell"
local data = lunet.data

local folder = shell.temporary_folder()

local function path(name) return folder .. "/" .. name .. ".npy" end

local function write(name, bytes)
  local file <close> = assert(io.open(path(name), "wb"))
  file:write(bytes)
  return path(name)
end

-- A .npy file as numpy writes it; `fortran` is "True" or "False".
local function npy(descr, fortran, shape, numbers)
  local text = ("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }"):format(
    descr, fortran, shape)
  text = text .. (" "):rep(63 - (10 + #text) % 64) .. "\n"
  return "\x93NUMPY\1\0" .. ("<I2"):pack(#text) .. text .. numbers
end

local function labels(n)
  local list = {}
  for i = 1, n do list[i] = i % 3 end
  return lunet.tensor(list)
end

local function batches_of(dataset, seed)
  lunet.manual_seed(seed)
  local all = {}
  for x, ids in dataset:batches { size = 4, shuffle = true } do
    all[#all + 1] = { x:tolist(), ids:tolist() }
  end
  return all
end

TestStream = {}

function TestStream:test_gives_what_memory_gives()
  local x = lunet.randn { 11, 2, 3 }
  lunet.save(path "x", x)
  lunet.save(path "labels", labels(11))
  local kept = data.tensors { x = x, labels = labels(11) }
  local streamed = data.npy { x = path "x", labels = path "labels" }
  lu.assertEquals(#streamed, 11)
  lu.assertEquals(streamed.classes, { "0", "1", "2" })
  for seed = 1, 3 do
    lu.assertEquals(batches_of(streamed, seed), batches_of(kept, seed))
  end
  lu.assertEquals(streamed:get(5):tolist(), x[5]:tolist())
end

function TestStream:test_bytes_and_other_numbers()
  local bytes = data.npy { labels = labels(2), x = write("bytes",
    npy("|u1", "False", "(2, 3)", "\0\51\255\255\0\102")) }
  lu.assertAlmostEquals(bytes.x:tolist(), { { 0, 0.2, 1 }, { 1, 0, 0.4 } },
                        1e-7)
  local big = data.npy { labels = labels(2), x = write("big",
    npy(">i2", "False", "(2, 2)", (">i2i2i2i2"):pack(1, -2, 300, 4))) }
  lu.assertEquals(big.x:tolist(), { { 1, -2 }, { 300, 4 } })
end

-- A gigabyte of zeros, of which the disk holds nothing; read by a process of
-- its own, whose memory stays far below that.
function TestStream:test_a_set_larger_than_memory()
  local n, item = 1024, 262144
  local name = write("large",
    npy("<f4", "False", ("(%d, %d)"):format(n, item), ""))
  assert(shell.run("truncate -s +%d '%s'", n * item * 4, name))
  local script = folder .. "/large.lua"
  shell.write(script, ([[
    local core, lunet = require "lunet_core", require "lunet"
    local train = lunet.data.npy { x = "%s", labels = lunet.zeros { %d } }
    local seen = 0
    for x in train:batches { size = 8, shuffle = true } do
      seen = seen + x:shape()[1]
      assert(x:sum() == 0)
      if seen == 64 then break end
    end
    print(#train, seen, core.peak_memory() < 500e6)]]):format(name, n))
  local ok, output = shell.run("'%s' '%s'", core.program(), script)
  lu.assertEquals({ ok, output }, { true, "1024\t64\ttrue\n" })
end

local function refused(sentence, given)
  lu.assertErrorMsgContains(sentence, data.npy, given)
end

function TestStream:test_refuses_files_that_do_not_fit()
  local four = ("<ffff"):pack(1, 2, 3, 4)
  local good = write("good", npy("<f4", "False", "(2, 2)", four))
  refused("a file of shape (2,2) and labels of shape (3) do not go together",
          { x = good, labels = labels(3) })
  refused("labels of shape (1,2)",
          { x = good, labels = labels(2):view { 1, 2 } })
  refused("data.npy: labels[1] is 0.5, it must be a whole number from 0",
          { x = good, labels = lunet.tensor { 0.5, 1 } })
  refused("data.npy needs the option 'x' (a text)", { labels = labels(2) })
  refused("cannot open the file", { x = path "none", labels = labels(2) })
  refused("expected 6 numbers of 4 bytes for the shape (2,3), got 16 bytes",
    { labels = labels(2),
      x = write("short", npy("<f4", "False", "(2, 3)", four)) })
  refused("is in Fortran order: the numbers of an item of (2,2) do not lie "
    .. "together", { labels = labels(2),
      x = write("fortran", npy("<f4", "True", "(2, 2)", four)) })
  refused("holds one number; items lie along the first of its dims",
    { labels = labels(1),
      x = write("scalar", npy("<f4", "False", "()", ("<f"):pack(1))) })
  refused("offset 0", { labels = labels(2),
    x = write("magic", "PK\3\4" .. four) })
end

-- The failure is the caller's, in its turn, and ends nothing else.
function TestStream:test_a_file_that_shrinks_meanwhile()
  lunet.save(path "shrinks", lunet.ones { 8, 4096 })
  local train = data.npy { x = path "shrinks", labels = labels(8) }
  assert(shell.run("truncate -s 40000 '%s'", path "shrinks"))
  local ok, message = pcall(batches_of, train, 1)
  lu.assertFalse(ok)
  lu.assertStrContains(message, "the file shrank since it was opened")
  lu.assertErrorMsgContains("the file shrank", train.get, train, 8)
  lu.assertEquals(train:get(1):sum(), 4096)
end

local result = lu.LuaUnit.run()
shell.remove(folder)
os.exit(result)
