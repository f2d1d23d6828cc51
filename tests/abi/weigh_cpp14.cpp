/* weigh_cpp14.cpp - a layer in C++14: positional fields, and one weight. */
#include <lunet/plugin.h>

namespace {

struct weigh {
  int64_t features;
};

const ln_option options[] = {
  LN_INT(weigh, features, LN_FROM_INPUT, 1, LN_ANY, "numbers in an item"),
};

ln_status params(const void *self, ln_params *p) {
  const weigh *o = static_cast<const weigh *>(self);
  ln_add_filled_weight(p, "weight", LN_SHAPE(o->features), 2);
  return LN_OK;
}

ln_status forward(const void *self, const ln_call *c) {
  const int64_t features = static_cast<const weigh *>(self)->features;
  for (int64_t i = 0; i < c->x[0]->count; i++)
    ln_y(c, 0)[i] = ln_w(c, 0)[i % features] * ln_x(c, 0)[i];
  return LN_OK;
}

void input_gradient(const ln_call *c, int64_t features) {
  if (!ln_dx(c, 0)) return;
  for (int64_t i = 0; i < c->x[0]->count; i++)
    ln_dx(c, 0)[i] = ln_w(c, 0)[i % features] * ln_dy(c, 0)[i];
}

void weight_gradient(const ln_call *c, int64_t features) {
  if (!ln_dw(c, 0)) return;
  for (int64_t f = 0; f < features; f++) ln_dw(c, 0)[f] = 0;
  for (int64_t i = 0; i < c->x[0]->count; i++)
    ln_dw(c, 0)[i % features] += ln_x(c, 0)[i] * ln_dy(c, 0)[i];
}

ln_status backward(const void *self, const ln_call *c) {
  const int64_t features = static_cast<const weigh *>(self)->features;
  input_gradient(c, features);
  weight_gradient(c, features);
  return LN_OK;
}

const ln_layer layer = {
  static_cast<uint32_t>(sizeof(ln_layer)),
  LN_PLAIN,
  "weigh_cpp14",
  "a weight for each feature",
  "y[n,f] = w[f] x[n,f]",
  "nn.weigh_cpp14{ features = 3 }",
  "x(N,features)",
  "y(N,features)",
  LN_ARRAY(options),
  sizeof(weigh),
  LN_PER_SAMPLE,
  0,
  LN_IS_OPAQUE,
  0,
  nullptr, /* create */
  nullptr, /* destroy */
  params,
  nullptr, /* infer */
  forward,
  backward,
  nullptr, /* backward_weights */
  {},      /* kernels */
};

} // namespace

LN_PLUGIN("weigh_cpp14", "1.0", &layer);
