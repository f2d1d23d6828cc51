-- test_docs.lua - what the pages tell the reader to do is done here, in a
-- folder that looks like the root of a clone. After the language of a fenced
-- block stands what becomes of it:
--
--   ```c swish.c      is written to the file swish.c (any language)
--   ```lua run        runs with build/lunet
--   ```sh run         runs with sh
--   ```text dialogue  is pasted into the prompt, which must answer the same
--   ```text output    is what the block before must have printed; numbers
--                     with a point may differ by a hundredth of their size,
--                     and a line "..." stands for any lines
--
-- Other blocks are only shown.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local shell = require "support.shell"

local build = os.getenv("LUNET_BUILD") or "build"

-- The marked blocks of a page: { language, mark, text, line }.
local function marked_blocks(page)
  local blocks, block, number = {}, nil, 0
  for line in (page .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    local language, mark = line:match("^```(%w+) (%S+)$")
    if block and line:find("^```") then
      block = nil
    elseif block then
      block.text = block.text .. line .. "\n"
    elseif language then
      block = { language = language, mark = mark, text = "", line = number }
      blocks[#blocks + 1] = block
    elseif line:find("^```") then
      block = { text = "" } -- only shown
    end
  end
  return blocks
end

-- ---- comparing what was printed -------------------------------------------

local function same_word(expected, got)
  if expected == got then return true end
  local a, b = tonumber(expected), tonumber(got)
  return a and b and expected:find("%.")
    and math.abs(a - b) <= 0.01 * math.abs(a)
end

local function words_of(line)
  local words = {}
  for word in line:gsub("([,:|()%[%]=])", " %1 "):gmatch("%S+") do
    words[#words + 1] = word
  end
  return words
end

local function same_line(expected, got)
  local a, b = words_of(expected), words_of(got)
  if #a ~= #b then return false end
  for i = 1, #a do
    if not same_word(a[i], b[i]) then return false end
  end
  return true
end

local function lines_of(text)
  local lines = {}
  for line in text:gmatch("[^\n]+") do lines[#lines + 1] = line end
  return lines
end

-- Do the lines expected[i..] match got[j..]?
local function same_lines(expected, got, i, j)
  if i > #expected then return j > #got end
  if expected[i] == "..." then
    for next_j = j, #got + 1 do
      if same_lines(expected, got, i + 1, next_j) then return true end
    end
    return false
  end
  return got[j] ~= nil and same_line(expected[i], got[j])
    and same_lines(expected, got, i + 1, j + 1)
end

local function same_output(expected, got)
  return same_lines(lines_of(expected), lines_of(got), 1, 1)
end

-- ---- doing what a page says -----------------------------------------------

local function like_a_clone()
  local folder = shell.temporary_folder()
  for _, name in ipairs { "core", "scripts", "plugins", "docs" } do
    shell.lines("ln -s \"$PWD/%s\" %s/%s", name, folder, name)
  end
  shell.lines("ln -s \"$(realpath %s)\" %s/build", build, folder)
  return folder
end

local function run(folder, block)
  local program = block.language == "lua" and "build/lunet" or "sh -e"
  shell.write(folder .. "/block", block.text)
  local ok, output = shell.run("cd %s && %s block", folder, program)
  lu.assertTrue(ok, ("line %d: %s"):format(block.line, output))
  return output
end

-- Without the greeting.
local function talk(folder, block)
  shell.write(folder .. "/block", block.text)
  local _, output = shell.run("cd %s && build/lunet -i <block", folder)
  return (output:gsub("^[^\n]*\n", ""))
end

local function assert_printed(block, output)
  lu.assertTrue(same_output(block.text, output),
    ("line %d: the page has\n%sbut this was printed:\n%s"):format(
      block.line, block.text, output))
end

local function follow(page)
  local folder, output = like_a_clone(), nil
  for _, block in ipairs(marked_blocks(page)) do
    if block.mark == "run" then
      output = run(folder, block)
    elseif block.mark == "output" then
      assert_printed(block, output)
    elseif block.mark == "dialogue" then
      assert_printed(block, talk(folder, block))
    else
      shell.write(folder .. "/" .. block.mark, block.text)
    end
  end
  shell.remove(folder)
end

TestPages = {}

for _, path in ipairs(shell.lines("find README.md docs -name '*.md'")) do
  local page = shell.read(path)
  if #marked_blocks(page) > 0 then
    TestPages["test_" .. path:gsub("%W", "_")] = function() follow(page) end
  end
end

-- ---- the comparison itself ------------------------------------------------

TestComparison = {}

function TestComparison:test_lets_numbers_with_a_point_differ_a_little()
  lu.assertTrue(same_output("loss 0.500", "loss 0.503\n"))
  lu.assertFalse(same_output("loss 0.500", "loss 0.520"))
  lu.assertFalse(same_output("epoch 100", "epoch 101"))
end

function TestComparison:test_knows_left_out_lines()
  lu.assertTrue(same_output("a\n...\nz", "a\nb\nc\nz"))
  lu.assertFalse(same_output("a\n...\nz", "a\nb\nc"))
end

function TestComparison:test_finds_marked_blocks()
  local blocks = marked_blocks("```lua\nno\n```\nx\n```lua run\nyes\n```\n")
  lu.assertEquals(#blocks, 1)
  lu.assertEquals(blocks[1].text, "yes\n")
end

os.exit(lu.LuaUnit.run())
