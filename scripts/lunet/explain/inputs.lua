-- inputs.lua - what reaches a layer of a net when the net is given x.

local options = require "lunet.options"

-- x as a list, one tensor an input of the net.
local function list_of(what, net, x)
  local list = type(x) == "table" and x or { x }
  for i = 1, math.max(#list, net:n_inputs()) do
    options.argument(what, i == 1 and "x" or "input " .. i, list[i], "a tensor",
                     "test.x")
  end
  return list
end

-- number: which use of a layer. Returns a list of tensors, one an input of the
-- layer.
return function(what, net, number, x)
  local core_net, builder = net:core_net()
  local given = list_of(what, net, x)
  local taps, inputs = {}, {}
  for k, value in ipairs(builder.nodes[number].inputs) do
    if value >= net:n_inputs() then taps[k] = core_net:add_tap(value) end
    inputs[k] = given[value + 1]
  end
  local results = table.pack(pcall(net.predict, net, table.unpack(given)))
  for k, tap in pairs(taps) do
    inputs[k] = tap:output()
    tap:remove()
  end
  if not results[1] then error(results[2], 0) end
  return inputs
end
