-- test_reload.lua - other code for layers that live. Whatever goes wrong, the
-- session is as it was: the same numbers, the same list of plugins, and a
-- backward that still belongs to its forward.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local core = require "lunet_core"
local lunet = require "lunet"
local is_sanitized = require "support.sanitizer"
local shell = require "support.shell"
local nn = lunet.nn

local folder = shell.temporary_folder()

-- ---- a plugin and its changes ----------------------------------------------

local source = shell.read "tests/fixtures/reload/bend.c"

-- The source with `from` replaced by `to`; both plain.
local function changed(from, to)
  local first, last = source:find(from, 1, true)
  assert(first, "bend.c has no " .. from)
  return source:sub(1, first - 1) .. to .. source:sub(last + 1)
end

local function write(text)
  shell.write(folder .. "/bend.c", text)
  return folder .. "/bend.c"
end

-- A plugin built of the text.
local function built(name, text)
  local path = ("%s/%s.so"):format(folder, name)
  shell.write(folder .. "/" .. name .. ".c", text)
  shell.lines("cc -shared -fPIC -w -Icore/include %s/%s.c -o %s -lm", folder,
              name, path)
  return path
end

local run = lunet.plugins.reload

-- ---- a session -------------------------------------------------------------

lunet.manual_seed(3)
run(write(source))
local net = nn.sequential {
  nn.linear { in_features = 4, out_features = 3 },
  nn.bend { beta = 2, name = "bend" },
  nn.linear { out_features = 2, name = "last" },
}
net:build { 4 }
local x, dy = lunet.randn { 5, 4 }, lunet.randn { 5, 2 }
net:get("bend").scale:copy(lunet.tensor { 1, 2, 3 })
local opt = lunet.optim.sgd(net:parameters(), { lr = 0.1, momentum = 0.9 })

local function numbers(t)
  return table.concat(t:view { t:numel() }:tolist(), " ")
end

local function gradients()
  local list = {}
  for i, p in ipairs(net:parameters()) do list[i] = numbers(p.grad) end
  return table.concat(list, "\n")
end

-- All that a failure must not touch. A forward stands open meanwhile.
local function fingerprint(between)
  net:zero_grad()
  local y = net:forward(x)
  if between then between() end
  net:backward(dy)
  local list = {}
  for _, row in ipairs(core.plugins_list()) do
    list[#list + 1] = row.path .. (row.name or row.refused)
  end
  return numbers(y) .. gradients() .. table.concat(list, "\n")
    .. core.layer_path "bend" .. #core.living_layers()
end

-- ---- what works ---------------------------------------------------------

TestReload = {}

function TestReload:tearDown() run(write(source)) end

function TestReload:test_new_code_with_the_old_weights()
  local before = numbers(net:forward(x))
  local scale = net:get("bend").scale
  local name, version, n =
    run(write(changed("scale[c] * value", "7 * scale[c] * value")))
  lu.assertEquals({ name, version, n }, { "bend", "1.0", 1 })
  lu.assertNotEquals(numbers(net:forward(x)), before)
  lu.assertEquals(numbers(net:get("bend").scale), "1.0 2.0 3.0")
  run(write(source))
  lu.assertEquals(numbers(net:forward(x)), before)
  scale:fill(0) -- still the layer's tensor
  lu.assertEquals(numbers(net:get("bend").scale), "0.0 0.0 0.0")
  scale:copy(lunet.tensor { 1, 2, 3 })
end

function TestReload:test_options_stay()
  run(write(source))
  lu.assertEquals(net:get("bend"):options(), { beta = 2, channels = 3 })
end

function TestReload:test_training_goes_on()
  opt:zero_grad()
  net:forward(x)
  net:backward(dy)
  run(write(source))
  local before = numbers(net:get("bend").scale)
  opt:step()
  lu.assertNotEquals(numbers(net:get("bend").scale), before)
  net:get("bend").scale:copy(lunet.tensor { 1, 2, 3 })
end

function TestReload:test_tensors_declared_in_another_order()
  local text = shell.read "tests/fixtures/reload/two.c"
  local function run_two(first, second)
    run(built("two", ('#define FIRST "%s"\n#define SECOND "%s"\n'):format(
      first, second) .. text))
  end
  run_two("a", "b")
  local two = nn.two {}
  two.a:fill(3)
  two.b:fill(5)
  run_two("b", "a")
  lu.assertEquals(two:predict(lunet.tensor { 10 }):item(), 35)
end

function TestReload:test_backward_across_it_is_refused()
  net:forward(x)
  run(write(source))
  local ok, message = pcall(net.backward, net, dy)
  lu.assertFalse(ok)
  lu.assertStrContains(message, "the net has changed since its forward")
end

function TestReload:test_a_layer_collected_meanwhile()
  nn.bend { channels = 2 }:forward(lunet.ones { 1, 2 })
  collectgarbage()
  local _, _, n = run(write(source))
  lu.assertEquals(n, 1)
end

function TestReload:test_a_file_that_is_open_already()
  local path = built("bend_so", source)
  run(path)
  local before = numbers(net:forward(x))
  built("bend_so", changed("scale[c] * value", "2 * scale[c] * value"))
  run "bend" -- the word stands for the same file
  lu.assertNotEquals(numbers(net:forward(x)), before)
end

function TestReload:test_leaves_no_files_behind()
  local where = shell.temporary_folder()
  local ok, output = shell.run(
    "TMPDIR=%s %s -e 'lunet.plugins.reload \"%s\"' && ls -A %s", where,
    core.program(), built("alone", source), where)
  shell.remove(where)
  lu.assertTrue(ok, output)
  lu.assertEquals(output, "")
end

function TestReload:test_of_no_file()
  lu.assertErrorMsgContains("takes a word or a file", lunet.plugins.reload, 1)
  lu.assertErrorMsgContains("unknown layer 'bendd'; did you mean 'bend'?", run,
                            "bendd")
end

-- ---- what fails ------------------------------------------------------------

-- A sanitizer makes an end of its own of a crash.
local crash = is_sanitized() and "Sanitizer" or "it crashes, with signal"

-- Each as a plugin that is built once: name, sentence, source.
local faulty = {
  { "wrong_magic", "begins with 0x00000007, not with the magic",
    changed('LN_PLUGIN("bend", "1.0", &layer);', [[
const ln_plugin lunet_plugin_v1 = { .magic = 7 };
const ln_layer *ln_layers_ = &layer;]]) },
  { "missing_symbol", "it has no symbol lunet_plugin_v1",
    changed('LN_PLUGIN("bend", "1.0", &layer);', "int x = sizeof layer;") },
  { "undefined", "undefined symbol: no_such_function",
    changed("expf(", "no_such_function(") },
  { "shape", "scale is (3), would be (3,1)",
    changed("LN_SHAPE(o->channels)", "LN_SHAPE(o->channels, 1)") },
  { "gone", "scale (3) would be gone\n  factor (3) would be new",
    changed('"scale"', '"factor"') },
  { "more", "shift (3) would be new",
    changed("LN_SHAPE(o->channels), 1);", "LN_SHAPE(o->channels), 1);"
      .. 'ln_add_filled_weight(p, "shift", LN_SHAPE(o->channels), 1);') },
  { "option", "bend has no option 'beta'",
    changed("LN_REAL(bend, beta,", "LN_REAL(bend, gamma,"):gsub("beta;",
      "beta, gamma;") },
  { "range", "beta", changed("-LN_ANY, LN_ANY", "3, 4") },
  { "inputs", "x", changed("x(N,channels)", "x(N,channels,H,W)") },
  { "outputs", "output 1 is (5,3), would be (5,3,1)",
    changed("y(N,channels)", "y(N,channels,1)") },
  { "create", "not today",
    changed(".params = params", ".create = create, .params = params")
      :gsub("static ln_status params",
        "static ln_status create(void *self, const ln_host *host) {\n"
        .. "  (void)self;\n  return ln_fail(host, \"not today\");\n}\n%0", 1) },
  { "crash", crash,
    changed("float *y = ln_y(call, 0);",
            "float *y = ln_y(call, 0); *(volatile int *)8 = 1;") },
  { "trap", "it crashes, with signal", changed("float *y = ln_y(call, 0);",
      "float *y = ln_y(call, 0); __builtin_trap();") },
}

TestFailures = {}

local function assert_harmless(path, sentence)
  local before = fingerprint()
  local after = fingerprint(function()
    local ok, message = pcall(run, path)
    lu.assertFalse(ok, path .. " was taken")
    lu.assertStrContains(message, sentence)
    local _, positions = message:gsub("test_reload", "")
    lu.assertEquals(positions, 1, message)
  end)
  lu.assertEquals(after, before, path)
end

function TestFailures:test_a_hundred_leave_the_session_whole()
  local plugins = {}
  for i, case in ipairs(faulty) do plugins[i] = built(case[1], case[3]) end
  for i = 0, 99 do
    local case = faulty[i % #faulty + 1]
    assert_harmless(plugins[i % #faulty + 1], case[2])
  end
end

function TestFailures:test_six_more_that_are_no_such_plugin()
  assert_harmless(write(changed("float *y", "flot *y")), "does not compile")
  assert_harmless(write(changed('.name = "bend"', '.name = "bent"')),
    "layer bend is in use, but the new file has no layer bend")
  assert_harmless(folder .. "/absent.so", "it cannot be read")
  assert_harmless(folder .. "/absent.c", "cannot be read")
  shell.write(folder .. "/text.so", "no plugin")
  assert_harmless(folder .. "/text.so", "it is not a shared object")
  local path = built("cut", source)
  shell.write(path, shell.read(path):sub(1, 3000))
  assert_harmless(path, "it is truncated")
end

-- ---- the watch -------------------------------------------------------------

TestWatch = {}

-- Trains in a process of its own; the script changes the source on the way.
local function train(change)
  local path = write(source)
  local script = ([[
    local lunet = require "lunet"
    local path = %q
    lunet.plugins.watch(path)
    local layer = lunet.nn.bend { channels = 2 }
    local opt = lunet.optim.sgd(layer:parameters(), { lr = 0 })
    local function step()
      layer:backward(layer:forward(lunet.ones { 2, 2 }))
      opt:step()
    end
    local function save(from, to)
      local file = io.open(path)
      local text, n = file:read("a"):gsub(from, to)
      file:close()
      assert(n > 0, "nothing to change")
      file = io.open(path, "w")
      file:write(text)
      file:close()
    end
    step()
    %s
    step()
    step()
    print(("%%.4f"):format(layer:forward(lunet.ones { 1, 2 }):tolist()[1][1]))
  ]]):format(path, change)
  shell.write(folder .. "/train.lua", script)
  return select(2, shell.run("%s %s/train.lua", core.program(), folder))
end

function TestWatch:test_takes_what_is_saved()
  local output = train [[
    save("scale%[c%] %* value", "2 * scale[c] * value")
    save("scale%[c%] %* dy", "2 * scale[c] * dy")
    save("+= value %* dy", "+= 2 * value * dy")]]
  local _, saves = output:gsub("the gradients are right", "")
  lu.assertEquals(saves, 1, output)
  lu.assertEquals(output:match "[%d.]+\n$", "1.4621\n")
end

function TestWatch:test_keeps_the_old_code_where_the_gradient_is_wrong()
  local output = train [[save("scale%[c%] %* dy", "2 * scale[c] * dy")]]
  local _, refusals = output:gsub("the gradient is wrong: dx1", "")
  lu.assertEquals(refusals, 1, output)
  lu.assertStrContains(output, "the code before goes on")
  lu.assertEquals(output:match "[%d.]+\n$", "0.7311\n")
end

function TestWatch:test_shows_what_the_compiler_says()
  local output = train [[save("float %*y", "flot *y")]]
  lu.assertStrContains(output, "error: unknown type name")
  lu.assertEquals(output:match "[%d.]+\n$", "0.7311\n")
end

function TestWatch:test_of_no_file()
  lu.assertErrorMsgContains("absent.c is none", lunet.plugins.watch, "absent.c")
end

local status = lu.LuaUnit.run()
shell.remove(folder)
os.exit(status)
