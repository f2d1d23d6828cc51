/* tanh.c - squeeze every number into -1..1.
 *
 * Forward   y[i]  = tanh(x[i]) = (exp(x) - exp(-x)) / (exp(x) + exp(-x))
 * Backward  dx[i] = dy[i] * (1 - y[i]^2)
 * Shapes    y as x, any rank
 * Source    LeCun, Bottou, Orr, Müller, "Efficient BackProp", 1998: around 0,
 *           unlike the sigmoid, so the next layer's sums stay around 0, too
 */
#include <math.h>

#include <lunet/kernels/each_isa.h>
#include <lunet/kernels/functions.h>
#include <lunet/plugin.h>

static ln_status forward(const void *self, const ln_call *call) {
  (void)self;
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0);
  for (int64_t i = 0; i < call->x[0]->count; i++) y[i] = tanhf(x[i]);
  return LN_OK;
}

static ln_status backward(const void *self, const ln_call *call) {
  (void)self;
  const float *y = ln_y(call, 0), *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);
  for (int64_t i = 0; i < call->y[0]->count; i++)
    dx[i] = dy[i] * (1 - y[i] * y[i]);
  return LN_OK;
}

/* ---- method "vector" ----------------------------------------------------- */

/* Up to 16 numbers a step, also where y lies in the memory of x: ln_tanh has
 * no branch and no call. Its error is at most 2.5 ulp. */

LN_INLINE ln_status vector_forward(const void *self, const ln_call *call) {
  (void)self;
  const int64_t count = call->y[0]->count;
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0);
  LN_INDEPENDENT
  for (int64_t i = 0; i < count; i++) y[i] = ln_tanh(x[i]);
  return LN_OK;
}

LN_INLINE ln_status vector_backward(const void *self, const ln_call *call) {
  (void)self;
  const int64_t count = call->y[0]->count;
  const float *y = ln_y(call, 0), *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);
  LN_INDEPENDENT
  for (int64_t i = 0; i < count; i++) dx[i] = dy[i] * (1 - y[i] * y[i]);
  return LN_OK;
}

LN_EACH_ISA(vector_forward)
LN_EACH_ISA(vector_backward)

static const ln_kernel kernels[] = {
  LN_EACH_ISA_ROWS("vector", vector_forward, vector_backward),
};

static const ln_layer layer = {
  LN_LAYER,
  .name = "tanh",
  .brief = "squeezes every number into -1..1",
  .formula = "y = tanh(x)",
  .example = "nn.tanh{}:forward(lunet.tensor{ -1, 0, 2 })",
  .traits = LN_PER_SAMPLE | LN_IN_PLACE | LN_FORGETS_X,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("tanh", "1.0", &layer);
