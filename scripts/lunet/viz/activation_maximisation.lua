-- activation_maximisation.lua - an image that excites a class or a channel as
-- much as it can, found by climbing:
--
--   x <- (1 - decay) * x + lr * g / rms(g),   g = d activation / d x
--
-- The decay keeps the image small; without it pixels grow without end. For a
-- channel the activation is the mean over its map.
--
-- Source: Erhan, Bengio, Courville and Vincent, "Visualizing higher-layer
-- features of a deep network", 2009; Simonyan, Vedaldi and Zisserman, 2013.

local core = require "lunet_core"
local maps = require "lunet.viz.maps"
local options = require "lunet.options"
local pass = require "lunet.viz.pass"

local where = "viz.activation_maximisation"
local rules = {
  { "class", "a whole number", min = 0 },
  { "layer", "a layer or its name" },
  { "channel", "a whole number", min = 1 },
  { "steps", "a whole number", min = 1, default = 100 },
  { "lr", "a number", min = 0, default = 0.1 },
  { "decay", "a number", min = 0, max = 1, default = 0.02 },
  { "start", "a tensor" },
}

local function check(o)
  if (o.class == nil) == (o.layer == nil) then
    core.raise("%s needs either a class or a layer and a channel\n  try "
               .. "{ class = 3 }, or { layer = \"conv2\", channel = 1 }", where)
  end
  if o.layer and not o.channel then
    core.raise("%s: which channel of the layer? such as channel = 1", where)
  end
end

-- A little noise, so that no rectifier is quite at 0.
local function start_of(net, o)
  local shape = net:core_net():shape(0)
  if o.start then
    local x = pass.images(where, net, o.start)
    return x:narrow(1, 1, 1):clone()
  end
  if not shape then
    core.raise("%s: the size of the images is not known yet\n  call "
               .. "net:build{…} first, or give start = an image", where)
  end
  shape[1] = 1
  return core.randn(shape) * 0.1
end

-- The gradient that asks for one channel of a layer.
local function ask_for_channel(a, channel)
  local shape = a:shape()
  if channel > shape[2] then
    core.raise("%s: channel %d does not exist; the layer has %d", where,
               channel, shape[2])
  end
  local dy = core.zeros(shape)
  local unit = dy:narrow(2, channel, 1)
  unit:fill(1 / unit:numel())
  return dy
end

-- climb() is one pass: the activation and its gradient.
local function climber(net, o, tap)
  if o.class then
    return function(x)
      local y = net:forward(x)
      local classes, dy = pass.targets(where, y, o.class)
      return pass.scores_of(y, classes)[1], net:backward(dy)
    end
  end
  local wanted
  local watched = tap(net:tap(o.layer, function() return wanted end))
  return function(x)
    local y = net:forward(x)
    wanted = ask_for_channel(watched.output, o.channel)
    local value = (watched.output * wanted):sum()
    return value, net:backward(core.zeros(y:shape()))
  end
end

local function climb(net, x, o)
  return pass.run(net, function(tap)
    local values, step = {}, climber(net, o, tap)
    for i = 1, o.steps do
      local value, g = step(x)
      local rms = math.sqrt((g * g):mean())
      values[i] = value
      x = x * (1 - o.decay) + (rms > 0 and g * (o.lr / rms) or g)
    end
    values[#values + 1] = (step(x))
    return x, values
  end)
end

-- activation_maximisation(net, { class = 3 } or { layer = "conv2", channel = 1
-- } [steps = 100, lr = 0.1, decay = 0.02, start = image]) -> { image (C,H,W),
-- values = the activation before each step and at the end, picture }
return function(net, given)
  pass.check_net(where, net)
  local o = options.check(where, given, rules)
  check(o)
  local x, values = climb(net, start_of(net, o), o)
  local title = o.class and "what class " .. o.class .. " wants to see"
    or ("what channel %d wants to see"):format(o.channel)
  return { image = x[1], values = values, picture = {
    images = { maps.drawable(x[1]) }, title = title } }
end
