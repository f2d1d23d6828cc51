-- layer.lua - a single layer: nn.conv2d{ … } and all others, by their word.

local core = require "lunet_core"
local initialise = require "lunet.initialise"
local module = require "lunet.module"

-- conv.weight, conv.bias: the tensors by name.
local layer = module.class("layer", function(object, name)
  for _, t in ipairs(rawget(object, "core_layer"):tensors()) do
    if t.name == name then return t.value end
  end
end)

-- For completion: methods, and the tensors.
function layer.__names(object)
  local names = module.names(layer, module)
  for _, t in ipairs(rawget(object, "core_layer"):tensors()) do
    names[#names + 1] = t.name
  end
  return names
end

-- The options that are the layer's own, and how its parameters are to begin.
-- An `init` that is a plain value is the layer's own, as the number of prelu.
local function split_init(options)
  local init = options and options.init
  if type(init) ~= "table" and type(init) ~= "function" then return options end
  local own = {}
  for name, value in pairs(options) do own[name] = value end
  own.init = nil
  return own, init
end

-- A new layer. `options` may hold its name and its `init`, too.
function layer.new(word, options)
  if options ~= nil and type(options) ~= "table" then
    core.raise("nn.%s takes a table of options, such as nn.%s{ … }; got %s",
               word, word, type(options))
  end
  local name = options and options.name
  if name ~= nil and (type(name) ~= "string" or name == "") then
    core.raise("%s: name must be a text such as \"conv1\"", word)
  end
  local own, init = split_init(options)
  local core_layer = core.layer(word, name, own)
  if init ~= nil then initialise.layer(word, core_layer, init) end
  return setmetatable({ word = word, name = name, core_layer = core_layer,
                        loss = core_layer:is_loss(), wants_inputs = true },
                      layer)
end

function layer.parts(_) return {} end

function layer:walk(visit) visit(self, self.name or self.word) end

-- Its own list keeps the short names, "weight" instead of "conv1.weight".
function layer:each_tensor(visit)
  if not self.core_layer:is_complete() then
    core.raise("%s is unfinished: its sizes come from the first input\n  call "
               .. "forward or build{…} first, or give the sizes, such as "
               .. "in_channels", self.word)
  end
  for _, t in ipairs(self.core_layer:tensors()) do visit(t.name, t) end
end

-- How many inputs the latest call had: add and concat take any number.
function layer:n_inputs() return rawget(self, "inputs") or 1 end

function layer:n_outputs() return self.core_layer:n_outputs() end

function layer:wire(builder, values) return builder:add(self, values) end

local function expect_inputs(self, n)
  if (rawget(self, "inputs") or 1) == n then return end
  self.inputs, self.built_net = n, nil
end

function layer:infer_for(what, ...)
  expect_inputs(self, select("#", ...))
  module.infer_for(self, what, ...)
end

-- A loss gives a number.
local function result(self, y, ...)
  if self.loss then return y:item() end
  return y, ...
end

function layer:forward(...)
  expect_inputs(self, select("#", ...))
  return result(self, module.forward(self, ...))
end

function layer:predict(...)
  expect_inputs(self, select("#", ...))
  return result(self, module.predict(self, ...))
end

local one -- the gradient of a loss with respect to itself

-- dx, one an input. A loss takes no dy.
function layer:backward(...)
  if self.loss and (...) == nil then
    one = one or core.full({}, 1)
    return (module.backward(self, one))
  end
  return module.backward(self, ...)
end

function layer:find_nonfinite(x, dy)
  if self.loss then dy = nil end
  return module.find_nonfinite(self, x, dy)
end

-- Prints of which products the output at place {n, k, oy, ox} (from 1; what is
-- left out in front is 1) is the sum, for the input x; several inputs: a list.
function layer:explain(x, place)
  print(require "lunet.explain.output"(self, x, place))
end

-- Prints where the gradient of the weight at place {k, c, ky, kx} comes from,
-- for the input x and the gradient dy of the output.
function layer:explain_grad(x, dy, place)
  print(require "lunet.explain.gradient"(self, x, dy, place))
end

-- The options in force, defaults and inferred sizes included.
function layer:options() return self.core_layer:options() end

function layer:__tostring()
  local shown, options = {}, self.core_layer:options()
  for name, value in pairs(options) do
    if type(value) == "table" then
      value = "{" .. table.concat(value, ", ") .. "}"
    elseif type(value) == "string" then
      value = ('"%s"'):format(value)
    end
    shown[#shown + 1] = name .. " = " .. tostring(value)
  end
  if #shown == 0 then return ("nn.%s{}"):format(self.word) end
  table.sort(shown)
  return ("nn.%s{ %s }"):format(self.word, table.concat(shown, ", "))
end

return layer
