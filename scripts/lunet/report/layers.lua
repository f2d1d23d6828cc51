-- layers.lua - how weights and gradients were spread, snapshot by snapshot, and
-- what the first filters looked like.

local base64 = require "lunet.report.base64"

local most_bytes = 300000 -- of filters, all snapshots together

-- Numbers -scale..scale as bytes 1..255; 128 is zero.
local function to_bytes(list, scale)
  for i, v in ipairs(list) do
    local part = v == v and math.max(-1, math.min(1, v / scale)) or 0
    list[i] = math.floor(128 + 127 * part + 0.5)
  end
  return list
end

local function flat(t) return t:view { t:numel() }:tolist() end

local function largest_weight(snapshots)
  local largest = 0
  for _, s in ipairs(snapshots) do
    local most = s.filters:abs():max()
    if most == most and most < math.huge then
      largest = math.max(largest, most)
    end
  end
  return largest > 0 and largest or 1
end

-- The filters (K,C,KH,KW) of each snapshot; of channels that are no colours
-- only the first. nil: the net has none.
local function filters(book)
  local first = book.snapshots[1] and book.snapshots[1].filters
  if not first then return nil end
  local shape, frames = first:shape(), {}
  local channels = shape[2] == 3 and 3 or 1
  local bytes = shape[1] * channels * shape[3] * shape[4] * #book.snapshots
  local kept = math.max(1, math.floor(shape[1] * math.min(1, most_bytes /
                                                             bytes)))
  local scale = largest_weight(book.snapshots)
  for i, s in ipairs(book.snapshots) do
    local part = s.filters:narrow(1, 1, kept):narrow(2, 1, channels):clone()
    frames[i] = base64(to_bytes(flat(part), scale))
  end
  return { name = book.filters_name, count = kept, all = shape[1],
           channels = channels, depth = shape[2], height = shape[3],
           width = shape[4],
           scale = scale, frames = frames }
end

-- What the page reads of a run's record; nil: nothing was recorded.
return function(book)
  if not book or #book.snapshots == 0 then return nil end
  local list = {}
  for i, s in ipairs(book.snapshots) do
    list[i] = { step = s.step, epoch = s.epoch, weights = s.weights,
                grads = s.grads }
  end
  return { names = book.names, snapshots = list, filters = filters(book) }
end
