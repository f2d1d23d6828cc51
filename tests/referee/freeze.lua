-- freeze.lua - packs small cases of the referee into tests/fixtures/referee.
--
--   python torch_cases.py --out cases --seed 14 --per-layer 8
--   build/lunet tests/referee/freeze.lua cases
--
-- torch_cases.py writes a folder a case; here one .npz holds the cases of a
-- layer, with tensors named case/tensor. Only layers that Lunet has, and only
-- cases of at most 48 kB (nets: 800 kB), at most 75 kB a layer.

local core = require "lunet_core"
local lunet = require "lunet"

local source = arg[1] or error("usage: lunet freeze.lua CASES")
local target = "tests/fixtures/referee"
local most_of_case, most_of_net, most_of_layer = 48e3, 800e3, 75e3

local function has(case)
  if case.optimizer then return true end
  if case.net then return case.net == "lenet5" or case.net == "inception" end
  return (pcall(function() return lunet.nn[case.layer] end))
end

-- All files of a case, name -> tensor, and their bytes.
local function read_case(id)
  local tensors, bytes = {}, 0
  local pipe = assert(io.popen(("ls '%s/%s'"):format(source, id)))
  for file in pipe:lines() do
    local path = ("%s/%s/%s"):format(source, id, file)
    local name, kind = file:match("^(.*)%.(%w+)$")
    local found = lunet.load(path)
    if kind == "npy" then found = { [name] = found } end
    for key, t in pairs(found) do
      local full = kind == "npy" and key or name .. "/" .. key
      tensors[id .. "/" .. full] = t
      bytes = bytes + 4 * t:numel()
    end
  end
  pipe:close()
  return tensors, bytes
end

local packed, sizes, chosen = {}, {}, {}
for _, case in ipairs(dofile(source .. "/cases.lua")) do
  if has(case) then
    local word = case.layer
    local tensors, bytes = read_case(case.id)
    local room = case.net and most_of_net or most_of_case
    local sum = (sizes[word] or 0) + bytes
    if bytes <= room and (case.net and not packed[word]
                          or not case.net and sum <= most_of_layer) then
      packed[word], sizes[word] = packed[word] or {}, sum
      for name, t in pairs(tensors) do packed[word][name] = t end
      chosen[#chosen + 1] = case
    end
  end
end

for word, tensors in pairs(packed) do
  lunet.save(("%s/%s.npz"):format(target, word), tensors)
end
local list = assert(io.open(target .. "/cases.json", "w"))
for i, case in ipairs(chosen) do
  list:write(i == 1 and "[" or ",\n", core.json_encode(case))
end
list:write("]\n")
list:close()
print(#chosen .. " cases")
