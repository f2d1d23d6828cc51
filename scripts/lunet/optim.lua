-- optim.lua - the optimizers: objects that change parameters by their
-- gradients. The rules themselves are in the C core, one file a rule, with
-- the formula at its head.
--
--   opt = optim.sgd(net:parameters(), { lr = 0.1, momentum = 0.9 })
--   opt:zero_grad()   opt:step()   opt.lr = 0.01

local core = require "lunet_core"
local options = require "lunet.options"

local methods = {}

local meta = { __name = "optimizer" }

function meta.__index(self, key)
  if key == "lr" then return self.rule:get_lr() end
  return methods[key]
end

function meta.__names() return { methods, "lr" } end

function meta.__newindex(self, key, value)
  if key ~= "lr" then
    core.raise("an optimizer has no field '%s' to write; there is 'lr'",
               tostring(key))
  end
  options.argument("optimizer", "lr", value, "a number", "0.01")
  self.rule:set_lr(value)
end

function meta.__tostring(self)
  return ("%s, lr %g, %d parameters, %d steps"):format(
    self.word, self.lr, #self.parameters, self.rule:get_steps())
end

-- Changes all parameters once. This ends a step of the training: the moment
-- for what must not happen within one, see reload.lua.
function methods:step()
  self.rule:step()
  if core.between_steps then core.between_steps() end
end

-- Sets all gradients to zero: backward adds to them.
function methods:zero_grad() self.rule:zero_grad() end

-- Calls f(name, tensor) for all that the rule remembers of each parameter.
local function each_buffer(self, f)
  for p, parameter in ipairs(self.parameters) do
    local s = 1
    local name, tensor = self.rule:buffer(p, s)
    while name do
      f(parameter.name .. "." .. name, tensor)
      s = s + 1
      name, tensor = self.rule:buffer(p, s)
    end
  end
end

-- A tensor holds float32 only; a double or an integer is kept exactly as its
-- eight bytes.
local function as_bytes(format, value)
  return core.tensor { string.pack(format, value):byte(1, 8) }
end
local function from_bytes(format, tensor)
  local bytes = tensor:tolist()
  for i, byte in ipairs(bytes) do bytes[i] = math.tointeger(byte) end
  return string.unpack(format, string.char(table.unpack(bytes))), nil
end

-- All that training needs to go on exactly: name -> tensor, for lunet.save.
function methods:state()
  local state = { ["optimizer.lr"] = as_bytes("<d", self.lr),
                  ["optimizer.steps"] = as_bytes("<i8",
                                                 self.rule:get_steps()) }
  each_buffer(self, function(name, tensor)
    if state[name] then
      core.raise("optimizer: two parameters are called '%s'\n  give the "
                 .. "layers names, such as nn.conv2d{ name = \"conv1\", … }",
                 name)
    end
    state[name] = tensor:clone()
  end)
  return state
end

local function same_shape(a, b)
  return table.concat(a:shape(), ",") == table.concat(b:shape(), ",")
end

-- Nothing is copied unless all of it fits.
local function check_state(mine, state)
  for name, tensor in pairs(mine) do
    local other = state[name]
    if not other then
      core.raise("optimizer:load_state: '%s' is missing; was the state saved "
                 .. "by the same rule and net?", name)
    elseif not same_shape(tensor, other) then
      core.raise("optimizer:load_state: '%s' has shape (%s), it must be (%s)",
                 name, table.concat(other:shape(), ","),
                 table.concat(tensor:shape(), ","))
    end
  end
  for name in pairs(state) do
    if not mine[name] then
      core.raise("optimizer:load_state: '%s' is unknown; was the state saved "
                 .. "by the same rule and net?", name)
    end
  end
end

-- Copies in what state() gave, here or in another run.
function methods:load_state(state)
  options.argument("optimizer:load_state", "the state", state, "a list",
                   "what opt:state() gave")
  check_state(self:state(), state)
  each_buffer(self, function(name, tensor) tensor:copy(state[name]) end)
  self.rule:set_steps(from_bytes("<i8", state["optimizer.steps"]))
  self.rule:set_lr(from_bytes("<d", state["optimizer.lr"]))
end

-- The values and the gradients of a list of parameters.
local function split(where, parameters)
  local values, grads = {}, {}
  if type(parameters) ~= "table" or options.is("a loss layer", parameters) then
    core.raise("%s takes a list of parameters\n  try %s(net:parameters(), …)",
               where, where)
  end
  for i, parameter in ipairs(parameters) do
    local fits = type(parameter) == "table" and parameter.value
                 and parameter.grad
    if not fits then
      core.raise("%s: item %d of the list is no parameter { name, value, grad "
                 .. "}\n  try %s(net:parameters(), …)", where, i, where)
    end
    values[i], grads[i] = parameter.value, parameter.grad
  end
  if #values == 0 then
    core.raise("%s: the list of parameters is empty, there is nothing to learn",
               where)
  end
  return values, grads
end

local function new(word, parameters, given)
  local values, grads = split("optim." .. word, parameters)
  local rule = core.optimizer(word, values, grads, given or {})
  return setmetatable({ word = word, parameters = parameters, rule = rule,
                        given = given or {} }, meta)
end

local optim = { schedule = require "lunet.schedule" }

for _, word in ipairs { "sgd", "adam", "adamw", "rmsprop", "adagrad" } do
  optim[word] = function(parameters, given)
    return new(word, parameters, given)
  end
end

-- Scales all gradients so that their common length sqrt(sum of squares) is at
-- most max_norm; returns the length before.
function optim.clip_grad_norm(parameters, max_norm)
  local _, grads = split("optim.clip_grad_norm", parameters)
  options.argument("optim.clip_grad_norm", "max_norm", max_norm, "a number",
                   "1.0")
  return core.clip_grad_norm(grads, max_norm)
end

-- An optimizer that is not there.
return setmetatable(optim, {
  __names = function() return { optim } end,
  __index = function(_, name)
    local words = {}
    for word in pairs(optim) do words[#words + 1] = word end
    table.sort(words)
    local nearest = core.nearest(tostring(name), words)
    core.raise("optim has no '%s'%s\n  it has: %s", tostring(name),
               nearest and ("; did you mean '%s'?"):format(nearest) or "",
               table.concat(words, ", "))
  end,
})
