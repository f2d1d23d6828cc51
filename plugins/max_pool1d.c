/* max_pool1d.c - keep the largest number of each window along a line.
 *
 * Forward   y[n,c,o] = the largest x[n,c, o*S + k*D - P]
 *                      over k, of those inside the line
 * Shapes    x (N,C,L)  y (N,C,OL)
 *           OL = floor((L + 2P - D*(K-1) - 1) / S) + 1;
 *           ceil_mode rounds up, but no window begins beyond the line
 * Backward  dx: each dy flows back to the element that was the largest; of
 *           equal ones, to the first. The rest get nothing
 * Source    Lecture 14, "Pooling Layer", with one dim less; ties, NaN and
 *           ceil_mode as in PyTorch
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include <lunet/plugin.h>

typedef struct max_pool1d {
  int64_t kernel_size, stride[1], padding, dilation;
  bool ceil_mode, strict;
} max_pool1d;

#define MOST 65535 /* of one window size; keeps their products small */

static const ln_option options[] = {
  LN_INT(max_pool1d, kernel_size, LN_REQUIRED, 1, MOST,
         "length of the window, K"),
  LN_INTS_LIKE(max_pool1d, stride, kernel_size, 1, MOST,
               "step of the window, S; left out, the windows touch and do not "
               "overlap"),
  LN_INT(max_pool1d, padding, 0, 0, MOST,
         "width of a border that never wins, P: at most half a window"),
  LN_INT(max_pool1d, dilation, 1, 1, MOST,
         "distance of a window's elements in x, D: 1 is side by side"),
  LN_BOOL(max_pool1d, ceil_mode, false,
          "round the output size up, so that a cut window takes the rest"),
  LN_BOOL(max_pool1d, strict, false,
          "refuse an input where the stride leaves elements unread"),
};

static ln_status create(void *self, const ln_host *host) {
  const max_pool1d *o = self;
  if (o->padding > o->kernel_size / 2)
    return ln_fail(host,
                   "padding = %" PRId64 " with kernel_size = %" PRId64
                   ": it may be at most half of it, rounded down, so that no "
                   "window lies in the padding alone; try padding = %" PRId64,
                   o->padding, o->kernel_size, o->kernel_size / 2);
  return LN_OK;
}

static ln_status infer(const void *self, ln_infer *io) {
  const max_pool1d *o = self;
  const int64_t L = io->x[0].dim[2];
  if (L < 1 || L > INT32_MAX)
    return ln_fail(io->host,
                   "lines of %" PRId64 " elements: there must be at least 1 "
                   "and fewer than 2^31 of them",
                   L);
  if (ln_slide(io, 1, &o->kernel_size, o->stride, &o->dilation, &o->padding,
               NULL, o->ceil_mode, o->strict) != LN_OK)
    return LN_FAILED;
  const int64_t count = ln_count(&io->y[0]);
  io->saved = count * (int64_t)sizeof(int32_t);
  io->flops = (double)count * (double)o->kernel_size;
  io->flops_backward = (double)count;
  return LN_OK;
}

/* The place of the largest element in the window that begins at `first`; -1
 * where ceil_mode made a window that meets none. A NaN wins. */
static int64_t place_of_largest(const max_pool1d *o, int64_t first, int64_t L,
                                const float x[L]) {
  int64_t place = -1;
  for (int64_t k = 0; k < o->kernel_size; k++) {
    const int64_t i = first + k * o->dilation;
    if (i < 0 || i >= L) continue;
    if (place < 0 || x[i] > x[place] || isnan(x[i])) place = i;
  }
  return place;
}

static ln_status forward(const void *self, const ln_call *call) {
  const max_pool1d *pool = self;
  const int64_t lines = ln_x_dim(call, 0, 0) * ln_x_dim(call, 0, 1);
  const int64_t L = ln_x_dim(call, 0, 2), OL = ln_y_dim(call, 0, 2);
  const float(*x)[L] = (void *)ln_x(call, 0);
  float(*y)[OL] = (void *)ln_y(call, 0);
  int32_t(*largest)[OL] = call->saved;

  for (int64_t l = 0; l < lines; l++)
    for (int64_t o = 0; o < OL; o++) {
      const int64_t first = o * pool->stride[0] - pool->padding;
      const int64_t i = place_of_largest(pool, first, L, x[l]);
      largest[l][o] = (int32_t)i;
      y[l][o] = i < 0 ? -INFINITY : x[l][i];
    }
  return LN_OK;
}

static ln_status backward(const void *self, const ln_call *call) {
  (void)self;
  const int64_t lines = ln_x_dim(call, 0, 0) * ln_x_dim(call, 0, 1);
  const int64_t L = ln_x_dim(call, 0, 2), OL = ln_y_dim(call, 0, 2);
  const float(*dy)[OL] = (void *)ln_dy(call, 0);
  float(*dx)[L] = (void *)ln_dx(call, 0);
  int32_t(*largest)[OL] = call->saved;

  for (int64_t l = 0; l < lines; l++) {
    memset(dx[l], 0, sizeof dx[l]);
    for (int64_t o = 0; o < OL; o++)
      if (largest[l][o] >= 0) dx[l][largest[l][o]] += dy[l][o];
  }
  return LN_OK;
}

static const ln_layer layer = {
  LN_LAYER,
  .name = "max_pool1d",
  .brief = "keeps the largest number of each window along a line",
  .formula = "y[n,c,o] = max over k of x[n,c, o*S + k*D - P]",
  .example = "nn.max_pool1d{ kernel_size = 2 }"
             ":forward(lunet.randn{ 2, 6, 28 })",
  .inputs = "x(N,C,L)",
  .outputs = "y(N,C,OL)",
  LN_OPTIONS(max_pool1d, options),
  .traits = LN_PER_SAMPLE | LN_FORGETS_X | LN_FORGETS_Y | LN_NONSMOOTH,
  .create = create,
  .infer = infer,
  .forward = forward,
  .backward = backward,
};
LN_PLUGIN("max_pool1d", "1.0", &layer);
