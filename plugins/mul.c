/* mul.c - the product of two tensors, element by element: one gates the other.
 *
 * Forward   y[i]   = x1[i] * x2[i]
 * Backward  dx1[i] = dy[i] * x2[i]
 *           dx2[i] = dy[i] * x1[i]
 * Shapes    x1, x2 and y alike, any rank
 * Source    Hochreiter, Schmidhuber, "Long short-term memory", 1997, for gates
 */
#include <lunet/kernels/each_isa.h>
#include <lunet/plugin.h>

static ln_status infer(const void *self, ln_infer *io) {
  (void)self;
  io->flops = (double)ln_count(&io->x[0]);
  return LN_OK;
}

LN_INLINE ln_status forward(const void *self, const ln_call *call) {
  (void)self;
  const float *x1 = ln_x(call, 0), *x2 = ln_x(call, 1);
  float *y = ln_y(call, 0);
  for (int64_t i = 0; i < call->y[0]->count; i++) y[i] = x1[i] * x2[i];
  return LN_OK;
}

/* The gradient of one factor is dy times the other one. */
LN_INLINE void factor_gradient(int64_t count, const float *dy,
                               const float *other, float *dx) {
  for (int64_t i = 0; i < count; i++) dx[i] = dy[i] * other[i];
}

LN_INLINE ln_status backward(const void *self, const ln_call *call) {
  (void)self;
  const int64_t count = call->dy[0]->count;
  const float *x1 = ln_x(call, 0), *x2 = ln_x(call, 1), *dy = ln_dy(call, 0);
  if (ln_dx(call, 0)) factor_gradient(count, dy, x2, ln_dx(call, 0));
  if (ln_dx(call, 1)) factor_gradient(count, dy, x1, ln_dx(call, 1));
  return LN_OK;
}

/* ---- method "vector" ----------------------------------------------------- */

/* The loops above, compiled once for each instruction set: up to 16 numbers a
 * step. */

LN_EACH_ISA(forward)
LN_EACH_ISA(backward)

static const ln_kernel kernels[] = {
  LN_EACH_ISA_ROWS("vector", forward, backward),
};

static const ln_layer layer = {
  LN_LAYER,
  .name = "mul",
  .brief =
      "the product of two tensors, element by element: one gates the other",
  .formula = "y = x1 * x2",
  .example = "nn.mul{}:forward(lunet.ones{ 2, 3 }, lunet.randn{ 2, 3 })",
  .inputs = "x1(...), x2(...)",
  .outputs = "y(...)",
  .traits = LN_PER_SAMPLE | LN_FORGETS_Y,
  .infer = infer,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("mul", "1.0", &layer);
