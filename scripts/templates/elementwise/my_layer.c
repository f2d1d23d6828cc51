/* my_layer.c - each number squared, times a factor.
 *
 * Forward   y[i]  = factor * x[i]^2
 * Backward  dx[i] = dy[i] * factor * 2 * x[i]
 * Shapes    y as x, any rank
 *
 * This layer works as it stands. To make it yours, go through the steps 1 to 5
 * and keep the lines above in step with the code. After each step
 *
 *     lunet check-plugin my_layer.c
 *     lunet build-plugin my_layer.c && lunet test_my_layer.lua
 */
#include <lunet/plugin.h>

/* 1. The options: a field for each, then a row for each. What a script leaves
 *    out gets the default; what is out of range is refused for you. */
typedef struct my_layer {
  float factor;
} my_layer;

static const ln_option options[] = {
  LN_REAL(my_layer, factor, 1, -LN_ANY, LN_ANY, "what the square is scaled by"),
};

/* 2. Forward: set every element of y. */
static ln_status forward(const void *self, const ln_call *call) {
  const my_layer *o = self;
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0);
  for (int64_t i = 0; i < call->x[0]->count; i++)
    y[i] = o->factor * x[i] * x[i];
  return LN_OK;
}

/* 3. Backward: dx = dy times the derivative of y by x; set every element. */
static ln_status backward(const void *self, const ln_call *call) {
  const my_layer *o = self;
  const float *x = ln_x(call, 0), *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);
  for (int64_t i = 0; i < call->x[0]->count; i++)
    dx[i] = dy[i] * o->factor * 2 * x[i];
  return LN_OK;
}

/* 4. What others read about the layer, and its promises. LN_PER_SAMPLE: each
 *    item of the batch is on its own. LN_FORGETS_Y: backward does not read y.
 *    A layer with kinks, such as |x|, adds LN_NONSMOOTH. In doubt leave a
 *    promise out: the layer is right without, only slower. */
static const ln_layer layer = {
  LN_LAYER,
  .name = "my_layer",
  .brief = "each number squared, times a factor",
  .formula = "y = factor * x^2",
  .example = "nn.my_layer{ factor = 2 }:forward(lunet.tensor{ -1, 0, 3 })",
  LN_OPTIONS(my_layer, options),
  .traits = LN_PER_SAMPLE | LN_FORGETS_Y,
  .forward = forward,
  .backward = backward,
};

/* 5. The file's own name and version, and its layers: one or more. */
LN_PLUGIN("my_layer", "1.0", &layer);
