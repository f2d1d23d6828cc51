-- picture.lua - the pictures that Lunet draws, each a tensor (3,H,W) that
-- lunet.save("file.png", …) writes. lunet.show draws the same ones anywhere.

local paper = require "lunet.paper"

local function draw(word, given)
  return require("lunet." .. word)(given, paper.dots):tensor()
end

local picture = {}

-- bars{ bars = { { name =, value = [, group =] }, … } [, title, unit, limit,
-- limit_name, width] }: numbers as bars, one below the other.
function picture.bars(given) return draw("bars", given) end

-- curves{ lines = { { name =, y = [, x =] }, … } [, title, x_title, y_title,
-- y_min, y_max, y_scale = "linear" or "log", width, height] }: lines over a
-- pair of axes.
function picture.curves(given) return draw("curves", given) end

-- sheet{ images = [, captions, marks, title, columns, zoom] }: many images in
-- one picture; images: (N,1,H,W), (N,3,H,W) or a list.
function picture.sheet(given) return draw("sheet", given) end

-- filters{ weight = [, title, columns, zoom] }: the weights of a convolution,
-- blue below zero, white at it, red above.
function picture.filters(given) return draw("filters", given) end

-- confusion{ counts = [, classes, title] }: counts (K,K), rows the true class,
-- columns what it was seen as.
function picture.confusion(given) return draw("confusion", given) end

-- histogram{ values = [, bins = 30, title, x_title, y_title, width, height] }:
-- how often numbers of each size occur.
function picture.histogram(given) return draw("histogram", given) end

-- scatter{ points = [, labels, classes, title, x_title, y_title, width,
-- height] }: points (N,2) of a plane, each in the colour of its class.
function picture.scatter(given) return draw("scatter", given) end

return picture
