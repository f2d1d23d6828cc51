/* avg_pool2d.c - the mean of each window.
 *
 * Forward   y[n,c,oy,ox] = (1 / A) * sum over ky,kx of
 *                          x[n,c, oy*S + ky - P, ox*S + kx - P]
 * Shapes    x (N,C,H,W)  y (N,C,OH,OW)
 *           OH = floor((H + 2P - KH) / S) + 1, OW likewise; x is 0 outside;
 *           ceil_mode rounds up, but no window begins beyond the image
 *           A is the area KH*KW, less what ceil_mode lets hang out over the
 *           padding; with count_include_pad = false the padding does not
 *           count either
 * Backward  dx: each dy flows back to all pixels of its window, 1 / A each
 * Source    Lecture 14, "Pooling Layer"; the area as in PyTorch
 *
 * The textbook loops come first. Below them the method "2x2" does the most
 * common window in one sweep along pairs of rows, and "rows" does any window in
 * two sweeps.
 */
#include <string.h>

#include <lunet/kernels/each_isa.h>
#include <lunet/kernels/per_isa.h>
#include <lunet/plugin.h>

typedef struct avg_pool2d {
  int64_t kernel_size[2], stride[2], padding[2]; /* rows, columns */
  bool ceil_mode, count_include_pad, strict;
} avg_pool2d;

#define MOST 65535 /* of one window size; keeps their products small */

static const ln_option options[] = {
  LN_INTS(avg_pool2d, kernel_size, LN_REQUIRED, 1, MOST,
          "size of the window, KH x KW: one number or {rows, columns}"),
  LN_INTS_LIKE(avg_pool2d, stride, kernel_size, 1, MOST,
               "step of the window, S; left out, the windows touch and do not "
               "overlap"),
  LN_INTS(avg_pool2d, padding, 0, 0, MOST,
          "zeros on each side, P: at most half a window"),
  LN_BOOL(avg_pool2d, ceil_mode, false,
          "round the output size up, so that a cut window takes the rest"),
  LN_BOOL(avg_pool2d, count_include_pad, true,
          "let the zeros of the padding count in the mean"),
  LN_BOOL(avg_pool2d, strict, false,
          "refuse an input where the stride leaves rows or columns unread"),
};

static ln_status create(void *self, const ln_host *host) {
  const avg_pool2d *o = self;
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
  const avg_pool2d *o = self;
  const int64_t *x = io->x[0].dim;
  if (x[2] < 1 || x[3] < 1)
    return ln_fail(io->host,
                   "x has no pixels: its images are %" PRId64 " x %" PRId64,
                   x[2], x[3]);
  if (ln_slide(io, 2, o->kernel_size, o->stride, NULL, o->padding, NULL,
               o->ceil_mode, o->strict) != LN_OK)
    return LN_FAILED;
  io->flops = (double)ln_count(&io->y[0]) *
              (double)(o->kernel_size[0] * o->kernel_size[1]);
  io->flops_backward = io->flops;
  return LN_OK;
}

/* The letters of the head. A plane is one channel of one item. */
typedef struct sizes {
  int64_t planes, H, W, OH, OW;
} sizes;

static sizes sizes_of(const ln_call *call) {
  const int64_t *x = call->x[0]->shape.dim, *y = call->y[0]->shape.dim;
  return (sizes){
    .planes = x[0] * x[1], .H = x[2], .W = x[3], .OH = y[2], .OW = y[3]
  };
}

/* Along one dim: which pixels a window sees, and how many it counts. */
typedef struct span {
  int64_t begin, end, counted;
} span;

static span span_of(const avg_pool2d *o, int d, int64_t place, int64_t size) {
  const int64_t P = o->padding[d];
  span s = { .begin = place * o->stride[d] - P };
  s.end = s.begin + o->kernel_size[d];
  if (s.end > size + P) s.end = size + P; /* beyond the padding: not counted */
  s.counted = s.end - s.begin;
  if (s.begin < 0) s.begin = 0;
  if (s.end > size) s.end = size;
  if (!o->count_include_pad) s.counted = s.end - s.begin;
  return s;
}

static ln_status forward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(call);
  const float(*x)[s.H][s.W] = (void *)ln_x(call, 0);
  float(*y)[s.OH][s.OW] = (void *)ln_y(call, 0);

  for (int64_t p = 0; p < s.planes; p++)
    for (int64_t oy = 0; oy < s.OH; oy++)
      for (int64_t ox = 0; ox < s.OW; ox++) {
        const span rows = span_of(self, 0, oy, s.H);
        const span columns = span_of(self, 1, ox, s.W);
        float sum = 0;
        for (int64_t iy = rows.begin; iy < rows.end; iy++)
          for (int64_t ix = columns.begin; ix < columns.end; ix++)
            sum += x[p][iy][ix];
        y[p][oy][ox] = sum / (float)(rows.counted * columns.counted);
      }
  return LN_OK;
}

static ln_status backward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(call);
  const float(*dy)[s.OH][s.OW] = (void *)ln_dy(call, 0);
  float(*dx)[s.H][s.W] = (void *)ln_dx(call, 0);

  for (int64_t p = 0; p < s.planes; p++) {
    memset(dx[p], 0, sizeof dx[p]);
    for (int64_t oy = 0; oy < s.OH; oy++)
      for (int64_t ox = 0; ox < s.OW; ox++) {
        const span rows = span_of(self, 0, oy, s.H);
        const span columns = span_of(self, 1, ox, s.W);
        const float share =
            dy[p][oy][ox] / (float)(rows.counted * columns.counted);
        for (int64_t iy = rows.begin; iy < rows.end; iy++)
          for (int64_t ix = columns.begin; ix < columns.end; ix++)
            dx[p][iy][ix] += share;
      }
  }
  return LN_OK;
}

/* ---- method "2x2" -------------------------------------------------------- */

/* Windows of 2x2 that touch: no borders, no overlap, so the compiler turns the
 * sweep into vectors. A last odd row or column is never read. */

static ln_status pairs_plan(const void *self, ln_infer *io) {
  const avg_pool2d *o = self;
  for (int d = 0; d < 2; d++) {
    const bool fits = o->kernel_size[d] == 2 && o->stride[d] == 2 &&
                      o->padding[d] == 0 &&
                      2 * io->y[0].dim[2 + d] <= io->x[0].dim[2 + d];
    if (!fits) return LN_UNSUITED;
  }
  return LN_OK;
}

/* Two rows of W pixels. */
static void pool_pairs(const float *restrict x, int64_t W, int64_t OW,
                       float *restrict y) {
  for (int64_t i = 0; i < OW; i++)
    y[i] = (x[2 * i] + x[2 * i + 1] + x[2 * i + W] + x[2 * i + W + 1]) / 4;
}

static ln_status pairs_forward(const void *self, const ln_call *call) {
  (void)self;
  const sizes s = sizes_of(call);
  const float(*x)[s.H][s.W] = (void *)ln_x(call, 0);
  float(*y)[s.OH][s.OW] = (void *)ln_y(call, 0);

  for (int64_t p = 0; p < s.planes; p++)
    for (int64_t oy = 0; oy < s.OH; oy++)
      pool_pairs(x[p][2 * oy], s.W, s.OW, y[p][oy]);
  return LN_OK;
}

static void spread_pairs(const float *restrict dy, int64_t OW,
                         float *restrict upper, float *restrict lower) {
  for (int64_t i = 0; i < OW; i++) {
    const float share = dy[i] / 4;
    upper[2 * i] = upper[2 * i + 1] = share;
    lower[2 * i] = lower[2 * i + 1] = share;
  }
}

static ln_status pairs_backward(const void *self, const ln_call *call) {
  (void)self;
  const sizes s = sizes_of(call);
  const float(*dy)[s.OH][s.OW] = (void *)ln_dy(call, 0);
  float(*dx)[s.H][s.W] = (void *)ln_dx(call, 0);

  for (int64_t p = 0; p < s.planes; p++) {
    for (int64_t oy = 0; oy < s.OH; oy++) {
      float *upper = dx[p][2 * oy], *lower = dx[p][2 * oy + 1];
      spread_pairs(dy[p][oy], s.OW, upper, lower);
      for (int64_t ix = 2 * s.OW; ix < s.W; ix++) upper[ix] = lower[ix] = 0;
    }
    for (int64_t iy = 2 * s.OH; iy < s.H; iy++)
      memset(dx[p][iy], 0, sizeof dx[p][iy]);
  }
  return LN_OK;
}

/* ---- method "rows" ------------------------------------------------------- */

/* Any window, in two sweeps along whole rows: the rows of pixels that a row of
 * windows sees are added up into one row of sums, and of that each output takes
 * KW neighbours. A pixel is thus fetched once for a row of windows, and not for
 * each of them.
 *
 *     sums[P + ix] = sum over the rows iy of x[iy][ix]
 *     y[ox] = (sums[ox*S] + ... + sums[ox*S + KW - 1]) / A
 *
 * The margin of sums, in front and behind, is 0: the padding, and what hangs
 * out over it. Backward goes the same way back. */

typedef struct rows {
  sizes s;
  int64_t KW, S, P; /* along a row */
  float *sums;
  int64_t length; /* of sums */
  float *counted; /* (OW) columns that a window counts */
} rows;

static rows rows_from(const avg_pool2d *o, const sizes *s) {
  rows r = {
    .s = *s, .KW = o->kernel_size[1], .S = o->stride[1], .P = o->padding[1]
  };
  const int64_t windows = (s->OW - 1) * r.S + r.KW, pixels = r.P + s->W;
  r.length = windows > pixels ? windows : pixels;
  return r;
}

static rows rows_of(const avg_pool2d *o, const ln_call *call) {
  const sizes s = sizes_of(call);
  rows r = rows_from(o, &s);
  r.sums = call->workspace;
  r.counted = r.sums + r.length;
  memset(r.sums, 0, (size_t)r.length * sizeof *r.sums);
  for (int64_t ox = 0; ox < s.OW; ox++)
    r.counted[ox] = (float)span_of(o, 1, ox, s.W).counted;
  return r;
}

static ln_status rows_plan(const void *self, ln_infer *io) {
  const sizes s = { .W = io->x[0].dim[3], .OW = io->y[0].dim[3] };
  const rows r = rows_from(self, &s);
  io->workspace = (r.length + s.OW) * (int64_t)sizeof(float);
  return LN_OK;
}

LN_INLINE void add_row(const float *restrict from, int64_t n,
                       float *restrict to) {
  for (int64_t i = 0; i < n; i++) to[i] += from[i];
}

/* Called with S = 1 and 2 as constants: then the compiler makes vectors. */
LN_INLINE void add_neighbours(const float *restrict sums, int64_t KW, int64_t S,
                              int64_t OW, float *restrict y) {
  for (int64_t ox = 0; ox < OW; ox++) y[ox] = sums[ox * S];
  for (int64_t kx = 1; kx < KW; kx++)
    for (int64_t ox = 0; ox < OW; ox++) y[ox] += sums[ox * S + kx];
}

LN_INLINE ln_status rows_forward(const void *self, const ln_call *call) {
  const rows r = rows_of(self, call);
  const float(*x)[r.s.H][r.s.W] = (void *)ln_x(call, 0);
  float *y = ln_y(call, 0);

  for (int64_t p = 0; p < r.s.planes; p++)
    for (int64_t oy = 0; oy < r.s.OH; oy++, y += r.s.OW) {
      const span seen = span_of(self, 0, oy, r.s.H);
      memset(r.sums + r.P, 0, (size_t)r.s.W * sizeof *r.sums);
      for (int64_t iy = seen.begin; iy < seen.end; iy++)
        add_row(x[p][iy], r.s.W, r.sums + r.P);
      if (r.S == 1)
        add_neighbours(r.sums, r.KW, 1, r.s.OW, y);
      else if (r.S == 2)
        add_neighbours(r.sums, r.KW, 2, r.s.OW, y);
      else
        add_neighbours(r.sums, r.KW, r.S, r.s.OW, y);
      for (int64_t ox = 0; ox < r.s.OW; ox++)
        y[ox] /= (float)seen.counted * r.counted[ox];
    }
  return LN_OK;
}

/* sums[ox*S + kx] += dy[ox] / A */
LN_INLINE void share_out(const rows *r, const float *restrict dy, float counted,
                         float *restrict sums) {
  memset(sums, 0, (size_t)r->length * sizeof *sums);
  for (int64_t ox = 0; ox < r->s.OW; ox++) {
    const float share = dy[ox] / (counted * r->counted[ox]);
    for (int64_t kx = 0; kx < r->KW; kx++) sums[ox * r->S + kx] += share;
  }
}

LN_INLINE ln_status rows_backward(const void *self, const ln_call *call) {
  const rows r = rows_of(self, call);
  const float *dy = ln_dy(call, 0);
  float(*dx)[r.s.H][r.s.W] = (void *)ln_dx(call, 0);

  for (int64_t p = 0; p < r.s.planes; p++) {
    memset(dx[p], 0, sizeof dx[p]);
    for (int64_t oy = 0; oy < r.s.OH; oy++, dy += r.s.OW) {
      const span seen = span_of(self, 0, oy, r.s.H);
      share_out(&r, dy, (float)seen.counted, r.sums);
      for (int64_t iy = seen.begin; iy < seen.end; iy++)
        add_row(r.sums + r.P, r.s.W, dx[p][iy]);
    }
  }
  return LN_OK;
}

LN_EACH_ISA(rows_forward)
LN_EACH_ISA(rows_backward)

#define ROWS(bits, suffix)                                                     \
  {                                                                            \
    .method = "rows", .isa = bits, .plan = rows_plan,                          \
    .forward = rows_forward_##suffix, .backward = rows_backward_##suffix,      \
    .per_sample = 1                                                            \
  }

static const ln_kernel kernels[] = {
  { .method = "2x2",
    .plan = pairs_plan,
    .forward = pairs_forward,
    .backward = pairs_backward,
    .per_sample = 1 },
  LN_FOR_EACH_ISA(ROWS),
};

static const ln_layer layer = {
  LN_LAYER,
  .name = "avg_pool2d",
  .brief = "the mean of each window",
  .formula = "y[n,c,oy,ox] = (1 / (KH*KW)) * sum over ky,kx of "
             "x[n,c, oy*S + ky - P, ox*S + kx - P]",
  .example = "nn.avg_pool2d{ kernel_size = 2 }"
             ":forward(lunet.randn{ 2, 6, 28, 28 })",
  .inputs = "x(N,C,H,W)",
  .outputs = "y(N,C,OH,OW)",
  LN_OPTIONS(avg_pool2d, options),
  .traits = LN_PER_SAMPLE | LN_FORGETS_X | LN_FORGETS_Y | LN_LINEAR,
  .create = create,
  .infer = infer,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("avg_pool2d", "1.0", &layer);
