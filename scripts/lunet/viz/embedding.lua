-- embedding.lua - how the net sees the samples: the numbers that reach its last
-- layer, many for each sample, laid out in a plane. Samples that the net finds
-- alike lie close together.
--
-- By PCA (pca.lua) distances are true, but two dims are often too few; by t-SNE
-- (tsne.lua) neighbours stay neighbours, but distances between groups mean
-- little.
--
-- Source: Donahue and others, "DeCAF: a deep convolutional activation feature",
-- 2013.

local core = require "lunet_core"
local inputs_of = require "lunet.explain.inputs"
local options = require "lunet.options"
local pass = require "lunet.viz.pass"

local rules = {
  { "method", "a text", default = "pca" },
  { "layer", "a layer or its name" },
  { "labels", "a tensor" },
  { "most", "a whole number", min = 3, max = 2000, default = 400 },
  { "perplexity", "a number", min = 2, default = 30 },
  { "iterations", "a whole number", min = 1, default = 400 },
}

-- What a layer gives, or, without one, what reaches the last: (N,D).
local function features_of(net, x, layer)
  local features
  if layer then
    features = pass.run(net, function(tap)
      local watched = tap(net:tap(layer))
      net:forward(x)
      return watched.output
    end)
  else
    local _, builder = net:core_net()
    features = inputs_of("viz.embedding", net, #builder.nodes, x)[1]
  end
  pass.check_finite("viz.embedding", "what the net makes of x", features)
  return features:view { #x, features:numel() // #x }
end

local function check(o, n)
  if o.method ~= "pca" and o.method ~= "tsne" then
    core.raise("viz.embedding: method is '%s', it must be 'pca' or 'tsne'",
               o.method)
  end
  if n < 3 then
    core.raise("viz.embedding: %d samples; at least 3 are needed", n)
  end
  if o.method == "tsne" and 3 * o.perplexity > n - 1 then
    core.raise("viz.embedding: perplexity %g is too large for %d samples; it "
               .. "must be at most a third of the others, %g", o.perplexity, n,
               (n - 1) // 3)
  end
end

-- The labels of the first n samples; nil where there are none.
local function labels_of(given, n)
  if not given then return nil end
  if given:dim() ~= 1 or #given < n then
    core.raise("viz.embedding: labels have shape (%s), they must be one class "
               .. "id a sample, (%d)", table.concat(given:shape(), ","), n)
  end
  return given:narrow(1, 1, n)
end

-- embedding(net, x or dataset [, { method = "pca" or "tsne", layer =, labels =,
-- most = 400, perplexity = 30, iterations = 400 }]) -> { points (N,2), features
-- (N,D), labels, shares of the variance for pca, picture }
return function(net, x, given)
  pass.check_net("viz.embedding", net)
  local o = options.check("viz.embedding", given, rules)
  local labels
  x, labels = pass.samples("viz.embedding", x, o.most)
  labels = labels_of(o.labels, #x) or labels
  check(o, #x)
  local result = { features = features_of(net, x, o.layer), labels = labels }
  if o.method == "pca" then
    result.points, result.shares = require "lunet.viz.pca"(result.features, 2)
  else
    result.points = require "lunet.viz.tsne"(result.features, o.perplexity,
                                             o.iterations)
  end
  result.picture = { points = result.points, labels = labels,
                     title = o.method == "pca" and "PCA" or "t-SNE" }
  return result
end
