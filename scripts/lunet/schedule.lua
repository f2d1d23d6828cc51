-- schedule.lua - learning rates that change while training goes on.
--
-- r0 is the optimizer's rate when the schedule is made, t the number of
-- step() calls since:
--
--   step     r(t) = r0 * gamma ^ floor(t / step_size)
--   cosine   r(t) = min_lr + (r0 - min_lr) * (1 + cos(pi * t / steps)) / 2,
--            and min_lr from t = steps on
--   warmup   r(t) = r0 * (start + (1 - start) * t / steps)  for t < steps,
--            then r0, or what another schedule says of t - steps
--
-- They are PyTorch's StepLR, CosineAnnealingLR and LinearLR. A schedule sets
-- the rate r(0) when it is made, r(t) at each step().

local core = require "lunet_core"
local options = require "lunet.options"

local schedule = {}
schedule.__index = schedule

-- To be called after each epoch, or after each step of the optimizer: as
-- `per` says, which lunet.fit follows.
function schedule:step()
  self.t = self.t + 1
  self.optimizer.lr = self.rate(self.t)
end

-- Goes on where a schedule stopped that had taken t steps.
function schedule:resume(t)
  options.argument("schedule:resume", "t", t, "a whole number", "run.epochs")
  self.t = t
  self.optimizer.lr = self.rate(t)
end

local function new(o, base, rate)
  local self = setmetatable({ optimizer = o.optimizer, per = o.per, t = 0,
                              base = base, rate = rate }, schedule)
  o.optimizer.lr = rate(0)
  return self
end

local function check(word, given, rules)
  local all = {
    { "optimizer", "an optimizer", required = true,
      example = "optimizer = optim.sgd(net:parameters(), { lr = 0.1 })" },
    { "per", "a text", default = "epoch" },
  }
  table.move(rules, 1, #rules, #all + 1, all)
  local where = "schedule." .. word
  local o = options.check(where, given, all)
  if o.per ~= "epoch" and o.per ~= "step" then
    core.raise("%s: option 'per' is '%s', it must be 'epoch' or 'step'\n"
               .. "  it tells lunet.fit when to call schedule:step()", where,
               o.per)
  end
  return o
end

local step_rules = {
  { "step_size", "a whole number", required = true, min = 1,
    example = "step_size = 10: a smaller rate every 10 epochs" },
  { "gamma", "a number", default = 0.1, min = 0 },
}

-- The rate is multiplied by gamma every step_size epochs (or steps).
local function step(given)
  local o = check("step", given, step_rules)
  local base = o.optimizer.lr
  return new(o, base, function(t)
    return base * o.gamma ^ (t // o.step_size)
  end)
end

local cosine_rules = {
  { "steps", "a whole number", required = true, min = 1,
    example = "steps = 20: the smallest rate after 20 epochs" },
  { "min_lr", "a number", default = 0, min = 0 },
}

-- The rate falls along half a cosine, to min_lr after `steps` epochs.
local function cosine(given)
  local o = check("cosine", given, cosine_rules)
  local base = o.optimizer.lr
  return new(o, base, function(t)
    local part = math.min(t / o.steps, 1)
    return o.min_lr + (base - o.min_lr) * (1 + math.cos(math.pi * part)) / 2
  end)
end

local warmup_rules = {
  { "steps", "a whole number", required = true, min = 1,
    example = "steps = 5: the full rate after 5 epochs" },
  { "start", "a number", default = 1 / 3, min = 0, max = 1 },
  { "after", "a schedule" },
}

-- The rate rises from start * lr to lr within `steps` epochs (or steps), then
-- goes on as the schedule `after` says.
local function warmup(given)
  local o = check("warmup", given, warmup_rules)
  local base = o.after and o.after.base or o.optimizer.lr
  return new(o, base, function(t)
    if t < o.steps then
      return base * (o.start + (1 - o.start) * t / o.steps)
    end
    return o.after and o.after.rate(t - o.steps) or base
  end)
end

return { step = step, cosine = cosine, warmup = warmup }
