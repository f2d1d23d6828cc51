-- test_gradcheck.lua - the check of gradients catches a wrong one, and lets
-- the right one of the same layer pass.
package.path = "tests/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local gradcheck = require "lua.gradcheck"
local shell = require "support.shell"

math.randomseed(14)

local folder = shell.temporary_folder()

-- The layer of wrong_gradient.c, its backward multiplied by the factor.
local function layer_with(name, factor)
  lu.skipIf(not shell.has "cc", "no C compiler `cc` here")
  local plugin = ("%s/%s.so"):format(folder, name)
  shell.lines("cc -shared -fPIC -Icore/include -DNAME='\"%s\"' -DFACTOR=%s "
    .. "tests/fixtures/plugins/wrong_gradient.c -o '%s'", name, factor, plugin)
  lunet.plugins.load(plugin)
  return lunet.nn[name] {}
end

local function check(layer)
  return gradcheck.check(layer, { gradcheck.spaced { 3, 4, 5 } },
    { nonsmooth = true })
end

TestGradcheck = {}

function TestGradcheck:test_accepts_the_right_gradient()
  lu.assertTrue(check(layer_with("right_gradient", "1.0f")))
end

function TestGradcheck:test_refuses_a_gradient_that_is_2_percent_off()
  local ok, message = check(layer_with("wrong_gradient", "1.02f"))
  lu.assertFalse(ok)
  lu.assertStrMatches(message, "dx1: the output moves by .*, the gradient "
    .. "says .* %(relative error .*, allowed 1%.0e%-03%)")
end

-- Input and parameter: a right dx must not hide a wrong weight gradient.
local function spoilt(layer, parameter)
  local wrapped = { parameters = function() return layer:parameters() end }
  function wrapped.zero_grad() layer:zero_grad() end
  function wrapped.forward(_, x) return layer:forward(x) end
  function wrapped.backward(_, dy)
    local dx = layer:backward(dy)
    local grad = layer:parameters()[parameter].grad
    grad:copy(grad * 1.02)
    return dx
  end
  return wrapped
end

function TestGradcheck:test_refuses_a_wrong_gradient_of_a_parameter()
  for parameter, name in ipairs { "weight", "bias" } do
    local linear = lunet.nn.linear { in_features = 5, out_features = 4 }
    local x = { gradcheck.random { 3, 5 } }
    lu.assertTrue(gradcheck.check(linear, x))
    local ok, message = gradcheck.check(spoilt(linear, parameter), x)
    lu.assertFalse(ok)
    lu.assertStrContains(message, "d" .. name .. ": ")
  end
end

local status = lu.LuaUnit.run()
shell.remove(folder)
os.exit(status)
