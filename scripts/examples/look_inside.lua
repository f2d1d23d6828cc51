-- look_inside.lua - trains a small net on the digits, then looks into it in
-- every way that lunet.viz has. Pictures go to the folder given, else to out/.
-- Runs in about 2 s.

local lunet = require "lunet"
local nn, optim, data, viz = lunet.nn, lunet.optim, lunet.data, lunet.viz
local folder = arg and arg[1] or "out"

lunet.manual_seed(1)
local train, test = data.digits()
local net = nn.sequential {
  nn.conv2d { out_channels = 8, kernel_size = 3, padding = 1, name = "conv1" },
  nn.relu {},
  nn.conv2d { out_channels = 16, kernel_size = 3, name = "conv2" },
  nn.relu {},
  nn.max_pool2d { kernel_size = 2, name = "pool" },
  nn.flatten {},
  nn.linear { out_features = 32 }, nn.relu {},
  nn.linear { out_features = 10 },
}
net:build { 1, 8, 8 }
local run = lunet.fit(net, train, {
  loss = nn.cross_entropy {}, epochs = 12, validate = test,
  optimizer = optim.adam(net:parameters(), { lr = 0.003 }),
})

local x
for images in test:take(6):batches { size = 6 } do x = images end

os.execute(("mkdir -p '%s'"):format(folder))
local function draw(name, what)
  print("wrote " .. lunet.show(what, ("%s/%s.png"):format(folder, name)))
end

draw("learning", { title = "a small net learns digits", x_title = "epoch",
  y_title = "loss", y_scale = "log", lines = {
    { name = "training", y = run.loss },
    { name = "validation", y = run.validation_loss } } })
draw("histogram", { values = net:get("conv2").weight, x_title = "weight",
                    title = "weights of conv2" })
draw("confusion", viz.confusion(net, test))
draw("receptive_field", net:receptive_field("pool", 1, 2, x[1]))
draw("filters", viz.filters(net))
draw("feature_maps", viz.feature_maps(net, "conv2", x[1]))
draw("patches", viz.patches(net, test, { layer = "conv2", channel = 3 }))
draw("saliency", viz.saliency(net, x))
draw("guided_backpropagation", viz.guided_backpropagation(net, x))
draw("occlusion", viz.occlusion(net, x))
draw("grad_cam", viz.grad_cam(net, x))
draw("activation_maximisation",
     viz.activation_maximisation(net, { class = 3 }))
draw("shifts", viz.shifts(net, x[1]))
draw("pca", viz.embedding(net, test))
draw("tsne", viz.embedding(net, test, { method = "tsne" }))

for _, method in ipairs { "saliency", "guided_backpropagation" } do
  local check = viz.sanity_check(net, x, viz[method])
  print(("%s: rank correlation with shuffled weights %.2f"):format(
    method, check.correlation))
  draw("sanity_" .. method, check)
end
