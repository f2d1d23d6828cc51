/* scale_cpp20.cpp - a layer in C++20: designated fields, in the struct's
 * order; the fields left out are zero. */
#include <lunet/plugin.h>
#include <algorithm>

namespace {

struct scale {
  double factor;
};

const ln_option options[] = {
  LN_REAL(scale, factor, 2.0, -10.0, 10.0, "what x is multiplied with"),
};

void multiply(const void *self, int64_t n, const float *in, float *out) {
  const auto factor =
      static_cast<float>(static_cast<const scale *>(self)->factor);
  std::transform(in, in + n, out, [factor](float v) { return factor * v; });
}

ln_status forward(const void *self, const ln_call *c) {
  multiply(self, c->x[0]->count, ln_x(c, 0), ln_y(c, 0));
  return LN_OK;
}

ln_status backward(const void *self, const ln_call *c) {
  multiply(self, c->x[0]->count, ln_dy(c, 0), ln_dx(c, 0));
  return LN_OK;
}

const ln_layer layer = {
  LN_LAYER,
  .name = "scale_cpp20",
  .brief = "a multiple of its input",
  .formula = "y = factor x",
  .example = "nn.scale_cpp20{ factor = 3 }",
  LN_OPTIONS(scale, options),
  .traits = LN_PER_SAMPLE | LN_LINEAR | LN_FORGETS_X | LN_FORGETS_Y,
  .forward = forward,
  .backward = backward,
};

} // namespace

LN_PLUGIN("scale_cpp20", "1.0", &layer);
