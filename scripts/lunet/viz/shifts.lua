-- shifts.lua - does the decision stay when the image moves? The image is
-- shifted by up to `most` pixels in all directions; zeros come in. See also
-- lunet.shift_test, which measures many images.
--
-- Source: Zeiler and Fergus, "Visualizing and understanding convolutional
-- networks", 2013, section 4.1; Zhang, "Making convolutional networks
-- shift-invariant again", 2019.

local colour_map = require "lunet.colour_map"
local core = require "lunet_core"
local maps = require "lunet.viz.maps"
local options = require "lunet.options"
local pass = require "lunet.viz.pass"
local shifted = require "lunet.shifted"

local rules = {
  { "class", "any" },
  { "most", "a whole number", min = 1, default = 2 },
}

local function check(x, o)
  if #x ~= 1 then
    core.raise("viz.shifts looks at one image, got %d\n  try x[1]", #x)
  end
  local room = math.min(x:shape()[3], x:shape()[4]) - 1
  if o.most > room then
    core.raise("viz.shifts: an image of %dx%d can be shifted by 1 .. %d, not "
               .. "%d", x:shape()[3], x:shape()[4], room, o.most)
  end
end

-- All shifts of the image as a batch, row by row.
local function all_shifts(x, most)
  local width, shape = 2 * most + 1, x:shape()
  local batch = core.zeros { width * width, shape[2], shape[3], shape[4] }
  for down = -most, most do
    for right = -most, most do
      local i = (down + most) * width + right + most + 1
      batch[i]:copy(shifted(x, down, right)[1])
    end
  end
  return batch
end

local function picture_of(batch, decisions, class, o)
  local images, captions, same = {}, {}, 0
  for i, decision in ipairs(decisions) do
    local image = maps.drawable(batch[i])
    local stays = decision == class
    if stays then same = same + 1 end
    images[i] = stays and image
      or colour_map.overlay(image, image:narrow(1, 1, 1) * 0 + 1)
    captions[i] = tostring(math.floor(decision))
  end
  return { images = images, captions = captions, columns = 2 * o.most + 1,
           group = 2 * o.most + 1,
           title = ("class %d: %d of %d shifts"):format(class, same,
                                                        #decisions) }
end

-- shifts(net, image [, { most = 2, class = }]) -> { decisions, scores: (2 most
-- + 1, 2 most + 1), down and to the right from -most; class; picture, red where
-- the decision is another one }
return function(net, x, given)
  x = pass.images("viz.shifts", net, x)
  local o = options.check("viz.shifts", given, rules)
  check(x, o)
  local class = pass.targets("viz.shifts", net:predict(x), o.class)[1]
  local batch, width = all_shifts(x, o.most), 2 * o.most + 1
  local scores = net:predict(batch)
  local decisions = scores:argmax(2) - 1
  return { class = class, decisions = decisions:view { width, width },
           scores = scores:narrow(2, class + 1, 1):clone():view {
             width, width },
           picture = picture_of(batch, decisions:tolist(), class, o) }
end
