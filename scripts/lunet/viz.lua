-- viz.lua - lunet.viz: looking into a net. One file a method, in viz/; each
-- head has the formula and the paper. All work on any net, with any layer in
-- it, and leave the net as it was. What they return has the numbers, and a
-- picture that lunet.show draws.

local core = require "lunet_core"

local words = {
  "activation_maximisation", "confusion", "embedding", "feature_maps",
  "filters", "grad_cam", "guided_backpropagation", "occlusion", "patches",
  "saliency", "sanity_check", "shifts",
}

return setmetatable({}, {
  __index = function(viz, name)
    for _, word in ipairs(words) do
      if word == name then
        local method = require("lunet.viz." .. word)
        viz[word] = method
        return method
      end
    end
    local meant = core.nearest(tostring(name), words)
    core.raise("lunet.viz has no '%s'%s\n  it has: %s", tostring(name),
               meant and ("; did you mean '%s'?"):format(meant) or "",
               table.concat(words, ", "))
  end,
  __names = function() return words end,
})
