-- test_demo.lua - the demo and the examples do what the README promises.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local shell = require "support.shell"

local build = os.getenv("LUNET_BUILD") or "build"

-- Runs a script in an empty folder; returns its lines and the folder's files.
local function run(script)
  local lunet = shell.lines("realpath '%s/lunet'", build)[1]
  local path = shell.lines("realpath 'scripts/%s'", script)[1]
  local folder = shell.temporary_folder()
  local lines = shell.lines("cd '%s' && '%s' '%s'", folder, lunet, path)
  local files = shell.lines("cd '%s' && find . -type f | sort", folder)
  shell.remove(folder)
  return lines, files
end

local function accuracy_of(line)
  return tonumber(line:match("test accuracy (%d+%.%d%d) %%$"))
end

TestDemo = {}

function TestDemo:test_reads_digits_and_draws()
  local lines, files = run "demo.lua"
  lu.assertTrue(accuracy_of(lines[#lines]) >= 97.5, lines[#lines])
  lu.assertEquals(files, { "./out/first_layer_filters.png",
                           "./out/learning_curve.png", "./out/mistakes.png",
                           "./out/run.html" })
  local text = table.concat(lines, "\n")
  for _, file in ipairs(files) do
    lu.assertStrContains(text, "wrote " .. file:sub(3))
  end
end

TestExamples = {}

function TestExamples:test_first_net()
  local lines = run "examples/first_net.lua"
  lu.assertTrue(accuracy_of(lines[#lines]) >= 90, lines[#lines])
end

function TestExamples:test_train_mnist_tells_its_usage()
  local right, text = shell.run("'%s/lunet' scripts/examples/train_mnist.lua",
                                build)
  lu.assertFalse(right)
  lu.assertStrContains(text, "usage: lunet train_mnist.lua FOLDER [epochs]")
end

os.exit(lu.LuaUnit.run())
