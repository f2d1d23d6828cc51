/* max_pool2d.c - keep the largest number of each window.
 *
 * Forward   y[n,c,oy,ox] = the largest x[n,c, oy*S + ky*D - P, ox*S + kx*D - P]
 *                          over ky,kx, of those inside the image
 * Shapes    x (N,C,H,W)  y (N,C,OH,OW)
 *           OH = floor((H + 2P - D*(KH-1) - 1) / S) + 1, OW likewise;
 *           ceil_mode rounds up, but no window begins beyond the image
 * Backward  dx: each dy flows back to the pixel that was the largest; of equal
 *           ones, to the first, row by row. The rest get nothing
 * Source    Lecture 14, "Pooling Layer"; ties, NaN and ceil_mode as in PyTorch
 *
 * The textbook loops come first. The two most common windows have methods of
 * their own, "2x2" (pairs.c) and "3x3" (below them): both sweep along whole
 * rows and keep one byte an output for backward, which pixel of the window won.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "max_pool2d.h"

#define MOST 65535 /* of one window size; keeps their products small */

static const ln_option options[] = {
  LN_INTS(max_pool2d, kernel_size, LN_REQUIRED, 1, MOST,
          "size of the window, KH x KW: one number or {rows, columns}"),
  LN_INTS_LIKE(max_pool2d, stride, kernel_size, 1, MOST,
               "step of the window, S; left out, the windows touch and do not "
               "overlap"),
  LN_INTS(max_pool2d, padding, 0, 0, MOST,
          "width of a border that never wins, P: at most half a window"),
  LN_INTS(max_pool2d, dilation, 1, 1, MOST,
          "distance of a window's elements in x, D: 1 is side by side"),
  LN_BOOL(max_pool2d, ceil_mode, false,
          "round the output size up, so that a cut window takes the rest"),
  LN_BOOL(max_pool2d, strict, false,
          "refuse an input where the stride leaves rows or columns unread"),
};

static ln_status create(void *self, const ln_host *host) {
  const max_pool2d *o = self;
  for (int d = 0; d < 2; d++)
    if (o->padding[d] > o->kernel_size[d] / 2)
      return ln_fail(host,
                     "padding = %" PRId64 " with kernel_size = %" PRId64
                     ": it may be at most half of it, rounded down, so that no "
                     "window lies in the padding alone; try padding = %" PRId64,
                     o->padding[d], o->kernel_size[d], o->kernel_size[d] / 2);
  return LN_OK;
}

static ln_status infer(const void *self, ln_infer *io) {
  const max_pool2d *o = self;
  const int64_t *x = io->x[0].dim;
  if (x[2] < 1 || x[3] < 1 || x[2] > INT32_MAX / x[3])
    return ln_fail(io->host,
                   "images of %" PRId64 " x %" PRId64 " pixels: "
                   "there must be at least 1 and fewer than 2^31 of them",
                   x[2], x[3]);
  if (ln_slide(io, 2, o->kernel_size, o->stride, o->dilation, o->padding, NULL,
               o->ceil_mode, o->strict) != LN_OK)
    return LN_FAILED;
  const int64_t count = ln_count(&io->y[0]);
  io->saved = count * (int64_t)sizeof(int32_t);
  io->flops = (double)count * (double)(o->kernel_size[0] * o->kernel_size[1]);
  io->flops_backward = (double)count;
  return LN_OK;
}

/* ---- the textbook -------------------------------------------------------- */

/* The letters of the head. A plane is one channel of one item. */
typedef struct sizes {
  int64_t planes, H, W, OH, OW, KH, KW, S[2], P[2], D[2];
} sizes;

static sizes sizes_of(const max_pool2d *o, const ln_call *call) {
  const int64_t *x = call->x[0]->shape.dim, *y = call->y[0]->shape.dim;
  return (sizes){
    .planes = x[0] * x[1],
    .H = x[2],
    .W = x[3],
    .OH = y[2],
    .OW = y[3],
    .KH = o->kernel_size[0],
    .KW = o->kernel_size[1],
    .S = { o->stride[0], o->stride[1] },
    .P = { o->padding[0], o->padding[1] },
    .D = { o->dilation[0], o->dilation[1] },
  };
}

/* The place iy*W + ix of the largest pixel in the window that begins at (top,
 * left); -1 where ceil_mode made a window that meets no pixel. A NaN wins. */
static int64_t place_of_largest(const sizes *s, int64_t top, int64_t left,
                                const float x[s->H][s->W]) {
  int64_t place = -1;
  float largest = -INFINITY;
  for (int64_t ky = 0; ky < s->KH; ky++)
    for (int64_t kx = 0; kx < s->KW; kx++) {
      const int64_t iy = top + ky * s->D[0], ix = left + kx * s->D[1];
      if (iy < 0 || iy >= s->H || ix < 0 || ix >= s->W) continue;
      if (place < 0 || x[iy][ix] > largest || isnan(x[iy][ix])) {
        place = iy * s->W + ix;
        largest = x[iy][ix];
      }
    }
  return place;
}

static ln_status forward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  const float(*x)[s.H][s.W] = (void *)ln_x(call, 0);
  float(*y)[s.OH][s.OW] = (void *)ln_y(call, 0);
  int32_t(*largest)[s.OH][s.OW] = call->saved;

  for (int64_t p = 0; p < s.planes; p++)
    for (int64_t oy = 0; oy < s.OH; oy++)
      for (int64_t ox = 0; ox < s.OW; ox++) {
        const int64_t i = place_of_largest(&s, oy * s.S[0] - s.P[0],
                                           ox * s.S[1] - s.P[1], x[p]);
        largest[p][oy][ox] = (int32_t)i;
        y[p][oy][ox] = i < 0 ? -INFINITY : x[p][i / s.W][i % s.W];
      }
  return LN_OK;
}

static ln_status backward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  const float(*dy)[s.OH * s.OW] = (void *)ln_dy(call, 0);
  float(*dx)[s.H * s.W] = (void *)ln_dx(call, 0);
  int32_t(*largest)[s.OH * s.OW] = call->saved;

  for (int64_t p = 0; p < s.planes; p++) {
    memset(dx[p], 0, sizeof dx[p]);
    for (int64_t o = 0; o < s.OH * s.OW; o++)
      if (largest[p][o] >= 0) dx[p][largest[p][o]] += dy[p][o];
  }
  return LN_OK;
}

/* ---- method "1x1" -------------------------------------------------------- */

/* A window of one pixel: with a stride it leaves pixels out, as the shortcuts
 * of some residual networks do. */
static ln_status ones_plan(const void *self, ln_infer *io) {
  const max_pool2d *o = self;
  (void)io;
  for (int d = 0; d < 2; d++)
    if (o->kernel_size[d] != 1 || o->padding[d] != 0 || o->ceil_mode)
      return LN_UNSUITED;
  return LN_OK;
}

static ln_status ones_forward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  const float(*x)[s.H][s.W] = (void *)ln_x(call, 0);
  float(*y)[s.OH][s.OW] = (void *)ln_y(call, 0);

  for (int64_t p = 0; p < s.planes; p++)
    for (int64_t oy = 0; oy < s.OH; oy++)
      for (int64_t ox = 0; ox < s.OW; ox++)
        y[p][oy][ox] = x[p][oy * s.S[0]][ox * s.S[1]];
  return LN_OK;
}

static ln_status ones_backward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  const float(*dy)[s.OH][s.OW] = (void *)ln_dy(call, 0);
  float(*dx)[s.H][s.W] = (void *)ln_dx(call, 0);

  for (int64_t p = 0; p < s.planes; p++) {
    memset(dx[p], 0, sizeof dx[p]);
    for (int64_t oy = 0; oy < s.OH; oy++)
      for (int64_t ox = 0; ox < s.OW; ox++)
        dx[p][oy * s.S[0]][ox * s.S[1]] = dy[p][oy][ox];
  }
  return LN_OK;
}

/* ---- the table ----------------------------------------------------------- */

#define METHOD(word, name, bits, suffix)                                       \
  {                                                                            \
    .method = word, .isa = bits, .plan = name##_plan_##suffix,                 \
    .forward = name##_forward_##suffix, .backward = name##_backward_##suffix,  \
    .per_sample = 1                                                            \
  }
#define PAIRS(bits, suffix)  METHOD("2x2", pairs, bits, suffix)
#define THREES(bits, suffix) METHOD("3x3", threes, bits, suffix)

static const ln_kernel kernels[] = {
  LN_FOR_EACH_ISA(PAIRS),
  LN_FOR_EACH_ISA(THREES),
  { .method = "1x1",
    .plan = ones_plan,
    .forward = ones_forward,
    .backward = ones_backward,
    .per_sample = 1 },
};

static const ln_layer layer = {
  LN_LAYER,
  .name = "max_pool2d",
  .brief = "keeps the largest number of each window",
  .formula = "y[n,c,oy,ox] = max over ky,kx of "
             "x[n,c, oy*S + ky*D - P, ox*S + kx*D - P]",
  .example = "nn.max_pool2d{ kernel_size = 2 }"
             ":forward(lunet.randn{ 2, 6, 28, 28 })",
  .inputs = "x(N,C,H,W)",
  .outputs = "y(N,C,OH,OW)",
  LN_OPTIONS(max_pool2d, options),
  .traits = LN_PER_SAMPLE | LN_FORGETS_X | LN_FORGETS_Y | LN_NONSMOOTH,
  .create = create,
  .infer = infer,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("max_pool2d", "1.0", &layer);
