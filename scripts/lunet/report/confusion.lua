-- confusion.lua - which class was seen as which, with some of the images behind
-- each cell.

local base64 = require "lunet.report.base64"

local most_samples, most_classes = 10000, 100
local most_images, most_wrong, most_right = 400, 12, 4
local most_bytes, most_side = 400000, 64

-- The predicted class ids of all samples, and the right ones.
local function classify(net, dataset)
  local seen, right = {}, {}
  for x, labels in dataset:batches { size = 256 } do
    local scores = net:predict(x)
    local shape = scores:shape()
    if #shape ~= 2 or shape[2] < #dataset.classes then return nil end
    local ids, n = (scores:argmax(2) - 1):tolist(), #seen
    table.move(ids, 1, #ids, n + 1, seen)
    table.move(labels:tolist(), 1, #ids, n + 1, right)
  end
  return seen, right
end

local function new_counts(n)
  local counts = {}
  for i = 1, n do
    counts[i] = {}
    for k = 1, n do counts[i][k] = 0 end
  end
  return counts
end

-- Counts, and of each cell the places of a few samples.
local function tally(seen, right, n)
  local counts, cells = new_counts(n), {}
  for i, id in ipairs(seen) do
    local a, b = math.tointeger(right[i]) + 1, math.tointeger(id) + 1
    if a > n or b > n then return nil end
    counts[a][b] = counts[a][b] + 1
    local key, most = (a - 1) .. "," .. (b - 1), a == b and most_right or
                                                 most_wrong
    cells[key] = cells[key] or { wrong = a ~= b, count = 0 }
    cells[key].count = cells[key].count + 1
    if #cells[key] < most then table.insert(cells[key], i) end
  end
  return counts, cells
end

-- ---- images ---------------------------------------------------------------

-- Every step-th row and column, so that no side is too long; as one list.
local function pixels(image, step)
  local shape = image:shape()
  local list = image:view { image:numel() }:tolist()
  if step == 1 then return list end
  local small = {}
  for c = 0, shape[1] - 1 do
    for y = 0, shape[2] - 1, step do
      for x = 0, shape[3] - 1, step do
        small[#small + 1] = list[(c * shape[2] + y) * shape[3] + x + 1]
      end
    end
  end
  return small
end

-- Bytes 0..255 between the least and the largest number of all.
local function to_bytes(lists)
  local low, high, bytes = 0, 1, {}
  for _, list in ipairs(lists) do
    for _, v in ipairs(list) do
      if v == v then low, high = math.min(low, v), math.max(high, v) end
    end
  end
  for _, list in ipairs(lists) do
    for _, v in ipairs(list) do
      local part = v == v and (v - low) / (high - low) or 0
      bytes[#bytes + 1] = math.floor(255 * part + 0.5)
    end
  end
  return bytes
end

-- Wrong cells first, the fullest of them before the others.
local function ordered(cells)
  local keys = {}
  for key in pairs(cells) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    local x, y = cells[a], cells[b]
    if x.wrong ~= y.wrong then return x.wrong end
    if x.count ~= y.count then return x.count > y.count end
    return a < b
  end)
  return keys
end

-- The samples to be shown, { key, number } each, as many as there is room for:
-- one of each cell, then another of each, and so on.
local function chosen(cells, room)
  local list, keys = {}, ordered(cells)
  for round = 1, most_wrong do
    for _, key in ipairs(keys) do
      local number = cells[key][round]
      if number and #list < room then list[#list + 1] = { key, number } end
    end
  end
  return list
end

-- { width, height, channels, data, numbers = which samples they are, cells = {
-- ["3,5"] = places in data } }; nil where the samples are no images.
local function images(dataset, cells)
  local shape = dataset:item_shape()
  if #shape ~= 3 or shape[1] ~= 1 and shape[1] ~= 3 then return nil end
  local step = math.max(1, math.ceil(math.max(shape[2], shape[3]) / most_side))
  local height, width = math.ceil(shape[2] / step), math.ceil(shape[3] / step)
  local room = math.min(most_images, most_bytes // (shape[1] * height * width))
  local lists, numbers, places = {}, {}, {}
  for k, choice in ipairs(chosen(cells, room)) do
    local key, number = table.unpack(choice)
    lists[k], numbers[k] = pixels(dataset:get(number), step), number
    places[key] = places[key] or {}
    table.insert(places[key], k - 1)
  end
  return { width = width, height = height, channels = shape[1],
           data = base64(to_bytes(lists)), numbers = numbers, cells = places }
end

-- ---- both -----------------------------------------------------------------

-- Of the validation data, or where there are none of the training data; nil
-- where the net does not classify; { problem } where it cannot read them.
return function(run)
  local dataset = run.options.validate or run.train
  local n = dataset and run.classes and #dataset.classes or 0
  if n < 2 or n > most_classes then return nil end
  local reads, why = run:reads(dataset)
  if not reads then return { problem = why } end
  if #dataset > most_samples then dataset = dataset:take(most_samples) end
  local seen, right = classify(run.net, dataset)
  local counts, cells
  if seen then counts, cells = tally(seen, right, n) end
  if not counts then return nil end
  local classes = {}
  for i, name in ipairs(dataset.classes) do classes[i] = tostring(name) end
  return { classes = classes, counts = counts, samples = #seen,
           of = run.options.validate and "validation" or "training",
           images = images(dataset, cells) }
end
