-- show.lua - lunet.show(x, "file.png"): looks at a tensor, whatever its shape.
--
--   (H,W), (1,H,W), (3,H,W)        one image
--   (N,1,H,W), (N,3,H,W)           a sheet of images
--   with negative numbers          as the weights of filters, zero in white
-- Values above 1 are scaled so that the largest is white.

local core = require "lunet_core"
local options = require "lunet.options"
local picture = require "lunet.picture"

local function refuse_shape(shape)
  core.raise("show: a tensor of shape (%s) is no image\n  images are (H,W), "
             .. "(1,H,W) or (3,H,W); batches (N,1,H,W) or (N,3,H,W)",
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

local function drawn(x)
  local batch = batch_of(x)
  if batch:numel() == 0 then refuse_shape(x:shape()) end
  if batch:min() < 0 then return picture.filters { weight = batch } end
  local channels = batch:shape()[2]
  if channels ~= 1 and channels ~= 3 then refuse_shape(x:shape()) end
  local largest = batch:max()
  if largest > 1 then batch = batch / largest end
  return picture.sheet { images = batch }
end

return function(x, path)
  options.argument("show", "the first argument", x, "a tensor")
  if type(path) ~= "string" then
    core.raise("show needs a file to draw into\n"
               .. "  try lunet.show(x, \"picture.png\")")
  end
  core.save(path, drawn(x))
  return path
end
