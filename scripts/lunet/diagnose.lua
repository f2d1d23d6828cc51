-- diagnose.lua - lunet.diagnose(run): what stands out in a training that went
-- wrong. Each finding says what, the numbers, the rule behind it, and one thing
-- to try; a healthy run has none. docs/student/watching.md explains the rules.
--
-- The rules are the files of the folder diagnose/, a function each:
-- rule(run, findings, o) -> a finding or nil; findings: those before it. One
-- that could not look, as it needs samples and has none, returns nil, true.

local colour = require "lunet.colour"
local core = require "lunet_core"
local options = require "lunet.options"
local run_class = require "lunet.run"

-- Causes come before what they cause.
local rules = { "not_finite", "first_loss", "same_weights", "dead_units",
                "no_gradient", "fading_gradient", "long_steps", "short_steps",
                "flat_loss", "carry_over", "one_batch" }

local findings_class = { __name = "findings" }

local function wrapped(text, indent)
  local lines, line = {}, ""
  for word in text:gmatch "%S+" do
    if line ~= "" and utf8.len(line) + 1 + utf8.len(word) > 78 - indent then
      lines[#lines + 1], line = line, ""
    end
    line = line == "" and word or line .. " " .. word
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n" .. (" "):rep(indent))
end

local function text_of(finding, number)
  local lines = { colour(("%d. %s"):format(number, wrapped(finding.what, 3)),
                         "bold") }
  for _, part in ipairs { "numbers", "rule", "try" } do
    lines[#lines + 1] = ("   %-9s%s"):format(part, wrapped(finding[part], 12))
  end
  return table.concat(lines, "\n")
end

function findings_class.__tostring(findings)
  if #findings == 0 then
    return ("nothing stands out: %d rules looked at %d steps"):format(
      findings.rules, findings.steps)
  end
  local parts = {}
  for i, finding in ipairs(findings) do parts[i] = text_of(finding, i) end
  return table.concat(parts, "\n")
end

local function check(run)
  if not run_class.is(run) then
    core.raise("diagnose: the first argument must be a run, as lunet.fit "
               .. "returns it\n  try lunet.diagnose(lunet.fit(net, train, { … "
               .. "}))")
  end
  if not run.record or run.record.steps == 0 then
    core.raise("diagnose: nothing was recorded of this run\n  try training "
               .. "for an epoch, without record = false")
  end
end

-- A list of findings { name, what, numbers, rule, try }, which print shows. The
-- rule one_batch trains for up to 100 steps on a few samples and puts the
-- weights back: where the loss is flat, or always with one_batch = true;
-- one_batch = false leaves it out.
return function(run, given)
  check(run)
  local o = options.check("diagnose", given,
                          { { "one_batch", "true or false" } })
  local findings = setmetatable({ rules = 0, steps = run.record.steps },
                                findings_class)
  for _, name in ipairs(rules) do
    local rule = require("lunet.diagnose." .. name)
    local found, could_not_look = rule(run, findings, o)
    if found then
      found.name = name
      findings[#findings + 1] = found
    end
    if not could_not_look then findings.rules = findings.rules + 1 end
  end
  return findings
end
