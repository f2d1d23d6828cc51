/* softplus.c - a rectifier with a round corner, positive everywhere.
 *
 * Forward   y[i]  = log(1 + exp(beta * x[i])) / beta
 *           and x[i] itself where beta * x[i] > threshold
 * Backward  dx[i] = dy[i] / (1 + exp(-beta * x[i])), the sigmoid; dy[i] there
 * Shapes    y as x, any rank
 * Source    Dugas, Bengio, Belisle, Nadeau, Garcia, NIPS 2000; the sigmoid is
 *           its slope, relu its limit for large beta
 *
 * log(1 + exp(t)) is computed as max(t, 0) + log(1 + exp(-|t|)), whose exp
 * cannot overflow. Above t = 20 the second part is less than the rounding.
 */
#include <math.h>

#include <lunet/kernels/each_isa.h>
#include <lunet/kernels/functions.h>
#include <lunet/plugin.h>

typedef struct softplus {
  float beta, threshold;
} softplus;

static const ln_option options[] = {
  LN_REAL(softplus, beta, 1, -LN_ANY, LN_ANY, "how sharp the corner is; not 0"),
  LN_REAL(softplus, threshold, 20, -LN_ANY, LN_ANY,
          "y is x where beta * x is larger than this"),
};

static ln_status create(void *self, const ln_host *host) {
  const softplus *o = self;
  if (o->beta == 0)
    return ln_fail(host, "beta = 0, but y = log(1 + exp(beta * x)) / beta "
                         "divides by it; try beta = 1");
  return LN_OK;
}

static float log_1_plus_exp(float t) {
  return (t > 0 ? t : 0) + log1pf(expf(-fabsf(t)));
}

static ln_status forward(const void *self, const ln_call *call) {
  const softplus *o = self;
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0);
  for (int64_t i = 0; i < call->x[0]->count; i++) {
    const float t = o->beta * x[i];
    y[i] = t > o->threshold ? x[i] : log_1_plus_exp(t) / o->beta;
  }
  return LN_OK;
}

static ln_status backward(const void *self, const ln_call *call) {
  const softplus *o = self;
  const float *x = ln_x(call, 0), *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);
  for (int64_t i = 0; i < call->x[0]->count; i++) {
    const float t = o->beta * x[i];
    dx[i] = t > o->threshold ? dy[i] : dy[i] / (1 + expf(-t));
  }
  return LN_OK;
}

/* ---- method "vector" ----------------------------------------------------- */

/* Up to 16 numbers a step: ln_softplus and ln_sigmoid have no branches and no
 * calls, and an error of at most 3 ulp. */

LN_INLINE ln_status vector_forward(const void *self, const ln_call *call) {
  const softplus o = *(const softplus *)self;
  const int64_t count = call->x[0]->count;
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0);
  LN_INDEPENDENT
  for (int64_t i = 0; i < count; i++) {
    const float t = o.beta * x[i], below = ln_softplus(t) / o.beta;
    y[i] = t > o.threshold ? x[i] : below;
  }
  return LN_OK;
}

LN_INLINE ln_status vector_backward(const void *self, const ln_call *call) {
  const softplus o = *(const softplus *)self;
  const int64_t count = call->x[0]->count;
  const float *x = ln_x(call, 0), *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);
  LN_INDEPENDENT
  for (int64_t i = 0; i < count; i++) {
    const float t = o.beta * x[i], below = dy[i] * ln_sigmoid(t);
    dx[i] = t > o.threshold ? dy[i] : below;
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
  .name = "softplus",
  .brief = "a rectifier with a round corner, positive everywhere",
  .formula = "y = log(1 + exp(beta * x)) / beta",
  .example = "nn.softplus{ beta = 2 }:forward(lunet.tensor{ -1, 0, 2 })",
  LN_OPTIONS(softplus, options),
  .traits = LN_PER_SAMPLE | LN_IN_PLACE | LN_FORGETS_Y | LN_NONSMOOTH,
  .create = create,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("softplus", "1.0", &layer);
