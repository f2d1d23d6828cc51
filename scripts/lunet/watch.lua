-- watch.lua - a training under watch: what happens in a loop, kept and shown.
-- lunet.fit does it by itself; in a loop of one's own:
--
--   local run = lunet.watch(net, { train = train, validate = test, epochs = 5,
--                                  loss = loss_fn, optimizer = opt })
--   for epoch = 1, 5 do
--     for x, labels in train:batches { size = 32, shuffle = true } do
--       … forward, backward, opt:step() …
--       run:step(loss, scores, labels)
--     end
--     run:end_epoch()
--   end
--   lunet.report(run, "run.html")

local core = require "lunet_core"
local options = require "lunet.options"
local run = require "lunet.run"

local rules = {
  { "train", "a dataset" },
  { "validate", "a dataset" },
  { "loss", "a loss layer" },
  { "optimizer", "an optimizer" },
  { "epochs", "a whole number", default = 1, min = 0 },
  { "items", "a whole number", min = 1 },
  { "progress", "true or false", default = true },
  { "record", "true or false", default = true },
}

-- watch(net, { train =, validate =, loss =, optimizer =, epochs =, items =,
-- progress =, record = }): all may be left out but train, or items, how many
-- samples an epoch has. Returns a run, to be told of each step and epoch.
return function(net, given)
  if not options.is("a net", net) then
    core.raise("watch: the first argument must be a net, such as "
               .. "nn.sequential{ … }")
  end
  local o = options.check("watch", given, rules)
  if not o.train and not o.items then
    core.raise("watch needs the option 'train' (a dataset) or 'items'\n"
               .. "  try train = train: it says how long an epoch is")
  end
  return run.new(net, o)
end
