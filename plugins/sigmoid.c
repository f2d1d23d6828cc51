/* sigmoid.c - squeeze every number into 0..1.
 *
 * Forward   y[i]  = 1 / (1 + exp(-x[i]))
 * Backward  dx[i] = dy[i] * y[i] * (1 - y[i])   at most dy / 4: a deep chain
 *           of sigmoids makes the gradient vanish
 * Shapes    y as x, any rank
 * Source    Lecture 14, "Vanishing Gradient Problem"
 *
 * Where exp(-x) overflows to infinity, y is 0, as it should be.
 */
#include <math.h>

#include <lunet/kernels/each_isa.h>
#include <lunet/kernels/functions.h>
#include <lunet/plugin.h>

static ln_status forward(const void *self, const ln_call *call) {
  (void)self;
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0);
  for (int64_t i = 0; i < call->x[0]->count; i++) y[i] = 1 / (1 + expf(-x[i]));
  return LN_OK;
}

static ln_status backward(const void *self, const ln_call *call) {
  (void)self;
  const float *y = ln_y(call, 0), *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);
  for (int64_t i = 0; i < call->y[0]->count; i++)
    dx[i] = dy[i] * y[i] * (1 - y[i]);
  return LN_OK;
}

/* ---- method "vector" ----------------------------------------------------- */

/* Up to 16 numbers a step, also where y lies in the memory of x: ln_sigmoid has
 * no branch and no call. Its error is at most 2.5 ulp. */

LN_INLINE ln_status vector_forward(const void *self, const ln_call *call) {
  (void)self;
  const int64_t count = call->y[0]->count;
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0);
  LN_INDEPENDENT
  for (int64_t i = 0; i < count; i++) y[i] = ln_sigmoid(x[i]);
  return LN_OK;
}

LN_INLINE ln_status vector_backward(const void *self, const ln_call *call) {
  (void)self;
  const int64_t count = call->y[0]->count;
  const float *y = ln_y(call, 0), *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);
  LN_INDEPENDENT
  for (int64_t i = 0; i < count; i++) dx[i] = dy[i] * y[i] * (1 - y[i]);
  return LN_OK;
}

LN_EACH_ISA(vector_forward)
LN_EACH_ISA(vector_backward)

static const ln_kernel kernels[] = {
  LN_EACH_ISA_ROWS("vector", vector_forward, vector_backward),
};

static const ln_layer layer = {
  LN_LAYER,
  .name = "sigmoid",
  .brief = "squeezes every number into 0..1",
  .formula = "y = 1 / (1 + exp(-x))",
  .example = "nn.sigmoid{}:forward(lunet.tensor{ -1, 0, 2 })",
  .traits = LN_PER_SAMPLE | LN_IN_PLACE | LN_FORGETS_X,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("sigmoid", "1.0", &layer);
