-- dataset.lua - samples with their classes, and the batches made of them.
--
-- A dataset is a list of places in a source that the C core holds: taking a
-- part, splitting and shuffling only rearrange the places.

local core = require "lunet_core"
local options = require "lunet.options"

local dataset = {}

local meta = { __name = "dataset" }

-- classes: the names, in the order of the class ids 0, 1, 2 …
function dataset.new(source, classes, order)
  if not order then
    order = {}
    for i = 1, source:count() do order[i] = i end
  end
  return setmetatable({ source = source, classes = classes, order = order },
                      meta)
end

-- `x` and `labels` are tensors of all samples, made when they are asked for.
function meta.__index(self, key)
  if key == "x" then return (self.source:gather(self.order)) end
  if key == "labels" then return dataset.all_labels(self) end
  return dataset[key]
end

function meta.__names() return { dataset, "x", "labels", "classes" } end

function meta.__len(self) return #self.order end

function meta.__tostring(self)
  return ("dataset of %d samples (%s) in %d classes"):format(
    #self, table.concat(self:item_shape(), ","), #self.classes)
end

-- The shape of one sample.
function dataset:item_shape() return self.source:item_shape() end

-- The class ids of all samples, a tensor (N).
function dataset:all_labels() return self.source:labels(self.order) end

-- Sample i (from 1) and its class id (from 0).
function dataset:get(i)
  if math.tointeger(i) == nil or i < 1 or i > #self then
    core.raise("dataset:get: there is no sample %s; they are numbered 1 to %d",
               tostring(i), #self)
  end
  local x, labels = self.source:gather { self.order[i] }
  return x[1], math.tointeger(labels[1])
end

local function part(self, order, first, last)
  return dataset.new(self.source, self.classes,
                     table.move(order, first, last, 1, {}))
end

-- The first n samples.
function dataset:take(n)
  options.argument("dataset:take", "n", n, "a whole number", "100")
  if n < 0 or n > #self then
    core.raise("dataset:take: %d samples are wanted, there are %d", n, #self)
  end
  return part(self, self.order, 1, n)
end

-- Numbers 0 .. 2^53-1 that depend on the seed alone (SplitMix64, Steele,
-- Lea and Flood 2014).
local function random_numbers(seed)
  local state = seed
  return function()
    state = state + 0x9e3779b97f4a7c15
    local z = state
    z = (z ~ z >> 30) * 0xbf58476d1ce4e5b9
    z = (z ~ z >> 27) * 0x94d049bb133111eb
    return (z ~ z >> 31) >> 11
  end
end

-- The list shuffled (Fisher-Yates): by the seed, or else by the session's
-- random numbers (lunet.manual_seed).
local function shuffled(list, seed)
  local result = {}
  if not seed then
    for i, place in ipairs(core.permutation(#list)) do
      result[i] = list[place]
    end
    return result
  end
  table.move(list, 1, #list, 1, result)
  local random = random_numbers(seed)
  for i = #result, 2, -1 do
    local j = random() % i + 1
    result[i], result[j] = result[j], result[i]
  end
  return result
end

-- Two datasets, with `fraction` of the samples in the first, drawn by chance;
-- the same seed draws the same ones.
function dataset:split(fraction, seed)
  options.argument("dataset:split", "the fraction", fraction, "a number", "0.8")
  if fraction < 0 or fraction > 1 then
    core.raise("dataset:split: the fraction is %g, it must be 0 to 1", fraction)
  end
  if seed ~= nil then
    options.argument("dataset:split", "the seed", seed, "a whole number", "7")
  end
  local order = shuffled(self.order, seed)
  local n = math.floor(fraction * #self + 0.5)
  return part(self, order, 1, n), part(self, order, n + 1, #self)
end

local batch_rules = {
  { "size", "a whole number", default = 32, min = 1 },
  { "shuffle", "true or false", default = false },
  { "augment", "a function" },
  { "drop_last", "true or false", default = false },
  { "seed", "a whole number" },
}

local function augmented(augment, x, labels)
  local changed_x, changed_labels = augment(x, labels)
  options.argument("batches", "what augment(x, labels) returned", changed_x,
                   "a tensor", "x")
  return changed_x, changed_labels or labels
end

-- for x, labels in train:batches{ size = 64, shuffle = true } do … end
--
-- x is (size, …), labels (size) with class ids from 0; the last batch may be
-- smaller (drop_last leaves it out). A thread prepares the next batch
-- meanwhile. augment(x, labels) may change a batch: it returns x [, labels].
-- With a seed the order of a shuffle is the same every time.
function dataset:batches(given)
  local o = options.check("batches", given, batch_rules)
  local order = self.order
  if o.shuffle then order = shuffled(order, o.seed) end
  local loader = core.loader(self.source, order, o.size, o.drop_last)
  local function next_batch()
    local x, labels = loader:next()
    if x and o.augment then return augmented(o.augment, x, labels) end
    return x, labels
  end
  return next_batch, nil, nil, loader -- closed when the loop is left
end

return dataset
