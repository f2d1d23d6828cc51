-- patches.lua - what excites a channel most: of all images the places where it
-- is largest, one an image, cut out as far as a unit there sees.
--
--   (y,x) = argmax of A[n,channel,y,x],  the patch = its receptive field
--
-- Source: Zeiler and Fergus, "Visualizing and understanding convolutional
-- networks", 2013; Girshick, Donahue, Darrell and Malik, "Rich feature
-- hierarchies", 2013.

local core = require "lunet_core"
local maps = require "lunet.viz.maps"
local options = require "lunet.options"
local pass = require "lunet.viz.pass"
local receptive_field = require "lunet.receptive_field"

local rules = {
  { "layer", "a layer or its name", required = true,
    example = 'layer = "conv2"' },
  { "channel", "a whole number", min = 1, default = 1 },
  { "count", "a whole number", min = 1, default = 9 },
  { "most", "a whole number", min = 1, default = 2000 },
}

-- The largest element of each image's map: { image, value, place }.
local function peaks_of(activations, channel, first)
  local shape, list = activations:shape(), {}
  local n, width = shape[1], shape[4]
  local flat = activations:narrow(2, channel, 1):clone():view {
    n, shape[3] * width }
  local largest, where = flat:max(2):tolist(), flat:argmax(2):tolist()
  for i = 1, n do
    local place = math.floor(where[i]) - 1
    list[i] = { image = first + i - 1, value = largest[i],
                place = { place // width + 1, place % width + 1 } }
  end
  return list
end

local function check_channel(shape, channel)
  if #shape ~= 4 then
    core.raise("viz.patches: the layer gives (%s), it must give maps (N,C,H,W)",
               table.concat(shape, ","))
  end
  if channel > shape[2] then
    core.raise("viz.patches: channel %d does not exist; the layer has %d",
               channel, shape[2])
  end
end

local function all_peaks(net, x, o)
  return pass.run(net, function(tap)
    local watched, list = tap(net:tap(o.layer)), {}
    for first = 1, #x, 256 do
      local n = math.min(256, #x - first + 1)
      net:forward(x:narrow(1, first, n))
      check_channel(watched.output:shape(), o.channel)
      local peaks = peaks_of(watched.output, o.channel, first)
      table.move(peaks, 1, n, #list + 1, list)
    end
    return list
  end)
end

-- The part of the image (C,H,W) that the unit at `place` sees; 0 outside.
local function cut_out(image, field, place)
  local shape = image:shape()
  local patch = core.zeros { shape[1], field.size[1], field.size[2] }
  local from, to = image, patch
  for i = 1, 2 do
    local first = field.start[i] + (place[i] - 1) * field.jump[i]
    local begin = math.max(first, 1)
    local stop = math.min(first + field.size[i] - 1, shape[i + 1])
    from = from:narrow(i + 1, begin, stop - begin + 1)
    to = to:narrow(i + 1, begin - first + 1, stop - begin + 1)
  end
  to:copy(from)
  return patch
end

local function picture_of(list, o)
  local images, captions = {}, {}
  for i, peak in ipairs(list) do
    images[i] = maps.drawable(peak.patch)
    captions[i] = ("%d: %.3g"):format(peak.image, peak.value)
  end
  return { images = images, captions = captions,
           title = ("what excites channel %d most"):format(o.channel) }
end

-- patches(net, x or dataset, { layer = "conv2", channel = 1, count = 9 }) -> a
-- list of { image = its number, value, place = {row, column}, patch (C,h,w) },
-- the largest first; and .picture.
return function(net, x, given)
  pass.check_net("viz.patches", net)
  local o = options.check("viz.patches", given, rules)
  x = pass.images("viz.patches", net, pass.samples("viz.patches", x, o.most))
  local list = all_peaks(net, x, o)
  table.sort(list, function(a, b)
    if a.value ~= b.value then return a.value > b.value end
    return a.image < b.image
  end)
  net:infer_shapes(table.move(x:shape(), 2, 4, 1, {}))
  local field = net:receptive_field(o.layer)
  if not field then receptive_field.refuse_no_image(net, 1) end
  local best = table.move(list, 1, math.min(o.count, #list), 1, {})
  for _, peak in ipairs(best) do
    peak.patch = cut_out(x[peak.image], field, peak.place)
  end
  best.picture = picture_of(best, o)
  return best
end
