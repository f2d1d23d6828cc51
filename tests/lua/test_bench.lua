-- lunet bench: what is measured, what a row says, and how many operations are
-- counted. No time is asserted.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local core = require "lunet_core"
local lunet = require "lunet"
local is_sanitized = require "support.sanitizer"
local shell = require "support.shell"
local command_line = require "lunet.bench.command_line"
local driver = require "lunet.bench.driver"
local flops = require "lunet.bench.flops"
local layer_passes = require "lunet.bench.layer_passes"
local net_step = require "lunet.bench.net_step"
local row = require "lunet.bench.row"
local sample = require "lunet.bench.sample"
local workloads = require "lunet.bench.workloads"

local program = arg[-1]
local shared = os.getenv("LUNET_SHARED") or "../shared"
local folder = shell.temporary_folder()

-- `lunet bench …`, never waiting for others: its success, and all that it says.
local function bench(arguments)
  return shell.run("'%s' bench --tries 1 %s", program, arguments)
end

-- ---- the list ---------------------------------------------------------------

TestList = {}

-- "lenet5 train:64 infer:1 infer:64 [eager compile]" without the brackets
local function without_variants(line)
  return (line:gsub("%[.*", ""):gsub("%s+$", ""))
end

function TestList:test_is_that_of_the_other_side()
  local script = shared .. "/peers/torch_bench.py"
  local fine, output = shell.run("python3 '%s' --list", script)
  lu.skipIf(not fine, "no peers/torch_bench.py, or no Python")
  local theirs = {}
  for line in output:gmatch("[^\n]+") do
    theirs[#theirs + 1] = without_variants(line)
  end
  local ours = {}
  for i, name in ipairs(workloads.names) do ours[i] = workloads.line(name) end
  lu.assertEquals(ours, theirs)
end

function TestList:test_is_printed()
  local fine, output = bench "--list"
  lu.assertTrue(fine)
  lu.assertStrContains(output, "\nlenet5 train:64 infer:1 infer:64\n")
  lu.assertStrContains(output, "\ncopy_1gib\n")
end

function TestList:test_each_net_is_in_the_zoo()
  for name, spec in pairs(workloads.nets) do
    local net = lunet.zoo[name] {}
    local scores = net:predict(lunet.zeros { 2, table.unpack(spec.shape) })
    lu.assertEquals(scores:shape(), { 2, spec.classes }, name)
  end
end

-- ---- operations and bytes ---------------------------------------------------

TestFlops = {}

function TestFlops:test_of_mlp_digits()
  -- 64 x 64 and 64 x 10 multiply-adds
  local net = lunet.zoo.mlp_digits {}
  lu.assertEquals(flops.of_layers(net), { 8192, 1280 })
  lu.assertEquals(flops.of_net(net, false), 9472)
  -- forward, weights and data, but for the data gradient of the first layer
  lu.assertEquals(flops.of_net(net, true), 3 * 9472 - 8192)
end

function TestFlops:test_of_lenet5()
  local conv1, conv2 = 2 * 28 * 28 * 6 * 25, 2 * 10 * 10 * 16 * 6 * 25
  local linear = 2 * (400 * 120 + 120 * 84 + 84 * 10)
  local net = lunet.zoo.lenet5 {}
  lu.assertEquals(flops.of_net(net, false), conv1 + conv2 + linear)
  lu.assertEquals(flops.of_net(net, true), 2263920)
end

function TestFlops:test_of_resnet20()
  -- 40,551,040 multiply-adds, of which 3*16*9*32*32 are the first layer's
  local net = lunet.zoo.resnet20 {}
  lu.assertEquals(flops.of_net(net, false), 81102080)
  lu.assertEquals(flops.of_net(net, true), 3 * 81102080 - 884736)
end

function TestFlops:test_of_layers()
  local expected = {
    conv_3x3_64 = 2 * 16 * 64 * 56 * 56 * 64 * 9,
    conv_7x7_s2 = 2 * 8 * 64 * 112 * 112 * 3 * 49,
    depthwise_3x3 = 2 * 16 * 128 * 28 * 28 * 9,
    fc = 2 * 64 * 4096 * 1000,
    locally_connected = 2 * 16 * 16 * 26 * 26 * 16 * 9,
  }
  for name, count in pairs(expected) do
    lu.assertEquals(workloads.layers[name].flops, count, name)
  end
end

-- The shape and the number of weights that a workload claims for its layer.
function TestFlops:test_shapes_are_those_of_the_layers()
  for name, spec in pairs(workloads.layers) do
    if spec.y then
      local layer = lunet.nn[spec.word](spec.options)
      layer:build(table.move(spec.x, 2, #spec.x, 1, {}))
      local y = layer:core_net():node_info(1).shape
      lu.assertEquals(table.move(y, 2, #y, 1, {}),
                      table.move(spec.y, 2, #spec.y, 1, {}), name)
      lu.assertEquals(layer:num_parameters(), spec.weights, name)
    end
  end
end

TestBytes = {}

function TestBytes:test_of_layers_bound_by_memory()
  local relu, pool = workloads.layers.relu, workloads.layers.maxpool_3x3_s2
  local size = 4 * 16 * 64 * 56 * 56
  lu.assertEquals(layer_passes.least_bytes(relu, "forward"), 2 * size)
  lu.assertEquals(layer_passes.least_bytes(relu, "backward_data"), 3 * size)
  -- y is a quarter of x
  lu.assertEquals(layer_passes.least_bytes(pool, "forward"), 4 * size * 5 / 4)
end

function TestBytes:test_of_a_product()
  local fc = workloads.layers.fc
  lu.assertEquals(layer_passes.least_bytes(fc, "forward"),
                  4 * (64 * 4096 + 64 * 1000 + 4096 * 1000 + 1000))
end

-- ---- the calls --------------------------------------------------------------

TestPasses = {}

local function modes_of(layer, inputs)
  local modes = {}
  for pass in layer_passes.each(layer, inputs) do
    modes[#modes + 1] = pass.mode
    pass.result = pass.call()
    modes[pass.mode] = pass
  end
  return modes
end

function TestPasses:test_one_gradient_at_a_time()
  local layer = lunet.nn.linear { in_features = 3, out_features = 2 }
  local passes = layer_passes.each(layer, { lunet.randn { 4, 3 } })
  lu.assertEquals(passes().mode, "forward")
  local data = passes()
  lu.assertEquals(data.call():shape(), { 4, 3 })
  lu.assertEquals(layer:parameters()[1].grad:abs():sum(), 0)
  local weights = passes()
  lu.assertEquals(weights.mode, "backward_weights")
  lu.assertNil(weights.call())
  lu.assertTrue(layer:parameters()[1].grad:abs():sum() > 0)
  lu.assertNil(passes())
end

function TestPasses:test_layers_without_weights_have_two()
  local modes = modes_of(lunet.nn.relu {}, { lunet.randn { 2, 3 } })
  lu.assertEquals({ #modes, modes[1], modes[2] },
                  { 2, "forward", "backward_data" })
end

function TestPasses:test_losses_take_labels()
  local modes = modes_of(lunet.nn.cross_entropy {},
    { lunet.randn { 5, 3 }, net_step.random_labels(5, 3) })
  lu.assertEquals(modes.backward_data.result:shape(), { 5, 3 })
end

TestSteps = {}

function TestSteps:test_training_learns()
  local step = net_step.new("mlp_digits", "train", 8)
  local first = step() + step() + step() + step() -- around the four batches
  local last
  for _ = 1, 200 do last = step() + step() + step() + step() end
  lu.assertTrue(last < first / 2)
end

function TestSteps:test_inference_gives_scores()
  local call, count = net_step.new("lenet5", "infer", 2)
  lu.assertEquals(call():shape(), { 2, 10 })
  lu.assertEquals(count, 2 * 833040)
end

function TestSteps:test_labels_are_class_ids()
  local labels = net_step.random_labels(1000, 10)
  lu.assertEquals({ labels:min(), labels:max() }, { 0, 9 })
  lu.assertEquals(labels:floor():tolist(), labels:tolist())
end

-- ---- sampling and rows ------------------------------------------------------

TestSample = {}

function TestSample:test_median()
  lu.assertEquals(sample.median { 3, 1, 2 }, 2)
  lu.assertEquals(sample.median { 4, 1, 2, 3 }, 2.5)
end

function TestSample:test_takes_as_many_samples_as_asked()
  local calls = 0
  local timed = sample.run(function() calls = calls + 1 end,
                           { reps = 3, max_s = 1, tries = 1 })
  lu.assertEquals(#timed.seconds, 3)
  lu.assertTrue(calls > 3)
end

TestRow = {}

local fields = { "workload", "mode", "variant", "threads", "batch", "median_s",
                 "min_s", "images_per_s", "gflops", "peak_rss_mb",
                 "gbytes_per_s", "reps", "other_cpu" }

function TestRow:test_rates()
  local r = row.new({ workload = "w", mode = "m", batch = 8, threads = 2,
                      flops = 3e9, traffic = 1e9 },
                    { seconds = { 0.4, 0.5, 0.6 }, others = 0.123 })
  lu.assertEquals({ r.median_s, r.min_s, r.images_per_s, r.gflops,
                    r.gbytes_per_s, r.reps, r.other_cpu },
                  { 0.5, 0.4, 16, 6, 2, 3, 0.12 })
end

function TestRow:test_what_does_not_apply_is_null()
  local text = row.text(row.new({ workload = "w", mode = "m", threads = 1 },
                                { seconds = { 1 }, others = 0 }))
  for _, name in ipairs(fields) do
    lu.assertStrContains(text, ('"%s": '):format(name))
  end
  lu.assertStrContains(text, '"batch": null')
  lu.assertEquals(core.json_decode(text).gflops, core.null)
  lu.assertNil(row.parse(text).gflops)
end

function TestRow:test_of_a_network()
  local fine, line = bench "--workload mlp_digits --reps 3 --max-s 0.01"
  lu.assertTrue(fine, line)
  local r = core.json_decode(line)
  for _, name in ipairs(fields) do lu.assertNotNil(r[name], name) end
  lu.assertEquals({ r.workload, r.mode, r.batch, r.threads, r.optim },
                  { "mlp_digits", "train", 32, 1, "sgd" })
  lu.assertNotNil(r.first_call_s)
end

function TestRow:test_of_a_process_from_its_start()
  local fine, line = bench "--workload startup --threads 2 --reps 1"
  lu.assertTrue(fine, line)
  local r = row.parse(line)
  lu.assertEquals({ r.mode, r.batch, r.threads },
                  { "lenet5_first_step", 64, 2 })
  lu.assertTrue(r.median_s <= r.until_exit_s + 1e-3)
  lu.assertTrue(r.peak_rss_mb > 1)
end

TestDriver = {}

local function lines_of(o)
  local lines = {}
  local fine = driver.run(o, function(line) lines[#lines + 1] = line end)
  return fine, lines
end

function TestDriver:test_modes_and_threads()
  local fine, lines = lines_of { workloads = { "lenet5" }, threads = { 1, 2 },
                                 modes = { "infer:1" }, reps = 1,
                                 max_s = 0.01, tries = 1 }
  lu.assertTrue(fine)
  local seen = {}
  for i, line in ipairs(lines) do
    local r = row.parse(line)
    seen[i] = ("%s:%d x%d"):format(r.mode, r.batch, r.threads)
  end
  lu.assertEquals(seen, { "infer:1 x1", "infer:1 x2" })
end

-- Without memory for the copy: a row that says so, and the next workload.
function TestDriver:test_goes_on_after_a_failure()
  lu.skipIf(is_sanitized(), "the sanitizer needs more memory than that")
  local fine, output = shell.run(
    "ulimit -v 1000000; '%s' bench --workload copy_1gib mlp_digits --reps 1 "
    .. "--tries 1", program)
  lu.assertFalse(fine)
  local failed, next_row = output:match("^([^\n]*)\n([^\n]*)\n$")
  lu.assertStrMatches(failed, '{"workload": "copy_1gib", "variant": "lunet", '
    .. '"threads": 1, "case": "%-", "error": %["[^"]*memory[^"]*"%]}')
  lu.assertEquals(row.parse(next_row).workload, "mlp_digits")
end

-- ---- the command line -------------------------------------------------------

TestCommandLine = {}

function TestCommandLine:test_defaults()
  local o = command_line.parse {}
  lu.assertEquals({ #o.workload, o.threads, o.reps, o.max_s },
                  { 23, { 1 }, 15, 8.0 })
end

function TestCommandLine:test_lists_and_values()
  local o = command_line.parse { "--workload", "relu", "fc", "--threads", "1",
                                 "2", "--max-s", "0.5", "--mode", "train" }
  lu.assertEquals({ o.workload, o.threads, o.max_s, o.mode },
                  { { "relu", "fc" }, { 1, 2 }, 0.5, { "train" } })
end

function TestCommandLine:test_what_is_wrong_is_named()
  for words, sentence in pairs {
    ["--workload nosuch"] = "unknown workload 'nosuch'",
    ["--frobnicate"] = "unknown option '--frobnicate'",
    ["--threads many"] = "--threads takes a whole number above 0, not 'many'",
    ["--reps 0"] = "--reps takes a whole number above 0, not '0'",
    ["--reps"] = "--reps needs a value",
  } do
    local fine, output = bench(words)
    lu.assertFalse(fine)
    lu.assertStrContains(output, sentence)
    lu.assertStrContains(output, "see lunet bench --help")
  end
end

function TestCommandLine:test_help()
  local fine, output = bench "--help"
  lu.assertTrue(fine)
  lu.assertStrContains(output, "usage: lunet bench")
end

-- ---- tables and the page ----------------------------------------------------

TestTables = {}

function TestTables:test_race_shows_all_methods()
  local fine, output = bench("--plugin max_pool2d --shape 2,1,4,4 --reps 1 "
                             .. "--max-s 0.01")
  lu.assertTrue(fine, output)
  lu.assertStrContains(output, "max_pool2d on (2,1,4,4), threads: 1")
  lu.assertStrMatches(output, ".*\ntextbook +forward.*\n2x2 +forward.*")
end

-- All inputs of the first one's shape get the new one, class ids its batch.
function TestTables:test_race_of_several_inputs()
  local fine, output = bench("--plugin add --shape 5,7 --reps 1")
  lu.assertTrue(fine, output)
  lu.assertStrContains(output, "add on (5,7), (5,7)")
  fine, output = bench("--plugin cross_entropy --shape 5,7 --reps 1")
  lu.assertTrue(fine, output)
  lu.assertStrContains(output, "cross_entropy on (5,7), (5)")
end

function TestTables:test_race_says_where_a_method_does_not_suit()
  local _, output = bench("--plugin max_pool2d --options 'kernel_size = 3' "
                          .. "--reps 1 --max-s 0.01")
  lu.assertStrMatches(output, ".*\n2x2 +[^\n]*2x2[^\n]*\n.*")
end

function TestTables:test_race_of_an_unknown_layer()
  local fine, output = bench "--plugin nosuch"
  lu.assertFalse(fine)
  lu.assertStrContains(output, "nosuch")
end

function TestTables:test_profile_shows_all_layers()
  local fine, output = bench("--profile mlp_digits --batch 4 --reps 1 "
                             .. "--max-s 0.01")
  lu.assertTrue(fine, output)
  lu.assertStrMatches(output, "mlp_digits, batch 4, threads: 1\n.*"
    .. "\n0 linear +%(4,64%).*\n1 relu.*\n2 linear +%(4,10%).*"
    .. "\nsum of the layers, each alone .*\nthe net as a whole .*")
end

function TestTables:test_roofline_compares_with_both_limits()
  local fine, output = bench "--roofline --workload relu --reps 1 --max-s 0.01"
  lu.assertTrue(fine, output)
  lu.assertStrMatches(output, ".*multiply%-adds, %a+ .*copy .*"
    .. "\nrelu +forward .* copy +%d+ %%\n.*")
end

function TestTables:test_methods_of_a_layer()
  local fine, output = bench "--methods --layer mul --reps 1 --max-s 0.01"
  lu.assertTrue(fine, output)
  lu.assertStrMatches(output, "layer +shape of x +method +µs +gain +error\n"
    .. "mul +16x32x28x28 +textbook [^\n]*\nmul +16x32x28x28 +vector .*")
end

TestReport = {}

-- Rows as a file holds them, numbers made up.
local function write_rows(path)
  local lines = {}
  local function add(what, seconds)
    what.threads = 1
    lines[#lines + 1] = row.text(row.new(what, { seconds = { seconds },
                                                 others = 0 }))
  end
  add({ workload = "lenet5", mode = "train", batch = 64, flops = 2e8 }, 0.002)
  add({ workload = "relu", mode = "forward", batch = 16, traffic = 2e7 }, 0.001)
  add({ workload = "fc", mode = "forward", batch = 64, flops = 5e8 }, 0.004)
  add({ workload = "copy_1gib", mode = "copy", traffic = 2 << 30 }, 0.1)
  lines[#lines + 1] = row.text(row.failed("conv_1x1", "-", 1, "out of luck"))
  shell.write(path, table.concat(lines, "\n") .. "\n")
end

function TestReport:test_has_tables_and_pictures()
  write_rows(folder .. "/rows.jsonl")
  local fine, output = bench(("--report --from %s/rows.jsonl --out %s/page")
                             :format(folder, folder))
  lu.assertTrue(fine, output)
  local text = shell.read(folder .. "/page/report.md")
  for _, line in ipairs {
    "| lenet5 | train | 64 | 1 | 2.000 | 32000 | 100.0 |",
    "| relu | forward | 1 | 1.000 | – | 20.0 | copy |",
    "| fc | forward | 1 | 4.000 | 125.0 | – |",
    "| copy_1gib | copy | 1 | 100.000 | – | 21.5 |",
    "- `conv_1x1` (-, threads: 1): out of luck",
  } do
    lu.assertStrContains(text, line)
  end
  for picture in text:gmatch("%]%((%w+%.png)%)") do
    local shape = lunet.load(folder .. "/page/" .. picture):shape()
    lu.assertEquals({ shape[1], shape[3] }, { 3, 1000 })
  end
end

function TestReport:test_lays_ratios_beside_their_marks()
  write_rows(folder .. "/rows.jsonl")
  shell.write(folder .. "/ratios.json", [=[[
    { "workload": "lenet5", "mode": "train", "batch": 64, "threads": 1,
      "lunet_s": 0.001, "torch_s": 0.004, "variant": "eager", "ratio": 4.0 },
    { "workload": "fc", "mode": "forward", "batch": 64, "threads": 1,
      "lunet_s": 0.002, "torch_s": 0.003, "variant": "compile", "ratio": 1.5 },
    { "workload": "copy_1gib", "mode": "copy", "batch": null, "threads": 1,
      "lunet_s": 0.2, "torch_s": 0.2, "variant": "eager", "ratio": 1.0 } ]]=])
  local fine, output = bench(("--report --from %s/rows.jsonl --out %s/page "
    .. "--compare %s/ratios.json"):format(folder, folder, folder))
  lu.assertTrue(fine, output)
  local text = shell.read(folder .. "/page/report.md")
  for _, line in ipairs {
    "| 1 | 4.00 | 3 | 1 | 1 |",
    "| lenet5 | train | eager | **below** | 64 | 1 | 1.000 | 4.000 | 4.00 | "
      .. "4.5 |",
    "| fc | forward | compile | above | 64 | 1 | 2.000 | 3.000 | 1.50 | 1 |",
    "| copy_1gib | copy | eager |  | – | 1 | 200.000 | 200.000 | 1.00 | – |",
    "(ratios1.png)",
  } do
    lu.assertStrContains(text, line)
  end
  lu.assertEquals(#lunet.load(folder .. "/page/ratios1.png"):shape(), 3)
end

function TestReport:test_stops_when_its_minutes_are_over()
  local fine, output = bench(("--report --workload relu --minutes 1e-9 "
    .. "--threads 1 --tries 1 --out %s/late"):format(folder))
  lu.assertTrue(fine, output)
  lu.assertStrContains(shell.read(folder .. "/late/report.md"),
    "- `relu` (-, threads: 1): left out after 1e-09 minutes")
end

function TestReport:test_of_no_file()
  local fine, output = bench "--report --from nosuch.jsonl"
  lu.assertFalse(fine)
  lu.assertStrContains(output, "nosuch.jsonl")
end

TestBars = {}

-- The longest row of one colour in the picture's row y, from 0.
local function run_of(picture, y, blue)
  local longest, now = 0, 0
  local plane = picture:tolist()[3][y + 1]
  for _, value in ipairs(plane) do
    now = math.abs(value - blue / 255) < 1e-6 and now + 1 or 0
    longest = math.max(longest, now)
  end
  return longest
end

function TestBars:test_lengths_are_as_the_values()
  local picture = lunet.picture.bars { bars = {
    { name = "a", value = 10 }, { name = "b", value = 5 } } }
  local a, b = run_of(picture, 84 + 5, 0xbf), run_of(picture, 114 + 5, 0xbf)
  lu.assertTrue(a > 500)
  lu.assertAlmostEquals(b, a / 2, 1)
end

function TestBars:test_bars_of_nothing()
  local picture = lunet.picture.bars { bars = { { name = "a", value = 0 } } }
  lu.assertEquals(picture:shape(), { 3, 84 + 30 + 16, 1000 })
end

local status = lu.LuaUnit.run()
shell.remove(folder)
os.exit(status)
