/* silu.c - a number times its own sigmoid: a smooth rectifier.
 *
 * Forward   y[i]  = x[i] * s[i]       with s[i] = 1 / (1 + exp(-x[i]))
 * Backward  dx[i] = dy[i] * s[i] * (1 + x[i] * (1 - s[i]))
 * Shapes    y as x, any rank
 * Source    Elfwing, Uchibe, Doya, 2017; Ramachandran, Zoph, Le, "Searching
 *           for activation functions", 2017, call it swish
 *
 * At minus infinity s is 0, and y is NaN, as is everything that multiplies
 * infinity by 0.
 */
#include <math.h>

#include <lunet/kernels/each_isa.h>
#include <lunet/kernels/functions.h>
#include <lunet/plugin.h>

static float sigmoid(float x) {
  return 1 / (1 + expf(-x));
}

static ln_status forward(const void *self, const ln_call *call) {
  (void)self;
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0);
  for (int64_t i = 0; i < call->x[0]->count; i++) y[i] = x[i] * sigmoid(x[i]);
  return LN_OK;
}

static ln_status backward(const void *self, const ln_call *call) {
  (void)self;
  const float *x = ln_x(call, 0), *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);
  for (int64_t i = 0; i < call->x[0]->count; i++) {
    const float s = sigmoid(x[i]);
    dx[i] = dy[i] * s * (1 + x[i] * (1 - s));
  }
  return LN_OK;
}

/* ---- method "vector" ----------------------------------------------------- */

/* Up to 16 numbers a step: ln_sigmoid has no branch and no call, and an error
 * of at most 2.5 ulp. */

LN_INLINE ln_status vector_forward(const void *self, const ln_call *call) {
  (void)self;
  const int64_t count = call->x[0]->count;
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0);
  LN_INDEPENDENT
  for (int64_t i = 0; i < count; i++) y[i] = x[i] * ln_sigmoid(x[i]);
  return LN_OK;
}

LN_INLINE ln_status vector_backward(const void *self, const ln_call *call) {
  (void)self;
  const int64_t count = call->x[0]->count;
  const float *x = ln_x(call, 0), *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);
  LN_INDEPENDENT
  for (int64_t i = 0; i < count; i++) {
    const float s = ln_sigmoid(x[i]);
    dx[i] = dy[i] * s * (1 + x[i] * (1 - s));
  }
  return LN_OK;
}

LN_EACH_ISA(vector_forward)
LN_EACH_ISA(vector_backward)

static const ln_kernel kernels[] = {
  LN_EACH_ISA_ROWS("vector", vector_forward, vector_backward),
};

static const ln_layer layer = {
  LN_LAYER,
  .name = "silu",
  .brief = "a number times its own sigmoid: a smooth rectifier",
  .formula = "y = x / (1 + exp(-x))",
  .example = "nn.silu{}:forward(lunet.tensor{ -1, 0, 2 })",
  .traits = LN_PER_SAMPLE | LN_IN_PLACE | LN_FORGETS_Y,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("silu", "1.0", &layer);
