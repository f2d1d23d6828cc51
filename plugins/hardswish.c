/* hardswish.c - a silu made of straight pieces, cheap on a telephone.
 *
 * Forward   y[i]  = x[i] * min(max(x[i] + 3, 0), 6) / 6
 * Backward  dx[i] = 0                       where x[i] <= -3
 *                   dy[i]                   where x[i] >= 3
 *                   dy[i] * (x[i] / 3 + 1/2)     in between
 * Shapes    y as x, any rank
 * Source    Howard et al., "Searching for MobileNetV3", ICCV 2019
 *
 * The comparisons let a NaN through. At minus infinity the gate is 0, and y is
 * NaN, as is everything that multiplies infinity by 0.
 */
#include <lunet/kernels/each_isa.h>
#include <lunet/plugin.h>

/* min(max(x + 3, 0), 6) / 6: from 0 at -3 to 1 at 3. */
LN_INLINE float gate(float x) {
  return x <= -3 ? 0 : x >= 3 ? 1 : (x + 3) / 6;
}

LN_INLINE float slope(float x) {
  return x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + 0.5f;
}

LN_INLINE ln_status forward(const void *self, const ln_call *call) {
  (void)self;
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0);
  for (int64_t i = 0; i < call->x[0]->count; i++) y[i] = x[i] * gate(x[i]);
  return LN_OK;
}

LN_INLINE ln_status backward(const void *self, const ln_call *call) {
  (void)self;
  const float *x = ln_x(call, 0), *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);
  for (int64_t i = 0; i < call->x[0]->count; i++) dx[i] = dy[i] * slope(x[i]);
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
  .name = "hardswish",
  .brief = "a silu made of straight pieces, cheap on a telephone",
  .formula = "y = x * min(max(x + 3, 0), 6) / 6",
  .example = "nn.hardswish{}:forward(lunet.tensor{ -4, -1, 0, 2 })",
  .traits = LN_PER_SAMPLE | LN_FORGETS_Y | LN_NONSMOOTH,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("hardswish", "1.0", &layer);
