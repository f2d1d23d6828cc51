-- notices.lua - what layers remark on the shapes they got, told once:
--
--   lab.lua:11: note: layer 2 (max_pool2d): row 9 of 9 is never read, …
--
-- on stderr, when a net or layer is first built for such a shape. The same line
-- of a script says the same thing once, also where it makes many layers.
-- LUNET_NOTICES=0 in the environment keeps them quiet; summary shows them in
-- any case.

local core = require "lunet_core"

local quiet = os.getenv "LUNET_NOTICES" == "0"
local told = {}

return function(net)
  local new = net:notices()
  if not new or quiet then return end
  for _, notice in ipairs(new) do
    local text = core.position() .. "note: " .. notice .. "\n"
    if not told[text] then io.stderr:write(text) end
    told[text] = true
  end
end
