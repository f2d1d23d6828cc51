-- test_directions.lua - who may include whom. Arrows point one way only:
--
--   lua -> files -> data, optim -> graph -> host -> tensor -> base
--   lua -> check -> host
--
-- all may include lunet.h. Shipped layers see what a student's layer sees:
-- plugin.h, the kernels, libc and libm.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local shell = require "support.shell"

local function set(words)
  local members = {}
  for word in words:gmatch("%S+") do members[word] = true end
  return members
end

-- The folders of core/ that each folder may include from.
local below = {
  base = set "base",
  tensor = set "tensor base",
  host = set "host tensor base",
  graph = set "graph host tensor base",
  optim = set "optim graph host tensor base",
  data = set "data graph host tensor base",
  files = set "files data optim graph host tensor base",
  check = set "check host tensor base",
  lua = set "lua check files data optim graph host tensor base",
}

-- Libraries have few users: header (a pattern) -> paths (patterns).
local users = {
  ["^lua"] = { "^core/lua/" },
  ["^lauxlib"] = { "^core/lua/" },
  ["^png"] = { "^core/files/png%.c$" },
  ["^zlib"] = { "^core/files/" },
  ["cJSON"] = { "^core/files/", "^core/lua/json%.c$" },
}

local libc = set [[assert.h complex.h errno.h fenv.h float.h inttypes.h
  limits.h math.h stdalign.h stdarg.h stdbool.h stddef.h stdint.h stdio.h
  stdlib.h string.h tgmath.h immintrin.h arm_neon.h]]

local function is_user(path, patterns)
  for _, pattern in ipairs(patterns) do
    if path:find(pattern) then return true end
  end
  return false
end

local function library_is_misused(path, header)
  for pattern, paths in pairs(users) do
    if header:find(pattern) and not is_user(path, paths) then return true end
  end
  return false
end

local function core_may(path, quote, header)
  local folder = path:match("^core/(%w+)/")
  if quote == "<" then
    return header:find("^lunet/") or not library_is_misused(path, header)
  end
  local from = header:match("^(%w+)/") or folder
  return below[folder] and below[folder][from]
end

local function layer_may(path, quote, header)
  if quote == "<" then
    return libc[header] or header == "lunet/plugin.h"
      or header:find("^lunet/kernels/[%w_]+%.h$")
  end
  -- A layer of several files may include its own.
  return path:find("^plugins/[%w_]+/") and not header:find("/")
end

local function kernel_may(_, quote, header)
  if quote == "<" then
    return libc[header] or header == "lunet/plugin.h"
      or header:find("^lunet/kernels/")
  end
  return not header:find("/")
end

local function public_may(_, _, header)
  return libc[header] or header == "lunet/plugin.h"
end

local function rule_of(path)
  if path:find("^plugins/") then return layer_may end
  if path:find("^core/include/lunet/kernels/") then return kernel_may end
  if path:find("^core/include/") then return public_may end
  return core_may
end

-- The includes of a file that break the rules.
local function strays(path, text)
  local found, may = {}, rule_of(path)
  for quote, header in text:gmatch('#%s*include%s*([<"])([^>"]+)') do
    if not may(path, quote, header) then
      found[#found + 1] = path .. " includes " .. header
    end
  end
  return found
end

TestDirections = {}

function TestDirections:test_of_all_files()
  local all = {}
  for _, path in ipairs(shell.lines("find core plugins -name '*.[ch]'")) do
    local found = strays(path, shell.read(path))
    table.move(found, 1, #found, #all + 1, all)
  end
  lu.assertEquals(all, {})
end

-- The rules above can fail:

function TestDirections:test_finds_what_points_back()
  lu.assertEquals(#strays("core/base/a.c", '#include "tensor/tensor.h"'), 1)
  lu.assertEquals(#strays("core/tensor/a.c", '#include "base/text.h"'), 0)
  lu.assertEquals(#strays("core/graph/a.c", '#include "files/zip.h"'), 1)
end

function TestDirections:test_finds_libraries_in_wrong_hands()
  lu.assertEquals(#strays("core/files/npy.c", "#include <png.h>"), 1)
  lu.assertEquals(#strays("core/files/png.c", "#include <png.h>"), 0)
  lu.assertEquals(#strays("core/graph/a.c", "#include <lua.h>"), 1)
end

function TestDirections:test_finds_privileged_layers()
  lu.assertEquals(#strays("plugins/relu.c", "#include <lunet/lunet.h>"), 1)
  lu.assertEquals(#strays("plugins/relu.c", '#include "base/text.h"'), 1)
  lu.assertEquals(#strays("plugins/relu.c", "#include <pthread.h>"), 1)
  lu.assertEquals(#strays("plugins/relu.c", "#include <math.h>"), 0)
  lu.assertEquals(#strays("plugins/conv2d/a.c", '#include "conv2d.h"'), 0)
end

os.exit(lu.LuaUnit.run())
