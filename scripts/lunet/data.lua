-- data.lua - where samples come from: the digits that come with Lunet, and
-- files on the disk.
--
-- Each function returns datasets (dataset.lua). Pixels are 0..1.

local core = require "lunet_core"
local dataset = require "lunet.dataset"
local options = require "lunet.options"

local data = {}

-- ---- tensors of the user's own ----------------------------------------------

local tensor_rules = {
  { "x", "a tensor", required = true,
    example = "x = lunet.rand{100, 1, 8, 8}" },
  { "labels", "a tensor", required = true,
    example = "labels = a tensor (N) of class ids from 0" },
  { "classes", "a list" },
}

-- "0", "1", … for all class ids up to the largest.
local function numbered_classes(labels)
  local classes = {}
  if labels:numel() == 0 then return classes end
  for id = 0, labels:max() do classes[#classes + 1] = ("%d"):format(id) end
  return classes
end

local function check_labels(where, labels, classes)
  for i, id in ipairs(labels:tolist()) do
    if id % 1 ~= 0 or id < 0 or classes and id >= #classes then
      core.raise("%s: labels[%d] is %g, it must be a whole number from 0%s",
                 where, i, id,
                 classes and (" to %d (there are %d classes)"):format(
                   #classes - 1, #classes) or "")
    end
  end
end

-- A dataset of tensors of your own: x (N,…), labels (N) with class ids from 0.
function data.tensors(given)
  local o = options.check("data.tensors", given, tensor_rules)
  local x, labels = o.x:shape(), o.labels:shape()
  if #labels ~= 1 or x[1] ~= labels[1] then
    core.raise("data.tensors: x has shape (%s) and labels (%s)\n  x must be "
               .. "(N,…) and labels (N), with the same N",
               table.concat(x, ","), table.concat(labels, ","))
  end
  check_labels("data.tensors", o.labels, o.classes)
  return dataset.new(core.dataset_tensors(o.x, o.labels),
                     o.classes or numbered_classes(o.labels))
end

-- ---- files larger than memory -----------------------------------------------

local npy_rules = {
  { "x", "a text", required = true, example = 'x = "x.npy"' },
  { "labels", "a text or a tensor", required = true,
    example = 'labels = "labels.npy"' },
  { "classes", "a list" },
}

-- Items that stay on the disk: x, a .npy file (N,…), is read item by item as
-- batches want them, and may be larger than memory. Bytes (uint8) are divided
-- by 255, other numbers taken as they are. labels: a .npy file or a tensor (N),
-- class ids from 0.
function data.npy(given)
  local o = options.check("data.npy", given, npy_rules)
  local labels = o.labels
  if type(labels) == "string" then labels = core.load(labels) end
  if labels:dim() == 1 then check_labels("data.npy", labels, o.classes) end
  return dataset.new(core.dataset_npy(o.x, labels),
                     o.classes or numbered_classes(labels))
end

-- ---- the bundled digits -----------------------------------------------------

local here = debug.getinfo(1, "S").source:match("^@(.*)/")
local digit_rules = { { "split", "a text", default = "every fifth" } }
local test_writers = 360 -- the last rows of the source, by other writers

-- The sheet is a grid of 8x8 digits in grey 15 * pixel, see digits/README.md.
local function read_digits()
  local folder, labels = here .. "/digits/", {}
  local file, reason = io.open(folder .. "labels.txt")
  if not file then core.raise("data.digits: %s", reason) end
  for digit in file:read("a"):gmatch("%d") do
    labels[#labels + 1] = tonumber(digit)
  end
  file:close()
  local sheet = core.load(folder .. "digits.png")
  local rows, columns = sheet:shape()[2] // 8, sheet:shape()[3] // 8
  local x = sheet:view { rows, 8, columns, 8 }:transpose(2, 3)
  x = x:view { rows * columns, 1, 8, 8 }:narrow(1, 1, #labels)
  x = (x * 17):round() / 16 -- a byte is 15 * pixel = 255 / 17 * pixel
  return x, core.tensor(labels)
end

-- 1,797 hand-written digits (N,1,8,8) = pixel / 16 in two datasets: train and
-- test. Row i of the source (from 0) is a test digit if i mod 5 == 0. With
-- split = "writers" the last 360 rows are, which come from other writers.
function data.digits(given)
  local o = options.check("data.digits", given, digit_rules)
  if o.split ~= "every fifth" and o.split ~= "writers" then
    core.raise("data.digits: option 'split' is '%s'; leave it out, or say "
               .. "'writers'", o.split)
  end
  local x, labels = read_digits()
  local source, train, test = core.dataset_tensors(x, labels), {}, {}
  local n = source:count()
  for i = 0, n - 1 do
    local is_test = i % 5 == 0
    if o.split == "writers" then is_test = i >= n - test_writers end
    table.insert(is_test and test or train, i + 1)
  end
  local classes = numbered_classes(labels)
  return dataset.new(source, classes, train), dataset.new(source, classes, test)
end

-- ---- MNIST's format ---------------------------------------------------------

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

-- The file itself or, where that is not there, its .gz.
local function plain_or_gz(where, folder, name)
  local plain = folder .. "/" .. name
  if exists(plain) then return plain end
  if exists(plain .. ".gz") then return plain .. ".gz" end
  core.raise("%s: there is no %s and no %s.gz in %s", where, name, name, folder)
end

local function read_idx(where, folder, part, classes)
  local images = plain_or_gz(where, folder, part .. "-images-idx3-ubyte")
  local labels = plain_or_gz(where, folder, part .. "-labels-idx1-ubyte")
  return dataset.new(core.dataset_idx(images, labels), classes)
end

local function read_mnist(where, folder, classes)
  return read_idx(where, folder, "train", classes),
         read_idx(where, folder, "t10k", classes)
end

local digits = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9" }
local garments = { "T-shirt/top", "trouser", "pullover", "dress", "coat",
                   "sandal", "shirt", "sneaker", "bag", "ankle boot" }
local debian_folder = "/usr/share/datasets/fashion-mnist"

-- 60,000 + 10,000 digits (N,1,28,28): train and test.
function data.mnist(folder)
  options.argument("data.mnist", "the folder", folder, "a text", '"mnist"')
  return read_mnist("data.mnist", folder, digits)
end

-- 60,000 + 10,000 garments (N,1,28,28): train and test. Without a folder they
-- are looked for where Debian's package puts them.
function data.fashion_mnist(folder)
  if folder == nil then
    folder = debian_folder
    if not core.list_folder(folder) then
      core.raise("data.fashion_mnist: there is no %s\n  try apt install "
                 .. "dataset-fashion-mnist (Debian, Ubuntu), or give the "
                 .. "folder of the four files", folder)
    end
  end
  options.argument("data.fashion_mnist", "the folder", folder, "a text",
                   '"fashion-mnist"')
  return read_mnist("data.fashion_mnist", folder, garments)
end

-- ---- CIFAR-10 ---------------------------------------------------------------

local things = { "airplane", "automobile", "bird", "cat", "deer", "dog",
                 "frog", "horse", "ship", "truck" }

local function training_batches(folder)
  local paths = {}
  for i = 1, 5 do
    local path = ("%s/data_batch_%d.bin"):format(folder, i)
    for _, there in ipairs { path, path .. ".gz" } do
      if exists(there) then
        paths[#paths + 1] = there
        break
      end
    end
  end
  if #paths == 0 then
    core.raise("data.cifar10: there is no data_batch_1.bin … data_batch_5.bin "
               .. "in %s, plain or .gz", folder)
  end
  return paths
end

-- Colour pictures (N,3,32,32): train and test. Takes the training batches that
-- are there; train.note says how many.
function data.cifar10(folder)
  options.argument("data.cifar10", "the folder", folder, "a text", '"cifar10"')
  local paths = training_batches(folder)
  local test_path = plain_or_gz("data.cifar10", folder, "test_batch.bin")
  local train = dataset.new(core.dataset_cifar10(paths), things)
  train.note = ("%d of 5 training batches of CIFAR-10, %d samples"):format(
    #paths, #train)
  if #paths < 5 then io.stderr:write("data.cifar10: ", train.note, "\n") end
  return train, dataset.new(core.dataset_cifar10 { test_path }, things)
end

-- ---- folders of pictures ----------------------------------------------------

-- The names in a folder that fit a pattern, sorted.
local function listed(folder, pattern)
  local names = {}
  for _, name in ipairs(core.list_folder(folder) or {}) do
    if name:match(pattern) then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

-- The paths of all pictures, their class ids, and the names of the classes.
local function find_images(folder)
  local paths, ids, classes = {}, {}, {}
  for _, name in ipairs(listed(folder, "^[^.]")) do
    local pictures = listed(folder .. "/" .. name, "%.[pP][nN][gG]$")
    if #pictures > 0 then classes[#classes + 1] = name end
    for _, picture in ipairs(pictures) do
      paths[#paths + 1] = folder .. "/" .. name .. "/" .. picture
      ids[#ids + 1] = #classes - 1
    end
  end
  if #paths == 0 then
    core.raise("data.images: no pictures found in %s\n  it needs a folder for "
               .. "each class with PNG files in it, such as %s/cat/1.png",
               folder, folder)
  end
  return paths, ids, classes
end

local function load_images(paths)
  local first = core.load(paths[1])
  local c, h, w = table.unpack(first:shape())
  local x = core.zeros { #paths, c, h, w }
  for i, path in ipairs(paths) do
    local image = core.load(path)
    local shape = table.concat(image:shape(), ",")
    if shape ~= table.concat({ c, h, w }, ",") then
      core.raise("data.images: %s is (%s), but %s is (%d,%d,%d)\n  all "
                 .. "pictures must have one size and one number of channels",
                 path, shape, paths[1], c, h, w)
    end
    x[i] = image
  end
  return x
end

-- A folder with a folder of PNG files for each class: one dataset (N,C,H,W),
-- the classes in the order of their names.
function data.images(folder)
  options.argument("data.images", "the folder", folder, "a text", '"pictures"')
  local paths, ids, classes = find_images(folder)
  local source = core.dataset_tensors(load_images(paths), core.tensor(ids))
  return dataset.new(source, classes)
end

return data
