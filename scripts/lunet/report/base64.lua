-- base64.lua - bytes as text (RFC 4648), for numbers within a page.

local alphabet = {}
for c in ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
  :gmatch "." do
  alphabet[#alphabet + 1] = c
end

-- bytes: a list of whole numbers 0..255.
return function(bytes)
  local parts = {}
  for i = 1, #bytes, 3 do
    local a, b, c = bytes[i], bytes[i + 1], bytes[i + 2]
    local n = a << 16 | (b or 0) << 8 | (c or 0)
    parts[#parts + 1] = alphabet[(n >> 18) + 1]
    parts[#parts + 1] = alphabet[(n >> 12 & 63) + 1]
    parts[#parts + 1] = b and alphabet[(n >> 6 & 63) + 1] or "="
    parts[#parts + 1] = c and alphabet[(n & 63) + 1] or "="
  end
  return table.concat(parts)
end
