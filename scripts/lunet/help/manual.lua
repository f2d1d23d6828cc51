-- manual.lua - what help says of functions that have no comment in Lua to be
-- read from, because they are written in C: name -> { call, text }.

local tensors = {
  ["lunet.tensor"] = { "lunet.tensor{ {1, 2}, {3, 4} }",
    "A new tensor with these numbers; a number gives one without dims." },
  ["lunet.zeros"] = { "lunet.zeros{2, 3}", "A new tensor full of 0." },
  ["lunet.ones"] = { "lunet.ones{2, 3}", "A new tensor full of 1." },
  ["lunet.full"] = { "lunet.full({2, 3}, 0.5)",
    "A new tensor full of a number." },
  ["lunet.rand"] = { "lunet.rand{2, 3}",
    "Random numbers, even in [0, 1); lunet.manual_seed repeats them." },
  ["lunet.randn"] = { "lunet.randn{2, 3}",
    "Random numbers, normal with mean 0 and standard deviation 1." },
  ["lunet.arange"] = { "lunet.arange(5)", "The numbers 0, 1, … n-1." },
  ["lunet.is_tensor"] = { "lunet.is_tensor(x)", "true for a tensor." },
}

local session = {
  ["lunet.load"] = { 'lunet.load("x.npy")',
    "Reads a file, by its suffix: .npy a tensor; .npz and .safetensors a table "
    .. "name → tensor; .png an image (C,H,W) with pixels 0..1." },
  ["lunet.save"] = { 'lunet.save("x.npy", t)',
    "Writes a file, by its suffix: .npy a tensor; .npz and .safetensors a "
    .. "table name → tensor; .png an image (C,H,W) with pixels 0..1." },
  ["lunet.manual_seed"] = { "lunet.manual_seed(7)",
    "Starts all random numbers again: the same seed, the same bits." },
  ["lunet.set_num_threads"] = { "lunet.set_num_threads(2)",
    "How many threads compute. Results do not depend on it." },
  ["lunet.num_threads"] = { "lunet.num_threads()",
    "How many threads compute." },
  ["lunet.set_method"] = { 'lunet.set_method("textbook")',
    "All layers compute by the plain loops of the lecture; \"auto\" takes the "
    .. "fastest method again." },
  ["lunet.check_numerics"] = { "lunet.check_numerics(true)",
    "From now on a pass stops at the first layer that gives NaN or infinity." },
  ["lunet.guard"] = { "lunet.guard(true)",
    "From now on an access beyond the end of a tensor stops the program, which "
    .. "names the layer." },
  ["lunet.allocations"] = { "lunet.allocations()",
    "How often the engine has asked the system for memory so far." },
}

local methods = {
  shape = { "t:shape()", "The sizes as a list." },
  numel = { "t:numel()", "How many numbers it holds." },
  dim = { "t:dim()", "How many dims it has." },
  tolist = { "t:tolist()", "Its numbers as nested Lua lists." },
  item = { "t:item()", "The number of a tensor that holds one." },
  clone = { "t:clone()", "A copy with memory of its own." },
  copy = { "t:copy(u)", "Writes u's numbers into t; u is broadcast." },
  fill = { "t:fill(v)", "Writes v everywhere." },
  view = { "t:view{3, 2}",
    "The same memory under another shape; one size may be -1." },
  narrow = { "t:narrow(dim, start, length)",
    "A part of one dim, places from start on (from 1); shares memory." },
  transpose = { "t:transpose(1, 2)", "A copy with two dims exchanged." },
  matmul = { "a:matmul(b)", "The matrix product (m,k) by (k,n)." },
  sum = { "t:sum([dim])", "The sum of all, or along a dim." },
  mean = { "t:mean([dim])", "The mean of all, or along a dim." },
  max = { "t:max([dim])", "The largest of all, or along a dim." },
  min = { "t:min([dim])", "The least of all, or along a dim." },
  argmax = { "t:argmax(dim)", "The place of the largest, from 1." },
  argmin = { "t:argmin(dim)", "The place of the least, from 1." },
  maximum = { "a:maximum(b)", "Of each two numbers the larger." },
  minimum = { "a:minimum(b)", "Of each two numbers the smaller." },
  eq = { "a:eq(b)", "1 where equal, else 0." },
  ne = { "a:ne(b)", "1 where not equal, else 0." },
  lt = { "a:lt(b)", "1 where a < b, else 0." },
  le = { "a:le(b)", "1 where a <= b, else 0." },
  gt = { "a:gt(b)", "1 where a > b, else 0." },
  ge = { "a:ge(b)", "1 where a >= b, else 0." },
  abs = { "t:abs()", "Of each number the size." },
  exp = { "t:exp()", "e to the power of each number." },
  log = { "t:log()", "The natural logarithm of each number." },
  sqrt = { "t:sqrt()", "The square root of each number." },
  sin = { "t:sin()", "The sine of each number." },
  cos = { "t:cos()", "The cosine of each number." },
  tanh = { "t:tanh()", "The hyperbolic tangent of each number." },
  sigmoid = { "t:sigmoid()", "1 / (1 + e^-x) of each number." },
  sign = { "t:sign()", "-1, 0 or 1: the sign of each number." },
  floor = { "t:floor()", "Each number rounded down." },
  round = { "t:round()", "Each number rounded; a half to the even one." },
}

local optimizers = {
  ["optim.sgd"] = { "optim.sgd(net:parameters(), { lr = 0.1, momentum = 0.9 })",
    "Gradient descent: w -= lr * dw. Options: lr, momentum, dampening, "
    .. "nesterov, weight_decay." },
  ["optim.adam"] = { "optim.adam(net:parameters(), { lr = 0.001 })",
    "Steps scaled by running means of gradient and square. Options: lr, betas, "
    .. "eps, weight_decay." },
  ["optim.adamw"] = { "optim.adamw(net:parameters(), { lr = 0.001 })",
    "adam, with weight decay beside the gradient. Options: as adam." },
  ["optim.rmsprop"] = { "optim.rmsprop(net:parameters(), { lr = 0.01 })",
    "Steps scaled by the running mean of the squared gradient. Options: lr, "
    .. "alpha, eps, momentum, centered, weight_decay." },
  ["optim.adagrad"] = { "optim.adagrad(net:parameters(), { lr = 0.01 })",
    "Steps scaled by the sum of all squared gradients. Options: lr, lr_decay, "
    .. "eps, weight_decay." },
}

local init_rules = {
  ["nn.init.zeros"] = { "nn.init.zeros{}", "A parameter begins with 0." },
  ["nn.init.constant"] = { "nn.init.constant{ val = 1 }",
    "A parameter begins with one number everywhere." },
  ["nn.init.uniform"] = { "nn.init.uniform{}",
    "A parameter begins with random numbers, even between low and high." },
  ["nn.init.normal"] = { "nn.init.normal{}",
    "A parameter begins with normal random numbers." },
  ["nn.init.orthogonal"] = { "nn.init.orthogonal{}",
    "The rows, or columns, of a weight begin orthogonal to each other." },
}

for rule, text in pairs {
  kaiming = "He's rule: the variance is gain^2 / fan in",
  xavier = "Glorot's rule: the variance is 2 / (fan in + fan out)",
  lecun = "LeCun's rule: the variance is 1 / fan in",
} do
  for _, shape in ipairs { "normal", "uniform" } do
    local name = ("nn.init.%s_%s"):format(rule, shape)
    init_rules[name] = { name .. "{}", ("A weight begins with random numbers, "
      .. "%s. %s. docs/student/initialisation.md"):format(shape, text) }
  end
end

local manual = {}
for _, part in ipairs { tensors, session, optimizers, init_rules } do
  for name, entry in pairs(part) do manual[name] = entry end
end
for name, entry in pairs(methods) do manual["tensor:" .. name] = entry end
return manual
