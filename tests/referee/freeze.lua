-- freeze.lua - packs small cases of the referee into tests/fixtures/referee.
--
--   python torch_cases.py --out cases --seed 14 --per-layer 8
--   build/lunet tests/referee/freeze.lua cases
--
-- torch_cases.py writes a folder a case; here one .npz holds the cases of a
-- layer, with tensors named case/tensor. Only layers that Lunet has; of each
-- the smallest cases, as many as `room` holds: more for a layer with many
-- options, all variants of an optimizer, one of each net.

local core = require "lunet_core"
local lunet = require "lunet"

local source = arg[1] or error("usage: lunet freeze.lua CASES")
local target = "tests/fixtures/referee"

-- Bytes of tensors.
local room = { conv2d = 90e3, linear = 30e3, max_pool2d = 30e3,
               avg_pool2d = 30e3 }
local room_of_an_optimizer, room_of_others = 70e3, 15e3

local function has(case)
  if case.optimizer then return true end
  if case.net then return case.net == "lenet5" or case.net == "inception" end
  return (pcall(function() return lunet.nn[case.layer] end))
end

-- ---- reading ---------------------------------------------------------------

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

-- ---- choosing --------------------------------------------------------------

-- The cases by word, each with its tensors and bytes, in their order.
local function read_words()
  local words = {}
  for number, case in ipairs(dofile(source .. "/cases.lua")) do
    if has(case) then
      local tensors, bytes = read_case(case.id)
      words[case.layer] = words[case.layer] or {}
      table.insert(words[case.layer], { case = case, number = number,
                                        tensors = tensors, bytes = bytes })
    end
  end
  return words
end

local function by_bytes(a, b)
  if a.bytes ~= b.bytes then return a.bytes < b.bytes end
  return a.number < b.number
end

local function choose(entries)
  local first = entries[1].case
  if first.net then return { entries[1] } end
  local left = first.optimizer and room_of_an_optimizer or
               room[first.layer] or room_of_others
  table.sort(entries, by_bytes)
  local kept = {}
  for _, entry in ipairs(entries) do
    left = left - entry.bytes
    if left >= 0 then kept[#kept + 1] = entry end
  end
  return kept
end

local packed, chosen = {}, {}
for word, entries in pairs(read_words()) do
  packed[word] = {}
  for _, entry in ipairs(choose(entries)) do
    for name, t in pairs(entry.tensors) do packed[word][name] = t end
    chosen[#chosen + 1] = entry
  end
end
table.sort(chosen, function(a, b) return a.number < b.number end)

-- ---- writing ---------------------------------------------------------------

for word, tensors in pairs(packed) do
  lunet.save(("%s/%s.npz"):format(target, word), tensors)
end
local list = assert(io.open(target .. "/cases.json", "w"))
for i, entry in ipairs(chosen) do
  list:write(i == 1 and "[" or ",\n", core.json_encode(entry.case))
end
list:write("]\n")
list:close()
print(#chosen .. " cases")
