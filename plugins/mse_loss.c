/* mse_loss.c - the mean squared error: how far from the target, squared.
 *
 * Forward   loss = mean over i of (x[i] - target[i])^2
 *           reduction = "sum" leaves the division by the number of elements out
 * Backward  dx[i] = dy * 2 / count * (x[i] - target[i])
 * Shapes    x and target alike, any rank; loss a single number, as is dy
 * Source    Legendre 1805, Gauss 1809: least squares
 */
#include <lunet/plugin.h>

typedef struct mse_loss {
  int reduction;
} mse_loss;

enum { MEAN = 0, SUM = 1 };

static const ln_option options[] = {
  LN_CHOICE(mse_loss, reduction, "mean", "mean|sum",
            "of the squared differences: their mean over all elements, or "
            "their sum"),
};

static ln_status infer(const void *self, ln_infer *io) {
  (void)self;
  io->flops = 3 * (double)ln_count(&io->x[0]);
  io->flops_backward = 2 * (double)ln_count(&io->x[0]);
  return LN_OK;
}

static ln_status forward(const void *self, const ln_call *call) {
  const mse_loss *o = self;
  const int64_t count = call->x[0]->count;
  const float *x = ln_x(call, 0), *target = ln_x(call, 1);
  double sum = 0;
  for (int64_t i = 0; i < count; i++) {
    const double difference = (double)x[i] - target[i];
    sum += difference * difference;
  }
  ln_y(call, 0)[0] = (float)(o->reduction == MEAN ? sum / (double)count : sum);
  return LN_OK;
}

static ln_status backward(const void *self, const ln_call *call) {
  const mse_loss *o = self;
  const int64_t count = call->x[0]->count;
  const float *x = ln_x(call, 0), *target = ln_x(call, 1);
  float *dx = ln_dx(call, 0);
  const double twice = 2.0 * (double)ln_dy(call, 0)[0];
  const float scale =
      (float)(o->reduction == MEAN ? twice / (double)count : twice);
  for (int64_t i = 0; i < count; i++) dx[i] = scale * (x[i] - target[i]);
  return LN_OK;
}

static const ln_layer layer = {
  LN_LAYER,
  .kind = LN_LOSS,
  .name = "mse_loss",
  .brief = "the mean squared error between x and a target",
  .formula = "loss = mean over i of (x[i] - target[i])^2",
  .example = "nn.mse_loss{}:forward(lunet.randn{ 2, 3 }, lunet.zeros{ 2, 3 })",
  .inputs = "x(...), target(...)",
  .outputs = "loss()",
  LN_OPTIONS(mse_loss, options),
  .traits = LN_FORGETS_Y,
  .infer = infer,
  .forward = forward,
  .backward = backward,
};
LN_PLUGIN("mse_loss", "1.0", &layer);
