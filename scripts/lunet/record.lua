-- record.lua - what lunet.fit keeps of a training, for lunet.report and
-- lunet.diagnose to look at: the loss of each step and, now and then, how the
-- weights and gradients are spread and what the first filters look like.
--
-- Snapshots are taken before the first step, after steps 1, 2, 4, 8, … of the
-- first epoch (most happens then), and at the end of each epoch. When there are
-- too many, every second one is dropped.

local core = require "lunet_core"

local record = {}
record.__index = record

local most_snapshots, most_tensors, most_filters, bins = 40, 40, 32, 30

-- The weights worth a look: with at least two dims, and not too many of them.
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

-- Counts over the tensor's own range: { low, high, count = {…}, norm, mean,
-- not_finite }.
local function spread(t)
  local whole = core.histogram(t, -1, 1, 1)
  if not whole.min then return { not_finite = whole.not_finite } end
  local low, high = whole.min, whole.max
  if low == high then low, high = low - 0.5, high + 0.5 end
  local h = core.histogram(t, low, high, bins)
  return { low = low, high = high, count = table.move(h, 1, bins, 1, {}),
           norm = h.norm, mean = h.mean, not_finite = h.not_finite }
end

local function drop_every_second(list)
  local kept = { list[1] }
  for i = 3, #list, 2 do kept[#kept + 1] = list[i] end
  if kept[#kept] ~= list[#list] then kept[#kept + 1] = list[#list] end
  return kept
end

-- A record of the net, which has to be built; without its sizes nothing but
-- the losses is kept until they are known.
function record.new(net)
  return setmetatable({ net = net, steps = 0, losses = {}, rates = {},
                        epoch_ends = {}, names = {}, snapshots = {} }, record)
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

local function filters_now(self)
  local n = self.filters and self.filters:shape()[1]
  return n and self.filters:narrow(1, 1, math.min(n, most_filters)):clone()
end

local function snapshot(self, epoch)
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

local function is_power_of_two(n) return n & (n - 1) == 0 end

-- Before a step of the optimizer.
function record:before_step()
  if self.steps == 0 then snapshot(self, 0) end
end

-- After it: gradients are still there.
function record:after_step(epoch, loss)
  self.steps = self.steps + 1
  self.losses[self.steps] = loss
  if epoch == 1 and is_power_of_two(self.steps) then snapshot(self, epoch) end
end

function record:end_of_epoch(epoch, rate)
  self.epoch_ends[epoch], self.rates[epoch] = self.steps, rate
  local last = self.snapshots[#self.snapshots]
  if not last or last.step ~= self.steps then snapshot(self, epoch) end
end

-- Answers the same calls, and keeps nothing.
function record.none()
  local function nothing() end
  return { before_step = nothing, after_step = nothing, end_of_epoch = nothing }
end

return record
