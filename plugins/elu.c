/* elu.c - keep what is positive, bend the rest softly towards -alpha.
 *
 * Forward   y[i]  = x[i] > 0 ? x[i]  : alpha * (exp(x[i]) - 1)
 * Backward  dx[i] = x[i] > 0 ? dy[i] : dy[i] * alpha * exp(x[i])
 * Shapes    y as x, any rank
 * Source    Clevert, Unterthiner, Hochreiter, "Fast and accurate deep network
 *           learning by exponential linear units", ICLR 2016: negative values
 *           bring the mean of the outputs closer to 0
 *
 * expm1(x) is exp(x) - 1 without the rounding of an exp(x) close to 1.
 */
#include <math.h>

#include <lunet/kernels/each_isa.h>
#include <lunet/kernels/functions.h>
#include <lunet/plugin.h>

typedef struct elu {
  float alpha;
} elu;

static const ln_option options[] = {
  LN_REAL(elu, alpha, 1, -LN_ANY, LN_ANY,
          "y approaches -alpha where x is very negative; 1 leaves no kink"),
};

static ln_status forward(const void *self, const ln_call *call) {
  const float alpha = ((const elu *)self)->alpha;
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0);
  for (int64_t i = 0; i < call->x[0]->count; i++)
    y[i] = x[i] > 0 ? x[i] : alpha * expm1f(x[i]);
  return LN_OK;
}

static ln_status backward(const void *self, const ln_call *call) {
  const float alpha = ((const elu *)self)->alpha;
  const float *x = ln_x(call, 0), *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);
  for (int64_t i = 0; i < call->x[0]->count; i++)
    dx[i] = x[i] > 0 ? dy[i] : dy[i] * alpha * expf(x[i]);
  return LN_OK;
}

/* ---- method "vector" ----------------------------------------------------- */

/* Up to 16 numbers a step: exp and expm1 without branches and calls, with an
 * error of at most 2 ulp, computed on both sides and used where x <= 0. */

LN_INLINE ln_status vector_forward(const void *self, const ln_call *call) {
  const float alpha = ((const elu *)self)->alpha;
  const int64_t count = call->x[0]->count;
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0);
  LN_INDEPENDENT
  for (int64_t i = 0; i < count; i++) {
    const float below = alpha * ln_expm1(x[i]);
    y[i] = x[i] > 0 ? x[i] : below;
  }
  return LN_OK;
}

LN_INLINE ln_status vector_backward(const void *self, const ln_call *call) {
  const float alpha = ((const elu *)self)->alpha;
  const int64_t count = call->x[0]->count;
  const float *x = ln_x(call, 0), *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);
  LN_INDEPENDENT
  for (int64_t i = 0; i < count; i++) {
    const float below = dy[i] * alpha * ln_exp(x[i]);
    dx[i] = x[i] > 0 ? dy[i] : below;
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
  .name = "elu",
  .brief = "keeps what is positive, bends the rest softly towards -alpha",
  .formula = "y = x > 0 ? x : alpha * (exp(x) - 1)",
  .example = "nn.elu{ alpha = 0.5 }:forward(lunet.tensor{ -1, 0, 2 })",
  LN_OPTIONS(elu, options),
  .traits = LN_PER_SAMPLE | LN_IN_PLACE | LN_FORGETS_Y | LN_NONSMOOTH,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("elu", "1.0", &layer);
