/* relu.c - the rectifier: keep what is positive, cut off the rest.
 *
 * Forward   y[i]  = max(x[i], 0)
 * Backward  dx[i] = y[i] <= 0 ? 0 : dy[i]   (so 0 where x = 0)
 * Shapes    y as x, any rank
 * Source    Lecture 14, "Vanishing Gradient Problem": where it lets through,
 *           its slope is 1; Nair and Hinton, ICML 2010
 *
 * Both comparisons let a NaN through, as PyTorch does: an error stays visible.
 */
#include <lunet/kernels/each_isa.h>
#include <lunet/plugin.h>

static ln_status forward(const void *self, const ln_call *call) {
  (void)self;
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0);
  for (int64_t i = 0; i < call->x[0]->count; i++) y[i] = x[i] <= 0 ? 0 : x[i];
  return LN_OK;
}

static ln_status backward(const void *self, const ln_call *call) {
  (void)self;
  const float *y = ln_y(call, 0), *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);
  for (int64_t i = 0; i < call->y[0]->count; i++) {
    const float gradient = dy[i]; /* read either way: the loop has no branch */
    dx[i] = y[i] <= 0 ? 0 : gradient;
  }
  return LN_OK;
}

/* ---- method "vector" ----------------------------------------------------- */

/* Up to 16 numbers a step, also where y lies in the memory of x. */

LN_INLINE ln_status vector_forward(const void *self, const ln_call *call) {
  (void)self;
  const int64_t count = call->y[0]->count;
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0);
  LN_INDEPENDENT
  for (int64_t i = 0; i < count; i++) y[i] = x[i] <= 0 ? 0 : x[i];
  return LN_OK;
}

LN_INLINE ln_status vector_backward(const void *self, const ln_call *call) {
  (void)self;
  const int64_t count = call->y[0]->count;
  const float *y = ln_y(call, 0), *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);
  LN_INDEPENDENT
  for (int64_t i = 0; i < count; i++) {
    const float gradient = dy[i];
    dx[i] = y[i] <= 0 ? 0 : gradient;
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
  .name = "relu",
  .brief = "the rectifier: keeps what is positive, cuts off the rest",
  .formula = "y = max(x, 0)",
  .example = "nn.relu{}:forward(lunet.tensor{ -1, 0, 2 })",
  .traits = LN_PER_SAMPLE | LN_IN_PLACE | LN_FORGETS_X | LN_NONSMOOTH,
  .is = LN_IS_RELU,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("relu", "1.0", &layer);
