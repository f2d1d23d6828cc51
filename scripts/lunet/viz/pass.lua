-- pass.lua - what the methods share: passes through a net that leave it as it
-- was, and the classes that they ask about.
--
-- Within pass.run the net is in evaluation mode, gradients of parameters are
-- not computed, those of the inputs are. Afterwards modes, frozen layers and
-- the steps of dropout are put back. A forward of the user's own that still
-- waits for its backward does not survive it.

local core = require "lunet_core"
local options = require "lunet.options"

local pass = {}

local function remember(net)
  local kept = {}
  for i, layer in ipairs(net:layers()) do
    local l = layer.core_layer
    kept[i] = { layer = l, training = l:training(), frozen = l:frozen(),
                step = l:step() }
  end
  return kept, rawget(net, "wants_inputs") or false
end

local function put_back(net, kept, wants_inputs)
  net:requires_grad { inputs = wants_inputs }
  for _, k in ipairs(kept) do
    k.layer:set_training(k.training)
    k.layer:set_frozen(k.frozen)
    k.layer:set_step(k.step)
  end
end

-- Gives what f() gives, whose taps (pass.tap) are removed.
function pass.run(net, f)
  local kept, wants_inputs = remember(net)
  local taps = {}
  net:eval():requires_grad { inputs = true, parameters = false }
  local results = table.pack(pcall(f, function(tap)
    taps[#taps + 1] = tap
    return tap
  end))
  for _, tap in ipairs(taps) do tap:remove() end
  put_back(net, kept, wants_inputs)
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

-- ---- arguments -------------------------------------------------------------

function pass.check_net(what, net)
  if type(net) ~= "table" or not options.is("a net", net) then
    core.raise("%s: the first argument is %s, it must be a net", what,
               options.shown(net))
  end
end

-- NaN marks no place and decides for no class.
function pass.check_finite(what, name, t, try)
  local count = core.histogram(t, -1, 1, 1).not_finite
  if count == 0 then return end
  core.raise("%s: %d of %d numbers of %s are not finite\n  what is NaN or "
             .. "infinite can neither be compared nor drawn\n  try %s", what,
             count, t:numel(), name, try or "a look at where they come from")
end

-- The images (N,C,H,W); one image (C,H,W) is a batch of one. They and the net
-- are checked.
function pass.images(what, net, x)
  pass.check_net(what, net)
  options.argument(what, "x", x, "a tensor", "test.x or one image of it")
  local shape = x:shape()
  if #shape == 3 then x = x:view { 1, shape[1], shape[2], shape[3] } end
  if x:dim() ~= 4 or x:numel() == 0 then
    core.raise("%s: x has shape (%s), it must hold images: (N,C,H,W), or one "
               .. "(C,H,W)", what, table.concat(shape, ","))
  end
  pass.check_finite(what, "x", x)
  return x
end

-- x of a dataset, or x itself; the first `most` of them; labels, if there are.
function pass.samples(what, x, most)
  if not options.is("a dataset", x) then
    options.argument(what, "the second argument", x, "a tensor",
                     "test.x, or a dataset such as test")
    if x:dim() == 0 then
      core.raise("%s: x has shape (), its first dim must be the batch N", what)
    end
    return x:narrow(1, 1, math.min(most, #x))
  end
  if #x == 0 then core.raise("%s: the dataset has no samples", what) end
  local n = math.min(most, #x)
  local next_batch, _, _, loader <close> = x:take(n):batches { size = n }
  assert(loader)
  return next_batch()
end

-- ---- classes ---------------------------------------------------------------

-- One class id an item: what was asked for, or the class with the highest
-- score.
local function classes_of(what, scores, wanted)
  local n, k = table.unpack(scores:shape())
  local list = wanted
  if wanted == nil then
    list = (scores:argmax(2) - 1):tolist()
  elseif type(wanted) == "number" then
    list = {}
    for i = 1, n do list[i] = wanted end
  elseif core.is_tensor(wanted) then
    list = wanted:tolist()
  end
  if not options.is("a list of numbers", list) or #list ~= n then
    core.raise("%s: class must be a class id, or a list or tensor of %d, one "
               .. "an image", what, n)
  end
  for i, class in ipairs(list) do
    local id = math.tointeger(class)
    if not id or id < 0 or id >= k then
      core.raise("%s: class %s does not exist; the net has the classes 0 to "
                 .. "%d", what, tostring(class), k - 1)
    end
    list[i] = id
  end
  return list
end

function pass.check_scores(what, scores)
  if scores:dim() ~= 2 then
    core.raise("%s: the net must give scores (N,classes), but gives (%s)", what,
               table.concat(scores:shape(), ","))
  end
  pass.check_finite(what, "the net's scores", scores, "lunet.check_numerics"
                    .. "(true) and net:predict(x): it names the layer where "
                    .. "they begin")
end

-- The classes, and the gradient that asks for their scores: 1 there.
function pass.targets(what, scores, wanted)
  pass.check_scores(what, scores)
  local classes = classes_of(what, scores, wanted)
  local dy = core.zeros(scores:shape())
  for i, class in ipairs(classes) do dy[i][class + 1] = 1 end
  return classes, dy
end

-- The score of each item's class, as a list.
function pass.scores_of(scores, classes)
  local list, rows = {}, scores:tolist()
  for i, class in ipairs(classes) do list[i] = rows[i][class + 1] end
  return list
end

return pass
