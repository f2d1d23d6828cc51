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
 * The textbook loops come first. The method "2x2" below them does the most
 * common window in one sweep along whole rows.
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

/* A window's sum is the sum of its columns' sums: the rows of a row of windows
 * are added up first, then few numbers are left for each window. Backward is
 * the same the other way around. Where windows end is looked up once a call. */

static ln_status rows_plan(const void *self, ln_infer *io) {
  (void)self;
  const int64_t W = io->x[0].dim[3], OW = io->y[0].dim[3];
  io->workspace =
      OW * (int64_t)sizeof(span) + (W + OW) * (int64_t)sizeof(float);
  return LN_OK;
}

/* What a call looks up and works with: the columns of each window, the windows
 * that are whole and how they lie, room for a row of pixels and of shares. */
typedef struct lookup {
  span *columns;
  float *row, *shares;
  int64_t OW, whole_begin, whole_end; /* of windows */
  int64_t width, stride, first;       /* first: column of whole_begin */
} lookup;

LN_INLINE lookup look_up(const avg_pool2d *o, const sizes *s,
                         const ln_call *call) {
  lookup l = { .columns = call->workspace,
               .OW = s->OW,
               .width = o->kernel_size[1],
               .stride = o->stride[1] };
  l.row = (float *)(l.columns + s->OW);
  l.shares = l.row + s->W;
  l.whole_begin = l.whole_end = s->OW;
  for (int64_t ox = s->OW - 1; ox >= 0; ox--) {
    const span c = l.columns[ox] = span_of(o, 1, ox, s->W);
    if (c.end - c.begin < l.width) continue;
    if (l.whole_begin == s->OW) l.whole_end = ox + 1;
    l.whole_begin = ox;
    l.first = c.begin;
  }
  return l;
}

LN_INLINE void add_row(float *restrict to, const float *restrict from,
                       int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i] += from[i];
}

/* One window, from the sums of its columns. */
LN_INLINE float mean_of(const lookup *l, int64_t ox, int64_t counted) {
  const span c = l->columns[ox];
  float sum = 0;
  for (int64_t ix = c.begin; ix < c.end; ix++) sum += l->row[ix];
  return sum / (float)(counted * c.counted);
}

/* n whole windows. A width and a stride that are constants at the call give
 * vectors. */
LN_INLINE void whole_means(const int64_t width, const int64_t stride,
                           const float *restrict row, int64_t n, float counted,
                           float *restrict y) {
  for (int64_t i = 0; i < n; i++) {
    float sum = row[i * stride];
    for (int64_t k = 1; k < width; k++) sum += row[i * stride + k];
    y[i] = sum / counted;
  }
}

LN_INLINE void mean_columns(const lookup *l, int64_t counted, float *y) {
  const int64_t begin = l->whole_begin, end = l->whole_end, n = end - begin;
  const float *row = l->row + l->first;
  const float all = (float)(counted * l->width);
  for (int64_t ox = 0; ox < begin; ox++) y[ox] = mean_of(l, ox, counted);
  for (int64_t ox = end; ox < l->OW; ox++) y[ox] = mean_of(l, ox, counted);
  if (l->width == 3 && l->stride == 2)
    whole_means(3, 2, row, n, all, y + begin);
  else
    whole_means(l->width, l->stride, row, n, all, y + begin);
}

LN_INLINE ln_status rows_forward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(call);
  const lookup l = look_up(self, &s, call);
  const float(*x)[s.H][s.W] = (void *)ln_x(call, 0);
  float(*y)[s.OH][s.OW] = (void *)ln_y(call, 0);

  for (int64_t p = 0; p < s.planes; p++)
    for (int64_t oy = 0; oy < s.OH; oy++) {
      const span rows = span_of(self, 0, oy, s.H);
      memset(l.row, 0, sizeof x[p][0]);
      for (int64_t iy = rows.begin; iy < rows.end; iy++)
        add_row(l.row, x[p][iy], s.W);
      mean_columns(&l, rows.counted, y[p][oy]);
    }
  return LN_OK;
}

LN_INLINE void spread_columns(const lookup *l, int64_t counted,
                              const float *dy) {
  for (int64_t ox = 0; ox < l->OW; ox++)
    l->shares[ox] = dy[ox] / (float)(counted * l->columns[ox].counted);
  for (int64_t ox = 0; ox < l->OW; ox++)
    for (int64_t ix = l->columns[ox].begin; ix < l->columns[ox].end; ix++)
      l->row[ix] += l->shares[ox];
}

LN_INLINE ln_status rows_backward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(call);
  const lookup l = look_up(self, &s, call);
  const float(*dy)[s.OH][s.OW] = (void *)ln_dy(call, 0);
  float(*dx)[s.H][s.W] = (void *)ln_dx(call, 0);

  for (int64_t p = 0; p < s.planes; p++) {
    memset(dx[p], 0, sizeof dx[p]);
    for (int64_t oy = 0; oy < s.OH; oy++) {
      const span rows = span_of(self, 0, oy, s.H);
      memset(l.row, 0, sizeof dx[p][0]);
      spread_columns(&l, rows.counted, dy[p][oy]);
      for (int64_t iy = rows.begin; iy < rows.end; iy++)
        add_row(dx[p][iy], l.row, s.W);
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
