/* my_layer.c - a loss: the mean squared distance from a target.
 *
 * Forward   loss = (factor / count) * sum over i of (x[i] - target[i])^2
 * Backward  dx[i] = dy * factor * (2 / count) * (x[i] - target[i])
 * Shapes    x and target alike, any rank; loss a single number, as is dy
 *
 * This layer works as it stands. To make it yours, go through the steps 1 to 5
 * and keep the lines above in step with the code. After each step
 *
 *     lunet check-plugin my_layer.c
 *     lunet build-plugin my_layer.c && lunet test_my_layer.lua
 */
#include <lunet/plugin.h>

/* 1. The options: a field for each, then a row for each. */
typedef struct my_layer {
  float factor;
} my_layer;

static const ln_option options[] = {
  LN_REAL(my_layer, factor, 1, 0, LN_ANY, "what the loss is scaled by"),
};

/* 2. Forward: input 0 is the prediction x, input 1 the target. Sums of many
 *    numbers are carried in double. The mean over nothing is NaN. */
static ln_status forward(const void *self, const ln_call *call) {
  const my_layer *o = self;
  const int64_t count = call->x[0]->count;
  const float *x = ln_x(call, 0), *target = ln_x(call, 1);
  double sum = 0;
  for (int64_t i = 0; i < count; i++) {
    const double difference = (double)x[i] - target[i];
    sum += difference * difference;
  }
  ln_y(call, 0)[0] = (float)(o->factor * sum / (double)count);
  return LN_OK;
}

/* 3. Backward: dy is a single number; the target gets no gradient. */
static ln_status backward(const void *self, const ln_call *call) {
  const my_layer *o = self;
  const int64_t count = call->x[0]->count;
  const float *x = ln_x(call, 0), *target = ln_x(call, 1);
  float *dx = ln_dx(call, 0);
  const float scale = ln_dy(call, 0)[0] * o->factor * 2 / (float)count;
  for (int64_t i = 0; i < count; i++) dx[i] = scale * (x[i] - target[i]);
  return LN_OK;
}

/* 4. What others read about the layer, and its promises. A loss looks at the
 *    whole batch, so it is not LN_PER_SAMPLE. LN_FORGETS_Y: backward does not
 *    read y. A loss with kinks, such as |x - target|, adds LN_NONSMOOTH. */
static const ln_layer layer = {
  LN_LAYER,
  .kind = LN_LOSS,
  .name = "my_layer",
  .brief = "the mean squared distance from a target",
  .formula = "loss = (factor / count) * sum over i of (x[i] - target[i])^2",
  .example = "nn.my_layer{}:forward(lunet.randn{ 2, 3 }, lunet.zeros{ 2, 3 })",
  .inputs = "x(...), target(...)",
  .outputs = "loss()",
  LN_OPTIONS(my_layer, options),
  .traits = LN_FORGETS_Y,
  .forward = forward,
  .backward = backward,
};

/* 5. The file's own name and version, and its layers: one or more. */
LN_PLUGIN("my_layer", "1.0", &layer);
