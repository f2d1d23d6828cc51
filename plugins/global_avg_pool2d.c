/* global_avg_pool2d.c - one number a channel: the mean of its map.
 *
 * Forward   y[n,c,0,0] = (1 / (H*W)) * sum over iy,ix of x[n,c,iy,ix]
 * Shapes    x (N,C,H,W)  y (N,C,1,1)
 * Backward  dx[n,c,iy,ix] = dy[n,c,0,0] / (H*W)
 * Source    Lin et al., "Network in Network", ICLR 2014: in place of fully
 *           connected layers, one map a class
 */
#include <lunet/plugin.h>

static ln_status infer(const void *self, ln_infer *io) {
  (void)self;
  const int64_t *x = io->x[0].dim;
  if (x[2] < 1 || x[3] < 1)
    return ln_fail(io->host,
                   "x has no pixels: its images are %" PRId64 " x %" PRId64,
                   x[2], x[3]);
  io->flops = (double)x[0] * (double)x[1] * (double)x[2] * (double)x[3];
  io->flops_backward = io->flops;
  return LN_OK;
}

/* A map is one channel of one item. */
static int64_t maps_of(const ln_call *call) {
  return ln_x_dim(call, 0, 0) * ln_x_dim(call, 0, 1);
}

static int64_t pixels_of(const ln_call *call) {
  return ln_x_dim(call, 0, 2) * ln_x_dim(call, 0, 3);
}

static ln_status forward(const void *self, const ln_call *call) {
  (void)self;
  const int64_t maps = maps_of(call), pixels = pixels_of(call);
  const float(*x)[pixels] = (void *)ln_x(call, 0);
  float *y = ln_y(call, 0);

  for (int64_t m = 0; m < maps; m++) {
    float sum = 0;
    for (int64_t i = 0; i < pixels; i++) sum += x[m][i];
    y[m] = sum / (float)pixels;
  }
  return LN_OK;
}

static ln_status backward(const void *self, const ln_call *call) {
  (void)self;
  const int64_t maps = maps_of(call), pixels = pixels_of(call);
  const float *dy = ln_dy(call, 0);
  float(*dx)[pixels] = (void *)ln_dx(call, 0);

  for (int64_t m = 0; m < maps; m++) {
    const float share = dy[m] / (float)pixels;
    for (int64_t i = 0; i < pixels; i++) dx[m][i] = share;
  }
  return LN_OK;
}

/* ---- method "lanes" ------------------------------------------------------ */

/* Each addition of the textbook waits for the one before. Here 16 sums run
 * side by side, which the compiler puts into vectors; they meet at the end. */
#define LANES 16

static float sum_of(int64_t n, const float x[n]) {
  float lane[LANES] = { 0 }, sum = 0;
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (int l = 0; l < LANES; l++) lane[l] += x[i + l];
  for (; i < n; i++) sum += x[i];
  for (int l = 0; l < LANES; l++) sum += lane[l];
  return sum;
}

static ln_status lanes_forward(const void *self, const ln_call *call) {
  (void)self;
  const int64_t maps = maps_of(call), pixels = pixels_of(call);
  const float(*x)[pixels] = (void *)ln_x(call, 0);
  float *y = ln_y(call, 0);
  for (int64_t m = 0; m < maps; m++)
    y[m] = sum_of(pixels, x[m]) / (float)pixels;
  return LN_OK;
}

static const ln_kernel kernels[] = {
  { .method = "lanes", .forward = lanes_forward, .per_sample = 1 },
};

static const ln_layer layer = {
  LN_LAYER,
  .name = "global_avg_pool2d",
  .brief = "one number a channel: the mean of its map",
  .formula = "y[n,c,0,0] = (1 / (H*W)) * sum over iy,ix of x[n,c,iy,ix]",
  .example = "nn.global_avg_pool2d{}:forward(lunet.randn{ 2, 6, 7, 7 })",
  .inputs = "x(N,C,H,W)",
  .outputs = "y(N,C,1,1)",
  .traits = LN_PER_SAMPLE | LN_FORGETS_X | LN_FORGETS_Y | LN_LINEAR,
  .infer = infer,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("global_avg_pool2d", "1.0", &layer);
