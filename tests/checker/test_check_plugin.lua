-- test_check_plugin.lua - the checker finds what it is meant to find, lets
-- right layers pass, and says what it found in three ways. A part of the
-- faulty plugins runs here, one a group of checks and a few more; all of them
-- are in mutation_score.lua.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local shell = require "support.shell"
local is_sanitized = require "support.sanitizer"
local is_x86_64 = require "support.is_x86_64"
local faulty = require "checker.faulty"

local build = os.getenv("LUNET_BUILD") or "build"
local program = build .. "/lunet check-plugin "

TestFaults = {}

-- Crashes and loops are the checker's business, not that of a sanitizer.
local sample = { "reads_past_x", "writes_before_y", "writes_x",
  "misses_last_dx", "adds_to_dw", "padding_of_garbage", "heap_not_cleared",
  "keeps_x", "leaks_each_step", "allocates", "two_percent", "kernel_flipped",
  "bias_of_one_sample", "zero_by_zero", "method_without_padding",
  "activation_ignored", "activation_hides_nan", "misses_a_part",
  "partial_misses_an_item", "row_not_per_sample", "isa_too_low",
  "looks_at_neighbours", "remembers_x", "random_unsaid", "counts_its_calls",
  "mixed_instances", "hangs_on_empty", "exits", "divides_by_batch",
  "changes_rounding", "refuses_in_silence", "dims_left_open",
  "gradient_of_nothing", "flops_halved", "newer_service", "works_once",
  "shows_more", "default_out_of_range", "example_outdated" }

-- On 64-bit ARM a number divided by 0 is 0, and each processor has NEON.
local of_x86_64 = { divides_by_batch = true, isa_too_low = true }

for _, name in ipairs(sample) do
  TestFaults["test_" .. name] = function()
    lu.skipIf(of_x86_64[name] and not is_x86_64(), "no fault on this processor")
    local meant = faulty.meant_for(name)
    local group = meant:match("^%w+")
    -- a crash or a loop belongs to the group that meets it
    local found, said = faulty.check(name,
      group ~= "behaviour" and "--only " .. group or "")
    lu.assertTrue(found[meant], name .. " was not found by " .. meant .. "\n"
      .. said)
  end
end

function TestFaults:test_every_head_names_a_check()
  local known = {}
  for _, line in ipairs(shell.lines(program .. "--list")) do
    known[line:match("^%S+")] = true
  end
  for _, name in ipairs(faulty.names()) do
    lu.assertTrue(known[faulty.meant_for(name) or ""], name)
  end
end

TestRight = {}

function TestRight:test_right_plugins_pass()
  for _, name in ipairs(faulty.right_names()) do
    local found, said = faulty.check(name)
    lu.assertNil(next(found), said)
  end
end

function TestRight:test_layers_of_lunet_pass()
  local ok, said = shell.run(program .. "relu conv2d linear cross_entropy "
    .. "batch_norm2d concat max_pool2d --seed 3")
  lu.assertTrue(ok, said)
end

TestReports = {}

local two_percent = "tests/fixtures/faulty/two_percent.c"

-- The exit status of a request.
local function status(arguments)
  local _, said = shell.run("%s %s >/dev/null 2>&1; echo $?", program,
    arguments)
  return tonumber(said)
end

function TestReports:test_exit_status()
  lu.assertEquals(status("relu --level 1"), 0)
  lu.assertEquals(status(two_percent .. " --only numbers"), 1)
  lu.assertEquals(status "no_such_layer", 2)
  lu.assertEquals(status "absent.so", 2)
  lu.assertEquals(status "absent.c", 2)
  lu.assertEquals(status "relu --level 6", 2)
  lu.assertEquals(status "relu --only nonsense", 2)
  lu.assertEquals(status "relu --wrong", 2)
  lu.assertEquals(status "", 2)
end

-- What is refused, and what the sentence must say.
function TestReports:test_sentences()
  for arguments, sentence in pairs {
    ["absent.so"] = "absent.so: No such file or directory",
    ["absent.c"] = "absent.c cannot be read",
    ["docs"] = "docs is a folder",
    ["meson.build"] = "meson.build is not the name of a plugin",
    ["rellu"] = "did you mean 'relu'?",
    ["relu --level 6"] = "--level takes 1 to 5, not '6'",
    ["relu --seed -1"] = "--seed takes a whole number, not '-1'",
    ["relu --seed"] = "--seed takes a whole number, not ''",
    ["relu --only nonsense"] = "not 'nonsense'; there are load, descriptor,",
    ["relu --wrong"] = "unknown option '--wrong'",
    ["relu --junit"] = "no file follows '--junit'",
    ["relu --sanitize"] = "the sanitizers need a source",
    ["relu --level 1 --junit no/folder"] = "no/folder: No such file",
    [""] = "usage: lunet check-plugin",
  } do
    local ok, said = shell.run(program .. arguments)
    lu.assertFalse(ok, arguments)
    lu.assertStrContains(said, sentence)
    lu.assertNotStrContains(said, "stack traceback")
  end
end

-- Files that are no plugins are faults of theirs, and told as such.
function TestReports:test_no_plugins()
  local folder = shell.temporary_folder()
  shell.write(folder .. "/text.so", "no plugin")
  shell.write(folder .. "/none.c", "int none;\n")
  shell.write(folder .. "/wrong.c", "int x = y;\n")
  local _, said = shell.run("%s %s/text.so", program, folder)
  lu.assertStrContains(said, "refused: it is not a shared object")
  _, said = shell.run("%s %s/none.c", program, folder)
  lu.assertStrContains(said, "refused: it has no symbol lunet_plugin_v1")
  _, said = shell.run("%s %s/wrong.c", program, folder)
  lu.assertStrContains(said, "wrong.c:1:9: error:")
  lu.assertStrContains(said, "wrong.c does not compile")
  shell.remove(folder)
end

-- What only a compiler can see: an addition that overflows.
function TestReports:test_sanitizers()
  if is_sanitized() then return lu.skip "one sanitizer at a time" end
  lu.skipIf(os.getenv "LUNET_EMULATOR", "no AddressSanitizer when emulated")
  if not shell.run("test -f \"$(${CC:-cc} -print-file-name=libasan.so)\"") then
    return lu.skip "the compiler has no AddressSanitizer"
  end
  local folder = shell.temporary_folder()
  local source = folder .. "/overflows.c"
  shell.write(source, ([[
    #define NAME overflows
    #define FORWARD_BEGIN volatile int most = 2147483647; most = most + 1;
    #include "%s/tests/fixtures/faulty/elementwise.h"
    ]]):format(shell.lines("pwd")[1]))
  local _, said = shell.run("%s %s --only sanitizer", program, source)
  lu.assertStrContains(said, "overflows.c fault: runtime error: signed integer "
    .. "overflow")
  lu.assertStrContains(said, "check     sanitizer.clean")
  shell.remove(folder)
end

function TestReports:test_a_finding_says_all()
  local _, said = shell.run(program .. two_percent .. " --only numbers")
  lu.assertStrContains(said, "two_percent fault: element ")
  lu.assertStrContains(said, "\n  where     nn.two_percent{")
  lu.assertStrContains(said, "\n  expected  ")
  lu.assertStrContains(said, "\n  got       ")
  lu.assertStrContains(said, "\n  cause     backward does not match forward")
  lu.assertStrContains(said, "check-plugin.md#numbersgradient")
  lu.assertStrContains(said, "\n  again     lunet check-plugin " .. two_percent
    .. " --only numbers --level 3 --seed 1")
end

function TestReports:test_the_same_seed_says_the_same()
  local function findings()
    local _, said = shell.run(program .. two_percent
      .. " --only numbers --seed 5")
    return (said:gsub("%d+%.%d+ s%)", ""))
  end
  lu.assertEquals(findings(), findings())
end

function TestReports:test_names_tensor_and_element()
  local _, said = faulty.check("reads_past_x", "--only memory")
  lu.assertStrContains(said, "forward: reads one past the end of x")
  _, said = faulty.check("writes_x", "--only memory")
  lu.assertStrContains(said, "forward: writes x at element 0")
  _, said = faulty.check("keeps_x", "--only memory")
  lu.assertStrContains(said, "of a call that has returned")
end

function TestReports:test_json()
  local _, said = shell.run(program .. two_percent .. " --only numbers --json")
  lu.assertStrContains(said, '"check": "numbers.gradient"')
  lu.assertStrContains(said, '"faults": 1')
end

function TestReports:test_junit()
  local path = shell.lines("mktemp")[1]
  shell.run("%s %s --only numbers --junit %s", program, two_percent, path)
  local text = shell.read(path)
  os.remove(path)
  lu.assertStrContains(text, 'failures="1"')
  lu.assertStrContains(text,
    'name="numbers.gradient"><failure message="element ')
end

function TestReports:test_page_lists_all_checks()
  local page = shell.read "docs/author/check-plugin.md"
  for _, line in ipairs(shell.lines(program .. "--list")) do
    local name, what = line:match("^(%S+)%s+(.+)$")
    lu.assertStrContains(page, ('<a id="%s"></a>`%s` | %s |'):format(
      name:gsub("%.", ""), name, what))
  end
end

os.exit(lu.LuaUnit.run())
