/* smooth_l1_loss.c - squared near the target, absolute far from it.
 *
 * Forward   loss = mean over i of h(d[i])          with d[i] = x[i] - target[i]
 *           h(d) = d^2 / (2 * beta)  where |d| < beta
 *                  |d| - beta / 2    elsewhere
 *           reduction = "sum" leaves the division by the number of elements out
 * Backward  dx[i] = dy / count * h'(d[i])
 *           h'(d) = d / beta where |d| < beta, else sign(d)
 * Shapes    x and target alike, any rank; loss a single number, as is dy
 * Source    Huber 1964; Girshick, "Fast R-CNN", ICCV 2015: frames that are far
 *           off do not make the gradient explode
 *
 * The two pieces meet at |d| = beta with one value and one slope. beta = 0
 * leaves the absolute error alone, l1_loss.
 */
#include <math.h>

#include <lunet/plugin.h>

typedef struct smooth_l1_loss {
  double beta;
  int reduction;
} smooth_l1_loss;

enum { MEAN = 0, SUM = 1 };

static const ln_option options[] = {
  LN_REAL(smooth_l1_loss, beta, 1, 0, LN_ANY,
          "differences smaller than this count squared; 0 makes an l1_loss"),
  LN_CHOICE(smooth_l1_loss, reduction, "mean", "mean|sum",
            "of the elements' losses: their mean, or their sum"),
};

static ln_status infer(const void *self, ln_infer *io) {
  (void)self;
  io->flops = 3 * (double)ln_count(&io->x[0]);
  io->flops_backward = io->flops;
  return LN_OK;
}

/* h(d) */
static double element_loss(double d, double beta) {
  return fabs(d) < beta ? d * d / (2 * beta) : fabs(d) - beta / 2;
}

static ln_status forward(const void *self, const ln_call *call) {
  const smooth_l1_loss *o = self;
  const int64_t count = call->x[0]->count;
  const float *x = ln_x(call, 0), *target = ln_x(call, 1);
  double sum = 0;
  for (int64_t i = 0; i < count; i++)
    sum += element_loss((double)x[i] - target[i], o->beta);
  ln_y(call, 0)[0] = (float)(o->reduction == MEAN ? sum / (double)count : sum);
  return LN_OK;
}

/* h'(d); where d is 0 or NaN it is its own sign. */
static double element_slope(double d, double beta) {
  if (fabs(d) < beta) return d / beta;
  return d > 0 ? 1 : d < 0 ? -1 : d;
}

static ln_status backward(const void *self, const ln_call *call) {
  const smooth_l1_loss *o = self;
  const int64_t count = call->x[0]->count;
  const float *x = ln_x(call, 0), *target = ln_x(call, 1);
  float *dx = ln_dx(call, 0);
  const double dy = ln_dy(call, 0)[0];
  const double scale = o->reduction == MEAN ? dy / (double)count : dy;
  for (int64_t i = 0; i < count; i++)
    dx[i] = (float)(scale * element_slope((double)x[i] - target[i], o->beta));
  return LN_OK;
}

static const ln_layer layer = {
  LN_LAYER,
  .kind = LN_LOSS,
  .name = "smooth_l1_loss",
  .brief = "the error between x and a target, squared near, absolute far",
  .formula = "loss = mean over i of |d| < beta ? d^2 / (2 * beta) : "
             "|d| - beta / 2, with d = x[i] - target[i]",
  .example = "nn.smooth_l1_loss{}:forward(lunet.randn{ 2, 3 }, "
             "lunet.zeros{ 2, 3 })",
  .inputs = "x(...), target(...)",
  .outputs = "loss()",
  LN_OPTIONS(smooth_l1_loss, options),
  .traits = LN_FORGETS_Y,
  .infer = infer,
  .forward = forward,
  .backward = backward,
};
LN_PLUGIN("smooth_l1_loss", "1.0", &layer);
