-- one_batch.lua - can the net learn a single batch by heart? If not, the fault
-- is in the net; if so, in the data, the labels or the rate. The weights are
-- put back afterwards.

local optim = require "lunet.optim"

local samples, steps, rate = 32, 100, 0.003

local function has(findings, name)
  for _, finding in ipairs(findings) do
    if finding.name == name then return true end
  end
  return false
end

-- Runs f and gives the net back its numbers and modes.
local function with_net_kept(net, f)
  local kept, modes = {}, {}
  for name, t in pairs(net:state()) do kept[name] = t:clone() end
  for i, layer in ipairs(net:layers()) do
    modes[i] = layer.core_layer:training()
  end
  local results = table.pack(pcall(f))
  net:load_state(kept)
  net:zero_grad()
  for i, layer in ipairs(net:layers()) do
    layer.core_layer:set_training(modes[i])
  end
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

-- Until the loss is half of what it was: first and last loss, steps.
local function learn(net, loss_fn, x, labels)
  local opt, first = optim.adam(net:parameters(), { lr = rate }), nil
  net:train()
  for step = 1, steps do
    local loss = loss_fn:forward(net:forward(x), labels)
    first = first or loss
    if loss < first / 2 or loss - loss ~= 0 then return first, loss, step end
    opt:zero_grad()
    net:backward(loss_fn:backward())
    opt:step()
  end
  return first, loss_fn:forward(net:forward(x), labels), steps
end

local function advice(learnt, findings)
  if not learnt then
    return #findings > 1 and "what stands above" or
           "fewer layers, until a batch can be learnt; then one more at a time"
  end
  if has(findings, "short_steps") or has(findings, "long_steps") then
    return "another rate: the net is sound"
  end
  return "looking at ten samples with their labels: do they belong together?"
end

return function(run, findings, o)
  local wanted = o.one_batch
  if wanted == nil then wanted = has(findings, "flat_loss") end
  local loss_fn, train = run.options.loss, run.train
  if not wanted then return nil end
  if not loss_fn or not run:reads(train, loss_fn) then return nil, true end
  local part = train:take(math.min(#train, samples))
  local first, last, count = with_net_kept(run.net, function()
    return learn(run.net, loss_fn, part.x, part.labels)
  end)
  local learnt = last < first / 2
  if learnt and not has(findings, "flat_loss") then return nil end
  return {
    what = learnt and "a single batch can be learnt by heart, the data cannot"
           or "the net cannot learn even a single batch by heart",
    numbers = ("loss on %d samples from %.3g to %.3g in %d steps of "
               .. "adam"):format(#part, first, last, count),
    rule = ("a sound net halves its loss on %d samples within %d steps; if it "
            .. "does, the fault is in the rate, the labels or the data"):format(
            #part, steps),
    try = advice(learnt, findings),
  }
end
