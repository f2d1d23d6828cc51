-- lunet.report: the page stands alone, is small, and tells of every kind of
-- run. What it does in a browser is tested where one is installed.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local core = require "lunet_core"
local is_sanitized = require "support.sanitizer"
local page = require "support.page"
local shell = require "support.shell"
local nn, optim, data = lunet.nn, lunet.optim, lunet.data

local train, test = data.digits()
local folder

-- ---- runs ------------------------------------------------------------------

local function conv_net()
  return nn.sequential {
    nn.conv2d { out_channels = 6, kernel_size = 3, padding = 1,
                name = "conv1" },
    nn.relu {}, nn.max_pool2d { kernel_size = 2 }, nn.flatten {},
    nn.linear { out_features = 10, name = "scores" } }:build { 1, 8, 8 }
end

local function mlp()
  return nn.sequential { nn.flatten {}, nn.linear { out_features = 16 },
                         nn.relu {},
                         nn.linear { out_features = 10 } }:build { 1, 8, 8 }
end

local function trained(net, more)
  local o = { loss = nn.cross_entropy {}, epochs = 3, progress = false,
              optimizer = optim.sgd(net:parameters(), { lr = 0.05,
                                                        momentum = 0.9 }) }
  for name, value in pairs(more or {}) do o[name] = value end
  local samples = o.data or train
  o.data = nil
  return lunet.fit(net, samples, o)
end

-- Runs of all kinds, made once: name -> function.
local makers = {}

function makers.usual() return trained(conv_net(), { validate = test }) end

function makers.without_validation() return trained(conv_net()) end

function makers.one_epoch()
  return trained(conv_net(), { epochs = 1, validate = test })
end

function makers.no_epoch() return trained(conv_net(), { epochs = 0 }) end

function makers.without_convolution()
  return trained(mlp(), { validate = test })
end

function makers.without_record()
  return trained(conv_net(), { record = false, validate = test })
end

-- Ended by its own NaN, before the first epoch was over.
function makers.stopped()
  local net, batches = conv_net(), 0
  local fine = pcall(trained, net, { validate = test, augment = function(x)
    batches = batches + 1
    return batches == 6 and x / 0 or x
  end })
  lu.assertFalse(fine)
  return lunet.last_run()
end

-- A loop of one's own that does not mind NaN.
function makers.not_finite()
  local net = mlp()
  local run = lunet.watch(net, { train = train, loss = nn.cross_entropy {},
                                 progress = false })
  for step, loss in ipairs { 2.3, 8e30, 1 / 0, 0 / 0, 0 / 0 } do
    if step > 2 then net:parameters()[1].value:fill(loss) end
    run:step(loss, net:predict(test.x), test.labels)
  end
  run:end_epoch()
  return run
end

function makers.regression()
  local net = nn.sequential { nn.linear { in_features = 3, out_features = 1 } }
  local loss_fn, x = nn.mse_loss {}, lunet.randn { 64, 3 }
  local y = x:sum(2):view { 64, 1 }
  local opt = optim.sgd(net:parameters(), { lr = 0.1 })
  local run = lunet.watch(net, { items = 64, loss = loss_fn, optimizer = opt,
                                 epochs = 30, progress = false })
  for _ = 1, 30 do
    local loss = loss_fn:forward(net:forward(x), y)
    opt:zero_grad()
    net:backward((loss_fn:backward()))
    opt:step()
    run:step(loss)
    run:end_epoch()
  end
  return run
end

function makers.ill()
  local net = conv_net()
  net:get("conv1").bias:fill(-10)
  return trained(net, { validate = test })
end

-- A loop that shapes the samples of its dataset before the net sees them.
function makers.own_shape()
  local net = nn.sequential { nn.linear { in_features = 64,
                                          out_features = 10 } }
  local run = lunet.watch(net, { train = train, loss = nn.cross_entropy {},
                                 progress = false })
  for x, labels in train:batches { size = 500 } do
    run:step(2.3, net:forward(x:view { x:shape()[1], 64 }), labels)
  end
  run:end_epoch()
  return run
end

-- Everything at its largest: many layers, snapshots, classes, large colour
-- images.
function makers.large()
  local labels, classes = lunet.zeros { 200 }, {}
  for i = 1, 200 do labels[i] = i % 100 end
  for i = 1, 100 do classes[i] = ("a class with the number %d"):format(i) end
  local images = data.tensors { x = lunet.rand { 200, 3, 64, 64 },
                                labels = labels, classes = classes }
  local small = images:take(4)
  local net = lunet.zoo.resnet20 { classes = 100, shape = { 3, 64, 64 } }
  net:build { 3, 64, 64 }
  local loss_fn = nn.cross_entropy {}
  local opt = optim.sgd(net:parameters(), { lr = 0.01 })
  local run = lunet.watch(net, { train = images, loss = loss_fn, epochs = 60,
                                 optimizer = opt, progress = false })
  for _ = 1, 60 do
    for x, ids in small:batches { size = 4 } do
      local scores = net:forward(x)
      local loss = loss_fn:forward(scores, ids)
      opt:zero_grad()
      net:backward(loss_fn:backward())
      opt:step()
      for _ = 1, 300 do run:step(loss, scores, ids) end
    end
    run:end_epoch()
  end
  return run
end

function makers.strange_names()
  local classes = {}
  for i = 1, 10 do classes[i] = ("</script><b>%d & %%1 'x' \"y\""):format(i) end
  local odd = data.tensors { x = train.x, labels = train.labels,
                             classes = classes }
  return trained(conv_net(), { data = odd, epochs = 1 })
end

-- The text of the page about such a run, written once.
local pages = {}

local function page_of(name)
  if not pages[name] then
    lunet.manual_seed(1)
    local path = folder .. "/" .. name .. ".html"
    lu.assertEquals(lunet.report(makers[name](), path), path)
    pages[name] = shell.read(path)
  end
  return pages[name]
end

local function data_of(text)
  return core.json_decode((text:match(
    '<script type="application/json" id="data">(.-)</script>')))
end

local function sorted_names()
  local names = {}
  for name in pairs(makers) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function raises(text, f, ...)
  local fine, message = pcall(f, ...)
  lu.assertFalse(fine)
  lu.assertStrContains(message, text)
end

-- ---- the file --------------------------------------------------------------

TestFile = {}

function TestFile:setUp() folder = folder or shell.temporary_folder() end

-- What would make a browser ask for something: an address, an import.
local function flaws(text)
  local found = {}
  local rest = text:gsub("http://www%.w3%.org/2000/svg", "")
  for _, pattern in ipairs { "https?:", "//[%w%-]+%.%w+/", "@import", "url%(",
                             "fetch%(", "XMLHttpRequest", "WebSocket",
                             "import%(", "<link[^>]*stylesheet", " src=",
                             "sendBeacon" } do
    local place = rest:find(pattern)
    if place then found[#found + 1] = rest:sub(place, place + 40) end
  end
  for target in rest:gmatch 'href="([^"]*)"' do
    if target ~= "data:," then found[#found + 1] = target end
  end
  return found
end

function TestFile:test_stands_alone()
  for _, name in ipairs(sorted_names()) do
    lu.assertEquals(flaws(page_of(name)), {}, name)
  end
end

function TestFile:test_flaws_are_found()
  lu.assertEquals(#flaws '<script src="a.js"></script>', 1)
  lu.assertEquals(#flaws '<a href="x.html">', 1)
  lu.assertEquals(#flaws "see https://example.org", 1)
end

function TestFile:test_is_small()
  for _, name in ipairs(sorted_names()) do
    lu.assertTrue(#page_of(name) < 2e6, name .. " " .. #page_of(name))
  end
  lu.assertTrue(#page_of "usual" < 150e3)
end

function TestFile:test_all_parts_are_in_their_places()
  for _, name in ipairs(sorted_names()) do
    local text = page_of(name)
    lu.assertNil(text:find "<!%-%- [%w%.]+ %-%->", name)
    lu.assertStrContains(text, '"use strict"')
    lu.assertStrContains(text, "--ink:")
    local _, scripts = text:gsub("</script>", "")
    lu.assertEquals(scripts, 2, name)
    lu.assertNotNil(utf8.len(text), name)
  end
end

-- As all files of Lunet: whole or not at all, and links stay links.
function TestFile:test_an_older_file_is_replaced_as_a_whole()
  lunet.manual_seed(1)
  local run, path = makers.one_epoch(), folder .. "/old.html"
  shell.write(path, "what was here before")
  shell.lines("ln -s old.html %s/link.html", folder)
  lunet.report(run, folder .. "/link.html")
  lu.assertTrue((shell.run("test -L %s/link.html", folder)))
  lu.assertStrContains(shell.read(path), "<!DOCTYPE html>")
  lu.assertEquals(#shell.lines("ls -A %s | grep -c old", folder), 1)
end

function TestFile:test_what_cannot_be_written_is_told_and_nothing_is_lost()
  local run = makers.no_epoch()
  raises("try `mkdir -p`", lunet.report, run, folder .. "/none/run.html")
  raises("try a file name behind it", lunet.report, run, folder)
end

function TestFile:test_refusals()
  local run = makers.no_epoch()
  raises("must be a run", lunet.report, { loss = {} }, "run.html")
  raises("must be a run", lunet.report, nil, "run.html")
  raises("needs a file to write", lunet.report, run)
end

-- ---- the data --------------------------------------------------------------

TestData = {}

function TestData:setUp() folder = folder or shell.temporary_folder() end

local function fact(d, name)
  for _, pair in ipairs(d.facts) do
    if pair[1] == name then return pair[2] end
  end
end

function TestData:test_what_it_takes_to_repeat_it()
  local d = data_of(page_of "usual")
  for name, value in pairs { optimizer = "sgd", lr = "0.05", momentum = "0.9",
                             loss = "cross_entropy", ["batch size"] = "32",
                             shuffled = "yes", seed = "1", epochs = "3",
                             ["training samples"] = "1437",
                             ["validation samples"] = "360",
                             Lunet = lunet.version, Lua = _VERSION } do
    lu.assertEquals(fact(d, name), value, name)
  end
end

function TestData:test_curves()
  local c = data_of(page_of "usual").curves
  lu.assertEquals({ #c.loss, #c.accuracy, #c.validation, #c.validation_loss },
                  { 3, 3, 3, 3 })
  lu.assertEquals(c.ends, { 45, 90, 135 })
  lu.assertEquals(#c.steps, 135)
  lu.assertEquals({ c.ratios[1].name, c.ratios[2].name },
                  { "conv1.weight", "scores.weight" })
end

-- However many steps: few points, and the last is the last.
function TestData:test_long_curves_are_thinned()
  local c = data_of(page_of "large").curves
  lu.assertTrue(#c.steps <= 500)
  lu.assertEquals(c.steps[#c.steps][1], 18000)
end

function TestData:test_layers_over_time()
  local l = data_of(page_of "usual").layers
  lu.assertEquals(l.snapshots[1].step, 0)
  lu.assertEquals(l.snapshots[#l.snapshots].step, 135)
  lu.assertEquals(#l.filters.frames, #l.snapshots)
  lu.assertEquals({ l.filters.count, l.filters.height, l.filters.channels },
                  { 6, 3, 1 })
  local all = 0
  for _, n in ipairs(l.snapshots[2].grads[1].count) do all = all + n end
  lu.assertEquals(all, 54)
end

-- The matrix is what the net says, and each image is in its cell.
function TestData:test_confusion()
  lunet.manual_seed(1)
  local run = makers.usual()
  lunet.report(run, folder .. "/again.html")
  local c = data_of(shell.read(folder .. "/again.html")).confusion
  local seen, right = run.net:classify(test.x):tolist(), test.labels:tolist()
  local counts = {}
  for i, id in ipairs(seen) do
    local key = ("%d,%d"):format(right[i], id)
    counts[key] = (counts[key] or 0) + 1
  end
  for i = 0, 9 do
    for k = 0, 9 do
      lu.assertEquals(c.counts[i + 1][k + 1], counts[i .. "," .. k] or 0)
    end
  end
  for key, places in pairs(c.images.cells) do
    for _, place in ipairs(places) do
      local number = c.images.numbers[place + 1]
      lu.assertEquals(("%d,%d"):format(right[number], seen[number]), key)
    end
  end
  lu.assertEquals(c.samples, 360)
  lu.assertEquals(c.of, "validation")
end

-- Where there is room for few images, those of the fullest wrong cell are in.
function TestData:test_the_fullest_wrong_cell_has_an_image()
  local c = data_of(page_of "large").confusion
  local most, fullest = 0, nil
  for i, row in ipairs(c.counts) do
    for k, n in ipairs(row) do
      if i ~= k and n > most then
        most, fullest = n, ("%d,%d"):format(i - 1, k - 1)
      end
    end
  end
  lu.assertTrue(#c.images.numbers < c.samples)
  lu.assertNotNil(c.images.cells[fullest])
end

-- The first image of a cell, byte by byte.
function TestData:test_images_behind_a_cell()
  local m = data_of(page_of "usual").confusion.images
  local bytes = {}
  for block in m.data:gmatch "[%w+/=]+" do
    local text = shell.lines("printf %%s '%s' | base64 -d | od -An -v -tu1",
                             block:sub(1, 4 * 64))
    for byte in table.concat(text):gmatch "%d+" do
      bytes[#bytes + 1] = tonumber(byte)
    end
  end
  local image = test:get(m.numbers[1]):view { 64 }
  for i = 1, 64 do
    lu.assertEquals(bytes[i], math.floor(255 * image[i] + 0.5))
  end
end

function TestData:test_network()
  local d = data_of(page_of "usual")
  local words = {}
  for i, row in ipairs(d.network) do words[i] = row.word end
  lu.assertEquals(table.concat(words, " "),
                  "conv2d relu max_pool2d flatten linear")
  lu.assertEquals(d.input, "(N,1,8,8)")
  lu.assertEquals(d.network[1].inputs, { 0 })
  lu.assertEquals(d.network[2].inputs, { 1 })
  lu.assertEquals(d.network[1].parameters, 60)
end

-- A net that was never built knows its shapes by the training data.
function TestData:test_a_net_that_was_not_built()
  local net = nn.sequential { nn.flatten {}, nn.relu {},
                              nn.linear { in_features = 64,
                                          out_features = 10 } }
  lunet.report(trained(net, { epochs = 1 }), folder .. "/unbuilt.html")
  local d = data_of(shell.read(folder .. "/unbuilt.html"))
  lu.assertEquals(#d.network, 3)
  lu.assertEquals(d.input, "(N,1,8,8)")
end

function TestData:test_what_is_not_there_is_left_out()
  local d = data_of(page_of "without_validation")
  lu.assertEquals(#d.curves.validation, 0)
  lu.assertEquals(d.confusion.of, "training")
  lu.assertNil(data_of(page_of "without_convolution").layers.filters)
  lu.assertNil(data_of(page_of "without_record").layers)
  d = data_of(page_of "regression")
  lu.assertNil(d.confusion)
  lu.assertEquals(#d.curves.accuracy, 0)
  lu.assertEquals(#d.curves.loss, 30)
  lu.assertEquals(#data_of(page_of "no_epoch").curves.loss, 0)
end

function TestData:test_findings()
  lu.assertEquals(#data_of(page_of "usual").findings, 0)
  lu.assertStrContains(data_of(page_of "ill").findings[1].what, "dead")
  lu.assertStrContains(data_of(page_of "not_finite").findings[1].what,
                       "from step 3 on")
end

-- What could not be done is told.
function TestData:test_samples_that_the_net_does_not_read()
  local d = data_of(page_of "own_shape")
  lu.assertStrMatches(d.confusion.problem, "layer 1 .*but x is %(1,1,8,8%).*")
  lu.assertEquals(#d.curves.loss, 1)
end

-- JSON has no NaN: null.
function TestData:test_not_finite()
  local d = data_of(page_of "not_finite")
  lu.assertEquals(d.curves.loss[1], core.null)
  lu.assertEquals(d.curves.steps[3][2], core.null)
  lu.assertEquals(d.curves.steps[1][2], 2.3)
  lu.assertStrContains(d.summary, "loss NaN")
end

function TestData:test_where_it_stopped()
  local d = data_of(page_of "stopped")
  lu.assertStrMatches(fact(d, "stopped"),
                      "in epoch 1 after 5 steps: the loss is .*")
  lu.assertStrContains(d.summary, "stopped in epoch 1 after 5 steps")
  lu.assertEquals({ #d.curves.loss, #d.curves.steps }, { 0, 6 })
  lu.assertStrContains(d.findings[1].what, "from step 6 on")
  lu.assertNil(fact(data_of(page_of "usual"), "stopped"))
end

function TestData:test_strange_names()
  local text = page_of "strange_names"
  lu.assertNil(text:find "</script><b>")
  lu.assertEquals(data_of(text).confusion.classes[1],
                  "</script><b>1 & %1 'x' \"y\"")
end

-- ---- in a browser ----------------------------------------------------------

TestBrowser = {}

function TestBrowser:setUp()
  lu.skipIf(not page.browser(), "no program `chromium` here")
  lu.skipIf(is_sanitized(), "a page is the same without the sanitizer")
  folder = folder or shell.temporary_folder()
end

-- What a page says of itself: is it drawn, what did it ask for, is it wider
-- than its window? Only what is meant to scrolls.
local state = [[
  return [root.dataset.ready || "not ready",
          performance.getEntriesByType("resource").length + " asked for",
          root.scrollWidth > innerWidth ? root.scrollWidth : "fits"].join(", ");
]]

function TestBrowser:test_every_page_is_drawn_wide_and_narrow()
  local questions, names = {}, {}
  for _, name in ipairs(sorted_names()) do
    for _, width in ipairs { 1200, 400 } do
      questions[#questions + 1] = { text = page_of(name), script = state,
                                    width = width }
      names[#names + 1] = ("%s at %d"):format(name, width)
    end
  end
  for i, answer in ipairs(page.ask_all(questions)) do
    lu.assertEquals(answer, "yes, 0 asked for, fits", names[i])
  end
end

function TestBrowser:test_errors_and_widths_are_seen()
  local text = page_of "no_epoch"
  local answers = page.ask_all {
    { text = text:gsub("showWords%(%);", "noWords();"), script = state },
    { text = text, width = 400, script =
      'at("summary").textContent = "w".repeat(200);' .. state },
    { text = text, script = "nothing.at.all;" } }
  lu.assertStrContains(answers[1], "error: ")
  lu.assertNotStrContains(answers[2], "fits")
  lu.assertEquals(answers[3], "no answer")
end

function TestBrowser:test_sections_without_data_are_hidden()
  local script = [[
    return ["findings", "time", "confusion", "network"].filter(
      id => document.getElementById(id).hidden).join(" ");]]
  lu.assertEquals(page.ask_all {
    { text = page_of "usual", script = script },
    { text = page_of "regression", script = script },
    { text = page_of "without_record", script = script },
  }, { "", "confusion network", "findings time" })
end

-- A hash of what a canvas shows, before and after something is done.
local function changes(what)
  return ([[
    const all = () => [...document.querySelectorAll("#time canvas")].map(
      c => c.toDataURL()).join();
    const before = all(), name = at("moment-name").textContent;
    %s
    return [name, at("moment-name").textContent, before !== all()].join("; ");
  ]]):format(what)
end

function TestBrowser:test_the_slider_moves_all_pictures()
  lu.assertEquals(page.ask(page_of "usual", changes [[
    at("moment").value = 0;
    at("moment").dispatchEvent(new Event("input"));]]),
    "step 135, epoch 3; before the first step; true")
end

-- A dot of the first filter at two moments, against the data.
function TestBrowser:test_the_filters_are_those_of_the_moment()
  lu.assertEquals(page.ask(page_of "usual", [[
    const f = data.layers.filters;
    return [0, f.frames.length - 1].map(moment => {
      at("moment").value = moment;
      at("moment").dispatchEvent(new Event("input"));
      const dot = at("filters").getContext("2d").getImageData(2, 2, 1, 1).data;
      return [...dot].slice(0, 3).join() ===
             signColour(bytesOf(f.frames[moment])[0]).join();
    }).join() + (f.frames[0] === f.frames[f.frames.length - 1]);]]),
    "true,truefalse")
end

-- Its keys are the browser's own: it is a range, with a label and a text.
function TestBrowser:test_the_slider_is_for_all()
  lu.assertEquals(page.ask(page_of "usual", [[
    const s = at("moment");
    return [s.type, s.labels[0].textContent, s.getAttribute("aria-valuetext"),
            s.tabIndex].join("; ");]]), "range; moment; step 135, epoch 3; 0")
end

function TestBrowser:test_a_cell_shows_its_images()
  local d = data_of(page_of "usual")
  local places = d.confusion.images.cells["0,0"]
  local answer = page.ask(page_of "usual", [[
    const first = document.querySelector("#matrix button");
    first.click();
    const images = [...document.querySelectorAll("#cell canvas")];
    return [at("cell-name").textContent, images.length,
            images[0].getContext("2d").getImageData(0, 0, 8, 8).data
              .filter((v, i) => i % 4 === 0).join(" ")].join("; ");]])
  local image, bytes = test:get(d.confusion.images.numbers[places[1] + 1]), {}
  for i, v in ipairs(image:view { 64 }:tolist()) do
    bytes[i] = ("%d"):format(math.floor(255 * v + 0.5))
  end
  lu.assertStrMatches(answer, "0 seen as 0: %d+ of %d+, the first 4; 4; .*")
  lu.assertStrContains(answer, table.concat(bytes, " "))
end

function TestBrowser:test_arrow_keys_walk_through_the_matrix()
  lu.assertEquals(page.ask(page_of "usual", [[
    document.querySelector("#matrix button").click();
    for (const key of ["ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft",
                       "ArrowUp", "ArrowUp"])
      document.querySelector("#matrix button.chosen").dispatchEvent(
        new KeyboardEvent("keydown", { key }));
    return at("cell-name").textContent.split(":")[0] + "; " +
      document.querySelectorAll("#matrix button[tabindex='0']").length;]]),
    "0 seen as 1; 1")
end

function TestBrowser:test_a_layer_tells_of_itself()
  lu.assertStrContains(page.ask(page_of "usual", [[
    document.querySelectorAll("#map button")[1].click();
    return at("layer-text").textContent;]]),
    "reads input; gives (N,6,8,8), 60 parameters, 3,456 multiply-adds")
end

function TestBrowser:test_names_are_text_and_not_markup()
  lu.assertEquals(page.ask(page_of "strange_names", [[
    return document.querySelectorAll("#matrix b").length + " " +
      (document.querySelector("#matrix th").textContent ===
       data.confusion.classes[0]);]]), "0 true")
end

-- Play runs to the end and stops by itself.
function TestBrowser:test_play()
  lu.assertEquals(page.ask(page_of "usual", changes [[
    at("play").click();]]), "step 135, epoch 3; before the first step; true")
end

local failed = lu.LuaUnit.run()
if folder then shell.remove(folder) end
os.exit(failed)
