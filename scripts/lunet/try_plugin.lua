-- try_plugin.lua - tries a plugin in a process of its own, before a session
-- trusts it; see reload.lua. Its argument is a file with
--
--   return { file = the plugin, gradients = check them?,
--            layers = those that live: { word, options, shapes } }
--
-- Those with a word of the plugin are made and run once, with a batch of at
-- most 2. What is wrong is printed, and the status is 1.

local lunet = require "lunet"
local core = require "lunet_core"
local gradcheck = require "lunet.gradcheck"

local most_numbers = 20000 -- in the inputs of a check of gradients

local function count_of(shape)
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  return n
end

-- Inputs of these shapes. A loss has a target: class ids, unless it has the
-- shape of the prediction.
local function inputs_for(layer, shapes)
  local inputs, traits = {}, layer.core_layer:traits()
  for i, shape in ipairs(shapes) do
    if #shape > 0 then shape[1] = math.min(shape[1], 2) end
    local is_target = layer.loss and i == #shapes
    if is_target and #shape < #shapes[1] then
      inputs[i] = (lunet.rand(shape) * shapes[1][2]):floor()
    elseif traits.nonsmooth then
      inputs[i] = gradcheck.spaced(shape)
    else
      inputs[i] = gradcheck.random(shape)
    end
  end
  return inputs
end

-- "" or why the gradients could not be checked.
local function check_gradients(layer, inputs)
  local n = 0
  for _, x in ipairs(inputs) do n = n + x:numel() end
  if n > most_numbers then return "inputs are too large" end
  if layer.core_layer:traits().random then layer:eval() end
  local right, message = gradcheck.check(layer, inputs, {
    nonsmooth = layer.core_layer:traits().nonsmooth })
  if not right then error("the gradient is wrong: " .. message, 0) end
end

local function run_once(layer, inputs)
  local y = table.pack(layer:forward(table.unpack(inputs)))
  if layer.loss then return layer:backward() end
  for i = 1, y.n do y[i] = lunet.ones(y[i]:shape()) end
  layer:backward(table.unpack(y, 1, y.n))
end

-- Layers without inputs so far are only made.
local function try(given, gradients)
  local layer = lunet.nn[given.word](given.options)
  if #given.shapes == 0 then return end
  for _, shape in ipairs(given.shapes) do
    if count_of(shape) > 2 ^ 28 then return end
  end
  local inputs = inputs_for(layer, given.shapes)
  run_once(layer, inputs)
  if gradients then return true, check_gradients(layer, inputs) end
end

local function try_all(request)
  lunet.plugins.load(request.file)
  local checked, not_checked = 0, nil
  for _, given in ipairs(request.layers) do
    if core.layer_path(given.word) then -- the one plugin loaded has it
      local done, reason = try(given, request.gradients)
      not_checked = not_checked or reason
      if done and not reason then checked = checked + 1 end
    end
  end
  if not_checked then return "gradients not checked: " .. not_checked end
  if checked == 0 then return "no layer was there to check gradients of" end
  return "the gradients are right"
end

local request = dofile(arg[1])
local fine, told = pcall(try_all, request)
print((tostring(told):gsub("^[^\n]-try_plugin%.lua:%d+: ", "")))
os.exit(fine and 0 or 1)
