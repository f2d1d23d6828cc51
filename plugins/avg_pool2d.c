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
 * out over it. Backward goes the same way back, plane by plane:
 *
 *     shares[oy][ox] = dy[oy][ox] / A
 *     sums[oy][ox*S + kx] = sum over the ox,kx that meet there of shares[oy][ox]
 *     dx[iy][ix] = sum over the oy whose windows see iy of sums[oy][P + ix]
 *
 * The functions of a row come with the sizes of the window as constants where
 * those are common: then the inner loops are unrolled, the outer ones vectors. */

typedef struct rows {
  sizes s;
  int64_t KW, S, P; /* along a row */
  int64_t steps;    /* of S sums each in a row of sums */
  int64_t reach;    /* steps that a window has behind its first */
  float *counted;   /* (OW) columns that a window counts */
  float *sums;      /* (OH, steps*S) */
  float *shares;    /* (OH, reach + steps), 0 but for those of windows */
} rows;

static rows rows_from(const avg_pool2d *o, const sizes *s) {
  const int64_t KW = o->kernel_size[1], S = o->stride[1], P = o->padding[1];
  const int64_t windows = (s->OW - 1) * S + KW, pixels = P + s->W;
  const int64_t length = windows > pixels ? windows : pixels;
  return (rows){ .s = *s,
                 .KW = KW,
                 .S = S,
                 .P = P,
                 .steps = (length + S - 1) / S,
                 .reach = (KW - 1) / S };
}

static int64_t rows_bytes(const rows *r) {
  const int64_t row = r->steps * r->S + r->reach + r->steps;
  return (r->s.OW + r->s.OH * row) * (int64_t)sizeof(float);
}

static ln_status rows_plan(const void *self, ln_infer *io) {
  const sizes s = { .W = io->x[0].dim[3],
                    .OH = io->y[0].dim[2],
                    .OW = io->y[0].dim[3] };
  const rows r = rows_from(self, &s);
  io->workspace = rows_bytes(&r);
  return LN_OK;
}

static rows rows_of(const avg_pool2d *o, const ln_call *call) {
  const sizes s = sizes_of(call);
  rows r = rows_from(o, &s);
  memset(call->workspace, 0, (size_t)rows_bytes(&r));
  r.counted = call->workspace;
  r.sums = r.counted + s.OW;
  r.shares = r.sums + s.OH * r.steps * r.S;
  for (int64_t ox = 0; ox < s.OW; ox++)
    r.counted[ox] = (float)span_of(o, 1, ox, s.W).counted;
  return r;
}

/* to = the sum of `count` rows, which begin `apart` floats apart. */
LN_INLINE void set_to_rows(const float *restrict from, int64_t apart, int count,
                           int64_t n, float *restrict to) {
  for (int64_t i = 0; i < n; i++) {
    float sum = 0;
    for (int row = 0; row < count; row++) sum += from[row * apart + i];
    to[i] = sum;
  }
}

LN_INLINE void add_rows(const float *restrict from, int64_t apart,
                        int64_t count, int64_t n, float *restrict to) {
  if (count >= 3)
    set_to_rows(from, apart, 3, n, to);
  else if (count == 2)
    set_to_rows(from, apart, 2, n, to);
  else
    set_to_rows(from, apart, count == 1, n, to);
  for (int64_t row = 3; row < count; row++)
    for (int64_t i = 0; i < n; i++) to[i] += from[row * apart + i];
}

LN_INLINE void take_means(const rows *r, int64_t KW, int64_t S, float counted,
                          float *restrict y) {
  const float *restrict sums = r->sums;
  for (int64_t ox = 0; ox < r->s.OW; ox++) {
    float sum = 0;
    for (int64_t kx = 0; kx < KW; kx++) sum += sums[ox * S + kx];
    y[ox] = sum / (counted * r->counted[ox]);
  }
}

LN_INLINE ln_status rows_forward(const void *self, const ln_call *call) {
  const rows r = rows_of(self, call);
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0);

  for (int64_t p = 0; p < r.s.planes; p++, x += r.s.H * r.s.W)
    for (int64_t oy = 0; oy < r.s.OH; oy++, y += r.s.OW) {
      const span seen = span_of(self, 0, oy, r.s.H);
      const float counted = (float)seen.counted;
      add_rows(x + seen.begin * r.s.W, r.s.W, seen.end - seen.begin, r.s.W,
               r.sums + r.P);
      if (r.KW == 3 && r.S == 2)
        take_means(&r, 3, 2, counted, y);
      else if (r.KW == 3 && r.S == 1)
        take_means(&r, 3, 1, counted, y);
      else
        take_means(&r, r.KW, r.S, counted, y);
    }
  return LN_OK;
}

static float *shares_of(const rows *r, int64_t oy) {
  return r->shares + oy * (r->reach + r->steps) + r->reach;
}

LN_INLINE void share_out(const rows *r, float counted, const float *restrict dy,
                         float *restrict shares) {
  for (int64_t ox = 0; ox < r->s.OW; ox++)
    shares[ox] = dy[ox] / (counted * r->counted[ox]);
}

/* Sum i*S + j meets the windows i, i - 1, ...: at kx = j, S + j, ... */
LN_INLINE void add_shares(const rows *r, int64_t KW, int64_t S,
                          const float *restrict shares, float *restrict sums) {
  for (int64_t i = 0; i < r->steps; i++)
    for (int64_t j = 0; j < S; j++) {
      float sum = 0;
      for (int64_t m = 0; m * S + j < KW; m++) sum += shares[i - m];
      sums[i * S + j] = sum;
    }
}

/* The same for wide windows: one after another. */
LN_INLINE void add_windows(const rows *r, const float *restrict shares,
                           float *restrict sums) {
  memset(sums, 0, (size_t)(r->steps * r->S) * sizeof *sums);
  for (int64_t ox = 0; ox < r->s.OW; ox++)
    for (int64_t kx = 0; kx < r->KW; kx++) sums[ox * r->S + kx] += shares[ox];
}

/* The oy whose windows see iy, [begin, end). */
static span seen_from(const avg_pool2d *o, const sizes *s, int64_t iy) {
  const int64_t KH = o->kernel_size[0], S = o->stride[0];
  const int64_t place = iy + o->padding[0], end = place / S + 1;
  return (span){ .begin = place < KH ? 0 : (place - KH) / S + 1,
                 .end = end < s->OH ? end : s->OH };
}

LN_INLINE ln_status rows_backward(const void *self, const ln_call *call) {
  const rows r = rows_of(self, call);
  const int64_t length = r.steps * r.S;
  const float *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);

  for (int64_t p = 0; p < r.s.planes; p++) {
    for (int64_t oy = 0; oy < r.s.OH; oy++, dy += r.s.OW)
      share_out(&r, (float)span_of(self, 0, oy, r.s.H).counted, dy,
                shares_of(&r, oy));
    for (int64_t oy = 0; oy < r.s.OH; oy++)
      if (r.KW == 3 && r.S == 2)
        add_shares(&r, 3, 2, shares_of(&r, oy), r.sums + oy * length);
      else if (r.KW == 3 && r.S == 1)
        add_shares(&r, 3, 1, shares_of(&r, oy), r.sums + oy * length);
      else
        add_windows(&r, shares_of(&r, oy), r.sums + oy * length);
    for (int64_t iy = 0; iy < r.s.H; iy++, dx += r.s.W) {
      const span seen = seen_from(self, &r.s, iy);
      add_rows(r.sums + seen.begin * length + r.P, length,
               seen.end - seen.begin, r.s.W, dx);
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
