-- paper.lua - the two things that pictures are drawn on: dots of a picture
-- file (canvas.lua), and the characters of a terminal (cells.lua).
--
-- Both know the same strokes. What differs is said here, in dots: how large
-- text is, how much room stands between things, which colours show up. In a
-- terminal a character is one dot wide and two dots high.

local canvas = require "lunet.canvas"
local cells = require "lunet.cells"

local paper = {}

paper.dots = {
  new = canvas.new, text_size = canvas.text_size,
  scale = 2, line_height = 28,
  ink = 0x202020, pale = 0x606060, faint = 0xe4e4e4, rim = 0xb0b0b0,
  -- grids of images
  gap = 16, border = 20, caption = 6, rim_width = 1,
  tile = 80, filter = 90, single = 160,
  -- the bar that explains a colour map
  bar = { width = 300, height = 18, room = 64, text = 26, least = 380 },
  -- charts
  chart = {
    width = 800, height = 500, top = 84, bottom = 72, left = 24, right = 28,
    title = 16, above = 32, y_title = 10, x_title = 32,
    tick_left = 10, tick_up = 7, tick_down = 14, x_ticks = 8, y_ticks = 6,
    sample = 28, sample_gap = 10, sample_down = 7, sample_thickness = 4,
    between = 28, thickness = 3, disc = 8, most_discs = 40,
  },
  -- bars below one another
  bars = { width = 1000, title = 16, top = 84, row = 30, height = 22,
           inset = 6, gap = 8, margin = 16, below = 16 },
  -- tables of counts
  matrix = { cell_width = 28, cell_height = 40, inset = 13, label = 12 },
}

-- The paper of a terminal with so many columns and rows.
function paper.cells(columns, rows)
  local width = math.max(24, math.min(columns, 100))
  local height = math.max(12, math.min(rows - 4, 22))
  return {
    new = cells.new, text_size = cells.text_size, columns = width,
    scale = 1, line_height = 2,
    gap = 2, border = 0, caption = 0, rim_width = 0,
    tile = 16, filter = 8, single = 32,
    bar = { width = 24, height = 2, room = 6, text = 2, least = 32 },
    chart = {
      width = width, height = 2 * height, top = 4, bottom = 7, left = 2,
      right = 3, title = 0, above = 2, y_title = 0, x_title = 2,
      tick_left = 2, tick_up = 0, tick_down = 3, x_ticks = 6, y_ticks = 5,
      sample = 3, sample_gap = 1, sample_down = 0, sample_thickness = 1,
      between = 2, thickness = 1, disc = 1, most_discs = 40,
    },
    bars = { width = width, title = 0, row = 2, height = 2, inset = 0, gap = 1,
             margin = 1, below = 0 },
    matrix = { cell_width = 2, cell_height = 2, inset = 0, label = 1 },
  }
end

return paper
