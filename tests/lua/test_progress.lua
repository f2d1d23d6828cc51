-- What training shows: a line that is drawn again on a terminal, plain lines
-- elsewhere, and the sparkline in it.
local lu = require "luaunit"
local core = require "lunet_core"
local progress = require "lunet.progress"
local sparkline = require "lunet.sparkline"

-- What f writes, instead of writing it.
local function written(f)
  local output, file <close> = io.output(), io.tmpfile()
  io.output(file)
  local right, message = pcall(f)
  io.output(output)
  assert(right, message)
  file:seek("set")
  return file:read("a")
end

-- Calls f with a bar, as on a terminal or not, and gives what it wrote.
local function shown(terminal, o, f)
  return written(function()
    local bar <close> = progress.new(o)
    bar.terminal = terminal
    f(bar)
  end)
end

-- Calls f with these variables of the environment.
local function with_environment(variables, f)
  local getenv = os.getenv
  os.getenv = function(name) -- luacheck: ignore
    local value = variables[name]
    if value ~= nil then return value or nil end
    return getenv(name)
  end
  local results = table.pack(pcall(f))
  os.getenv = getenv -- luacheck: ignore
  assert(results[1], results[2])
  return table.unpack(results, 2, results.n)
end

local utf8_locale = { LC_ALL = "C.UTF-8" }
local plain_locale = { LC_ALL = "C" }

TestPlain = {}

function TestPlain:test_one_line_an_epoch()
  local text = shown(false, { epochs = 3, items = 100 }, function(bar)
    bar:batch({ epoch = 2, seen = 60, loss = 0.7, accuracy = 0.5 }, 0.7)
    bar:epoch { epoch = 2, seen = 100, loss = 0.5, accuracy = 0.75,
                validation = 0.5, seconds = 2 }
  end)
  lu.assertEquals(text, "epoch 2/3  loss 0.5000  accuracy 75.00 %  "
                  .. "validation 50.00 %  50/s\n")
end

function TestPlain:test_no_accuracy_where_there_is_none()
  local text = shown(false, { epochs = 1, items = 100 }, function(bar)
    bar:epoch { epoch = 1, seen = 100, loss = 0.5, seconds = 2 }
  end)
  lu.assertEquals(text, "epoch 1/1  loss 0.5000  50/s\n")
end

-- Within a long epoch there is a sign of life every half minute.
function TestPlain:test_now_and_then_within_a_long_epoch()
  local text = shown(false, { epochs = 2, items = 100 }, function(bar)
    bar:batch({ epoch = 1, seen = 10, loss = 0.7 }, 0.7)
    bar.told = bar.told - 31 -- as if it were long ago
    bar.started = bar.started - 31
    bar:batch({ epoch = 1, seen = 50, loss = 0.6 }, 0.5)
    bar:batch({ epoch = 1, seen = 60, loss = 0.5 }, 0.4)
  end)
  lu.assertEquals(text, "epoch 1/2, 50 %  loss 0.6000  2/s  1:33 left\n")
end

function TestPlain:test_a_thousand_epochs_are_a_hundred_lines()
  local text = shown(false, { epochs = 1000, items = 1 }, function(bar)
    for epoch = 1, 1000 do
      bar:epoch { epoch = epoch, seen = 1, loss = 1, seconds = 1 }
    end
  end)
  local _, lines = text:gsub("\n", "")
  lu.assertEquals(lines, 101) -- the first, and every tenth
  lu.assertStrContains(text, "epoch 1000/1000")
end

TestTerminal = {}

local now = { epoch = 2, seen = 60, loss = 0.5, accuracy = 0.75, seconds = 2 }

local function two_drawn(bar)
  bar:batch(now, 0.5)
  bar:batch(now, 0.5) -- too soon to be drawn
  bar:epoch(now)
end

function TestTerminal:test_one_line_is_drawn_again()
  local text = shown(true, { epochs = 3, items = 100 }, two_drawn)
  local _, redrawn = text:gsub("\r", "")
  lu.assertEquals(redrawn, 2)
  lu.assertStrContains(text, "2/3 loss 0.500 acc 75.0% ")
  lu.assertStrContains(text, "#######----- 2/3")
  lu.assertStrContains(text, " left")
  lu.assertEquals(text:sub(-1), "\n")
end

-- Also where every number is as wide as it gets.
function TestTerminal:test_the_line_fits_in_80_columns()
  for _, locale in ipairs { utf8_locale, plain_locale } do
    local text = with_environment(locale, function()
      return shown(true, { epochs = 1000, items = 1e6 }, function(bar)
        for i = 1, 100 do bar:keep_loss(1 / i) end
        bar:batch({ epoch = 1000, seen = 999999, loss = 1234.5678,
                    accuracy = 1, validation = 1 }, 1)
      end)
    end)
    local line = text:match "\r([^\r\n]+)"
    lu.assertTrue(utf8.len(line) < 80, line)
  end
end

-- A pipe gets no colours, nor does a terminal where NO_COLOR is set.
function TestTerminal:test_no_colours_where_none_are_wanted()
  local is_terminal = core.is_terminal
  core.is_terminal = function() return true end
  local function text(no_color)
    return with_environment({ NO_COLOR = no_color, TERM = "xterm" }, function()
      return shown(true, { epochs = 3, items = 100 }, two_drawn)
    end)
  end
  local coloured, plain = text(false), text "1"
  core.is_terminal = is_terminal
  lu.assertStrContains(coloured, "\27[34m#")
  lu.assertNotStrContains(plain, "\27")
end

function TestTerminal:test_an_error_leaves_no_half_drawn_line()
  local text = written(function()
    pcall(function()
      local bar <close> = progress.new { epochs = 1, items = 100 }
      bar.terminal = true
      bar:batch({ epoch = 1, seen = 60, loss = 1, accuracy = 1 }, 1)
      error "in the middle"
    end)
  end)
  lu.assertStrContains(text, "loss 1.000")
  lu.assertEquals(text:sub(-1), "\n")
end

function TestTerminal:test_a_loss_that_is_no_number_is_shown()
  local text = with_environment(utf8_locale, function()
    return shown(true, { epochs = 1, items = 4 }, function(bar)
      for i, loss in ipairs { 2, 1, 0 / 0, 1 / 0 } do
        bar:batch({ epoch = 1, seen = i, loss = loss }, loss)
      end
      bar:epoch { epoch = 1, seen = 4, loss = 0 / 0, seconds = 1 }
    end)
  end)
  lu.assertStrContains(text, "█▁!!")
end

TestSparkline = {}

local function drawn(locale, list, width)
  return with_environment(locale, function() return sparkline(list, width) end)
end

function TestSparkline:test_least_and_largest()
  lu.assertEquals(drawn(utf8_locale, { 0, 1, 2, 3, 4, 5, 6, 7 }, 8), "▁▂▃▄▅▆▇█")
  lu.assertEquals(drawn(plain_locale, { 0, 7, 3 }, 8), "_@=")
end

function TestSparkline:test_longer_lists_are_means()
  -- 16 numbers in 4 bars: the means 2, 6, 10, 0
  local list = { 1, 2, 3, 2, 6, 6, 6, 6, 8, 8, 8, 16, 0, 0, 0, 0 }
  lu.assertEquals(drawn(plain_locale, list, 4), ".+@_")
end

function TestSparkline:test_nothing_equal_and_not_finite()
  lu.assertEquals(drawn(plain_locale, {}, 8), "")
  lu.assertEquals(drawn(plain_locale, { 3, 3 }, 8), "__")
  lu.assertEquals(drawn(plain_locale, { 0 / 0, 1, 2, 1 / 0 }, 8), "!_@!")
end

-- The bar keeps a bounded number of losses, whose means stay those of all.
function TestSparkline:test_a_long_training_is_thinned()
  local bar = progress.new { epochs = 1, items = 1 }
  for i = 1, 10000 do bar:keep_loss(i) end
  lu.assertTrue(#bar.losses <= 64)
  lu.assertEquals(bar.losses[1], (1 + bar.steps_a_loss) / 2)
  for i = 2, #bar.losses do
    lu.assertEquals(bar.losses[i] - bar.losses[i - 1], bar.steps_a_loss)
  end
end

os.exit(lu.LuaUnit.run())
