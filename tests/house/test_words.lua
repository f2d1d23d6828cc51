-- test_words.lua - one word everywhere: a layer's source, plugin file, page
-- and test bear its name.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local shell = require "support.shell"

local build = os.getenv("LUNET_BUILD") or "build"

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

-- plugins/relu.c and plugins/conv2d/ stand for one word each.
local function words()
  local found = {}
  for _, entry in ipairs(shell.lines("ls plugins")) do
    local word = entry:match("^([%l%d_]+)%.c$") or entry:match("^([%l%d_]+)$")
    if word then found[#found + 1] = word end
  end
  return found
end

TestWords = {}

function TestWords:test_are_there()
  lu.assertTrue(#words() > 0)
end

for title, pattern in pairs {
  a_plugin_file = build .. "/plugins/%s.so",
  a_page = "docs/layers/%s.md",
  a_test = "tests/plugins/test_%s.lua",
} do
  TestWords["test_each_has_" .. title] = function()
    local missing = {}
    for _, word in ipairs(words()) do
      local path = pattern:format(word)
      if not exists(path) then missing[#missing + 1] = path end
    end
    lu.assertEquals(missing, {})
  end
end

function TestWords:test_each_page_has_a_layer()
  local known = {}
  for _, word in ipairs(words()) do known[word] = true end
  for _, page in ipairs(shell.lines("ls docs/layers")) do
    local word = page:match("^([%l%d_]+)%.md$")
    lu.assertTrue(not word or known[word], page)
  end
end

-- Each once, also where it has a row for each instruction set.
function TestWords:test_each_page_names_all_methods()
  for _, layer in ipairs(require("lunet").plugins.list()) do
    local page, seen = shell.read(("docs/layers/%s.md"):format(layer.name)), {}
    for _, method in ipairs(layer.methods) do
      lu.assertNil(seen[method], layer.name)
      seen[method] = true
      lu.assertTrue(method == "textbook" or
                    page:find("`" .. method .. "`", 1, true) ~= nil,
                    ("%s: `%s`"):format(layer.name, method))
    end
  end
end

function TestWords:test_head_of_each_source_names_it()
  for _, word in ipairs(words()) do
    local path = "plugins/" .. word .. ".c"
    if exists(path) then
      lu.assertStrContains(shell.read(path):match("[^\n]*"), word, false, path)
    end
  end
end

os.exit(lu.LuaUnit.run())
