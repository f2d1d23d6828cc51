-- vanishing_gradient.lua - what is left of the gradient when it has come back
-- through many layers.
--
-- By the chain rule the gradient of an early layer is a product with the slopes
-- of all layers behind it. A sigmoid's slope is at most 1/4, so the product
-- soon is nothing; that of relu is 1 where it lets through; a residual adds a
-- way of slope 1; batch norm stretches what a sigmoid has pressed together.
-- Measured here on nets of equal layers,
--
--   h = activation(conv(h))    or, with a residual,  h + activation(conv(h))
--
-- with batch norm between the two or without, on the bundled digits.

local core = require "lunet_core"
local data = require "lunet.data"
local nn = require "lunet.nn"
local options = require "lunet.options"

local rules = {
  { "layers", "a whole number", min = 2, default = 20 },
  { "channels", "a whole number", min = 1, default = 16 },
  { "batch_size", "a whole number", min = 2, max = 1000, default = 64 },
  { "seed", "a whole number", min = 0 },
}

local kinds = {
  { activation = "sigmoid" },
  { activation = "sigmoid", batch_norm = true },
  { activation = "relu" },
  { activation = "relu", batch_norm = true },
  { activation = "sigmoid", residual = true },
  { activation = "sigmoid", residual = true, batch_norm = true },
}

local function name_of(kind)
  return kind.activation .. (kind.residual and " + residual" or "")
    .. (kind.batch_norm and " + batch norm" or "")
end

-- Normal numbers such that the variance stays what it was: 1 / fan_in, and
-- twice that where relu sets half of them to 0 (Glorot 2010, He 2015).
local function set_weights(conv, activation)
  local shape = conv.weight:shape()
  local fan_in = shape[2] * shape[3] * shape[4]
  local gain = activation == "relu" and 2 or 1
  conv.weight:copy(core.randn(shape) * math.sqrt(gain / fan_in))
  conv.bias:fill(0)
end

local function new_conv(from, to)
  return nn.conv2d { in_channels = from, out_channels = to, kernel_size = 3,
                     padding = 1 }
end

-- The net, and its equal layers. A convolution before them makes `channels`
-- of one, a linear layer behind them scores the ten digits.
local function new_net(kind, o)
  local x = nn.input { 1, 8, 8 }
  local h, convs = new_conv(1, o.channels)(x), {}
  for i = 1, o.layers do
    convs[i] = new_conv(o.channels, o.channels)
    set_weights(convs[i], kind.activation)
    local y = convs[i](h)
    if kind.batch_norm then y = nn.batch_norm2d {} (y) end
    y = nn[kind.activation] {} (y)
    h = kind.residual and nn.add {} (h, y) or y
  end
  local scores = nn.linear { out_features = 10 } (nn.flatten {} (h))
  return nn.graph(x, scores), convs
end

local function norm(t) return math.sqrt((t * t):sum()) end

-- One row of the result.
local function measure(kind, x, labels, o)
  local net, convs = new_net(kind, o)
  local loss_fn = nn.cross_entropy {}
  loss_fn:forward(net:forward(x), labels)
  net:backward(loss_fn:backward())
  local norms = {}
  for i, conv in ipairs(convs) do norms[i] = norm(conv:parameters()[1].grad) end
  return { name = name_of(kind), norms = norms,
           ratio = norms[1] / norms[o.layers] }
end

-- A list of rows { name, norms, ratio }, from "sigmoid" to "sigmoid + residual
-- + batch norm": norms[i] is the norm of the gradient of layer i's weights
-- after one batch, ratio = first / last. A seed starts the random numbers
-- anew, as lunet.manual_seed does.
return function(given)
  local o = options.check("vanishing_gradient", given, rules)
  if o.seed then core.manual_seed(o.seed) end
  local train, rows = data.digits(), {}
  local part = train:take(o.batch_size)
  for i, kind in ipairs(kinds) do
    rows[i] = measure(kind, part.x, part.labels, o)
  end
  return rows
end
