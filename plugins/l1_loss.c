/* l1_loss.c - the mean absolute error: how far from the target.
 *
 * Forward   loss = mean over i of |x[i] - target[i]|
 *           reduction = "sum" leaves the division by the number of elements out
 * Backward  dx[i] = dy / count * sign(x[i] - target[i]), and 0 at the target
 * Shapes    x and target alike, any rank; loss a single number, as is dy
 * Source    Boscovich 1757: least absolute deviations; a stray target pulls
 *           no harder than any other
 */
#include <math.h>

#include <lunet/plugin.h>

typedef struct l1_loss {
  int reduction;
} l1_loss;

enum { MEAN = 0, SUM = 1 };

static const ln_option options[] = {
  LN_CHOICE(l1_loss, reduction, "mean", "mean|sum",
            "of the absolute differences: their mean over all elements, or "
            "their sum"),
};

static ln_status infer(const void *self, ln_infer *io) {
  (void)self;
  io->flops = 2 * (double)ln_count(&io->x[0]);
  io->flops_backward = io->flops;
  return LN_OK;
}

static ln_status forward(const void *self, const ln_call *call) {
  const l1_loss *o = self;
  const int64_t count = call->x[0]->count;
  const float *x = ln_x(call, 0), *target = ln_x(call, 1);
  double sum = 0;
  for (int64_t i = 0; i < count; i++) sum += fabs((double)x[i] - target[i]);
  ln_y(call, 0)[0] = (float)(o->reduction == MEAN ? sum / (double)count : sum);
  return LN_OK;
}

/* 1, -1, or the number itself where it is 0 or NaN. */
static float sign(float number) {
  return number > 0 ? 1 : number < 0 ? -1 : number;
}

static ln_status backward(const void *self, const ln_call *call) {
  const l1_loss *o = self;
  const int64_t count = call->x[0]->count;
  const float *x = ln_x(call, 0), *target = ln_x(call, 1);
  float *dx = ln_dx(call, 0);
  const double dy = ln_dy(call, 0)[0];
  const float scale = (float)(o->reduction == MEAN ? dy / (double)count : dy);
  for (int64_t i = 0; i < count; i++) dx[i] = scale * sign(x[i] - target[i]);
  return LN_OK;
}

static const ln_layer layer = {
  LN_LAYER,
  .kind = LN_LOSS,
  .name = "l1_loss",
  .brief = "the mean absolute error between x and a target",
  .formula = "loss = mean over i of |x[i] - target[i]|",
  .example = "nn.l1_loss{}:forward(lunet.randn{ 2, 3 }, lunet.zeros{ 2, 3 })",
  .inputs = "x(...), target(...)",
  .outputs = "loss()",
  LN_OPTIONS(l1_loss, options),
  .traits = LN_FORGETS_Y | LN_NONSMOOTH,
  .infer = infer,
  .forward = forward,
  .backward = backward,
};
LN_PLUGIN("l1_loss", "1.0", &layer);
