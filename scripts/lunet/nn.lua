-- nn.lua - layers and nets. nn.conv2d{ … } makes a layer: any word for which
-- a plugin is found. nn.sequential, nn.graph and nn.input make nets of them;
-- nn.tie and nn.untie make one layer of another.

local core = require "lunet_core"
local graph = require "lunet.graph"
local layer = require "lunet.layer"
local node = require "lunet.node"
local sequential = require "lunet.sequential"
local tie = require "lunet.tie"

local nn = {
  sequential = sequential.new,
  graph = graph.new,
  input = node.input,
  tie = tie.tie,
  untie = tie.untie,
}

-- A net that net:save wrote.
function nn.load(path) return require("lunet.checkpoint").load(path) end

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
})
