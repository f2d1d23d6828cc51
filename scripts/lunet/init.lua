-- lunet - the library, as `local lunet = require "lunet"` gives it.
--
-- Tensors, files and the session are the core's own functions. The other parts
-- are one file each in this folder, read when they are first asked for, so that
-- a program starts at once.

local core = require "lunet_core"

-- Errors are raised at the first line outside this folder.
local folder = debug.getinfo(1, "S").source:match("^@(.*[/\\])")
core.own_folder(folder)
core.folder = folder:sub(1, -2)

local lunet = { version = core.version }

for _, name in ipairs {
  "tensor", "zeros", "ones", "full", "rand", "randn", "arange", "is_tensor",
  "load", "save",
  "manual_seed", "set_num_threads", "num_threads", "set_method", "allocations",
  "guard", "check_numerics",
} do
  lunet[name] = core[name]
end

local parts = { "nn", "optim", "data", "plugins", "fit", "accuracy",
                "picture", "show", "viz", "zoo", "vanishing_gradient",
                "shift_test", "help", "watch", "last_run", "diagnose",
                "report" }

local function is_part(name)
  for _, part in ipairs(parts) do
    if part == name then return true end
  end
  return false
end

local function refuse(name)
  local words = table.move(parts, 1, #parts, 1, {})
  for word in pairs(lunet) do words[#words + 1] = word end
  table.sort(words)
  local meant = core.nearest(tostring(name), words)
  core.raise("lunet has no '%s'%s", tostring(name),
             meant and ("; did you mean '%s'?"):format(meant) or "")
end

setmetatable(lunet, {
  __index = function(_, name)
    if not is_part(name) then refuse(name) end
    local part = require("lunet." .. name)
    lunet[name] = part
    return part
  end,
  __names = function() return { lunet, table.unpack(parts) } end,
})

core.tensor_class.__tostring = function(t)
  return require("lunet.tensor_text")(t)
end

core.tensor_class.__names = function() return { core.tensor_methods } end

return lunet
