-- demo.lua - trains LeNet-5, scaled to 8x8 images, on the bundled digits and
-- draws what it learnt. `./bootstrap demo` runs it.

local lunet = require "lunet"
local nn, optim, data = lunet.nn, lunet.optim, lunet.data
local picture = lunet.picture

lunet.manual_seed(1) -- the same numbers on every run
local train, test = data.digits()

local conv1 = nn.conv2d { out_channels = 6, kernel_size = 3, padding = 1 }
local net = nn.sequential {
  conv1, nn.relu {},                                        -- 6 maps of 8x8
  nn.conv2d { out_channels = 16, kernel_size = 3 }, nn.relu {}, -- 16 of 6x6
  nn.max_pool2d { kernel_size = 2 },                        -- 16 of 3x3
  nn.flatten {},
  nn.linear { out_features = 120 }, nn.relu {},
  nn.linear { out_features = 84 }, nn.relu {},
  nn.linear { out_features = 10 },                          -- a score a class
}
net:build { 1, 8, 8 }

local epochs = 20
local optimizer = optim.sgd(net:parameters(), { lr = 0.03, momentum = 0.9 })
local run = lunet.fit(net, train, {
  loss = nn.cross_entropy {},
  optimizer = optimizer,
  schedule = optim.schedule.cosine { optimizer = optimizer, steps = epochs },
  epochs = epochs,
  batch_size = 16,
  validate = test,
})

local function percent(shares)
  local list = {}
  for i, share in ipairs(shares) do list[i] = 100 * share end
  return list
end

-- The legend tells where the line ends: "test 98.6 %".
local function line_of(word, shares)
  local y = percent(shares)
  return { name = ("%s %.1f %%"):format(word, y[#y]), y = y }
end

local function draw_learning_curve()
  return picture.curves {
    title = "LeNet-5 learns to read digits",
    x_title = "epoch", y_title = "accuracy (%)", y_max = 100,
    lines = { line_of("training", run.accuracy),
              line_of("test", run.validation) },
  }
end

local function draw_first_layer()
  return picture.filters {
    title = "The 6 filters of the first layer", weight = conv1.weight,
    columns = 6,
  }
end

local function draw_mistakes()
  local images, captions = {}, {}
  local seen = net:classify(test.x)
  for i = 1, #test do
    local image, class = test:get(i)
    if seen[i] ~= class then
      images[#images + 1] = image
      captions[#captions + 1] = ("is %d,\nseen as %d"):format(class, seen[i])
    end
  end
  return picture.sheet {
    title = ("%d of %d test digits are seen wrongly"):format(#images, #test),
    images = images, captions = captions, zoom = 14,
  }
end

os.execute("mkdir -p out")
for _, drawing in ipairs {
  { "out/learning_curve.png", draw_learning_curve() },
  { "out/first_layer_filters.png", draw_first_layer() },
  { "out/mistakes.png", draw_mistakes() },
} do
  lunet.save(drawing[1], drawing[2])
  print("wrote " .. drawing[1])
end
print("wrote " .. lunet.report(run, "out/run.html"))
print(("test accuracy %.2f %%"):format(100 * lunet.accuracy(net, test)))
