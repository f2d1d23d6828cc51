-- test_methods.lua - lunet bench --methods: every method of every layer is
-- measured and stands on its page. No time is asserted.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local shell = require "support.shell"
local cases = require "lunet.bench.method_cases"
local command_line = require "lunet.bench.command_line"
local measure_methods = require "lunet.bench.methods"

local folder = shell.temporary_folder()

-- word -> its methods, of layers with more than one
local function layers_with_methods()
  local layers = {}
  for _, layer in ipairs(lunet.plugins.list()) do
    if #layer.methods > 1 then layers[layer.name] = layer.methods end
  end
  return layers
end

-- The command in a hurry, where a call counts, however short. Whether it went
-- well; what it said.
local function measure(o)
  local all = { threads = { 1 }, reps = 1, max_s = 0, tries = 1, warm_up = 0,
                shortest = 0 }
  for name, value in pairs(o) do all[name] = value end
  local lines, print_before = {}, print
  print = function(line) lines[#lines + 1] = line end -- luacheck: ignore 121
  local fine, wrong = pcall(measure_methods, all)
  print = print_before -- luacheck: ignore 121
  return fine, fine and table.concat(lines, "\n") or tostring(wrong)
end

-- ---- all methods ------------------------------------------------------------

TestMethods = {}

function TestMethods:test_there_are_some()
  lu.assertStrContains(table.concat(layers_with_methods().conv2d, " "),
                       "winograd")
end

function TestMethods:test_each_layer_has_a_case()
  local has_case = {}
  for _, case in ipairs(cases) do has_case[case.word] = true end
  for word in pairs(layers_with_methods()) do
    lu.assertTrue(has_case[word], "no case of method_cases.lua is " .. word)
  end
end

-- `lunet bench --methods --layer WORD --pages docs/layers` writes what is
-- missing here, if method_cases.lua has a case that suits the method.
function TestMethods:test_each_stands_on_its_page()
  for word, methods in pairs(layers_with_methods()) do
    local path = ("docs/layers/%s.md"):format(word)
    local section = shell.read(path):match(
      "<!%-%- methods %-%->\n(.-)<!%-%- end of methods %-%->")
    lu.assertNotNil(section, path .. " has no lines <!-- methods --> and "
                             .. "<!-- end of methods -->")
    for _, method in ipairs(methods) do
      lu.assertStrContains(section, "| " .. method .. " |", false, path)
    end
  end
end

-- word -> method -> the largest error, of all rows of a table
local function errors_of(text)
  local errors = {}
  for word, method, wrong in text:gmatch(
      "\n| ([%w_]+) | [^|]* | (%S+) |[^|]*|[^|]*| ([^|]+) |") do
    errors[word] = errors[word] or {}
    errors[word][method] = math.max(errors[word][method] or 0,
                                    tonumber(wrong) or math.huge)
  end
  return errors
end

-- ---- the pages --------------------------------------------------------------

TestPages = {}

local section = "before\n<!-- methods -->\nold\n"
  .. "<!-- end of methods -->\nafter\n"
local written = "before\n<!%-%- methods %-%->\n[^\n]*forward.\n\n(.*)"
  .. "<!%-%- end of methods %-%->\nafter\n"

local function new_page(name)
  local path = ("%s/%s.md"):format(folder, name)
  shell.write(path, section)
  return path
end

-- All methods of all layers: the table of docs/internals/speed.md.
function TestPages:test_one_page_holds_all()
  local path = new_page "all"
  lu.assertEquals({ measure { page = path } }, { true, "wrote " .. path })
  local errors = errors_of(shell.read(path):match(written))
  for word, methods in pairs(layers_with_methods()) do
    for _, method in ipairs(methods) do
      local wrong = errors[word] and errors[word][method]
      lu.assertNotNil(wrong, ("no case suits %s of %s"):format(method, word))
      lu.assertTrue(wrong < 3e-6, word .. " " .. method)
    end
  end
end

function TestPages:test_each_layer_has_its_own()
  local mul, both = new_page "mul", new_page "both"
  lu.assertEquals({ measure { layer = "mul", pages = folder, page = both } },
                  { true, ("wrote %s\nwrote %s"):format(both, mul) })
  for _, path in ipairs { mul, both } do
    lu.assertStrMatches(shell.read(path):match(written),
      "| layer |[^\n]*\n|[-:|]+\n| mul |[^\n]*| textbook |[^\n]*\n"
      .. "| mul |[^\n]*| vector |[^\n]*\n")
  end
end

function TestPages:test_without_its_markers_a_page_is_named()
  local path = new_page "add"
  shell.write(path, "a page\n<!-- methods -->\n")
  local fine, wrong = measure { layer = "add", pages = folder,
                                page = folder .. "/nosuch.md" }
  lu.assertFalse(fine)
  lu.assertStrContains(wrong, path .. " has no lines <!-- methods --> and "
                              .. "<!-- end of methods -->")
  lu.assertStrContains(wrong, folder .. "/nosuch.md: No such file")
  lu.assertEquals(shell.read(path), "a page\n<!-- methods -->\n")
end

function TestPages:test_options()
  local o = command_line.parse { "--methods", "--layer", "mul", "--page",
                                 "all.md", "--pages", "docs/layers" }
  lu.assertEquals({ o.methods, o.layer, o.page, o.pages },
                  { true, "mul", "all.md", "docs/layers" })
end

function TestPages:test_of_a_layer_without_a_case()
  local fine, wrong = measure { layer = "flatten" }
  lu.assertFalse(fine)
  lu.assertStrContains(wrong, "no case for 'flatten'")
end

local status = lu.LuaUnit.run()
shell.remove(folder)
os.exit(status)
