-- picture.lua - the pictures that Lunet draws, each a tensor (3,H,W) that
-- lunet.save("file.png", …) writes. lunet.show draws the same ones anywhere.

local paper = require "lunet.paper"

local picture = { bars = require "lunet.bars" } -- for files alone

for _, word in ipairs { "curves", "sheet", "filters", "confusion",
                        "histogram", "scatter" } do
  local draw = require("lunet." .. word)
  picture[word] = function(given) return draw(given, paper.dots):tensor() end
end

return picture
