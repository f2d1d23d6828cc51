-- sanity_check.lua - does a map say anything about what the net has learnt?
-- The same map is drawn with the net's weights and with the weights of each
-- tensor shuffled, and the two are compared by Spearman's rank correlation, the
-- mean of those of the images:
--
--   near 1   the map would look the same for a net that knows nothing: it
--            shows the image, not the decision
--   near 0   the map depends on the weights
--
-- Source: Adebayo, Gilmer, Muelly, Goodfellow, Hardt and Kim, "Sanity checks
-- for saliency maps", 2018.

local colour_map = require "lunet.colour_map"
local core = require "lunet_core"
local maps = require "lunet.viz.maps"
local options = require "lunet.options"
local pass = require "lunet.viz.pass"
local rank_correlation = require "lunet.viz.rank_correlation"

local rules = { { "class", "any" } }

local function shuffle(t)
  local values, mixed = t:view { t:numel() }:tolist(), {}
  for i, place in ipairs(core.permutation(#values)) do
    mixed[i] = values[place]
  end
  t:copy(core.tensor(mixed):view(t:shape()))
end

-- f() while all parameters are shuffled; they are put back whatever happens.
local function with_shuffled(net, f)
  local kept = {}
  for _, p in ipairs(net:parameters()) do
    kept[#kept + 1] = { value = p.value, before = p.value:clone() }
    if p.value:numel() > 0 then shuffle(p.value) end
  end
  local results = table.pack(pcall(f))
  for _, k in ipairs(kept) do k.value:copy(k.before) end
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

-- The map that the method draws; it may be anyone's function.
local function map_of(method, net, x, classes)
  local result = method(net, x, { class = classes })
  local map = type(result) == "table" and result.map
  if not core.is_tensor(map) then
    core.raise("viz.sanity_check: the method returned %s, it must return a "
               .. "table with the tensor map, such as lunet.viz.saliency does",
               options.shown(result))
  end
  return map
end

local function mean_correlation(a, b)
  local sum = 0
  for i = 1, #a do sum = sum + rank_correlation(a[i], b[i]) end
  return sum / #a
end

local function picture_of(x, learnt, random, title)
  local images, captions = {}, {}
  for i = 1, math.min(#x, 8) do
    images[3 * i - 2] = maps.drawable(x[i])
    images[3 * i - 1] = colour_map.heat(learnt[i])
    images[3 * i] = colour_map.heat(random[i])
    captions[3 * i - 2], captions[3 * i - 1] = "image " .. i, "learnt"
    captions[3 * i] = "shuffled"
  end
  return { images = images, captions = captions, title = title,
           columns = #images > 3 and 6 or 3, group = 3 }
end

-- sanity_check(net, x, method [, { class = }]) -> { correlation, learnt,
-- shuffled: maps (N,1,H,W), picture }. method is lunet.viz.saliency or any
-- function(net, x, { class = }) that returns { map = }.
return function(net, x, method, given)
  x = pass.images("viz.sanity_check", net, x)
  local o = options.check("viz.sanity_check", given, rules)
  options.argument("viz.sanity_check", "the third argument", method,
                   "a function", "lunet.viz.saliency")
  local classes = pass.targets("viz.sanity_check", net:predict(x), o.class)
  local learnt = map_of(method, net, x, classes)
  local shuffled = with_shuffled(net, function()
    return map_of(method, net, x, classes)
  end)
  local correlation = mean_correlation(learnt, shuffled)
  return { correlation = correlation, learnt = learnt, shuffled = shuffled,
           picture = picture_of(x, learnt, shuffled,
                                ("rank correlation %.2f"):format(correlation)) }
end
