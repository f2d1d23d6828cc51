-- inputs.lua - what reaches a layer of a net when the net is given x.

-- node: its number. Returns a list of tensors, one an input of the layer.
return function(net, number, x)
  local core_net, builder = net:core_net()
  local given = type(x) == "table" and x or { x }
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
