-- occlusion.lua - how much the score falls when a part of the image is covered:
--
--   map[y,x] = mean, over all places of the patch that cover (y,x), of
--              score_class(image) - score_class(image with the patch on it)
--
-- No gradient is needed, so the answer is about real changes of the image.
--
-- Source: Zeiler and Fergus, "Visualizing and understanding convolutional
-- networks", 2013.

local colour_map = require "lunet.colour_map"
local core = require "lunet_core"
local maps = require "lunet.viz.maps"
local options = require "lunet.options"
local pass = require "lunet.viz.pass"

local rules = {
  { "class", "any" },
  { "size", "a whole number", min = 1 },
  { "stride", "a whole number", min = 1, default = 1 },
  { "value", "a number", default = 0 },
}
local at_once = 64

-- Where the patch begins along one axis: every `stride` pixels, and at the end.
local function places(length, size, stride)
  local list = {}
  for first = 1, length - size + 1, stride do list[#list + 1] = first end
  local last = length - size + 1
  if list[#list] ~= last then list[#list + 1] = last end
  return list
end

local function all_places(shape, o)
  local list = {}
  for _, row in ipairs(places(shape[2], o.size, o.stride)) do
    for _, column in ipairs(places(shape[3], o.size, o.stride)) do
      list[#list + 1] = { row, column }
    end
  end
  return list
end

local function window(t, place, size)
  return t:narrow(2, place[1], size):narrow(3, place[2], size)
end

-- The scores of the class for one image with the patch at each place.
local function covered_scores(net, image, class, list, o)
  local scores, shape = {}, image:shape()
  for first = 1, #list, at_once do
    local n = math.min(at_once, #list - first + 1)
    local batch = core.zeros { n, shape[1], shape[2], shape[3] }
    for i = 1, n do
      batch[i]:copy(image)
      window(batch[i], list[first + i - 1], o.size):fill(o.value)
    end
    for _, row in ipairs(net:predict(batch):tolist()) do
      scores[#scores + 1] = row[class + 1]
    end
  end
  return scores
end

local function map_of(net, image, class, score, o)
  local shape = image:shape()
  local list = all_places(shape, o)
  local sum = core.zeros { 1, shape[2], shape[3] }
  local count = core.zeros { 1, shape[2], shape[3] }
  for i, covered in ipairs(covered_scores(net, image, class, list, o)) do
    local part = window(sum, list[i], o.size)
    part:copy(part + (score - covered))
    part = window(count, list[i], o.size)
    part:copy(part + 1)
  end
  return sum / count:maximum(1)
end

local function check_size(shape, o)
  local room = math.min(shape[3], shape[4])
  o.size = o.size or math.max(1, room // 4)
  if o.size > room then
    core.raise("viz.occlusion: a patch of %dx%d does not fit into images of "
               .. "%dx%d", o.size, o.size, shape[3], shape[4])
  end
  if o.stride > o.size then
    core.raise("viz.occlusion: stride %d is larger than the patch, %d: some "
               .. "pixels would never be covered", o.stride, o.size)
  end
end

-- occlusion(net, x [, { class =, size = a quarter of the image, stride = 1,
-- value = 0 }]) -> { map (N,1,H,W), classes, scores, picture }
return function(net, x, given)
  x = pass.images("viz.occlusion", net, x)
  local o = options.check("viz.occlusion", given, rules)
  check_size(x:shape(), o)
  local y = net:predict(x)
  local classes = pass.targets("viz.occlusion", y, o.class)
  local scores, map = pass.scores_of(y, classes), maps.empty(x)
  for i = 1, #x do
    map[i]:copy(map_of(net, x[i], classes[i], scores[i], o))
  end
  local result = maps.result(x, map, classes, "occlusion: red counts for the "
                             .. "class", colour_map.overlay)
  result.scores = scores
  return result
end
