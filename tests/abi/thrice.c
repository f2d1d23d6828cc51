/* thrice.c - a whole layer in C, built by the command in plugin.h's head. */
#include <lunet/plugin.h>

static ln_status forward(const void *self, const ln_call *c) {
  (void)self;
  for (int64_t i = 0; i < c->y[0]->count; i++)
    ln_y(c, 0)[i] = 3 * ln_x(c, 0)[i];
  return LN_OK;
}

static ln_status backward(const void *self, const ln_call *c) {
  (void)self;
  for (int64_t i = 0; i < c->x[0]->count; i++)
    ln_dx(c, 0)[i] = 3 * ln_dy(c, 0)[i];
  return LN_OK;
}

static const ln_layer layer = {
  LN_LAYER,
  .name = "thrice",
  .brief = "three times its input",
  .formula = "y = 3 x",
  .example = "nn.thrice{}",
  .traits = LN_PER_SAMPLE | LN_LINEAR | LN_FORGETS_X | LN_FORGETS_Y,
  .forward = forward,
  .backward = backward,
};
LN_PLUGIN("thrice", "1.0", &layer);
