-- weights.lua - what the rules ask of a run's record about its weights.

local weights = {}

-- The places, among the weights that were watched, of those that are trained:
-- of no frozen layer, and with more than one number.
function weights.trained(run)
  local frozen, places = {}, {}
  run.net:walk(function(layer, name)
    for _, t in ipairs(layer.core_layer:tensors()) do
      frozen[name .. "." .. t.name] = layer.core_layer:frozen()
    end
  end)
  for i, p in ipairs(run.record.parameters or {}) do
    local name = run.record.names[i]
    if not frozen[name] and p.value:numel() > 1 then places[#places + 1] = i end
  end
  return places
end

function weights.median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  return sorted[(#sorted + 1) // 2]
end

-- Of one weight, |change| / |weight| of the steps that were measured.
function weights.step_ratios(run, place)
  local list = {}
  for _, update in ipairs(run.record.updates) do
    local ratio = update.ratios[place]
    if ratio and ratio - ratio == 0 then list[#list + 1] = ratio end
  end
  return list
end

-- Of one weight, |gradient| / |weight| of the snapshots.
function weights.gradient_ratios(run, place)
  local list = {}
  for _, s in ipairs(run.record.snapshots) do
    local w, g = s.weights[place], s.grads[place]
    if w and g and g.norm and w.norm and w.norm > 0 then
      list[#list + 1] = g.norm / w.norm
    end
  end
  return list
end

return weights
