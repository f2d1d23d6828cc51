-- zoo_step.lua - one training step of a network of the zoo, on random pictures.
--
--   lunet zoo_step.lua NAME [pictures]
--
-- shows how long the step takes and how much memory it needs, before you plan
-- to train.

local lunet = require "lunet"
local nn, optim, zoo = lunet.nn, lunet.optim, lunet.zoo

local name, pictures = arg[1], math.tointeger(tonumber(arg[2] or 2))
if not name or not pictures then
  print("usage: lunet zoo_step.lua NAME [pictures]\n  names: "
        .. table.concat(zoo.names(), ", "))
  os.exit(2)
end

-- The most memory that this process ever had, in megabytes; Linux tells.
local function peak_memory()
  local status <close> = assert(io.open("/proc/self/status"))
  return tonumber(status:read("a"):match("VmHWM:%s*(%d+)")) // 1024
end

lunet.manual_seed(1)
local net, shape = zoo[name] {}
local x = lunet.randn { pictures, table.unpack(shape) }
local labels = lunet.zeros { pictures }
local loss_fn = nn.cross_entropy {}
local opt = optim.sgd(net:parameters(), { lr = 0.01, momentum = 0.9 })

local began = os.clock()
local loss = loss_fn:forward(net:forward(x), labels)
net:backward(loss_fn:backward())
opt:step()
print(("%s: %d parameters, loss %.3f"):format(name, net:num_parameters(), loss))
print(("one step of %d pictures (%s): %.2f s of all cores, %d MB"):format(
  pictures, table.concat(shape, ","), os.clock() - began, peak_memory()))
