-- show.lua - lunet.show(x [, "file.png"]): looks at x, in the terminal or as a
-- file. What it draws:
--
--   a tensor (H,W), (1,H,W), (3,H,W)    one image
--            (N,1,H,W), (N,3,H,W)       a sheet of images
--            (N)                        a curve
--            with negative numbers      as weights of filters, zero in white;
--                                       (N,C,H,W) with any C
--   what lunet.fit returned             its learning curves
--   what a function of lunet.viz gave   its picture
--   the options of a picture            { lines = … } curves, { images = … } a
--            sheet, { weight = … } filters, { counts = … } a confusion matrix,
--            { values = … } a histogram, { bars = … } bars, { points = … }
--            points of a plane; see docs/student/see.md
-- Images above 1 are scaled so that the largest value is white. How it draws
-- without a file: terminal/kind.lua.

local chart = require "lunet.chart"
local core = require "lunet_core"
local few_tiles = require "lunet.few_tiles"
local options = require "lunet.options"
local paper = require "lunet.paper"

local usual_width = 1000 -- of a terminal, in pixels

local words = { lines = "curves", images = "sheet", weight = "filters",
                counts = "confusion", values = "histogram", points = "scatter",
                bars = "bars" }

-- ---- what to draw: the word of a picture and its options -------------------

local function refuse_shape(shape)
  core.raise("show: a tensor of shape (%s) is no image\n  images are (H,W), "
             .. "(1,H,W) or (3,H,W); batches (N,1,H,W) or (N,3,H,W)\n"
             .. "  try show{ values = x } for a histogram",
             table.concat(shape, ","))
end

-- The tensor as a batch (N,C,H,W).
local function batch_of(x)
  local shape = x:shape()
  if #shape == 2 then return x:view { 1, 1, shape[1], shape[2] } end
  if #shape == 3 then return x:view { 1, shape[1], shape[2], shape[3] } end
  if #shape ~= 4 then refuse_shape(shape) end
  return x
end

local function refuse_empty(shape)
  core.raise("show: a tensor of shape (%s) holds no numbers, there is nothing "
             .. "to draw", table.concat(shape, ","))
end

local function refuse_nonfinite(x)
  local largest = x:abs():max()
  if largest - largest ~= 0 then
    core.raise("show: the tensor holds numbers that are not finite, which have "
               .. "no colour\n  try show{ values = x }, which counts them")
  end
end

-- A curve; its gaps are counted in the title, as a histogram does.
local function of_list(x)
  local gaps = 0
  for _, y in ipairs(x:tolist()) do
    if not chart.finite(y) then gaps = gaps + 1 end
  end
  local title = gaps > 0 and ("%d not finite, left out"):format(gaps) or ""
  return "curves", { lines = { { name = "", y = x } }, title = title }
end

local function of_tensor(x)
  if x:numel() == 0 then refuse_empty(x:shape()) end
  if x:dim() == 1 then return of_list(x) end
  local batch = batch_of(x)
  refuse_nonfinite(batch)
  local part, title = few_tiles(batch)
  if part:min() < 0 then return "filters", { weight = part, title = title } end
  local channels = part:shape()[2]
  if channels ~= 1 and channels ~= 3 then refuse_shape(x:shape()) end
  local largest = part:max()
  if largest > 1 then part = part / largest end
  return "sheet", { images = part, title = title }
end

-- The losses of a run, epoch by epoch; of a first epoch that did not come to
-- its end, step by step.
local function of_run(run)
  local lines = {}
  for _, line in ipairs {
    { "training loss", run.loss }, { "validation loss", run.validation_loss },
  } do
    if #line[2] > 0 then
      lines[#lines + 1] = { name = line[1], y = line[2] }
    end
  end
  local steps = run.record and run.record.losses or {}
  if #lines == 0 and #steps > 0 then
    return "curves", { lines = { { name = "training loss", y = steps } },
                       x_title = "step", y_title = "loss" }
  end
  if #lines == 0 then
    core.raise("show: the run has no step yet, there is nothing to draw")
  end
  return "curves", { lines = lines, x_title = "epoch", y_title = "loss" }
end

local function of_table(x)
  if x.picture then return of_table(x.picture) end
  for name, word in pairs(words) do
    if x[name] ~= nil then return word, x end
  end
  if type(x.loss) == "table" and type(x.validation_loss) == "table" then
    return of_run(x)
  end
end

local function understood(x)
  if options.is("a tensor", x) then return of_tensor(x) end
  local word, o
  if type(x) == "table" then word, o = of_table(x) end
  if word then return word, o end
  core.raise("show: the first argument is %s, it must be a tensor, a run of "
             .. "lunet.fit, a result of lunet.viz, or the options of a "
             .. "picture\n  try show(net[1].weight), or show{ lines = { { name "
             .. "= \"loss\", y = run.loss } } }\n  pictures start from lines, "
             .. "images, weight, counts, values, bars or points",
             options.shown(x))
end

-- ---- where to draw ---------------------------------------------------------

local function to_file(path, word, o)
  core.save(path, require("lunet." .. word)(o, paper.dots):tensor())
  return path
end

-- The picture, smaller by a whole factor if it is wider than the terminal.
local function fitted(picture, pixels)
  local room = pixels > 0 and pixels or usual_width
  local factor = math.ceil(picture:shape()[3] / room)
  if factor == 1 then return picture end
  local pool = require("lunet.nn").avg_pool2d {
    kernel_size = factor, ceil_mode = true }
  return pool:predict(picture:view { 1, table.unpack(picture:shape()) })[1]
end

local function to_terminal(word, o)
  local draw = require("lunet." .. word)
  local kind, depth = require "lunet.terminal.kind"(os.getenv,
                                                    core.is_terminal())
  local columns, rows, pixels = core.terminal_size()
  if kind == "kitty" or kind == "sixel" then
    local picture = fitted(draw(o, paper.dots):tensor(), pixels)
    io.stdout:write(require("lunet.terminal." .. kind).text(picture))
    return
  end
  local picture = draw(o, paper.cells(columns, rows))
  local blocks = require "lunet.terminal.blocks"
  io.stdout:write(kind == "ascii" and blocks.ascii(picture)
                  or blocks.coloured(picture, depth))
end

-- Returns the path, if there is one.
return function(x, path)
  if path ~= nil and type(path) ~= "string" then
    core.raise("show: the second argument is %s, it must be a file's name, "
               .. "such as \"picture.png\"", options.shown(path))
  end
  local word, o = understood(x)
  if path then return to_file(path, word, o) end
  to_terminal(word, o)
end
