-- picture.lua - the pictures that Lunet draws, each a tensor (3,H,W) that
-- lunet.save("file.png", …) writes.

return {
  bars = require "lunet.bars",
  curves = require "lunet.curves",
  sheet = require "lunet.sheet",
  filters = require "lunet.filters",
}
