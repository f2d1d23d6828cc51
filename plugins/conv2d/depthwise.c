/* depthwise.c - method "depthwise": groups = C = K, every channel alone, with a
 * 3x3 or 5x5 filter and stride 1.
 *
 * There is no sum over channels here, so nearly every product needs a pixel of
 * its own: what counts is how often a pixel is loaded. The kernel makes a block
 * of 4 rows of outputs at once; a vector of pixels, loaded once, serves all
 * rows of the block that a filter's row reaches. The plane is first copied with
 * zeros around it.
 *
 * The gradient of x is the same with the filter turned by 180 degrees, and
 * that of w sums dy times the same vectors of pixels, one vector a tap. */
#include "conv2d.h"

#include <lunet/kernels/vector.h>

#include <string.h>

enum { BLOCK = 4 /* rows */, MOST_TAPS = 25 };

/* ---- planes with zeros around -------------------------------------------- */

typedef struct plane {
  int64_t top, left;     /* zeros before the image; negative: cut off */
  int64_t rows, columns; /* with zeros: whole blocks, whole vectors */
} plane;

static int64_t whole_rows(int64_t rows) {
  return divide_up(rows, BLOCK) * BLOCK;
}
static int64_t whole_columns(int64_t columns) {
  return divide_up(columns, 2 * LN_VECTOR) * 2 * LN_VECTOR;
}

/* The plane from which rows x columns outputs are made. */
static plane plane_for(int64_t rows, int64_t columns, int64_t R, int64_t top,
                       int64_t left) {
  return (plane){ top, left, whole_rows(rows) + R - 1,
                  whole_columns(columns) + R - 1 };
}

static int64_t plane_floats(const plane *p) {
  return divide_up(p->rows * p->columns, LN_VECTOR) * LN_VECTOR;
}

/* The zeros stay while plane after plane is copied into the midst of them. */
static void clear_plane(const plane *p, float *to) {
  memset(to, 0, (size_t)plane_floats(p) * sizeof *to);
}

static void copy_plane(const plane *p, const float *image, int64_t H, int64_t W,
                       float *to) {
  const int64_t begin = larger(0, -p->top), end = smaller(H, p->rows - p->top);
  const int64_t skip = larger(0, -p->left);
  const int64_t n = smaller(W, p->columns - p->left) - skip;
  to += (begin + p->top) * p->columns + skip + p->left;
  image += begin * W + skip;
  for (int64_t y = begin; y < end; y++, to += p->columns, image += W)
    ln_copy_short(to, image, n);
}

/* ---- kernels ------------------------------------------------------------- */

/* A block of outputs, two vectors wide. */
LN_INLINE void filter_block(const int R, const float *w, float bias,
                            const float *pixels, int64_t row,
                            ln_vector sum[BLOCK][2]) {
#pragma GCC unroll 4
  for (int r = 0; r < BLOCK; r++)
    sum[r][0] = sum[r][1] = (ln_vector){ 0 } + bias;
#pragma GCC unroll 8
  for (int y = 0; y < BLOCK + R - 1; y++)
#pragma GCC unroll 5
    for (int kx = 0; kx < R; kx++) {
      const ln_vector x0 = ln_load_once(pixels + y * row + kx);
      const ln_vector x1 = ln_load_once(pixels + y * row + kx + LN_VECTOR);
#pragma GCC unroll 4
      for (int r = 0; r < BLOCK; r++)
        if (y - r >= 0 && y - r < R) {
          sum[r][0] += w[(y - r) * R + kx] * x0;
          sum[r][1] += w[(y - r) * R + kx] * x1;
        }
    }
}

/* The last block may reach beyond the last row. Such rows are stored first, at
 * the place of the last one, which then overwrites them. */
LN_INLINE void store_block(ln_vector sum[BLOCK][2], float *to, int64_t rows,
                           int64_t columns, int64_t x) {
#pragma GCC unroll 4
  for (int r = BLOCK - 1; r >= 0; r--) {
    float *at = to + smaller(r, rows - 1) * columns + x;
    ln_store_first(at, sum[r][0], columns - x);
    ln_store_first(at + LN_VECTOR, sum[r][1], columns - x - LN_VECTOR);
  }
}

LN_INLINE void filter_plane(const int R, const plane *p, const float *w,
                            float bias, bool rectify, const float *pixels,
                            int64_t rows, int64_t columns, float *to) {
  for (int64_t y = 0; y < rows; y += BLOCK, to += BLOCK * columns)
    for (int64_t x = 0; x < columns; x += 2 * LN_VECTOR) {
      ln_vector sum[BLOCK][2];
      filter_block(R, w, bias, pixels + y * p->columns + x, p->columns, sum);
#pragma GCC unroll 4
      for (int r = 0; rectify && r < BLOCK; r++)
        sum[r][0] = ln_rectify(sum[r][0]), sum[r][1] = ln_rectify(sum[r][1]);
      store_block(sum, to, rows - y, columns, x);
    }
}

/* Adds dy times pixels to a vector for each tap, and dy to one for the bias. */
LN_INLINE void add_gradient(const int R, const plane *p, const float *pixels,
                            const float *dy, int64_t rows, int64_t columns,
                            ln_vector *taps, ln_vector *bias) {
  ln_vector sum[MOST_TAPS], all = *bias;
#pragma GCC unroll 25
  for (int t = 0; t < R * R; t++) sum[t] = taps[t];
  for (int64_t y = 0; y < rows; y += BLOCK)
    for (int64_t x = 0; x < columns; x += LN_VECTOR) {
      ln_vector g[BLOCK];
#pragma GCC unroll 4
      for (int r = 0; r < BLOCK; r++) {
        g[r] = ln_load_once(dy + (y + r) * columns + x);
        all += g[r];
      }
#pragma GCC unroll 8
      for (int i = 0; i < BLOCK + R - 1; i++)
#pragma GCC unroll 5
        for (int kx = 0; kx < R; kx++) {
          const ln_vector v =
              ln_load_once(pixels + (y + i) * p->columns + x + kx);
#pragma GCC unroll 4
          for (int r = 0; r < BLOCK; r++)
            if (i - r >= 0 && i - r < R) sum[(i - r) * R + kx] += g[r] * v;
        }
    }
#pragma GCC unroll 25
  for (int t = 0; t < R * R; t++) taps[t] = sum[t];
  *bias = all;
}

/* ---- forward, and the gradient of x -------------------------------------- */

typedef struct job {
  int64_t R, N, C;
  int64_t H, W, OH, OW; /* in, out */
  plane in;
  bool turned, rectify;
  const float *x, *w, *bias;
  float *y;
} job;

static job forward_job(const sizes *s) {
  return (job){ .R = s->KH,
                .N = s->N,
                .C = s->C,
                .H = s->H,
                .W = s->W,
                .OH = s->OH,
                .OW = s->OW,
                .in = plane_for(s->OH, s->OW, s->KH, s->P[0], s->P[1]) };
}

static job gradient_job(const sizes *s) {
  return (job){ .R = s->KH,
                .N = s->N,
                .C = s->C,
                .H = s->OH,
                .W = s->OW,
                .OH = s->H,
                .OW = s->W,
                .turned = true,
                .in = plane_for(s->H, s->W, s->KH, s->KH - 1 - s->P[0],
                                s->KH - 1 - s->P[1]) };
}

/* The i-th plane of all images. */
static void filter_image(const job *j, int64_t i, float *pixels) {
  const int64_t taps = j->R * j->R, channel = i % j->C;
  float w[MOST_TAPS];
  for (int64_t t = 0; t < taps; t++)
    w[t] = j->w[channel * taps + (j->turned ? taps - 1 - t : t)];
  const float bias = j->bias ? j->bias[channel] : 0;
  float *y = j->y + i * j->OH * j->OW;
  copy_plane(&j->in, j->x + i * j->H * j->W, j->H, j->W, pixels);
  if (j->R == 3)
    filter_plane(3, &j->in, w, bias, j->rectify, pixels, j->OH, j->OW, y);
  else
    filter_plane(5, &j->in, w, bias, j->rectify, pixels, j->OH, j->OW, y);
}

static void filter_images(void *arg, const ln_chunk *chunk) {
  const job *j = arg;
  clear_plane(&j->in, chunk->scratch);
  for (int64_t i = chunk->begin; i < chunk->end; i++)
    filter_image(j, i, chunk->scratch);
}

static ln_status run(job *j, const ln_call *call) {
  const int64_t planes = j->N * j->C;
  return call->host->parallel_for(call, planes, divide_up(planes, 16),
                                  filter_images, j);
}

/* ---- the gradient of w --------------------------------------------------- */

typedef struct weights_job {
  const sizes *s;
  plane x, dy;
  const ln_call *call;
} weights_job;

static weights_job weights_job_of(const sizes *s) {
  return (weights_job){
    .s = s,
    .x = plane_for(s->OH, s->OW, s->KH, s->P[0], s->P[1]),
    .dy = { 0, 0, whole_rows(s->OH), whole_columns(s->OW) },
  };
}

static float sum_of(ln_vector v) {
  double sum = 0;
  for (int i = 0; i < LN_VECTOR; i++) sum += v[i];
  return (float)sum;
}

/* One channel, through all images. */
static void channel_gradient(const weights_job *j, int64_t c, float *pixels) {
  const sizes *s = j->s;
  float *dy = pixels + plane_floats(&j->x);
  ln_vector taps[MOST_TAPS], bias = { 0 };
  memset(taps, 0, sizeof taps);
  for (int64_t n = 0; n < s->N; n++) {
    const int64_t i = n * s->C + c;
    copy_plane(&j->x, ln_x(j->call, 0) + i * s->H * s->W, s->H, s->W, pixels);
    copy_plane(&j->dy, ln_dy(j->call, 0) + i * s->OH * s->OW, s->OH, s->OW, dy);
    if (s->KH == 3)
      add_gradient(3, &j->x, pixels, dy, j->dy.rows, j->dy.columns, taps,
                   &bias);
    else
      add_gradient(5, &j->x, pixels, dy, j->dy.rows, j->dy.columns, taps,
                   &bias);
  }
  const int64_t all = s->KH * s->KW;
  float *dw = ln_dw(j->call, 0), *db = ln_dw(j->call, 1);
  for (int64_t t = 0; dw && t < all; t++) dw[c * all + t] = sum_of(taps[t]);
  if (db) db[c] = sum_of(bias);
}

static void channel_gradients(void *arg, const ln_chunk *chunk) {
  const weights_job *j = arg;
  clear_plane(&j->x, chunk->scratch);
  clear_plane(&j->dy, (float *)chunk->scratch + plane_floats(&j->x));
  for (int64_t c = chunk->begin; c < chunk->end; c++)
    channel_gradient(j, c, chunk->scratch);
}

/* ---- the method ---------------------------------------------------------- */

ln_status FOR_ISA(depthwise_plan)(const void *self, ln_infer *io) {
  const sizes s = planned_sizes(self, io);
  if (s.CG != 1 || s.KG != 1 || s.KH != s.KW || (s.KH != 3 && s.KH != 5))
    return LN_UNSUITED;
  for (int d = 0; d < 2; d++)
    if (s.S[d] != 1 || s.D[d] != 1) return LN_UNSUITED;
  const plane forward = forward_job(&s).in, gradient = gradient_job(&s).in;
  const plane dy = weights_job_of(&s).dy;
  io->scratch = larger(plane_floats(&forward) + plane_floats(&dy),
                       plane_floats(&gradient)) *
                (int64_t)sizeof(float);
  return LN_OK;
}

ln_status FOR_ISA(depthwise_forward)(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  job j = forward_job(&s);
  j.x = ln_x(call, 0), j.w = ln_w(call, 0), j.bias = ln_w(call, 1);
  j.rectify = call->activation == LN_IS_RELU;
  j.y = ln_y(call, 0);
  return run(&j, call);
}

static ln_status data_gradient(const sizes *s, const ln_call *call) {
  job j = gradient_job(s);
  j.x = ln_dy(call, 0), j.w = ln_w(call, 0), j.y = ln_dx(call, 0);
  return run(&j, call);
}

ln_status FOR_ISA(depthwise_backward)(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  ln_status status = ln_dx(call, 0) ? data_gradient(&s, call) : LN_OK;
  if (status || (!ln_dw(call, 0) && !ln_dw(call, 1))) return status;
  weights_job j = weights_job_of(&s);
  j.call = call;
  return call->host->parallel_for(call, s.C, divide_up(s.C, 16),
                                  channel_gradients, &j);
}
