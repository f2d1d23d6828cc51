-- plugins.lua - the plugin files that layers come from.

local core = require "lunet_core"
local reload = require "lunet.reload"

local plugins = {
  -- reload "swish": other code for layers that live; see reload.lua
  reload = reload.reload,
  -- watch "swish.c": the same on every save, between training steps
  watch = reload.watch,
  unwatch = reload.unwatch,
}

-- Loads a plugin file; its layers can be used at once. Returns its name and
-- version.
function plugins.load(path) return core.plugins_load(path) end

-- All layers that the search path offers: a list of { name, brief, formula,
-- example, inputs, outputs, path, plugin, version }; a file that was refused
-- is { path, refused = the reason }.
function plugins.list() return core.plugins_list() end

return plugins
