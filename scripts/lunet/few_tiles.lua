-- few_tiles.lua - the first images or filters of a tensor (N,C,H,W), where all
-- of them would be too many to look at.

local most_items, most_tiles = 64, 512

-- Returns the part, and a title that says what was left out: "" for nothing.
return function(batch)
  local n, channels = table.unpack(batch:shape())
  local items = math.min(n, most_items)
  local planes = math.max(3, most_tiles // math.max(1, items))
  planes = math.min(channels, planes)
  local said = {}
  if items < n then
    said[1] = ("the first %d of %d"):format(items, n)
  end
  if planes < channels then
    said[#said + 1] = ("%d of %d channels"):format(planes, channels)
  end
  if #said == 0 then return batch, "" end
  return batch:narrow(1, 1, items):narrow(2, 1, planes):clone(),
         table.concat(said, ", ")
end
