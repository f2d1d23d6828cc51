-- module.lua - what layers and nets have in common: passes, modes, parameters,
-- state, taps. layer.lua, sequential.lua and graph.lua build on it.
--
-- A class of modules provides
--   module:wire(builder, values) -> list of values   adds itself to a core net
--   module:n_inputs(), module:n_outputs()
--   module:parts()  list of { name, module }; a layer has none
-- and may refine anything below. `builder` collects the nodes of a core net
-- with the layers they belong to.

local core = require "lunet_core"
local item_shapes = require "lunet.item_shapes"
local tell_notices = require "lunet.notices"

local module = {}

-- ---- walking -------------------------------------------------------------

-- Calls visit(layer, full_name) for each layer once, in order; names are
-- joined with dots.
function module:walk(visit, prefix, seen)
  seen = seen or {}
  for _, part in ipairs(self:parts()) do
    local name = (prefix and prefix .. "." or "") .. part.name
    if not seen[part.module] then
      seen[part.module] = true
      if part.module.core_layer then
        visit(part.module, name)
      else
        part.module:walk(visit, name, seen)
      end
    end
  end
end

-- All layers, in order; nested ones stand in the place of their container.
function module:layers()
  local list = {}
  self:walk(function(layer) list[#list + 1] = layer end)
  return list
end

-- The part with this name, such as "conv1" or "layer1.0.conv1".
function module:get(name)
  local found, names = nil, {}
  local function search(m, prefix)
    for _, part in ipairs(m:parts()) do
      local full = prefix .. part.name
      names[#names + 1] = full
      if full == name then found = found or part.module end
      search(part.module, full .. ".")
    end
  end
  search(self, "")
  if found then return found end
  local nearest = core.nearest(tostring(name), names)
  core.raise("the net has no part '%s'%s\n  parts: %s", tostring(name),
             nearest and ("; did you mean '%s'?"):format(nearest) or "",
             table.concat(names, ", "))
end

-- ---- the core net --------------------------------------------------------

-- What errors call a use of a layer: "layer 3 (conv2d 'conv1')".
local function label_of(self, layer, number)
  local name = layer.name and (" '%s'"):format(layer.name) or ""
  if self.core_layer then return layer.word .. name end
  return ("layer %d (%s%s)"):format(number, layer.word, name)
end

local function new_builder(owner)
  local builder = { net = core.net(), nodes = {} }
  function builder:add(layer, values)
    local label = label_of(owner, layer, #self.nodes + 1)
    local first, n = self.net:add_layer(layer.core_layer, label, values)
    self.nodes[#self.nodes + 1] = { layer = layer, label = label,
                                    inputs = values, value = first,
                                    n_outputs = n }
    local outputs = {}
    for i = 1, n do outputs[i] = first + i - 1 end
    return outputs
  end
  return builder
end

local function make_core_net(self)
  local builder, values = new_builder(self), {}
  for i = 1, self:n_inputs() do values[i] = builder.net:add_input() end
  builder.net:set_outputs(self:wire(builder, values))
  builder.net:requires_grad(rawget(self, "wants_inputs") or false)
  builder.net:retain_graph(rawget(self, "retains") or false)
  self.built_net = builder
  return builder
end

-- The core net of this module, made at its first use.
function module:core_net()
  local made = rawget(self, "built_net") or make_core_net(self)
  return made.net, made
end
local core_net = module.core_net -- for passes, without a search

-- ---- shapes --------------------------------------------------------------

-- Infers all shapes for items of these shapes (without the batch). One shape an
-- input. `what` asks for it, and is named in errors.
function module:infer_for(what, ...)
  local net = self:core_net()
  item_shapes.run(net.build, net, item_shapes.with_batch(what, ...))
end

function module:infer_shapes(...) self:infer_for("build", ...) end

-- For those that may be called without shapes once all sizes are known.
local function infer_if_needed(self, what, ...)
  local n = select("#", ...)
  if n == 0 and self:core_net():shape(0) == nil then
    core.raise("%s: the sizes are not known yet\n  try net:%s{1, 28, 28}, with "
               .. "the shape of one item", what, what)
  end
  if n > 0 then self:infer_for(what, ...) end
end

-- The same, which finishes what was left to infer; tells what does not fit.
function module:build(...)
  self:infer_shapes(...)
  tell_notices(self:core_net())
  return self
end

-- Prints the layers with output shape, parameters, multiply-adds, memory and
-- receptive field, for items of these shapes; without, of those built before,
-- as a graph was when it was made.
function module:summary(...)
  infer_if_needed(self, "summary", ...)
  print(require("lunet.summary").text(self))
end

-- Prints why each layer gives the shape that it gives: its size formula with
-- the numbers put in. Shapes as for summary.
function module:why_shape(...)
  infer_if_needed(self, "why_shape", ...)
  print(require("lunet.explain.shapes").text(self))
end

-- ---- passes --------------------------------------------------------------

local function after_pass(net, ...)
  tell_notices(net)
  return ...
end

-- From inputs to outputs, one tensor each, with the batch as first dim; keeps
-- what backward needs.
function module:forward(...)
  local net = core_net(self)
  return after_pass(net, net:forward(...))
end

-- Evaluation behaviour; keeps nothing for backward.
function module:predict(...)
  local net = core_net(self)
  return after_pass(net, net:predict(...))
end

-- dx, one an input; nothing unless requires_grad{ inputs = true }.
function module:backward(...)
  local net = core_net(self)
  if rawget(self, "wants_inputs") then return net:backward(...) end
  net:backward(...)
end

-- The class ids that have the largest score: predict's y (N,K) -> (N).
function module:classify(...)
  local scores = self:predict(...)
  if scores:dim() ~= 2 then
    core.raise("classify: the net must give scores (N,classes), but gives "
               .. "(%s)", table.concat(scores:shape(), ","))
  end
  return scores:argmax(2) - 1
end

-- Runs the latest forward (and backward, with dy) again with the same random
-- numbers. Gives the label of the first layer whose result is not finite and
-- "forward" or "backward"; nothing where all is finite.
function module:find_nonfinite(x, dy)
  local net, builder = self:core_net()
  local node, pass = net:find_nonfinite({ x }, dy and { dy })
  if node then return builder.nodes[node].label, pass end
end

-- ---- modes ---------------------------------------------------------------

local function set_training(self, on)
  for _, layer in ipairs(self:layers()) do layer.core_layer:set_training(on) end
  return self
end

-- Training behaviour: dropout drops, batch norm uses the batch.
function module:train() return set_training(self, true) end
-- Evaluation behaviour: nothing is dropped, batch norm uses what it has learnt.
function module:eval() return set_training(self, false) end

-- requires_grad{ inputs = true, parameters = false }: which gradients backward
-- computes. What is left out stays as it is.
function module:requires_grad(wanted)
  if type(wanted) ~= "table" then
    core.raise("requires_grad takes { inputs = …, parameters = … }, each true "
               .. "or false")
  end
  for name, value in pairs(wanted) do
    if name ~= "inputs" and name ~= "parameters" then
      core.raise("requires_grad has no option '%s'\n  options: inputs, "
                 .. "parameters", tostring(name))
    end
    if type(value) ~= "boolean" then
      core.raise("requires_grad: %s is %s, it must be true or false", name,
                 tostring(value))
    end
  end
  if wanted.inputs ~= nil then
    self.wants_inputs = wanted.inputs
    self:core_net():requires_grad(wanted.inputs)
  end
  if wanted.parameters ~= nil then
    for _, layer in ipairs(self:layers()) do
      layer.core_layer:set_frozen(not wanted.parameters)
    end
  end
  return self
end

-- retain_graph(true): several backwards may follow one forward, as for the
-- gradients of several classes. Takes memory: what forward left is kept until
-- the next forward. false (the default) takes it back.
function module:retain_graph(on)
  if type(on) ~= "boolean" then
    core.raise("retain_graph takes true or false, got %s", type(on))
  end
  self.retains = on
  self:core_net():retain_graph(on)
  return self
end

-- ---- parameters and state ------------------------------------------------

local function check_complete(layer, name)
  if layer.core_layer:is_complete() then return end
  core.raise("%s (%s) is unfinished: its sizes come from the first input\n"
             .. "  call net:build{…} with the shape of one item first, or give "
             .. "the sizes, such as in_channels", name, layer.word)
end

-- Calls visit(full name, { name, trained, value, grad }) for every tensor.
function module:each_tensor(visit)
  self:walk(function(layer, name)
    check_complete(layer, name)
    for _, t in ipairs(layer.core_layer:tensors()) do
      visit(name .. "." .. t.name, t)
    end
  end)
end

-- A list of { name, value, grad, fan_in, fan_out }: live tensors; the fans as
-- the layer declares them, 0 where they do not apply.
function module:parameters()
  local list = {}
  self:each_tensor(function(name, t)
    if t.trained then
      list[#list + 1] = { name = name, value = t.value, grad = t.grad,
                          fan_in = t.fan_in, fan_out = t.fan_out }
    end
  end)
  return list
end

-- How many numbers are trained.
function module:num_parameters()
  local n = 0
  for _, p in ipairs(self:parameters()) do n = n + p.value:numel() end
  return n
end

-- Sets the gradients of all parameters to zero: backward adds to them.
function module:zero_grad()
  for _, layer in ipairs(self:layers()) do layer.core_layer:zero_grad() end
end

-- name -> tensor: parameters, running_mean and the like. Live tensors.
function module:state()
  local state = {}
  self:each_tensor(function(name, t) state[name] = t.value end)
  return state
end

local function same_shape(a, b)
  return table.concat(a:shape(), ",") == table.concat(b:shape(), ",")
end

-- PyTorch counts its batches; nothing here needs the count.
local function is_ignored(name) return name:match("num_batches_tracked$") end

local function check_state(own, given)
  local names = {}
  for name in pairs(own) do names[#names + 1] = name end
  table.sort(names)
  for name, t in pairs(given) do
    local mine = own[name]
    if not mine and not is_ignored(name) then
      local nearest = core.nearest(tostring(name), names)
      core.raise("load_state: there is no '%s' here%s\n  names: %s",
                 tostring(name),
                 nearest and ("; did you mean '%s'?"):format(nearest) or "",
                 table.concat(names, ", "))
    end
    if mine and not core.is_tensor(t) then
      core.raise("load_state: '%s' is a %s, it must be a tensor", name,
                 type(t))
    end
    if mine and not same_shape(mine, t) then
      core.raise("load_state: '%s' has shape (%s), but (%s) is needed", name,
                 table.concat(t:shape(), ","),
                 table.concat(mine:shape(), ","))
    end
  end
  local missing = {}
  for _, name in ipairs(names) do
    if given[name] == nil then missing[#missing + 1] = name end
  end
  return missing
end

-- Copies the tensors in. An unknown name or a wrong shape is an error, and
-- nothing is copied. Names that are missing are left alone and returned as a
-- list; { strict = true } refuses them, too.
function module:load_state(given, how)
  if type(given) ~= "table" then
    core.raise("load_state takes a table name → tensor; got %s", type(given))
  end
  local own = self:state()
  local missing = check_state(own, given)
  if how and how.strict and #missing > 0 then
    core.raise("load_state: %d missing: %s", #missing,
               table.concat(missing, ", "))
  end
  for name, t in pairs(given) do
    if own[name] then own[name]:copy(t) end
  end
  return missing
end

-- ---- places in the net ---------------------------------------------------

-- The number of the first use of a layer, given itself or by its name.
local function find_node(self, layer, what)
  local _, builder = self:core_net()
  local wanted = type(layer) == "string" and self:get(layer) or layer
  for number, node in ipairs(builder.nodes) do
    if node.layer == wanted then return number end
  end
  core.raise("%s: the layer is not in this net; give its name, or the layer "
             .. "itself", what)
end

-- The part of the image that a unit of this layer (left out: the last) sees,
-- as the windows on the way say: { size = {h, w}, jump = {h, w}, start =
-- {h, w} }; docs/student/receptive-field.md defines them. Nothing where the
-- layer does not see it. The net must have been built; a shared layer is
-- looked at where it is used first.
--   receptive_field(layer, input)         `input`: of which input, from 1
--   receptive_field(layer, y, x, image)   that of the unit in row y, column x:
--                                         also first and last = {row, column};
--                                         lunet.show draws it on the image
function module:receptive_field(layer, y, x, image)
  local node = layer and find_node(self, layer, "receptive_field")
  local computed = require("lunet.receptive_field").computed
  if x == nil and image == nil then return computed(self, node, y or 1) end
  local field = computed(self, node, 1)
  if not field then return nil end
  return require("lunet.drawn_field")(self, node, field, { y, x }, image)
end

-- The same measured: the gradient of the unit at row y, column x (left out:
-- the middle one) is sent back to the input. { first = {row, column}, last =
-- {row, column}, size = {h, w} } of the pixels that it reaches.
function module:measured_receptive_field(layer, y, x, input)
  local what = "measured_receptive_field"
  local node = layer and find_node(self, layer, what)
  return require("lunet.measured_field").measured(self, node, { y, x },
                                                  input or 1)
end

-- Prints of which products one output of a layer of the net is the sum, when
-- the net is given x; the rest as layer:explain.
function module:explain(layer, x, place)
  local number = find_node(self, layer, "explain")
  local inputs = require "lunet.explain.inputs"("explain", self, number, x)
  local node = select(2, self:core_net()).nodes[number]
  print(require "lunet.explain.output"(node.layer, inputs, place))
end

-- ---- taps ----------------------------------------------------------------

local tap_class = {}
function tap_class.__index(tap, name)
  if name == "output" then return tap.core_tap:output() end
  if name == "gradient" then return tap.core_tap:gradient() end
  if name == "remove" then return tap_class.remove end
end
function tap_class.remove(tap) tap.core_tap:remove() end
tap_class.__name = "tap"
function tap_class.__names() return { "output", "gradient", "remove" } end

-- Watches a layer: tap.output and tap.gradient after each pass. f(dy) may
-- return another gradient. tap:remove() ends it.
function module:tap(layer, f)
  if f ~= nil and type(f) ~= "function" then
    core.raise("tap: the second argument must be a function(dy), got %s",
               type(f))
  end
  local net, builder = self:core_net()
  local node = builder.nodes[find_node(self, layer, "tap")]
  return setmetatable({ core_tap = net:add_tap(node.value, f) }, tap_class)
end

-- ---- files ---------------------------------------------------------------

-- Graph, options and tensors, as a .safetensors file that nn.load reads.
function module:save(path)
  require("lunet.checkpoint").save(self, path)
end

-- ---- classes -------------------------------------------------------------

-- What only the library itself calls is left out of completion and help.
local for_the_library = {}
for name in ([[call check_names class core_net each_tensor find_nonfinite
               infer_for infer_shapes n_inputs n_outputs names new parts walk
               wire word]])
  :gmatch "%S+" do
  for_the_library[name] = true
end

-- The names of methods in the tables, for a class's __names.
function module.names(...)
  local list = {}
  for _, methods in ipairs { ... } do
    for name, value in pairs(methods) do
      local is_public = type(value) == "function" and not for_the_library[name]
      if is_public and name:sub(1, 1) ~= "_" then list[#list + 1] = name end
    end
  end
  return list
end

-- A class that inherits all this. `find(object, key)` (may be nil) is asked
-- for what the class itself does not have.
function module.class(name, find)
  local class = { __name = name }
  class.__index = function(object, key)
    local v = class[key]
    if v == nil then v = module[key] end
    if v == nil and find then v = find(object, key) end
    return v
  end
  class.__call = function(object, ...) return object:call(...) end
  class.__names = function() return module.names(class, module) end
  return class
end

-- module(x): tensors run forward; nodes of a graph give new nodes.
function module:call(first, ...)
  local node = require "lunet.node"
  if node.is_node(first) then return node.apply(self, first, ...) end
  return self:forward(first, ...)
end

return module
