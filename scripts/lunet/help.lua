-- help.lua - lunet.help(x): what x is and how it is used. x is a function, a
-- tensor, a layer or its word, a net, a dataset, or the sentence of an error;
-- at the prompt also ?x.
--
-- Nothing is written twice: a Lua function is explained by the comment above
-- it, a layer by its plugin's descriptor.

local comment = require "lunet.help.comment"
local core = require "lunet_core"
local errors = require "lunet.help.errors"
local index = require "lunet.help.index"
local layer_help = require "lunet.help.layer"
local manual = require "lunet.help.manual"
local names_of = require "lunet.names_of"

local overview = [[
Lunet: convolutional networks from C and Lua.

  lunet.tensor{{1, 2}, {3, 4}}    tensors; ?lunet.tensor, and Tab behind t:
  nn.conv2d{ … }                  layers; ?conv2d, and Tab behind nn.
  nn.sequential{ … }              nets; ?nn.sequential, nn.graph
  optim.sgd, data.digits          optimizers and data
  lunet.fit(net, train, { … })    trains

  ?x          explains x; ? alone the last error; ??x shows the source
  Tab         completes names, options within nn.conv2d{, files in strings
  _           the last result; a ; at the end of a line keeps it quiet
  who()       your variables         time(f)   how long a call takes
  prof(net, x)  where a step's time goes      show(x)  draws a tensor
  edit()      the last entry in $EDITOR (Ctrl-X Ctrl-E: this line)
  $ ls        a command of the system

The pages are in docs/; docs/student/prompt.md is about the prompt.]]

-- ---- functions ------------------------------------------------------------

local function rule_line(rule)
  local text = rule[2]
  if rule.min then text = ("%s >= %s"):format(text, rule.min) end
  if rule.max then text = ("%s <= %s"):format(text, rule.max) end
  if rule.required then
    text = text .. "; must be given"
  elseif type(rule.default) ~= "table" and rule.default ~= nil then
    text = ("%s; default: %s"):format(text, rule.default)
  end
  return ("  %-12s %s"):format(rule[1], text)
end

local function rules_text(f)
  local rules = comment.rules(f)
  if not rules then return "" end
  local lines = { "\n\noptions" }
  for _, rule in ipairs(rules) do lines[#lines + 1] = rule_line(rule) end
  return table.concat(lines, "\n")
end

local function of_function(f)
  local name = index.name_of(f)
  local word = name and name:match "^nn%.([%w_]+)$"
  if word and pcall(core.layer_about, word) then
    return layer_help.text(word)
  end
  local entry = name and manual[name]
  if entry then
    return ("%s\n\n%s%s"):format(
      entry[1], layer_help.wrapped(entry[2], "  "), rules_text(f))
  end
  local in_lua = not name and index.name_in_lua(f)
  if in_lua then
    return ("%s is Lua's own: www.lua.org/manual/5.4/manual.html#pdf-%s")
      :format(in_lua, in_lua)
  end
  local call = ("%s(%s)"):format(name or "function", comment.parameters(f))
  local net = call:match "^lunet%.zoo%.([%w_]+)%(given%)"
  local text = net and
               comment.of_file(("%s/../zoo/%s.lua"):format(core.folder, net)) or
               comment.of(f)
  if text == "" then text = "(its source says no more; ??x shows it)" end
  return ("%s\n\n  %s%s"):format(call, text:gsub("\n([^\n])", "\n  %1"),
                               rules_text(f))
end

-- ---- values ---------------------------------------------------------------

local function list_text(title, names)
  return layer_help.wrapped(title .. ": " .. table.concat(names, ", "), "")
end

local function of_tensor(t)
  return ("a tensor of shape (%s): %d numbers, %d bytes\n\n%s\n\n"
    .. "  t[i]            entry i, from 1; a view, or of a vector a number\n"
    .. "  t + u, t * 2    element by element, u broadcast to t\n"
    .. "  ?t.narrow       explains a method"):format(
      table.concat(t:shape(), ","), t:numel(), 4 * t:numel(),
      list_text("methods", names_of(core.tensor_methods)))
end

local function of_layer(m)
  return ("%s\n\n%s"):format(tostring(m), layer_help.text(m.word))
end

local function of_object(x, what)
  return ("%s: %s\n\n%s"):format(what, tostring(x),
                                 list_text("fields", names_of(x)))
end

local function of_table(t)
  if rawget(t, "core_layer") then return of_layer(t) end
  local class = getmetatable(t)
  local name = type(class) == "table" and rawget(class, "__name")
  if name then return of_object(t, name) end
  local file = nil
  for path, value in pairs(package.loaded) do
    if value == t and path:find "^lunet" then file = path end
  end
  local what = file and ("the part %s of the library"):format(file) or "a table"
  return what .. "\n\n" .. list_text("fields", names_of(t))
end

-- ---- topics ---------------------------------------------------------------

-- The value behind "lunet.fit", "nn.conv2d", "tensor:narrow"; nil: none.
local function value_of(topic)
  local lunet = require "lunet"
  local roots = { lunet = lunet, nn = lunet.nn, optim = lunet.optim,
                  data = lunet.data, tensor = core.tensor_methods,
                  net = require "lunet.module",
                  dataset = require "lunet.dataset" }
  local value
  for name in topic:gmatch "[%w_]+" do
    local parent = value
    local fine
    if parent == nil then
      value = roots[name]
    else
      fine, value = pcall(function() return parent[name] end)
      if not fine then return nil end
    end
    if value == nil then return nil end
  end
  return value
end

local function layers()
  local list = {}
  for _, row in ipairs(core.plugins_list()) do list[#list + 1] = row.name end
  return list
end

local function of_topic(topic)
  local is_word = topic:find "^[%w_]+$"
  if is_word and pcall(core.layer_about, topic) then
    return layer_help.text(topic)
  end
  local value = topic:find "^[%w_%.:]+$" and (value_of(topic) or
                                             value_of("lunet." .. topic))
  if value ~= nil and value ~= false then return nil, value end
  local explained = errors.text(topic)
  if explained then return explained end
  local names = table.move(layers(), 1, #layers(), 1, index.names())
  local meant = core.nearest(topic, names)
  return ("nothing is known of '%s'%s"):format(topic, meant and
    ("; did you mean '%s'?"):format(meant) or "")
end

local function text_of(x)
  if x == nil then return overview end
  if type(x) == "string" then
    local text, value = of_topic(x)
    if type(value) == "string" then return ("%s is %q"):format(x, value) end
    return text or text_of(value)
  end
  if type(x) == "function" then return of_function(x) end
  if core.is_tensor(x) then return of_tensor(x) end
  if type(x) == "table" then return of_table(x) end
  if type(x) == "userdata" then return of_object(x, "an object") end
  return ("a %s: %s"):format(type(x), tostring(x))
end

local help = { text = text_of }

-- Prints what is known of x. A value that breaks when it is looked at is said
-- to do so.
function help.show(x)
  local fine, text = pcall(text_of, x)
  print(fine and text or ("a %s that cannot be shown: %s"):format(type(x),
                                                                  text))
end

return setmetatable(help, { __call = function(_, x) help.show(x) end })
