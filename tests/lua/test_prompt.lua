-- The prompt: by piping, and on a terminal of its own (support/terminal.c).
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local shell = require "support.shell"

local program = arg[-1]
local build = program:match("^(.*)/[^/]*$") or "."
local folder = shell.temporary_folder()
local history = folder .. "/state/lunet/history"

-- What the prompt prints when these lines are piped into it, without the
-- prompts and the greeting; errors among the rest.
local function piped(...)
  shell.write(folder .. "/input", table.concat({ ... }, "\n") .. "\n")
  local fine, out = shell.run("'%s' -i <'%s'", program, folder .. "/input")
  lu.assertTrue(fine, out)
  out = out:gsub("^Lunet[^\n]*\n", ""):gsub("lunet> ", "")
  return (out:gsub("  %.%.%.> ", ""):gsub("\n$", ""))
end

-- ---- what is shown ----------------------------------------------------------

TestShowing = {}

function TestShowing:test_a_semicolon_silences()
  lu.assertEquals(piped("1 + 1;", "_ + 1", "x = 5;", "x"), "3\n5\n")
end

function TestShowing:test_the_last_result()
  lu.assertEquals(piped("6 * 7", "_ + 1", "x = 1", "_"), "42\n43\n43\n")
end

function TestShowing:test_nil_is_a_result()
  lu.assertEquals(piped("nil", "nil, 1", "= 3"), "nil\nnil\t1\n3\n")
end

function TestShowing:test_tables()
  lu.assertEquals(piped("{ 1, 'two', a = { b = true } }", "{}"),
                  '{ 1, "two", a = { b = true } }\n{}\n')
  lu.assertEquals(piped("t = {}", "t.t = t", "t"), "{ t = { itself } }\n")
  local long = piped("r = {}", "for i = 1, 1000 do r[i] = i end", "r")
  lu.assertStrContains(long, "980 more")
end

-- Neither ends the prompt.
function TestShowing:test_broken_values()
  local out = piped(
    "b = setmetatable({}, { __index = function() error 'broken' end,",
    "  __tostring = function() error('unprintable', 0) end })",
    "b", "?b", "who()", "lunet.tensor{0/0, 1/0}", "lunet.zeros{0,3}",
    "'alive'")
  lu.assertStrContains(out, "unprintable")
  lu.assertStrMatches(out, ".*alive\n$")
end

-- Nor do errors of all kinds.
function TestShowing:test_errors_that_are_no_sentence()
  local out = piped("error()", "error{}", "error(setmetatable({}, {",
    "  __tostring = function() return 'spoken' end }))",
    "error(setmetatable({}, { __tostring = function() error 'mute' end }))",
    "'alive'")
  lu.assertStrContains(out, "the error is a nil, not a sentence")
  lu.assertStrContains(out, "the error is a table, not a sentence")
  lu.assertStrContains(out, "spoken")
  lu.assertStrMatches(out, ".*alive\n$")
end

function TestShowing:test_recursion_without_end()
  local out = piped("function f(n) return 1 + f(n) end", "f(1)", "?",
    "t = setmetatable({}, { __tostring = function(t) return tostring(t) end })",
    "t", "lunet.zeros{ 1e6, 1e6, 1e3 }", "'alive'")
  lu.assertStrContains(out, "stdin:1: stack overflow")
  lu.assertStrContains(out, "calls itself")
  lu.assertStrMatches(out, ".*C stack overflow.*alive\n$")
end

function TestShowing:test_no_memory_left()
  if not shell.run("ulimit -v 400000 && '%s' -e 'x = 1'", program) then
    lu.skip "a program with sanitizers needs all addresses"
  end
  shell.write(folder .. "/input", "t = {}\nfor i = 1, 1e9 do t[i] = {} end\n"
              .. "t = nil\ncollectgarbage();\n'alive'\n")
  local fine, out = shell.run("ulimit -v 400000 && '%s' -i <'%s'", program,
                              folder .. "/input")
  lu.assertTrue(fine, out)
  lu.assertStrMatches(out, ".*not enough memory.*alive\n.*")
end

function TestShowing:test_no_colours_where_no_terminal_is()
  lu.assertNotStrContains(piped("error 'grey'"), "\27")
end

-- ---- names ------------------------------------------------------------------

TestNames = {}

function TestNames:test_misspelt_globals_are_caught()
  local out = piped("lunt.zeros{1}", "learned = 1", "learnd")
  lu.assertStrContains(out, "no variable 'lunt'; did you mean 'lunet'?")
  lu.assertStrContains(out, "no variable 'learnd'; did you mean 'learned'?")
end

function TestNames:test_files_may_ask_for_what_is_not_there()
  shell.write(folder .. "/mine.lua", "return { jit == nil, x = y }\n")
  local out = piped(("dofile '%s/mine.lua'"):format(folder))
  lu.assertEquals(out, "{ true }\n")
end

function TestNames:test_names_of_lua_cannot_be_taken()
  local out = piped("table = { 1 }", "next, type = 1, 2", "_G = nil",
                    "string, print = nil, 5", "table.concat{ 'ali', 've' }")
  lu.assertStrContains(out, "try another name, such as my_table")
  lu.assertStrMatches(out, ".*alive\n$")
end

function TestNames:test_no_result_yet()
  lu.assertStrContains(piped("_ + 1"), "there is no result yet")
end

function TestNames:test_a_local_ends_with_its_line()
  lu.assertStrContains(piped("local net = 5", "net"),
                       "'net' was local to the line that made it")
end

function TestNames:test_who()
  local out = piped("who()", "x = lunet.zeros{2, 3}", "name = 'digits'",
                    "net = nn.linear { in_features = 2, out_features = 1 }",
                    "who()")
  lu.assertStrContains(out, "no variables yet")
  lu.assertStrMatches(out, ".*x +tensor +%(2,3%) +24 B.*")
  lu.assertStrMatches(out, ".*net +linear +3 parameters.*")
  lu.assertStrMatches(out, ".*name +string +digits.*")
end

-- ---- pasted dialogues -------------------------------------------------------

TestTranscripts = {}

function TestTranscripts:test_prompts_and_outputs_are_dropped()
  local out = piped("lunet> x = 20", "lunet> x + 1", "21",
                    "lunet> for i = 1, 2 do", "  ...>   print(i)", "  ...> end",
                    "1", "2")
  lu.assertEquals(out, "x = 20\nx + 1\n21\nfor i = 1, 2 do\n  print(i)\nend\n"
                  .. "1\n2\n")
end

-- ---- commands ---------------------------------------------------------------

TestCommands = {}

function TestCommands:test_of_the_system()
  lu.assertEquals(piped("$ echo one two", "$ exit 3"),
                  "one two\n(ended with status 3)\n")
end

function TestCommands:test_time()
  local out = piped("time(function() return 'result' end)",
                    "time(function() end, 5)", "time(5)")
  lu.assertStrMatches(out, "[%d%.]+ .?.?s\nresult\nmedian .* 5 calls\n.*")
  lu.assertStrContains(out, "the first argument is 5, it must be a function")
end

function TestCommands:test_prof_leaves_the_net_alone()
  local out = piped("net = nn.sequential { nn.conv2d { out_channels = 2, "
    .. "kernel_size = 3 }, nn.relu{}, nn.flatten{}, nn.linear { out_features ="
    .. " 3 } }", "x = lunet.randn { 4, 1, 6, 6 }", "net:build { 1, 6, 6 };",
    "before = net:state()['0.weight']:clone()", "prof(net, x)",
    "(net:state()['0.weight'] - before):abs():max()",
    "net:parameters()[1].grad:abs():max()")
  lu.assertStrMatches(out, ".*0 conv2d +[%d%.]+ +[%d%.]+ +[%d%.]+.*")
  lu.assertStrMatches(out, ".*all layers[^\n]*\n0%.0\n0%.0\n$")
end

-- ---- help -------------------------------------------------------------------

TestHelp = {}

function TestHelp:test_of_a_layer_from_its_descriptor()
  for _, how in ipairs { "?conv2d", "?nn.conv2d", "help(nn.conv2d)",
                         "?nn.conv2d{ out_channels = 1, kernel_size = 1 }" } do
    local out = piped(how)
    lu.assertStrContains(out, "kernel_size")
    lu.assertStrContains(out, "docs/layers/conv2d.md")
    lu.assertStrContains(out, "w[k,c,ky,kx]")
    lu.assertStrContains(out, "from 1 to 65535")
  end
end

function TestHelp:test_of_functions_and_values()
  lu.assertStrContains(piped("?lunet.fit"), "lunet.fit(net, train, ")
  lu.assertStrContains(piped("?lunet.zeros"), "lunet.zeros{2, 3}")
  lu.assertStrContains(piped("?lunet.ones{1}.narrow"), "t:narrow(dim")
  lu.assertStrContains(piped("?lunet.ones{2, 2}"), "shape (2,2): 4 numbers")
  lu.assertStrContains(piped("?string.rep"), "Lua's own")
  lu.assertStrContains(piped("?cnv2d"), "did you mean 'conv2d'?")
  lu.assertStrContains(piped("?"), "who()")
end

function TestHelp:test_of_the_last_error()
  local out = piped("nn.conv2d { strides = 2 }", "?")
  lu.assertStrContains(out, "An option's name is not known")
  lu.assertStrContains(out, "step of the window")
end

function TestHelp:test_source()
  lu.assertStrContains(piped("??relu"), "static ln_status forward")
  lu.assertStrContains(piped("??lunet.accuracy"), "count_right")
  lu.assertStrContains(piped("??lunet.zeros{1}.narrow"), "ln_tensor_narrow")
  lu.assertStrContains(piped("??5"), "not of 5")
  lu.assertStrContains(piped("??lunet.zeros{ 2, 3 }"), "not of a tensor (2,3)")
  lu.assertStrContains(piped("??reluu"), "no layer 'reluu'; did you mean "
                       .. "'relu'")
  lu.assertStrContains(piped("??"), "try ??relu or ??lunet.fit")
end

-- Every public function can be explained.
function TestHelp:test_nothing_is_left_out()
  local index = require "lunet.help.index"
  local help, silent = require "lunet.help", {}
  for _, name in ipairs(index.names()) do
    local text = help.text(name)
    if text:find "source says no more" or text:find "nothing is known" then
      silent[#silent + 1] = name
    end
  end
  lu.assertEquals(silent, {})
end

-- ---- completion -------------------------------------------------------------

TestCompletion = {}

local complete = require "lunet.prompt.complete"

local function completions(text)
  local list, n = complete(text)
  return list, text:sub(-n)
end

local function assert_offers(text, ...)
  local offered = {}
  for _, word in ipairs((completions(text))) do offered[word] = true end
  for _, word in ipairs { ... } do lu.assertTrue(offered[word], word) end
end

local lunet = require "lunet"

function TestCompletion:setUp() rawset(_G, "lunet", lunet) end

function TestCompletion:tearDown()
  rawset(_G, "lunet", nil)
  rawset(_G, "thing", nil)
end

function TestCompletion:test_globals_and_keywords()
  assert_offers("str", "string")
  assert_offers("x = tab", "table")
  assert_offers("fun", "function")
end

function TestCompletion:test_fields_and_methods()
  assert_offers("lunet.ze", "zeros")
  assert_offers("f(lunet.nn.conv", "conv2d", "conv1d")
  rawset(_G, "thing", lunet.zeros { 2 })
  assert_offers("thing:na", "narrow")
  rawset(_G, "thing", lunet.nn.sequential { lunet.nn.linear {
    in_features = 1, out_features = 1 } })
  assert_offers("thing:for", "forward")
  assert_offers("thing[1].we", "weight")
  lu.assertEquals((completions "thing:wei"), {})
  lu.assertEquals((completions "thing:core_n"), {})
end

function TestCompletion:test_option_names()
  assert_offers("nn.conv2d{ ", "kernel_size = ", "stride = ", "name = ")
  assert_offers("nn.conv2d({ kernel_size = 3, ", "padding = ")
  lu.assertEquals((completions "nn.conv2d{ kernel_size = 3, ker"), {})
  lu.assertEquals((completions "nn.conv2d{ kern"), { "kernel_size = " })
  assert_offers('nn.conv2d{ padding = "', "same", "valid")
  assert_offers("nn.sequential{ nn.relu{}, lunet.nn.conv2d{\n  ", "stride = ")
end

function TestCompletion:test_options_of_functions()
  assert_offers("lunet.fit(net, train, { ep", "epochs = ")
  assert_offers("lunet.viz.sal", "saliency")
  assert_offers("lunet.viz.occlusion(net, x, { si", "size = ")
end

function TestCompletion:test_file_names()
  shell.write(folder .. "/digits.npy", "")
  shell.run("mkdir -p '%s/inner'", folder)
  assert_offers(("lunet.load('%s/di"):format(folder), "digits.npy")
  assert_offers(("lunet.load('%s/in"):format(folder), "inner/")
  lu.assertEquals((completions 'x = "no such folder/'), {})
end

function TestCompletion:test_broken_objects()
  rawset(_G, "thing", setmetatable({}, {
    __index = function() error "broken" end }))
  lu.assertEquals((completions "thing.a.b"), {})
  rawset(_G, "thing", setmetatable({}, {
    __index = function() while true do end end }))
  lu.assertEquals((completions "thing.a.b"), {})
  for _, text in ipairs { "", "(", "[[", "'", "--", "x[", "].", "a..b", "1.5:",
                          "nn.nothing{ a", "nn.conv2d{ [", ":", "{{{" } do
    lu.assertIsTable((completions(text)))
  end
end

-- ---- on a terminal ----------------------------------------------------------

TestTerminal = {}

-- Runs the prompt with an editor; steps as support/terminal.c has them.
local function using(command, editor, ...)
  local terminal = build .. "/tests/terminal"
  if not shell.has(terminal) then lu.skip("no program tests/terminal here") end
  local steps = { "< lunet> ", ... }
  steps[#steps + 1] = "< lunet> "
  steps[#steps + 1] = "> \\x04"
  shell.write(folder .. "/steps", table.concat(steps, "\n") .. "\n")
  local fine, out = shell.run("cd '%s' && TERM=xterm XDG_STATE_HOME='%s/state' "
    .. "LUNET_EDITOR=%s '%s' '%s' <steps", folder, folder, editor,
    shell.lines("realpath '%s'", terminal)[1],
    shell.lines("realpath '%s'", command)[1])
  lu.assertTrue(fine, out)
  return out
end

local function on_terminal(editor, ...) return using(program, editor, ...) end

function TestTerminal:setUp() shell.run("rm -rf '%s/state'", folder) end

local editors = { "readline", "libedit", "none" }

function TestTerminal:test_runs_lines()
  for _, editor in ipairs(editors) do
    on_terminal(editor, "> 20 + 1\\r", "< 21")
  end
end

function TestTerminal:test_chunks_of_several_lines()
  for _, editor in ipairs(editors) do
    on_terminal(editor, "> for i = 7, 8 do\\r", "<   ...> ",
                "> print(i * 11)\\r", "<   ...> ", "> end\\r", "< 77", "< 88")
  end
end

local function needs_libedit()
  if not shell.run "PATH=$PATH:/sbin ldconfig -p | grep -q libedit.so.2" then
    lu.skip "no libedit here"
  end
end

-- A dialogue that comes line by line, as if it were typed.
function TestTerminal:test_prompts_that_are_typed()
  for _, editor in ipairs(editors) do
    on_terminal(editor, "> lunet> for i = 7, 7 do\\r", "<   ...> ",
                "> \x20 ...> print(i * 11) end\\r", "< 77")
  end
end

-- Empty libraries stand in the way of the real ones: the next is taken.
local function editor_without(...)
  local path = folder .. "/stubs"
  shell.run("rm -rf '%s'; mkdir '%s'", path, path)
  for _, name in ipairs { ... } do
    shell.run("cc -shared -xc /dev/null -o '%s/%s'", path, name)
  end
  local script = "#!/bin/sh\nLD_LIBRARY_PATH='%s' exec '%s'\n"
  shell.write(folder .. "/program", script:format(
    path, shell.lines("realpath '%s'", program)[1]))
  shell.run("chmod +x '%s/program'", folder)
  return folder .. "/program"
end

local readline = { "libreadline.so.8", "libreadline.so" }
local libedit = { "libedit.so.2", "libedit.so" }

function TestTerminal:test_libedit_where_no_readline_is()
  needs_libedit()
  using(editor_without(table.unpack(readline)), "",
        "> $ grep -c libedit /proc/$PPID/maps; echo $?-\\r", "< 0-",
        "> 20 + 1\\r", "< 21")
end

function TestTerminal:test_plain_lines_where_no_library_is()
  local all = table.move(libedit, 1, 2, 3, { table.unpack(readline) })
  using(editor_without(table.unpack(all)), "",
        "> $ grep -cE 'libedit|readline' /proc/$PPID/maps; echo $?-\\r", "< 1-",
        "> 20 + 1\\r", "< 21")
end

-- Ctrl-E moves the cursor; without an editor the terminal shows it.
local function needs_readline()
  local out = on_terminal("readline", "> 1\\x05\\r")
  if out:find("^E", 1, true) then lu.skip("no readline here") end
end

function TestTerminal:test_tab_completes()
  needs_readline()
  on_terminal("readline", "> t = lunet.zeros{2}\\r", "< lunet> ",
              "> t:nu\\t()\\r", "< t:numel()", "< 2", "< lunet> ",
              "> nn.conv2d{ ker\\t", "< kernel_size = ", "> \\x03")
end

function TestTerminal:test_tab_completes_with_libedit()
  needs_libedit()
  on_terminal("libedit", "> t = lunet.zer\\t{2}\\r", "< lunet> ",
              "> t:nu\\t()\\r", "< 2")
end

function TestTerminal:test_history_of_several_lines_across_sessions()
  needs_readline()
  on_terminal("readline", "> for i = 7, 7 do\\r", "<   ...> ",
              "> print(i * 11)\\r", "<   ...> ", "> end\\r", "< 77")
  lu.assertStrContains(shell.read(history),
                       "for i = 7, 7 do\\nprint(i * 11)\\nend\n")
  on_terminal("readline", "> \\e[A", "< for i = 7, 7 do", "> \\r", "< 77")
end

function TestTerminal:test_editor()
  needs_readline()
  shell.write(folder .. "/editor", "#!/bin/sh\nsed -i s/10/20/ \"$1\"\n")
  shell.run("chmod +x '%s/editor'", folder)
  on_terminal("readline", "> $ :\\r", "< lunet> ",
              ("> os.getenv = function(n) return n == 'VISUAL' and "
               .. "'%s/editor' end\\r"):format(folder), "< lunet> ",
              "> 10 + 1\\x18\\x05", "< 20 + 1", "> \\r", "< 21", "< lunet> ",
              "> 10 + 2\\r", "< 12", "< lunet> ", "> edit()\\r", "< 22")
end

function TestTerminal:test_bracketed_paste_of_a_dialogue()
  needs_readline()
  on_terminal("readline", "> \\e[200~lunet> a = 6\\nlunet> a * 7\\n42\\n"
              .. "\\e[201~", "> \\r", "< 42", "< lunet> ", "> a * 8\\r", "< 48")
  lu.assertStrContains(shell.read(history), "a = 6\na * 7\na * 8\n")
end

-- ---- Ctrl-C -----------------------------------------------------------------

-- The steps that run a line, press Ctrl-C while it is at work, and wait for the
-- prompt: not for long, but under sanitizers and beside other programs too.
local function stopping(line)
  return "> print('at ' .. 'work') " .. line .. "\\r", "< at work", ". 30",
         "> \\x03", "! 3000", "< interrupted!", "< lunet> "
end

local function stops(line)
  local steps = { stopping(line) }
  table.move({ "> 'alive'\\r", "< alive" }, 1, 2, #steps + 1, steps)
  on_terminal("readline", table.unpack(steps))
end

-- Runs the lines before, stops the work, and looks whether the last line still
-- gives what it should.
local function stops_and_goes_on(before, work, last, result)
  local steps = {}
  local function add(...)
    table.move({ ... }, 1, select("#", ...), #steps + 1, steps)
  end
  for _, line in ipairs(before) do add("> " .. line .. "\\r", "< lunet> ") end
  add(stopping(work))
  add("> " .. last .. "\\r", "< " .. result)
  on_terminal("readline", table.unpack(steps))
end

function TestTerminal:test_interrupts_lua()
  stops "while true do end"
end

function TestTerminal:test_interrupts_who_catches()
  stops("while true do pcall(function() while true do end end) end")
  stops("f = function() local x <close> = setmetatable({}, { __close = "
        .. "function() end }) while true do end end while true do pcall(f) end")
end

function TestTerminal:test_interrupts_coroutines()
  stops("coroutine.wrap(function() while true do end end)()")
  stops("while true do coroutine.resume(coroutine.create(function() while true "
        .. "do end end)) end")
end

function TestTerminal:test_interrupts_a_training()
  stops_and_goes_on({ "train = data.digits();",
    "net = nn.sequential{ nn.flatten{}, nn.linear{ out_features = 10 } };",
    "net:build{ 1, 8, 8 };",
    "o = optim.sgd(net:parameters(), { lr = 0.1 });",
    "how = { loss = nn.cross_entropy{}, optimizer = o, progress = false };",
    "lunet.fit(net, train, how); how.epochs = 1e9; " },
    "lunet.fit(net, train, how)", "lunet.accuracy(net, train) > 0.5 and "
    .. "lunet.last_run().stopped.why", 'interrupted!')
end

function TestTerminal:test_interrupts_large_tensors()
  lu.skipIf(os.getenv "LUNET_EMULATOR", "emulated, a tile takes too long")
  for _, work in ipairs { "lunet.randn{ 8000, 8000 }", "x:exp()", "x + x",
                          "x:tolist()", "tostring(x)", "x:matmul(x)" } do
    stops_and_goes_on({ "x = lunet.ones{ 3000, 3000 };" },
      "while true do y = " .. work .. " end", "#x", "3000")
  end
end

function TestTerminal:test_interrupts_copies_and_files()
  local place = shell.temporary_folder()
  local path = place .. "/x.npy"
  for _, work in ipairs { "x:transpose(1, 2)", "x:clone()",
                          ("lunet.save('%s', x)"):format(path),
                          ("lunet.load '%s'"):format(path) } do
    stops_and_goes_on({ "x = lunet.ones{ 5000, 3000 };",
                        ("lunet.save('%s', x);"):format(path) },
      "while true do " .. work .. " end",
      ("lunet.load('%s'):sum()"):format(path), "15000000.0")
  end
  lu.assertEquals(shell.lines("ls -A '%s'", place), { "x.npy" })
end

-- One call of it would take minutes.
function TestTerminal:test_interrupts_the_textbook()
  local small = "c:forward(x:narrow(3, 1, 9):narrow(4, 1, 9)):shape()"
  stops_and_goes_on({ "lunet.set_method 'textbook'",
    "c = nn.conv2d{ out_channels = 64, kernel_size = 9 };",
    "x = lunet.zeros{ 1, 64, 1000, 1000 };", small }, "c:forward(x)", small,
    "{ 1, 64, 1, 1 }")
end

function TestTerminal:test_interrupts_the_loading_of_data()
  stops_and_goes_on({ "train = data.digits();" }, "while true do for x in "
    .. "data.digits():batches{ size = 4 } do end end", "#train", "1437")
end

function TestTerminal:test_a_line_is_given_up()
  on_terminal("readline", "> 1 +\\x03", "< ^C", "< lunet> ", "> 40 + 1\\r",
              "< 41")
end

local result = lu.LuaUnit.run()
shell.remove(folder)
os.exit(result)
