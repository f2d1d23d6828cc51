-- How nets and tensors look when they are printed.
local lu = require "luaunit"
local lunet = require "lunet"
local rails = require "lunet.rails"
local nn = lunet.nn

-- The rails alone, for nodes { inputs, output }.
local function drawn(n_inputs, ...)
  local inputs, nodes, lines = {}, {}, {}
  for i = 1, n_inputs do inputs[i] = { value = -i } end
  for i, node in ipairs { ... } do
    nodes[i] = { inputs = node, outputs = { i } }
  end
  for i, row in ipairs(rails.rows(inputs, nodes)) do lines[i] = row[1] end
  return lines
end

TestRails = {}

function TestRails:test_a_chain()
  lu.assertEquals(drawn(1, { -1 }, { 1 }), { "○", "●", "●" })
end

function TestRails:test_a_residual()
  lu.assertEquals(drawn(1, { -1 }, { 1 }, { -1, 2 }),
                  { "○", "├─╮", "│ ●", "│ ●", "├─╯", "●" })
end

function TestRails:test_branches_that_meet()
  lu.assertEquals(drawn(1, { -1 }, { -1 }, { -1 }, { 1, 2, 3 }),
                  { "○", "├─╮", "│ ●", "├─┼─╮", "│ │ ●", "● │ │", "├─┴─╯",
                    "●" })
end

function TestRails:test_two_inputs()
  lu.assertEquals(drawn(2, { -1, -2 }), { "○", "│ ○", "├─╯", "●" })
end

function TestRails:test_the_same_input_twice()
  lu.assertEquals(drawn(1, { -1, -1 }), { "○", "●" })
end

TestNets = {}

function TestNets:test_options_that_are_no_defaults()
  local net = nn.sequential { nn.conv2d { out_channels = 2, kernel_size = 3,
                                          name = "conv1" }, nn.relu {} }
  lu.assertEquals(tostring(net), [[
sequential, unfinished: sizes come with build{…}
  ○  x
  ●  conv1  conv2d{ out_channels = 2, kernel_size = 3 }
  ●  1      relu]])
  net:build { 1, 5, 5 }
  lu.assertStrMatches(tostring(net), "sequential, 20 parameters\n.*"
                      .. "x +%(N,1,5,5%)\n.*conv1 .*%(N,2,3,3%)\n.*")
end

function TestNets:test_empty()
  lu.assertStrContains(tostring(nn.sequential {}), "no layers")
end

TestTensors = {}

function TestTensors:test_what_is_not_finite_is_counted()
  local t = lunet.ones { 10, 20 }
  t[5][10], t[6][10], t[1][1] = 0 / 0, 1 / 0, -3
  lu.assertStrContains(tostring(t), "min -3   mean 0.9798   max 1   2 of 200 "
                       .. "not finite")
  lu.assertStrContains(tostring(lunet.full({ 9 }, 0 / 0)), "9 of 9 not finite")
end

os.exit(lu.LuaUnit.run())
