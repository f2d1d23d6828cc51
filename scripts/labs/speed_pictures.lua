-- speed_pictures.lua - draws the pictures of docs/internals/speed.md.
--
--   build/lunet scripts/labs/speed_pictures.lua docs/internals

local lunet = require "lunet"
local canvas = require "lunet.canvas"

local folder = arg[1] or "docs/internals"
local ink, pale, blue, light, warm, green =
  0x202020, 0x606060, 0x1f5fbf, 0xcfe0f7, 0xd9480f, 0x2b8a3e

local function label(picture, x, y, text, colour)
  picture:text(x, y, text, { scale = 2, colour = colour or ink })
end

-- rows x columns squares whose upper left is (x, y).
local function grid(picture, x, y, rows, columns, size, colour)
  for r = 0, rows - 1 do
    for c = 0, columns - 1 do
      picture:fill(x + c * size, y + r * size, size - 2, size - 2, colour)
    end
  end
end

local function save(picture, name)
  lunet.save(folder .. "/" .. name, picture:tensor())
  print("wrote " .. folder .. "/" .. name)
end

local function draw_block()
  local picture = canvas.new(900, 310)
  label(picture, 230, 16, "a row of x: 3 vectors of pixels", blue)
  for i = 0, 2 do grid(picture, 230 + i * 190, 46, 1, 8, 22, blue) end
  label(picture, 20, 106, "4 weights", warm)
  label(picture, 20, 130, "of 4 filters", warm)
  grid(picture, 180, 106, 4, 1, 30, warm)
  for r = 0, 3 do
    for i = 0, 2 do
      grid(picture, 230 + i * 190, 106 + r * 30, 1, 8, 22, light)
    end
  end
  label(picture, 230, 240, "12 vectors of sums, kept in registers:")
  label(picture, 230, 266, "7 loads make 12 multiply-adds, nothing is stored")
  save(picture, "block.png")
end

local function draw_winograd()
  local picture = canvas.new(900, 330)
  label(picture, 20, 16, "6x6 pixels", blue)
  grid(picture, 20, 46, 6, 6, 30, light)
  grid(picture, 50, 76, 4, 4, 30, blue)
  label(picture, 20, 240, "make 4x4 outputs;", pale)
  label(picture, 20, 266, "tiles overlap by 2", pale)
  picture:line(220, 136, 300, 136, ink, 2)
  label(picture, 224, 108, "B^T d B")
  label(picture, 320, 16, "36 frequencies", green)
  grid(picture, 320, 46, 6, 6, 30, green)
  label(picture, 320, 240, "each a matrix product:", pale)
  label(picture, 320, 266, "sum over the channels", pale)
  label(picture, 320, 292, "of V[tile,c] U[c,k]", pale)
  picture:line(520, 136, 600, 136, ink, 2)
  label(picture, 524, 108, "A^T M A")
  label(picture, 660, 16, "4x4 outputs", blue)
  grid(picture, 660, 76, 4, 4, 30, blue)
  label(picture, 640, 240, "36 products, where", pale)
  label(picture, 640, 266, "the sum has 144", pale)
  save(picture, "winograd.png")
end

-- A layer as a column of slices, in the order in which they are computed.
local function draw_order(picture, top, number_of)
  for layer = 0, 3 do
    for slice = 0, 3 do
      local x, y = 330 + layer * 140, top + slice * 34
      picture:fill(x, y, 130, 28, slice % 2 == 0 and light or 0xe4f2e7)
      label(picture, x + 50, y + 7, tostring(number_of(layer, slice)))
    end
  end
end

local function draw_slices()
  local picture = canvas.new(900, 410)
  for layer, name in ipairs { "conv2d", "relu", "max_pool", "conv2d" } do
    label(picture, 336 + (layer - 1) * 140, 16, name)
  end
  label(picture, 20, 60, "layer by layer:", warm)
  label(picture, 20, 86, "the batch goes to", pale)
  label(picture, 20, 112, "memory and back", pale)
  draw_order(picture, 50, function(l, s) return l * 4 + s + 1 end)
  label(picture, 20, 240, "slice by slice:", green)
  label(picture, 20, 266, "a slice stays in", pale)
  label(picture, 20, 292, "the cache of its core", pale)
  draw_order(picture, 230, function(l, s) return s * 4 + l + 1 end)
  label(picture, 20, 380, "numbers: the order of work on one thread", pale)
  save(picture, "slices.png")
end

draw_block()
draw_winograd()
draw_slices()
