-- kitty.lua - a picture as an escape sequence of the kitty graphics protocol:
-- the PNG file in base64, in chunks of 4096 characters.
--
--   ESC _G a=T,f=100,m=1; chunk ESC \   ...   ESC _G m=0; last chunk ESC \
--
-- a=T transmits and draws, f=100 says PNG, q=2 asks for no answer, which would
-- end up in what the user types; m=1 says that more follows.
--
-- Source: https://sw.kovidgoyal.net/kitty/graphics-protocol/

local core = require "lunet_core"

local kitty = {}

local digits =
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function digit(value)
  value = value & 63
  return digits:sub(value + 1, value + 1)
end

-- Three bytes are four digits of six bits; "=" fills up.
function kitty.base64(bytes)
  local parts = {}
  for i = 1, #bytes, 3 do
    local a, b, c = bytes:byte(i, i + 2)
    local bits = a << 16 | (b or 0) << 8 | (c or 0)
    parts[#parts + 1] = digit(bits >> 18) .. digit(bits >> 12)
      .. (b and digit(bits >> 6) or "=") .. (c and digit(bits) or "=")
  end
  return table.concat(parts)
end

local function png_of(picture)
  local name = os.tmpname()
  local path = name .. ".png"
  core.save(path, picture)
  local file <close> = assert(io.open(path, "rb"))
  local bytes = file:read("a")
  os.remove(path)
  os.remove(name)
  return bytes
end

-- picture: a tensor (3,H,W) in 0..1.
function kitty.text(picture)
  local code, parts = kitty.base64(png_of(picture)), {}
  for first = 1, #code, 4096 do
    local control = first == 1 and "a=T,f=100,q=2," or ""
    local more = first + 4096 <= #code and 1 or 0
    parts[#parts + 1] = ("\27_G%sm=%d;%s\27\\"):format(
      control, more, code:sub(first, first + 4095))
  end
  return table.concat(parts) .. "\n"
end

return kitty
