-- test_receptive_field.lua - the field that the windows tell, published ones,
-- and that it is what a unit's gradient reaches, on 30 random nets.

package.path = "tests/support/?.lua;" .. package.path
local lu = require "luaunit"
local lunet = require "lunet"
local nn = lunet.nn

local function conv(kernel, options)
  local all = { out_channels = 2, kernel_size = kernel }
  for name, value in pairs(options or {}) do all[name] = value end
  return nn.conv2d(all)
end

local function pool(kernel, stride, padding)
  return nn.max_pool2d { kernel_size = kernel, stride = stride or kernel,
                         padding = padding }
end

local function assert_field(net, layer, size, jump, start)
  lu.assertEquals(net:receptive_field(layer),
                  { size = size, jump = jump, start = start })
end

TestComputed = {}

function TestComputed:test_the_docs_page()
  local net = nn.sequential {
    conv(5, { padding = 2 }), nn.relu {}, pool(2), conv(5), nn.relu {}, pool(2),
    nn.flatten {}, nn.linear { out_features = 10 } }
  net:build { 1, 28, 28 }
  assert_field(net, net[1], { 5, 5 }, { 1, 1 }, { -1, -1 })
  assert_field(net, net[2], { 5, 5 }, { 1, 1 }, { -1, -1 })
  assert_field(net, net[3], { 6, 6 }, { 2, 2 }, { -1, -1 })
  assert_field(net, net[4], { 14, 14 }, { 2, 2 }, { -1, -1 })
  assert_field(net, net[6], { 16, 16 }, { 4, 4 }, { -1, -1 })
  assert_field(net, "7", { 28, 28 }, { 0, 0 }, { 1, 1 })
  assert_field(net, nil, { 28, 28 }, { 0, 0 }, { 1, 1 })
end

function TestComputed:test_rows_and_columns_apart()
  local net = nn.sequential {
    conv({ 3, 5 }, { stride = { 1, 2 }, dilation = { 2, 1 },
                     padding = { 0, 1 } }),
    conv({ 1, 3 }) }
  net:build { 1, 20, 20 }
  assert_field(net, net[1], { 5, 5 }, { 1, 2 }, { 1, 0 })
  assert_field(net, net[2], { 5, 9 }, { 1, 2 }, { 1, 0 })
end

-- Araujo, Norris and Sim 2019 count 195, stride 32, padding 64 for AlexNet;
-- 212, 32, 90 for VGG-16. A padding of 90 begins at place 1 - 90.
function TestComputed:test_published_fields()
  local alexnet = nn.sequential {
    conv(11, { stride = 4, padding = 2 }), pool(3, 2), conv(5, { padding = 2 }),
    pool(3, 2), conv(3, { padding = 1 }), conv(3, { padding = 1 }),
    conv(3, { padding = 1 }), pool(3, 2) }
  alexnet:build { 3, 224, 224 }
  local field = alexnet:receptive_field()
  lu.assertEquals({ field.size[1], field.jump[1] }, { 195, 32 })
  local layers = {}
  for _, convolutions in ipairs { 2, 2, 3, 3, 3 } do
    for _ = 1, convolutions do
      layers[#layers + 1] = conv(3, { padding = 1 })
    end
    layers[#layers + 1] = pool(2)
  end
  local vgg = nn.sequential(layers)
  vgg:build { 3, 224, 224 }
  assert_field(vgg, nil, { 212, 212 }, { 32, 32 }, { -89, -89 })
end

function TestComputed:test_branches_are_joined()
  local x = nn.input { 1, 12, 12 }
  local narrow, wide = conv(1)(x), conv(5, { padding = 2 })(x)
  local shifted = conv(3, { padding = 1, dilation = 1 })(wide)
  local net = nn.graph(x, nn.concat {} (narrow, wide, shifted))
  assert_field(net, "concat_0", { 7, 7 }, { 1, 1 }, { -2, -2 })
end

function TestComputed:test_of_one_of_several_inputs()
  local a, b = nn.input { 1, 12, 12 }, nn.input { 1, 12, 12 }
  local left, right = conv(3, { padding = 1, name = "left" }),
                      conv(5, { padding = 2, name = "right" })
  local net = nn.graph({ a, b }, nn.add { name = "sum" } (left(a), right(b)))
  lu.assertEquals(net:receptive_field("sum").size, { 3, 3 })
  lu.assertEquals(net:receptive_field("sum", 2).size, { 5, 5 })
  lu.assertNil(net:receptive_field("left", 2))
  lu.assertNil(net:measured_receptive_field("left", 6, 6, 2))
  lu.assertEquals(net:measured_receptive_field("sum", 6, 6, 2).size, { 5, 5 })
end

local function refused(sentence, f, ...)
  local ok, message = pcall(f, ...)
  lu.assertFalse(ok, "not refused: " .. sentence)
  lu.assertStrContains(message, sentence)
end

function TestComputed:test_what_is_refused()
  local net = nn.sequential { conv(3) }
  refused("the sizes are not known yet\n  call net:build{…}",
          net.receptive_field, net)
  net:build { 1, 8, 8 }
  refused("the layer is not in this net", net.receptive_field, net, nn.relu {})
  refused("input 2 does not exist; the net has 1", net.receptive_field, net,
          "0", 2)
  refused("there is no unit in row 7; the layer has the rows 1 to 6",
          net.measured_receptive_field, net, "0", 7, 1)
  refused("there is no unit in column 0; the layer has the columns 1 to 6",
          net.measured_receptive_field, net, "0", 1, 0)
  local rows = nn.sequential { nn.linear { out_features = 2 } }
  rows:build { 3 }
  refused("the input has shape (1,3), which is no image", rows.receptive_field,
          rows)
end

-- ---- measured --------------------------------------------------------------

TestMeasured = {}

local function state_of(net)
  local copy = {}
  for name, t in pairs(net:state()) do copy[name] = t:tolist() end
  for _, p in ipairs(net:parameters()) do
    copy[p.name .. " grad"] = p.grad:tolist()
  end
  return copy
end

function TestMeasured:test_leaves_the_net_as_it_was()
  local net = nn.sequential { conv(3), nn.dropout {}, pool(2) }
  net:build { 1, 9, 9 }
  net:forward(lunet.randn { 2, 1, 9, 9 })
  net:backward(lunet.ones { 2, 2, 3, 3 })
  local before, step = state_of(net), net[2].core_layer:step()
  net:measured_receptive_field()
  lu.assertEquals(state_of(net), before)
  lu.assertEquals(net[2].core_layer:step(), step)
  lu.assertTrue(net[2].core_layer:training())
  lu.assertFalse(net[2].core_layer:frozen())
end

-- The padding is no part of the image: a unit at the border sees less.
function TestMeasured:test_ends_at_the_border()
  local net = nn.sequential { conv(3, { padding = 1 }), conv(3) }
  net:build { 1, 8, 8 }
  lu.assertEquals(net:measured_receptive_field(nil, 1, 6),
                  { first = { 1, 5 }, last = { 4, 8 }, size = { 4, 4 } })
end

function TestMeasured:test_a_deep_net_loses_nothing()
  local layers = {}
  for i = 1, 60, 2 do
    layers[i], layers[i + 1] = conv(3, { padding = 1 }), nn.sigmoid {}
  end
  local net = nn.sequential(layers)
  net:build { 1, 65, 65 }
  lu.assertEquals(net:measured_receptive_field().size, { 61, 61 })
end

function TestMeasured:test_layers_that_see_differences_only()
  local net = nn.sequential { conv(3, { padding = 1 }), nn.softmax { dim = 2 },
                              conv(3) }
  net:build { 1, 9, 9 }
  lu.assertEquals(net:measured_receptive_field().size, { 5, 5 })
end

-- ---- both, on random nets --------------------------------------------------

-- Draws the next number of 1 .. n; the nets are the same in every run.
local function new_dice(seed)
  local state = seed
  return function(n)
    state = (state * 1103515245 + 12345) % 2147483648
    return state // 65536 % n + 1
  end
end

local blocks = {}

function blocks.convolution(dice)
  return conv({ dice(5), dice(5) }, {
    stride = { dice(2), dice(2) }, padding = { dice(3) - 1, dice(3) - 1 },
    dilation = { dice(2), dice(2) } })
end

function blocks.grouped(dice)
  return nn.conv2d { out_channels = 4, kernel_size = 2 * dice(2) - 1,
                     groups = 2 }
end

function blocks.max_pool(dice)
  return pool(dice(3) + 1, dice(3), dice(2) - 1)
end

function blocks.avg_pool(dice)
  return nn.avg_pool2d { kernel_size = { dice(3), dice(3) }, stride = dice(2) }
end

function blocks.activation(dice)
  local words = { "relu", "tanh", "sigmoid", "leaky_relu", "dropout" }
  return nn[words[dice(#words)]] {}
end

-- Blocks with branches are graphs of their own, so they need their input.
function blocks.residual(dice, shape)
  local x = nn.input(shape)
  local padding = dice(3) - 1
  local same = { out_channels = shape[1], kernel_size = 2 * padding + 1,
                 padding = padding }
  local way = nn.relu {} (nn.conv2d(same)(x))
  return nn.graph(x, nn.add {} (nn.conv2d(same)(way), x))
end

function blocks.inception(dice, shape)
  local x = nn.input(shape)
  return nn.graph(x, nn.concat {} (
    conv(1)(x), conv(3, { padding = 1 })(x),
    conv(3, { padding = 2, dilation = 2 })(conv(1)(x)),
    nn.max_pool2d { kernel_size = 3, stride = 1, padding = dice(1) } (x)))
end

local kinds = {}
for kind in pairs(blocks) do kinds[#kinds + 1] = kind end
table.sort(kinds)

local image = { 160, 150 }

-- 3 to 6 blocks, as many as leave at least 5 x 5 units.
local function random_net(seed)
  local dice, list = new_dice(seed), {}
  local x = lunet.zeros { 1, 2, image[1], image[2] }
  for _ = 1, dice(4) + 2 do
    local shape = table.move(x:shape(), 2, 4, 1, {})
    local block = blocks[kinds[dice(#kinds)]](dice, shape)
    local y = block:forward(x)
    if y:shape()[3] < 5 or y:shape()[4] < 5 then break end
    list[#list + 1], x = block, y
  end
  return nn.sequential(list):build { 2, image[1], image[2] }, x:shape()
end

-- The field of the unit at `place`, along one axis.
local function field_at(field, axis, place)
  local first = field.start[axis] + (place - 1) * field.jump[axis]
  return first, first + field.size[axis] - 1
end

function TestMeasured:test_agrees_with_the_computed_one_on_30_random_nets()
  local layers, sizes = 0, {}
  for seed = 1, 30 do
    local net, shape = random_net(seed)
    layers = layers + #net:layers()
    local y, x = (shape[3] + 1) // 2, (shape[4] + 1) // 2
    local computed = net:receptive_field()
    local measured = net:measured_receptive_field(nil, y, x)
    for axis, place in ipairs { y, x } do
      local first, last = field_at(computed, axis, place)
      lu.assertTrue(first >= 1 and last <= image[axis], "leaves the image")
      lu.assertEquals({ measured.first[axis], measured.last[axis] },
                      { first, last }, ("net %d: %s"):format(seed, net))
    end
    lu.assertEquals(measured.size, computed.size)
    sizes[table.concat(computed.size, "x")] = true
  end
  local different = 0
  for _ in pairs(sizes) do different = different + 1 end
  lu.assertTrue(layers >= 120 and different >= 20, -- the nets are no trifles
                ("%d layers, %d fields"):format(layers, different))
end

os.exit(lu.LuaUnit.run())
