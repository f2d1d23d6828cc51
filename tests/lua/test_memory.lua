-- Lua's collector feels the memory of tensors: what is dropped is given back
-- long before the process grows. Each case runs in a process of its own, whose
-- largest resident size the system has measured.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local is_sanitized = require "support.sanitizer"
local shell = require "support.shell"

local program = arg[-1]

-- Runs the code; returns the process's peak, in MB.
local function peak_of(code)
  if is_sanitized() then lu.skip("a sanitizer keeps freed memory") end
  local report = [[
    for line in io.lines("/proc/self/status") do
      local kilobytes = line:match("VmHWM:%s*(%d+)")
      if kilobytes then print("peak " .. kilobytes) end
    end]]
  local fine, output = shell.run("'%s' -e '%s' -e '%s'", program, code, report)
  lu.assertTrue(fine, output)
  return tonumber(output:match("peak (%d+)")) / 1024
end

TestMemory = {}

function TestMemory:test_a_loop_of_temporaries()
  local peak = peak_of [[
    for i = 1, 100000 do local t = lunet.zeros { 512, 512 } end]]
  lu.assertTrue(peak < 200, peak .. " MB")
end

function TestMemory:test_temporaries_of_an_expression()
  local peak = peak_of [[
    local a = lunet.ones { 512, 512 }
    for i = 1, 2000 do local b = (a + i) * 2 - a end]]
  lu.assertTrue(peak < 200, peak .. " MB")
end

function TestMemory:test_in_generational_mode()
  local peak = peak_of [[
    collectgarbage("generational")
    for i = 1, 5000 do local t = lunet.zeros { 512, 512 } end]]
  lu.assertTrue(peak < 200, peak .. " MB")
end

function TestMemory:test_many_sizes()
  local peak = peak_of [[
    for i = 1, 5000 do local t = lunet.zeros { 200 + i % 300, 512 } end]]
  lu.assertTrue(peak < 200, peak .. " MB")
end

-- Half as much again as what is alive, and a little for the program.
function TestMemory:test_beside_much_that_stays()
  local peak = peak_of [[
    kept = lunet.zeros { 100, 512, 512 }
    for i = 1, 3000 do local t = lunet.zeros { 512, 512 } end]]
  lu.assertTrue(peak < 250, peak .. " MB")
end

-- After some steps everything that a training step needs is there. When the
-- collector gives Lua's handles back would be left to chance, so it waits: the
-- epoch before has needed as many as this one.
function TestMemory:test_a_steady_step_allocates_nothing()
  local nn = lunet.nn
  local net = nn.sequential {
    nn.conv2d { out_channels = 6, kernel_size = 5 }, nn.relu {},
    nn.max_pool2d { kernel_size = 2 }, nn.flatten {}, nn.dropout {},
    nn.linear { out_features = 10 },
  }
  net:build { 1, 28, 28 }
  local items = lunet.data.tensors { x = lunet.rand { 256, 1, 28, 28 },
                                     labels = lunet.zeros { 256 } }
  local loss = nn.cross_entropy {}
  local optimizer = lunet.optim.sgd(net:parameters(),
                                    { lr = 0.01, momentum = 0.9 })
  local function epoch() -- returns the count at its first and last step
    local first
    for x, labels in items:batches { size = 32, shuffle = true } do
      optimizer:zero_grad()
      loss:forward(net:forward(x), labels)
      net:backward(loss:backward())
      optimizer:step()
      first = first or lunet.allocations()
    end
    return first, lunet.allocations()
  end
  for _ = 1, 4 do epoch() end
  collectgarbage("stop")
  epoch()
  collectgarbage()
  local at_first, at_last = epoch()
  collectgarbage("restart")
  lu.assertEquals(at_last, at_first)
end

-- Who stops the collector has his way.
function TestMemory:test_stopped_collector_stays_stopped()
  local peak = peak_of [[
    collectgarbage("stop")
    for i = 1, 250 do local t = lunet.zeros { 512, 512 } end]]
  lu.assertTrue(peak > 250, peak .. " MB")
end

os.exit(lu.LuaUnit.run())
