/* gelu.c - a number times the chance that a normal random number is smaller.
 *
 * Forward   y[i] = x[i] * p(x[i])      with p(x) = (1 + erf(x / sqrt(2))) / 2
 *           approximate = "tanh": p(x) = (1 + tanh(u)) / 2
 *                                 u = sqrt(2/pi) * (x + 0.044715 * x^3)
 * Backward  dx[i] = dy[i] * (p(x[i]) + x[i] * p'(x[i]))
 *           p'(x) = exp(-x^2 / 2) / sqrt(2 pi), the normal density
 *           approximate = "tanh": p' = 2 * p * (1 - p) * u'
 * Shapes    y as x, any rank
 * Source    Hendrycks, Gimpel, "Gaussian error linear units", 2016
 *
 * Two identities keep small p exact, where 1 + erf and 1 + tanh would round
 * them away: 1 + erf(t) = erfc(-t), (1 + tanh(u)) / 2 = 1 / (1 + exp(-2u)).
 * At minus infinity p is 0, and y is NaN, as is everything that multiplies
 * infinity by 0.
 */
#include <math.h>

#include <lunet/kernels/each_isa.h>
#include <lunet/kernels/functions.h>
#include <lunet/plugin.h>

typedef struct gelu {
  int approximate;
} gelu;

enum { NONE = 0, TANH = 1 };

static const ln_option options[] = {
  LN_CHOICE(gelu, approximate, "none", "none|tanh",
            "the exact chance by erf, or the older approximation by tanh"),
};

static const float root_half = 0.70710678f;        /* sqrt(1/2) */
static const float root_2_over_pi = 0.79788456f;   /* sqrt(2/pi) */
static const float root_1_over_2_pi = 0.39894228f; /* sqrt(1/(2 pi)) */

/* ---- approximate = "none" ------------------------------------------------ */

static float chance(float x) {
  return 0.5f * erfcf(-root_half * x);
}

static float density(float x) {
  return root_1_over_2_pi * expf(-0.5f * x * x);
}

static float slope(float x) {
  return chance(x) + x * density(x);
}

/* ---- approximate = "tanh" ------------------------------------------------ */

static float chance_by_tanh(float x) {
  const float u = root_2_over_pi * (x + 0.044715f * x * x * x);
  return 1 / (1 + expf(-2 * u));
}

/* From x and its p. Far out p is 0 or 1, and p' is 0, however large u' is. */
LN_INLINE float slope_by_tanh(float x, float p) {
  const float spread = 2 * p * (1 - p);
  const float du = root_2_over_pi * (1 + 3 * 0.044715f * x * x);
  return spread == 0 ? p : p + x * spread * du;
}

/* -------------------------------------------------------------------------- */

static ln_status forward(const void *self, const ln_call *call) {
  const bool exact = ((const gelu *)self)->approximate == NONE;
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0);
  for (int64_t i = 0; i < call->x[0]->count; i++)
    y[i] = x[i] * (exact ? chance(x[i]) : chance_by_tanh(x[i]));
  return LN_OK;
}

static ln_status backward(const void *self, const ln_call *call) {
  const bool exact = ((const gelu *)self)->approximate == NONE;
  const float *x = ln_x(call, 0), *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);
  for (int64_t i = 0; i < call->x[0]->count; i++)
    dx[i] = dy[i] *
            (exact ? slope(x[i]) : slope_by_tanh(x[i], chance_by_tanh(x[i])));
  return LN_OK;
}

/* ---- method "vector" ----------------------------------------------------- */

/* Up to 16 numbers a step: the functions of lunet/kernels/functions.h have no
 * branches and no calls. The chances are at most 7 ulp off. */

LN_INLINE float fast_slope(float x) {
  return ln_normal_chance(x) + x * ln_normal_density(x);
}

LN_INLINE float fast_chance_by_tanh(float x) {
  return ln_sigmoid(2 * root_2_over_pi * (x + 0.044715f * x * x * x));
}

LN_INLINE ln_status vector_forward(const void *self, const ln_call *call) {
  const int64_t count = call->x[0]->count;
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0);
  if (((const gelu *)self)->approximate == NONE) {
    LN_INDEPENDENT
    for (int64_t i = 0; i < count; i++) y[i] = x[i] * ln_normal_chance(x[i]);
  } else {
    LN_INDEPENDENT
    for (int64_t i = 0; i < count; i++) y[i] = x[i] * fast_chance_by_tanh(x[i]);
  }
  return LN_OK;
}

LN_INLINE ln_status vector_backward(const void *self, const ln_call *call) {
  const int64_t count = call->x[0]->count;
  const float *x = ln_x(call, 0), *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);
  if (((const gelu *)self)->approximate == NONE) {
    LN_INDEPENDENT
    for (int64_t i = 0; i < count; i++) dx[i] = dy[i] * fast_slope(x[i]);
  } else {
    LN_INDEPENDENT
    for (int64_t i = 0; i < count; i++)
      dx[i] = dy[i] * slope_by_tanh(x[i], fast_chance_by_tanh(x[i]));
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
  .name = "gelu",
  .brief = "a number times the chance that a normal random number is smaller",
  .formula = "y = x * (1 + erf(x / sqrt(2))) / 2",
  .example = "nn.gelu{}:forward(lunet.tensor{ -1, 0, 2 })",
  LN_OPTIONS(gelu, options),
  .traits = LN_PER_SAMPLE | LN_IN_PLACE | LN_FORGETS_Y,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("gelu", "1.0", &layer);
