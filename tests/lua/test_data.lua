-- Datasets: the digits, tensors, folders of pictures, batches; readers of the
-- big sets are tried on the real files where they are.
local lu = require "luaunit"
local lunet = require "lunet"
local data = lunet.data

local function numbers(n)
  local x, labels = lunet.arange(n):view { n, 1 }, {}
  for i = 1, n do labels[i] = (i - 1) % 2 end
  return data.tensors { x = x, labels = lunet.tensor(labels) }
end

local function first_column(dataset)
  local list = {}
  for x in dataset:batches { size = 3 } do
    for _, row in ipairs(x:tolist()) do list[#list + 1] = row[1] end
  end
  return list
end

TestDigits = {}

function TestDigits:test_every_fifth_is_a_test_digit()
  local train, test = data.digits()
  lu.assertEquals({ #train, #test }, { 1437, 360 })
  lu.assertEquals(train.x:shape(), { 1437, 1, 8, 8 })
  lu.assertEquals(test.labels:shape(), { 360 })
  lu.assertEquals(train.classes[10], "9")
end

function TestDigits:test_pixels_are_sixteenths()
  local _, test = data.digits()
  local x, class = test:get(1) -- row 0 of the source, a 0
  lu.assertEquals(class, 0)
  lu.assertEquals((x[1][1] * 16):tolist(), { 0, 0, 5, 13, 9, 1, 0, 0 })
  lu.assertEquals((x[1][3] * 16):tolist(), { 0, 3, 15, 2, 0, 11, 8, 0 })
end

-- Per class in the whole set: what the source's description says.
function TestDigits:test_classes()
  local counts = {}
  for _, part in ipairs { data.digits() } do
    for _, class in ipairs(part.labels:tolist()) do
      counts[class + 1] = (counts[class + 1] or 0) + 1
    end
  end
  lu.assertEquals(counts, { 178, 182, 177, 183, 181, 182, 181, 179, 174,
                                 180 })
end

function TestDigits:test_other_writers()
  local train, test = data.digits { split = "writers" }
  lu.assertEquals({ #train, #test }, { 1437, 360 })
  local x = train:get(1)
  lu.assertEquals((x[1][1] * 16):tolist(), { 0, 0, 5, 13, 9, 1, 0, 0 })
end

TestParts = {}

function TestParts:test_get()
  local x, class = numbers(5):get(4)
  lu.assertEquals(x:tolist(), { 3 })
  lu.assertEquals(class, 1)
  lu.assertErrorMsgContains("no sample 6; they are numbered 1 to 5",
                                 function() numbers(5):get(6) end)
end

function TestParts:test_take()
  lu.assertEquals(first_column(numbers(5):take(2)), { 0, 1 })
  lu.assertEquals(#numbers(5):take(0), 0)
  lu.assertErrorMsgContains("6 samples are wanted, there are 5",
                                 function() numbers(5):take(6) end)
end

function TestParts:test_split_loses_nothing()
  local a, b = numbers(10):split(0.7, 3)
  lu.assertEquals({ #a, #b }, { 7, 3 })
  local all = first_column(a)
  for _, value in ipairs(first_column(b)) do all[#all + 1] = value end
  lu.assertNotEquals(all, first_column(numbers(10)))
  table.sort(all)
  lu.assertEquals(all, first_column(numbers(10)))
end

function TestParts:test_split_depends_on_its_seed_alone()
  local first = first_column((numbers(20):split(0.5, 3)))
  lunet.manual_seed(99)
  lu.assertEquals(first_column((numbers(20):split(0.5, 3))), first)
  lu.assertNotEquals(first_column((numbers(20):split(0.5, 4))), first)
end

function TestParts:test_the_source_is_untouched()
  local all = numbers(6)
  all:split(0.5, 1)
  lu.assertEquals(first_column(all), { 0, 1, 2, 3, 4, 5 })
end

TestBatches = {}

local function sizes(dataset, options)
  local list = {}
  for x, labels in dataset:batches(options) do
    lu.assertEquals(labels:shape(), { x:shape()[1] })
    list[#list + 1] = x:shape()[1]
  end
  return list
end

function TestBatches:test_sizes()
  lu.assertEquals(sizes(numbers(7), { size = 3 }), { 3, 3, 1 })
  lu.assertEquals(sizes(numbers(7), { size = 3, drop_last = true }),
                       { 3, 3 })
  lu.assertEquals(sizes(numbers(6), { size = 3 }), { 3, 3 })
  lu.assertEquals(sizes(numbers(6):take(0), {}), {})
end

local function order(dataset, options)
  local list = {}
  for x, labels in dataset:batches(options) do
    for i, row in ipairs(x:tolist()) do
      lu.assertEquals(labels[i], row[1] % 2) -- pairs stay together
      list[#list + 1] = row[1]
    end
  end
  return list
end

function TestBatches:test_shuffle()
  local dataset, options = numbers(50), { size = 8, shuffle = true }
  lunet.manual_seed(1)
  local first, second = order(dataset, options), order(dataset, options)
  lu.assertNotEquals(first, second)
  lunet.manual_seed(1)
  lu.assertEquals(order(dataset, options), first)
  table.sort(second)
  lu.assertEquals(second, first_column(dataset))
end

function TestBatches:test_seed()
  local options = { size = 8, shuffle = true, seed = 5 }
  lu.assertEquals(order(numbers(50), options), order(numbers(50), options))
end

function TestBatches:test_augment()
  local function double(x) return x * 2 end
  for x, labels in numbers(4):batches { size = 4, augment = double } do
    lu.assertEquals(x:tolist(), { { 0 }, { 2 }, { 4 }, { 6 } })
    lu.assertEquals(labels:tolist(), { 0, 1, 0, 1 })
  end
  lu.assertErrorMsgContains("what augment(x, labels) returned", function()
    order(numbers(4), { augment = function() end })
  end)
end

function TestBatches:test_a_loop_may_be_left()
  for _ = 1, 100 do
    for x in numbers(100):batches { size = 1 } do
      if x[1][1] == 2 then break end
    end
  end
  local _, _, _, loader = numbers(4):batches()
  lu.assertNotNil(getmetatable(loader).__close) -- how `for` ends it
end

function TestBatches:test_refusals()
  lu.assertErrorMsgContains("did you mean 'shuffle'?", function()
    numbers(4):batches { shuffel = true }
  end)
  lu.assertErrorMsgContains("'size' is 0, it must be a whole number >= 1",
                                 function() numbers(4):batches { size = 0 } end)
end

TestTensors = {}

function TestTensors:test_refusals()
  local x = lunet.zeros { 2, 3 }
  lu.assertErrorMsgContains("x has shape (2,3) and labels (3)", function()
    data.tensors { x = x, labels = lunet.zeros { 3 } }
  end)
  lu.assertErrorMsgContains("labels[2] is 0.5", function()
    data.tensors { x = x, labels = lunet.tensor { 0, 0.5 } }
  end)
  lu.assertErrorMsgContains("from 0 to 1 (there are 2 classes)", function()
    data.tensors { x = x, labels = lunet.tensor { 0, 2 },
                   classes = { "cat", "dog" } }
  end)
  lu.assertErrorMsgContains("needs the option 'labels'", function()
    data.tensors { x = x }
  end)
end

TestImages = {}

local function folder_of_pictures()
  local folder = os.tmpname()
  os.remove(folder)
  os.execute("mkdir -p " .. folder .. "/cat " .. folder .. "/ant")
  lunet.save(folder .. "/cat/b.png", lunet.full({ 3, 2, 4 }, 1))
  lunet.save(folder .. "/cat/a.png", lunet.full({ 3, 2, 4 }, 0))
  lunet.save(folder .. "/ant/z.png", lunet.full({ 3, 2, 4 }, 1))
  return folder
end

function TestImages:setUp() self.folder = folder_of_pictures() end
function TestImages:tearDown() os.execute("rm -r " .. self.folder) end

function TestImages:test_folders_are_classes()
  local pictures = data.images(self.folder)
  lu.assertEquals(pictures.classes, { "ant", "cat" })
  lu.assertEquals(pictures.labels:tolist(), { 0, 1, 1 })
  lu.assertEquals(pictures.x:shape(), { 3, 3, 2, 4 })
  lu.assertAlmostEquals(pictures.x:mean(), 2 / 3, 1e-6)
end

function TestImages:test_sizes_must_agree()
  local odd = self.folder .. "/cat/c.png"
  lunet.save(odd, lunet.zeros { 3, 4, 4 })
  local _, message = pcall(data.images, self.folder)
  lu.assertStrContains(message, odd .. " is (3,4,4)")
  lu.assertStrContains(message, "/ant/z.png is (3,2,4)")
end

function TestImages:test_nothing_there()
  lu.assertErrorMsgContains("no pictures found", data.images,
                                 self.folder .. "/cat")
end

TestReaders = {}

local shared = os.getenv("LUNET_SHARED") or "../shared"

local function real(name)
  local folder = shared .. "/data/" .. name
  lu.skipIf(not os.execute("test -d " .. folder), "no " .. folder)
  return folder
end

function TestReaders:test_mnist()
  local train, test = data.mnist(real "mnist")
  lu.assertEquals({ #train, #test }, { 60000, 10000 })
  lu.assertEquals(test:item_shape(), { 1, 28, 28 })
  local _, class = train:get(1)
  lu.assertEquals(class, 5)
end

function TestReaders:test_fashion_mnist()
  local train, test = data.fashion_mnist(real "fashion-mnist")
  lu.assertEquals({ #train, #test }, { 60000, 10000 })
  local _, class = train:get(1)
  lu.assertEquals(train.classes[class + 1], "ankle boot")
end

function TestReaders:test_cifar10_takes_what_is_there()
  local train, test = data.cifar10(real "cifar10")
  lu.assertEquals(#train, 10000)
  lu.assertStrContains(train.note, "1 of 5 training batches")
  lu.assertEquals(test:item_shape(), { 3, 32, 32 })
  local _, class = train:get(1)
  lu.assertEquals(train.classes[class + 1], "frog")
end

function TestReaders:test_missing_files_are_named()
  local folder = os.tmpname()
  os.remove(folder)
  os.execute("mkdir " .. folder)
  lu.assertErrorMsgContains("no train-images-idx3-ubyte and no",
                                 data.mnist, folder)
  lu.assertErrorMsgContains("no data_batch_1.bin", data.cifar10, folder)
  os.execute("rmdir " .. folder)
  lu.assertErrorMsgContains("the folder is nil, it must be a text",
                                 data.mnist)
end

os.exit(lu.LuaUnit.run())
