-- network.lua - the net as a list of uses of layers, for the page's map.

local summary = require "lunet.summary"

-- { name, word, shape, parameters, multiply_adds, inputs }: inputs are the
-- places of the rows that it reads, 0 is the net's input. And the shape of
-- that.
return function(run)
  if not run:knows_sizes() then return {}, "" end
  local core_net, builder = run.net:core_net()
  local input, rows = core_net:shape(0), summary.rows(run.net)
  local row_of, list = {}, {}
  for i, node in ipairs(builder.nodes) do
    for k = 0, node.n_outputs - 1 do row_of[node.value + k] = i end
  end
  for i, node in ipairs(builder.nodes) do
    local inputs = {}
    for k, value in ipairs(node.inputs) do inputs[k] = row_of[value] or 0 end
    local r = rows[i]
    list[i] = { name = r.name, word = r.word, shape = r.shape,
                text = tostring(node.layer), parameters = r.parameters,
                multiply_adds = r.multiply_adds, inputs = inputs }
  end
  input[1] = "N"
  return list, "(" .. table.concat(input, ",") .. ")"
end
