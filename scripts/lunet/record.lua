-- record.lua - what a run keeps of a training, for lunet.report and
-- lunet.diagnose to look at: the loss of each step and, now and then, how the
-- weights and gradients are spread, how far a step moves the weights, and what
-- the first filters look like.
--
-- Snapshots are taken before the first step, after steps 1, 2, 4, 8, … of the
-- first epoch (most happens then), and at the end of each epoch. When there are
-- too many, every second one is dropped. How far a step moves is measured at
-- steps 1, 2, 4, 8, … and at the first one of each epoch.

local core = require "lunet_core"

local record = {}
record.__index = record

local most_snapshots, most_tensors, most_filters, bins = 40, 40, 32, 30
local most_numbers = 1000000 -- of a large tensor, the first ones are looked at

-- ---- what is looked at -----------------------------------------------------

-- The weights: what has at least two dims, but not too many of them.
local function watched_parameters(net)
  local list = {}
  for _, p in ipairs(net:parameters()) do
    if p.value:dim() >= 2 and #list < most_tensors then list[#list + 1] = p end
  end
  return list
end

-- The weight (K,C,KH,KW) of the first convolution of images; nil: none.
local function first_filters(parameters)
  for _, p in ipairs(parameters) do
    local shape = p.value:shape()
    if #shape == 4 and shape[3] * shape[4] > 1 then return p end
  end
end

-- A vector of its first numbers, which shares memory with t.
local function part_of(t)
  local n = t:numel()
  return t:view { n }:narrow(1, 1, math.min(n, most_numbers))
end

-- Counts over the tensor's own range low..high, and min, max, norm, mean,
-- not_finite.
local function spread(t)
  t = part_of(t)
  local whole = core.histogram(t, -1, 1, 1)
  if not whole.min then return { not_finite = whole.not_finite } end
  local low, high = whole.min, whole.max
  if low == high then low, high = low - 0.5, high + 0.5 end
  local h = core.histogram(t, low, high, bins)
  return { low = low, high = high, count = table.move(h, 1, bins, 1, {}),
           min = h.min, max = h.max, norm = h.norm, mean = h.mean,
           not_finite = h.not_finite }
end

local function norm_of(t) return core.histogram(t, -1, 1, 1).norm end

-- ---- a record --------------------------------------------------------------

-- A record of the net. Where its sizes are not known yet, nothing but the
-- losses is kept until they are.
function record.new(net)
  local book = setmetatable({ net = net, steps = 0, losses = {}, rates = {},
                              epoch_ends = {}, names = {}, snapshots = {},
                              updates = {} }, record)
  book:snapshot(0)
  book:remember()
  return book
end

local function begin(self)
  local fine = pcall(self.net.parameters, self.net)
  if not fine then return end
  self.parameters = watched_parameters(self.net)
  local filters = first_filters(self.parameters)
  self.filters = filters and filters.value
  self.filters_name = filters and filters.name
  for i, p in ipairs(self.parameters) do self.names[i] = p.name end
end

-- ---- snapshots -------------------------------------------------------------

local function drop_every_second(list)
  local kept = { list[1] }
  for i = 3, #list, 2 do kept[#kept + 1] = list[i] end
  if kept[#kept] ~= list[#list] then kept[#kept + 1] = list[#list] end
  return kept
end

local function filters_now(self)
  local n = self.filters and self.filters:shape()[1]
  return n and self.filters:narrow(1, 1, math.min(n, most_filters)):clone()
end

function record:snapshot(epoch)
  if not self.parameters then begin(self) end
  if not self.parameters then return end
  local now = { step = self.steps, epoch = epoch, weights = {}, grads = {},
                filters = filters_now(self) }
  for i, p in ipairs(self.parameters) do
    now.weights[i] = spread(p.value)
    if self.steps > 0 then now.grads[i] = spread(p.grad) end
  end
  self.snapshots[#self.snapshots + 1] = now
  if #self.snapshots > most_snapshots then
    self.snapshots = drop_every_second(self.snapshots)
  end
end

-- ---- how far a step moves --------------------------------------------------

-- Keeps the weights as they are, to be compared after the next step.
function record:remember()
  self.before = self.parameters and {}
  for i, p in ipairs(self.parameters or {}) do
    self.before[i] = part_of(p.value):clone()
  end
end

-- |change| / |weight| of each weight; false where that is no number.
local function compare(self)
  local ratios = {}
  for i, p in ipairs(self.parameters) do
    local size = norm_of(self.before[i])
    local change = norm_of(part_of(p.value) - self.before[i])
    local known = size and change and size > 0
    ratios[i] = known and change / size or false
  end
  self.updates[#self.updates + 1] = { step = self.steps, ratios = ratios }
  self.before = nil
  if #self.updates > most_snapshots then
    self.updates = drop_every_second(self.updates)
  end
end

local function is_power_of_two(n) return n & (n - 1) == 0 end

-- ---- what happens ----------------------------------------------------------

-- After each step of the optimizer, while the gradients are still there.
function record:step(epoch, loss)
  self.steps = self.steps + 1
  self.losses[self.steps] = loss
  if self.before then compare(self) end
  if epoch == 1 and is_power_of_two(self.steps) then self:snapshot(epoch) end
  if is_power_of_two(self.steps + 1) then self:remember() end
end

-- Now, unless that has been looked at.
local function look_at_end(self, epoch)
  local last = self.snapshots[#self.snapshots]
  if not last or last.step ~= self.steps then self:snapshot(epoch) end
end

function record:end_of_epoch(epoch, rate)
  self.epoch_ends[epoch], self.rates[epoch] = self.steps, rate
  look_at_end(self, epoch)
  self:remember()
end

-- The loss of a step that was not taken, and the weights that led to it.
function record:lose(epoch, loss)
  look_at_end(self, epoch)
  self.steps = self.steps + 1
  self.losses[self.steps] = loss
end

-- After the last step.
function record:close() self.before = nil end

return record
