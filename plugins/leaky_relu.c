/* leaky_relu.c - keep what is positive, let a little through of the rest.
 *
 * Forward   y[i]  = x[i] > 0 ? x[i]  : negative_slope * x[i]
 * Backward  dx[i] = x[i] > 0 ? dy[i] : negative_slope * dy[i]
 * Shapes    y as x, any rank
 * Source    Maas, Hannun, Ng, "Rectifier nonlinearities improve neural network
 *           acoustic models", 2013: a unit that never fires can still learn
 */
#include <lunet/kernels/each_isa.h>
#include <lunet/plugin.h>

typedef struct leaky_relu {
  float negative_slope;
} leaky_relu;

static const ln_option options[] = {
  LN_REAL(leaky_relu, negative_slope, 0.01, -LN_ANY, LN_ANY,
          "slope where x <= 0; 0 makes a relu"),
};

LN_INLINE ln_status forward(const void *self, const ln_call *call) {
  const float slope = ((const leaky_relu *)self)->negative_slope;
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0);
  for (int64_t i = 0; i < call->x[0]->count; i++)
    y[i] = x[i] > 0 ? x[i] : slope * x[i];
  return LN_OK;
}

LN_INLINE ln_status backward(const void *self, const ln_call *call) {
  const float slope = ((const leaky_relu *)self)->negative_slope;
  const float *x = ln_x(call, 0), *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);
  for (int64_t i = 0; i < call->x[0]->count; i++)
    dx[i] = x[i] > 0 ? dy[i] : slope * dy[i];
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
  .name = "leaky_relu",
  .brief = "keeps what is positive, lets a little through of the rest",
  .formula = "y = x > 0 ? x : negative_slope * x",
  .example = "nn.leaky_relu{ negative_slope = 0.1 }"
             ":forward(lunet.tensor{ -1, 0, 2 })",
  LN_OPTIONS(leaky_relu, options),
  .traits = LN_PER_SAMPLE | LN_FORGETS_Y | LN_NONSMOOTH,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("leaky_relu", "1.0", &layer);
