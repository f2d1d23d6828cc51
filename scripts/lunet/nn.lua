-- nn.lua - layers and nets. nn.conv2d{ … } makes a layer: any word for which
-- a plugin is found. nn.sequential, nn.graph and nn.input make nets of them;
-- nn.tie and nn.untie make one layer of another, nn.init says how weights
-- begin.

local core = require "lunet_core"
local graph = require "lunet.graph"
local initialise = require "lunet.initialise"
local layer = require "lunet.layer"
local node = require "lunet.node"
local sequential = require "lunet.sequential"

local nn = {
  sequential = sequential.new,
  graph = graph.new,
  input = node.input,
  init = initialise.rules,
}

-- A net that net:save wrote.
function nn.load(path) return require("lunet.checkpoint").load(path) end

-- A convolution with the mean filters of a locally_connected2d.
function nn.tie(unshared) return require("lunet.tie").tie(unshared) end
-- The way back: a locally_connected2d whose filters all begin as the
-- convolution's, for an image of this size.
function nn.untie(conv, size) return require("lunet.tie").untie(conv, size) end

-- A classifier that slides over a larger page.
function nn.to_convolutional(net, input_shape)
  return require("lunet.to_convolutional")(net, input_shape)
end

-- A plugin is looked for when its word is first used.
return setmetatable(nn, {
  __index = function(_, word)
    if type(word) ~= "string" then
      core.raise("nn is asked for a %s; its layers have names, such as "
                 .. "nn.conv2d", type(word))
    end
    core.layer_exists(word)
    local function construct(options) return layer.new(word, options) end
    nn[word] = construct
    return construct
  end,
  __names = function()
    local words = { nn }
    for _, row in ipairs(core.plugins_list()) do
      words[#words + 1] = row.name
    end
    return words
  end,
})
