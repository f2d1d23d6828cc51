-- initialise.lua - how weights begin: nn.init.kaiming_normal{ … } and others.
--
-- Each is a rule that waits to be applied: to a layer as it is made,
--   nn.conv2d{ …, init = nn.init.kaiming_normal{ nonlinearity = "relu" } }
--   nn.conv2d{ …, init = { weight = rule, bias = nn.init.zeros{} } }
-- or at any time to a net, a layer, one of its parameters() or a tensor:
--   nn.init.xavier_uniform{}(net)
-- Of a layer or a net, a rule fills the weights: the parameters for which the
-- plugin declares both fans. Biases and the scales of a normalisation are
-- filled when they are named.
--
-- With fan_in the inputs that meet in one output, fan_out the outputs that one
-- input reaches, z standard normal and u even in [-1, 1):
--   kaiming_normal   gain / sqrt(fan) z           He et al., ICCV 2015
--   xavier_normal    gain sqrt(2 / (fan_in + fan_out)) z
--                                              Glorot and Bengio, AISTATS 2010
--   lecun_normal     1 / sqrt(fan_in) z          LeCun et al., "Efficient
--                                                BackProp", 1998
--   …_uniform        the same standard deviation with sqrt(3) u for z
--   orthogonal       gain Q, Q Q^T = I           Saxe et al., ICLR 2014

local core = require "lunet_core"
local options = require "lunet.options"

local initialise = {}

local initialiser = { __name = "initialiser" }
initialiser.__index = initialiser

local function is_initialiser(v) return getmetatable(v) == initialiser end

-- ---- the rules -----------------------------------------------------------

-- By how much an activation shrinks what passes it; PyTorch's values.
local function gain_of(nonlinearity, a)
  local gains = { linear = 1, sigmoid = 1, tanh = 5 / 3, relu = math.sqrt(2),
                  leaky_relu = math.sqrt(2 / (1 + a * a)), selu = 3 / 4 }
  if gains[nonlinearity] then return gains[nonlinearity] end
  local names = {}
  for name in pairs(gains) do names[#names + 1] = name end
  table.sort(names)
  core.raise("nn.init: the nonlinearity '%s' has no gain here\n  there are: "
             .. "%s\n  for others give the gain: nn.init.xavier_normal{ gain "
             .. "= … }", nonlinearity, table.concat(names, ", "))
end

local function check_mode(mode)
  if mode == "fan_in" or mode == "fan_out" then return mode end
  core.raise("nn.init: mode is '%s', it must be \"fan_in\" (the forward pass "
             .. "keeps its variance) or \"fan_out\" (the backward pass does)",
             mode)
end

local function kaiming(kind, width)
  return { { "nonlinearity", "a text", default = "leaky_relu" },
           { "a", "a number", default = 0 },
           { "mode", "a text", default = "fan_in" } }, function(o)
    return { kind = kind, fan = check_mode(o.mode),
             spread = width * gain_of(o.nonlinearity, o.a) }
  end
end

local function xavier(kind, width)
  return { { "gain", "a number", default = 1 } }, function(o)
    return { kind = kind, fan = "fan_mean", spread = width * o.gain }
  end
end

local function lecun(kind, width)
  return {}, function()
    return { kind = kind, fan = "fan_in", spread = width }
  end
end

local function orthogonal()
  return { { "gain", "a number", default = 1 } }, function(o)
    return { kind = "orthogonal", spread = o.gain }
  end
end

local function normal()
  return { { "mean", "a number", default = 0 },
           { "std", "a number", default = 1, min = 0 } }, function(o)
    return { kind = "normal", center = o.mean, spread = o.std }
  end
end

local function uniform()
  return { { "a", "a number", default = 0 },
           { "b", "a number", default = 1 } }, function(o)
    if o.b < o.a then
      core.raise("nn.init.uniform: a = %s is above b = %s; numbers lie between "
                 .. "a and b", o.a, o.b)
    end
    return { kind = "uniform", center = (o.a + o.b) / 2,
             spread = (o.b - o.a) / 2 }
  end
end

local function constant()
  return { { "val", "a number", required = true, example = "val = 0.1" } },
    function(o) return { kind = "constant", center = o.val } end
end

local function zeros()
  return {}, function() return { kind = "constant", center = 0 } end
end

-- ---- applying a rule -----------------------------------------------------

-- A tensor alone tells its fans by its shape (out, in, …), as in PyTorch.
local function fans_of_shape(self, t)
  local shape, window = t:shape(), 1
  if #shape < 2 then
    if not self.rule.fan then return 0, 0 end
    core.raise("%s needs fans, but a tensor of shape (%s) has none: they are "
               .. "the sizes of (out, in, …)\n  apply it to the layer, or to "
               .. "one of its parameters(), which know theirs", self.name,
               table.concat(shape, ","))
  end
  for d = 3, #shape do window = window * shape[d] end
  return shape[2] * window, shape[1] * window
end

local function fill(self, t, fan_in, fan_out, name)
  core.initialise(t, self.rule, fan_in, fan_out, name)
end

local function fill_module(self, module, name)
  local filled, names = 0, {}
  module:each_tensor(function(full_name, t)
    local meant = t.fan_in > 0 and t.fan_out > 0
    if name then meant = t.name == name end
    names[#names + 1] = full_name
    if not meant then return end
    fill(self, t.value, t.fan_in, t.fan_out, full_name)
    filled = filled + 1
  end)
  if filled > 0 then return end
  core.raise("%s: %s\n  parameters: %s", self.name,
             name and ("there is no parameter '%s' here"):format(tostring(name))
             or "no parameter here has a fan_in and a fan_out; give the name "
             .. "of one as the second argument",
             #names > 0 and table.concat(names, ", ") or "none")
end

-- rule(net), rule(layer), rule(net, "bias"), rule(parameter), rule(tensor).
-- Each call draws new numbers, as lunet.randn does. Returns what was filled.
function initialiser:__call(target, name)
  if core.is_tensor(target) then
    local fan_in, fan_out = fans_of_shape(self, target)
    fill(self, target, fan_in, fan_out, "the tensor")
  elseif type(target) == "table" and target.each_tensor then
    fill_module(self, target, name)
  elseif type(target) == "table" and core.is_tensor(target.value) then
    fill(self, target.value, target.fan_in or 0, target.fan_out or 0,
         tostring(target.name))
  else
    core.raise("%s is applied to a net, a layer, one of its parameters() or a "
               .. "tensor; got a %s", self.name, type(target))
  end
  return target
end

function initialiser:__tostring() return self.name .. "{ … }" end

-- ---- the option `init` of a layer ----------------------------------------

local function expect_initialiser(word, given, rule)
  if is_initialiser(rule) then return end
  core.raise("%s: %s is a %s, it must be an initialiser such as "
             .. "nn.init.kaiming_normal{}%s", word, given, type(rule),
             type(rule) == "function" and "; call it, with braces" or "")
end

-- One rule for all weights, or a table: name of a parameter → rule.
function initialise.layer(word, core_layer, init)
  if is_initialiser(init) or type(init) ~= "table" then
    expect_initialiser(word, "init", init)
    core_layer:initialise(init.rule)
    return
  end
  for name, rule in pairs(init) do
    if type(name) ~= "string" then
      core.raise("%s: init takes one initialiser, or them by the names of "
                 .. "parameters: { weight = …, bias = … }", word)
    end
    expect_initialiser(word, ("init of %s"):format(name), rule)
    core_layer:initialise(rule.rule, name)
  end
end

-- ---- nn.init -------------------------------------------------------------

local function constructor(name, rows, make)
  return function(given)
    local where = "nn.init." .. name
    local rule = make(options.check(where, given, rows))
    return setmetatable({ rule = rule, name = where }, initialiser)
  end
end

local SQRT3 = math.sqrt(3) -- u even in [-1, 1) has the variance 1/3

initialise.rules = {
  kaiming_normal = constructor("kaiming_normal", kaiming("normal", 1)),
  kaiming_uniform = constructor("kaiming_uniform", kaiming("uniform", SQRT3)),
  xavier_normal = constructor("xavier_normal", xavier("normal", 1)),
  xavier_uniform = constructor("xavier_uniform", xavier("uniform", SQRT3)),
  lecun_normal = constructor("lecun_normal", lecun("normal", 1)),
  lecun_uniform = constructor("lecun_uniform", lecun("uniform", SQRT3)),
  orthogonal = constructor("orthogonal", orthogonal()),
  normal = constructor("normal", normal()),
  uniform = constructor("uniform", uniform()),
  constant = constructor("constant", constant()),
  zeros = constructor("zeros", zeros()),
}

local function refuse(_, name)
  local words = {}
  for word in pairs(initialise.rules) do words[#words + 1] = word end
  table.sort(words)
  local meant = core.nearest(tostring(name), words)
  core.raise("nn.init has no '%s'%s\n  there are: %s", tostring(name),
             meant and ("; did you mean '%s'?"):format(meant) or "",
             table.concat(words, ", "))
end
setmetatable(initialise.rules, { __index = refuse })

return initialise
