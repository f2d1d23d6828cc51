/* flatten.c - lay an item out as one long row, for the layers that want rows.
 *
 * Forward   y[n,i] = x[n,...]: the same numbers in the same order
 * Backward  dx[n,...] = dy[n,i]
 * Shapes    x (N,...)  y (N,F), F the product of the dims behind the batch:
 *           (N,3,32,32) becomes (N,3072)
 * Source    Lecture 14, "Fully-Connected Layer as 1x1 Convolution": 32x32x3
 *           image -> stretch to 3072 x 1
 */
#include <string.h>

#include <lunet/plugin.h>

static ln_status infer(const void *self, ln_infer *io) {
  (void)self;
  const ln_shape *x = &io->x[0];
  int64_t F = 1;
  for (int32_t d = 1; d < x->rank; d++) {
    if (x->dim[d] > 0 && F > INT64_MAX / x->dim[d])
      return ln_fail(io->host, "an item of x has more elements than fit into "
                               "64 bits");
    F *= x->dim[d];
  }
  io->y[0].dim[1] = F;
  return LN_OK;
}

static void copy(float *to, const float *from, int64_t count) {
  if (count > 0) memmove(to, from, (size_t)count * sizeof *to);
}

static ln_status forward(const void *self, const ln_call *call) {
  (void)self;
  copy(ln_y(call, 0), ln_x(call, 0), call->x[0]->count);
  return LN_OK;
}

static ln_status backward(const void *self, const ln_call *call) {
  (void)self;
  copy(ln_dx(call, 0), ln_dy(call, 0), call->x[0]->count);
  return LN_OK;
}

static const ln_layer layer = {
  LN_LAYER,
  .name = "flatten",
  .brief = "lays an item out as one long row",
  .formula = "y[n,i] = x[n,...], row by row",
  .example = "nn.flatten{}:forward(lunet.randn{ 2, 16, 5, 5 })",
  .inputs = "x(N,...)",
  .outputs = "y(N,F)",
  .traits = LN_PER_SAMPLE | LN_IN_PLACE | LN_FORGETS_X | LN_FORGETS_Y |
            LN_LINEAR | LN_RESHAPES,
  .infer = infer,
  .forward = forward,
  .backward = backward,
};
LN_PLUGIN("flatten", "1.0", &layer);
