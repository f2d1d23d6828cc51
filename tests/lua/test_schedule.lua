-- Learning rates by hand-computed values of the formulas in schedule.lua.
local lu = require "luaunit"
local lunet = require "lunet"
local schedule = lunet.optim.schedule

-- All that a schedule knows of an optimizer.
local function optimizer(lr)
  return { lr = lr, step = function() end, zero_grad = function() end }
end

local function rates(s, n)
  local list = { s.optimizer.lr }
  for i = 2, n do
    s:step()
    list[i] = s.optimizer.lr
  end
  return list
end

local function assert_rates(s, expected)
  local got = rates(s, #expected)
  for i, rate in ipairs(expected) do
    lu.assertAlmostEquals(got[i], rate, 1e-12, "rate " .. i)
  end
end

TestSchedule = {}

function TestSchedule:test_step_falls_by_gamma()
  assert_rates(schedule.step { optimizer = optimizer(0.8), step_size = 2,
                               gamma = 0.5 },
               { 0.8, 0.8, 0.4, 0.4, 0.2 })
end

function TestSchedule:test_cosine_reaches_its_end_and_stays()
  local half = math.sqrt(0.5) / 2
  assert_rates(schedule.cosine { optimizer = optimizer(1), steps = 4 },
               { 1, 0.5 + half, 0.5, 0.5 - half, 0, 0, 0 })
end

function TestSchedule:test_cosine_ends_at_min_lr()
  assert_rates(schedule.cosine { optimizer = optimizer(0.9), steps = 2,
                                 min_lr = 0.1 }, { 0.9, 0.5, 0.1, 0.1 })
end

function TestSchedule:test_warmup_begins_at_a_third()
  assert_rates(schedule.warmup { optimizer = optimizer(0.9), steps = 3 },
               { 0.3, 0.5, 0.7, 0.9, 0.9 })
end

function TestSchedule:test_warmup_hands_over()
  local opt = optimizer(1)
  local after = schedule.cosine { optimizer = opt, steps = 2 }
  assert_rates(schedule.warmup { optimizer = opt, steps = 2, start = 0,
                                 after = after }, { 0, 0.5, 1, 0.5, 0 })
end

function TestSchedule:test_resume()
  local s = schedule.step { optimizer = optimizer(1), step_size = 1,
                            gamma = 0.5 }
  s:resume(3)
  lu.assertEquals(s.optimizer.lr, 0.125)
  s:step()
  lu.assertEquals(s.optimizer.lr, 0.0625)
end

function TestSchedule:test_with_a_real_optimizer()
  local p = { name = "w", value = lunet.ones { 1 }, grad = lunet.ones { 1 } }
  local opt = lunet.optim.sgd({ p }, { lr = 1 })
  local s = schedule.step { optimizer = opt, step_size = 1, gamma = 0.5 }
  opt:step()
  s:step()
  opt:step()
  lu.assertEquals(p.value:tolist(), { 1 - 1 - 0.5 })
end

function TestSchedule:test_refusals()
  local opt = optimizer(1)
  lu.assertErrorMsgContains("did you mean 'step_size'?", function()
    schedule.step { optimizer = opt, stepsize = 2 }
  end)
  lu.assertErrorMsgContains("needs the option 'optimizer'", function()
    schedule.cosine { steps = 2 }
  end)
  lu.assertErrorMsgContains("'steps' is 0, it must be a whole number >= 1",
                                 function()
    schedule.cosine { optimizer = opt, steps = 0 }
  end)
  lu.assertErrorMsgContains("must be 'epoch' or 'step'", function()
    schedule.warmup { optimizer = opt, steps = 2, per = "batch" }
  end)
end

os.exit(lu.LuaUnit.run())
