-- facts.lua - what one needs to know to repeat a training: options, seed,
-- versions, sizes.

local core = require "lunet_core"
local loss_text = require "lunet.loss_text"

local function add(list, name, value)
  if value ~= nil then list[#list + 1] = { name, tostring(value) } end
end

local function percent(share)
  return share and ("%.2f %%"):format(100 * share)
end

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

-- The optimizer and what it was given; its rate may have changed since.
local function add_optimizer(list, optimizer)
  if not optimizer then return end
  add(list, "optimizer", optimizer.word)
  for _, name in ipairs(sorted_keys(optimizer.given)) do
    add(list, name, tostring(optimizer.given[name]))
  end
  if optimizer.lr ~= optimizer.given.lr then
    add(list, "lr at the end", ("%g"):format(optimizer.lr))
  end
end

local function add_options(list, o)
  add(list, "loss", o.loss and (o.loss.word or "of one's own"))
  add(list, "batch size", o.batch_size)
  add(list, "shuffled", o.shuffle ~= nil and (o.shuffle and "yes" or "no") or
                        nil)
  add(list, "augmented", o.augment and "yes" or nil)
  add(list, "schedule", o.schedule and "per " .. o.schedule.per or nil)
  add(list, "gradients clipped at", o.clip)
end

local function add_sizes(list, run)
  local fine, parameters = pcall(run.net.num_parameters, run.net)
  add(list, "parameters", fine and parameters or nil)
  add(list, "training samples", run.train and #run.train or run.options.items)
  add(list, "validation samples",
      run.options.validate and #run.options.validate or "none")
end

-- A list of { name, text }.
return function(run)
  local list, n = {}, run.epochs
  add(list, "stopped", run:stop_text())
  add(list, "loss at the end", n > 0 and loss_text(run.loss[n], "%.4f") or
                             nil)
  add(list, "training accuracy", percent(run.accuracy[n]))
  add(list, "validation accuracy", percent(run.validation[n]))
  add(list, "epochs", n)
  add(list, "steps", run.record and run.record.steps or nil)
  add(list, "seconds", ("%.1f"):format(run.seconds))
  add_sizes(list, run)
  add_optimizer(list, run.options.optimizer)
  add_options(list, run.options)
  add(list, "seed", run.seed)
  add(list, "threads", core.num_threads())
  add(list, "Lunet", core.version)
  add(list, "Lua", _VERSION)
  add(list, "written", os.date "%Y-%m-%d %H:%M")
  return list
end
