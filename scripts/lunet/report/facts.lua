-- facts.lua - what one needs to know to repeat a training: options, seed,
-- versions, sizes.

local core = require "lunet_core"

local function add(list, name, value)
  if value ~= nil then list[#list + 1] = { name, tostring(value) } end
end

local function percent(share) return share and ("%.2f %%"):format(100 * share) end

local function option_facts(list, o)
  add(list, "optimizer", o.optimizer.word)
  add(list, "rate at the end", ("%g"):format(o.optimizer.lr))
  add(list, "loss", tostring(o.loss))
  add(list, "batch size", o.batch_size)
  add(list, "shuffled", o.shuffle and "yes" or "no")
  add(list, "augmented", o.augment and "yes" or nil)
  add(list, "schedule", o.schedule and "per " .. o.schedule.per or nil)
  add(list, "gradients clipped at", o.clip)
end

-- A list of { name, text }.
return function(run)
  local list, o = {}, run.options
  local n = #run.loss
  add(list, "loss at the end", n > 0 and ("%.4f"):format(run.loss[n]) or nil)
  add(list, "training accuracy", percent(run.accuracy[n]))
  add(list, "validation accuracy", percent(run.validation[n]))
  add(list, "epochs", run.epochs)
  add(list, "seconds", ("%.1f"):format(run.seconds))
  add(list, "training samples", #run.train)
  add(list, "validation samples", o.validate and #o.validate or "none")
  local fine, parameters = pcall(run.net.num_parameters, run.net)
  add(list, "parameters", fine and parameters or nil)
  option_facts(list, o)
  add(list, "seed", core.seed or "0 (none was set)")
  add(list, "threads", core.num_threads())
  add(list, "Lunet", core.version)
  add(list, "Lua", _VERSION)
  add(list, "written", os.date "%Y-%m-%d %H:%M")
  return list
end
