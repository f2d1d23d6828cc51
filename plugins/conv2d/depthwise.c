/* depthwise.c - method "depthwise": groups = C = K, every channel alone, with a
 * 3x3 or 5x5 filter and stride 1.
 *
 * There is no sum over channels here, so nearly every product needs a pixel of
 * its own: what counts is how often a pixel is loaded. Here it is once. A row
 * of pixels serves all columns of the filter: what they read is the same vector
 * shifted by a lane or two. And it serves all rows: as many outputs grow at
 * once as the filter has rows. No zeros are put around the plane: of a vector
 * at its edge, the lanes beyond the image are cleared, and a row above or below
 * it is a row of zeros.
 *
 * The gradient of x is the same with the filter turned by 180 degrees. That of
 * w sums dy times pixels, one vector a tap; there it is dy that is shifted, and
 * rows of pixels that stay. */
#include "conv2d.h"

#include <lunet/kernels/finish.h>
#include <lunet/kernels/lanes.h>

#include <string.h>

enum { MOST_SIDE = 5, MOST_TAPS = 25 };

/* ---- planes of pixels ---------------------------------------------------- */

/* Up to so many floats are loaded before and behind a row, whatever stands
 * there: a strip at its end reads four vectors. */
enum { MARGIN = 4 * LN_VECTOR };

typedef struct plane {
  const float *pixels; /* H x W, with a margin before and behind */
  const float *zeros;  /* a row of them, with margins */
  int64_t H, W;
  int64_t top, left; /* zeros around it */
} plane;

/* Room for a copied plane and for its row of zeros. */
static int64_t plane_floats(int64_t H, int64_t W) {
  return H * W + W + 4 * MARGIN;
}

/* Plane i of `count`. Those at the ends of the tensor have no margin there, and
 * are copied. `room` is zero around the copy. */
static plane plane_of(const float *planes, int64_t i, int64_t count, int64_t H,
                      int64_t W, float *room) {
  const int64_t before = i * H * W, behind = (count - i - 1) * H * W;
  const float *pixels = planes + before;
  if (before < MARGIN || behind < MARGIN) {
    float *copy = room + W + 3 * MARGIN;
    memcpy(copy, pixels, (size_t)(H * W) * sizeof *copy);
    pixels = copy;
  }
  return (plane){ .pixels = pixels, .zeros = room + MARGIN, .H = H, .W = W };
}

LN_INLINE const float *plane_row(const plane *p, int64_t y) {
  return y >= 0 && y < p->H ? p->pixels + y * p->W : p->zeros;
}

/* ---- rows of pixels ------------------------------------------------------ */

typedef int mask __attribute__((vector_size(LN_VECTOR * 4)));

LN_INLINE ln_vector only(mask lanes, ln_vector v) {
  return (ln_vector)((mask)v & lanes);
}

/* The lanes of a vector at `column` that are in a row of W pixels. */
LN_INLINE mask lanes_in_row(int64_t column, int64_t W) {
  mask lane;
  for (int i = 0; i < LN_VECTOR; i++) lane[i] = i;
  const int begin = (int)smaller(larger(-column, 0), LN_VECTOR);
  const int end = (int)smaller(larger(W - column, 0), LN_VECTOR);
  return (mask)(lane >= begin) & (mask)(lane < end);
}

/* A strip of outputs, one or two vectors wide, and what it sees of a row of
 * pixels: for each vector v of outputs and column kx of the filter, the pixels
 * that meet there. Those beyond the image are 0. */
typedef struct pixels {
  ln_vector met[2][MOST_SIDE];
} pixels;

/* Does one strip hold whole rows, of pixels and of outputs, as with the padding
 * that keeps their size? Then zeros lie before and behind it. */
LN_INLINE bool is_alone(int64_t R, int64_t vectors, const plane *p,
                        int64_t columns) {
  const int64_t width = vectors * LN_VECTOR;
  return p->left == R / 2 && p->W <= width && columns <= width;
}

#if LN_VECTOR == 16
/* A load that crosses a line of the cache counts twice, and of 16 floats nearly
 * all do. So only the vectors in the midst of the windows are loaded, and one
 * before and behind them where the strip is not alone; the rest is lanes
 * moved. */
typedef struct strip {
  int64_t column; /* of the vector before */
  mask in_image[4];
} strip;

LN_INLINE strip strip_at(const int R, const int vectors, const plane *p,
                         int64_t x) {
  strip s = { .column = x + R / 2 - p->left - LN_VECTOR };
#pragma GCC unroll 4
  for (int v = 0; v < vectors + 2; v++)
    s.in_image[v] = lanes_in_row(s.column + v * LN_VECTOR, p->W);
  return s;
}

/* Lanes `by` and on of a, then the first of b. */
#define LANES_ON(i, by) ((i) + (by))
LN_INLINE ln_vector lanes_on(ln_vector a, ln_vector b, const int by) {
  if (by == 1) return LN_PICK_(a, b, LANES_ON, 1);
  if (by == 2) return LN_PICK_(a, b, LANES_ON, 2);
  if (by == LN_VECTOR - 2) return LN_PICK_(a, b, LANES_ON, LN_VECTOR - 2);
  if (by == LN_VECTOR - 1) return LN_PICK_(a, b, LANES_ON, LN_VECTOR - 1);
  return a; /* by is 0 */
}

LN_INLINE pixels pixels_of(const int R, const int vectors, const bool alone,
                           const plane *p, const strip *s, int64_t y) {
  const float *row = plane_row(p, y) + s->column;
  ln_vector at[4];
  pixels x;
#pragma GCC unroll 4
  for (int v = 0; v < vectors + 2; v++)
    at[v] = alone && (v == 0 || v == vectors + 1)
                ? (ln_vector){ 0 }
                : only(s->in_image[v], ln_load(row + v * LN_VECTOR));
#pragma GCC unroll 2
  for (int v = 0; v < vectors; v++)
#pragma GCC unroll 5
    for (int kx = 0; kx < R; kx++)
      x.met[v][kx] = kx < R / 2
                         ? lanes_on(at[v], at[v + 1], LN_VECTOR + kx - R / 2)
                         : lanes_on(at[v + 1], at[v + 2], kx - R / 2);
  return x;
}
#else
/* Shorter vectors are simply loaded. */
typedef struct strip {
  int64_t column; /* of the first pixel */
  mask in_image[2][MOST_SIDE];
} strip;

LN_INLINE strip strip_at(const int R, const int vectors, const plane *p,
                         int64_t x) {
  strip s = { .column = x - p->left };
#pragma GCC unroll 2
  for (int v = 0; v < vectors; v++)
#pragma GCC unroll 5
    for (int kx = 0; kx < R; kx++)
      s.in_image[v][kx] = lanes_in_row(s.column + v * LN_VECTOR + kx, p->W);
  return s;
}

LN_INLINE pixels pixels_of(const int R, const int vectors, const bool alone,
                           const plane *p, const strip *s, int64_t y) {
  const float *row = plane_row(p, y) + s->column;
  pixels x;
  (void)alone;
#pragma GCC unroll 2
  for (int v = 0; v < vectors; v++)
#pragma GCC unroll 5
    for (int kx = 0; kx < R; kx++)
      x.met[v][kx] =
          only(s->in_image[v][kx], ln_load(row + v * LN_VECTOR + kx));
  return x;
}
#endif

/* ---- kernels ------------------------------------------------------------- */

/* A strip of the plane. sum[ky] is the output whose filter row ky meets this
 * row of pixels; with the next row it moves on to ky + 1. */
LN_INLINE void filter_strip(const int R, const bool alone, const plane *p,
                            const float *w, float bias,
                            const ln_finisher *finish, int64_t rows,
                            int64_t columns, int64_t x, float *to) {
  const strip s = strip_at(R, 2, p, x);
  ln_vector sum[MOST_SIDE][2] = { { { 0 } } };
  for (int64_t y = 0; y < rows + R - 1; y++) {
    const pixels in = pixels_of(R, 2, alone, p, &s, y - p->top);
#pragma GCC unroll 5
    for (int ky = R - 1; ky >= 0; ky--)
#pragma GCC unroll 2
      for (int v = 0; v < 2; v++)
        sum[ky][v] = ky ? sum[ky - 1][v] : (ln_vector){ 0 } + bias;
#pragma GCC unroll 25
    for (int t = 0; t < R * R; t++)
#pragma GCC unroll 2
      for (int v = 0; v < 2; v++)
        sum[t % R][v] += w[t % R * R + t / R] * in.met[v][t / R];
    if (y < R - 1) continue;
    float *at = to + (y - R + 1) * columns + x;
    const ln_vector y0 = sum[R - 1][0], y1 = sum[R - 1][1];
    ln_store_first(at, ln_finished(finish, y0), columns - x);
    ln_store_first(at + LN_VECTOR, ln_finished(finish, y1),
                   columns - x - LN_VECTOR);
  }
}

LN_INLINE void filter_plane(const int R, const bool alone, const plane *p,
                            const float *w, float bias,
                            const ln_finisher *finish, int64_t rows,
                            int64_t columns, float *to) {
  for (int64_t x = 0; x < columns; x += 2 * LN_VECTOR)
    filter_strip(R, alone, p, w, bias, finish, rows, columns, x, to);
}

/* Of a strip of the 3x3 filter's gradient. */
enum { GRADIENT_VECTORS = LN_VECTOR_REGISTERS == 32 ? 2 : 1 };

/* Rows of x that one row of dy met. */
typedef struct rows_met {
  ln_vector at[MOST_SIDE][2];
} rows_met;

/* The next row comes last; a filter of one tap meets pixels as they lie. */
LN_INLINE rows_met move_on(const int R, const int vectors, rows_met met,
                           const plane *x, const strip *s, int64_t y) {
  const pixels next = pixels_of(1, vectors, true, x, s, y);
#pragma GCC unroll 5
  for (int ky = 0; ky < R; ky++)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++)
      met.at[ky][v] = ky < R - 1 ? met.at[ky + 1][v] : next.met[v][0];
  return met;
}

/* Adds dy times pixels to a vector for each tap. Here dy is what is shifted, so
 * its `left` is that of a filter turned round. */
LN_INLINE void add_gradient(const int R, const bool alone, const plane *x,
                            const plane *dy, ln_vector *taps) {
  const int vectors = R == 3 ? GRADIENT_VECTORS : 1;
  const plane unpadded = { .W = x->W };
  ln_vector sum[MOST_TAPS];
#pragma GCC unroll 25
  for (int t = 0; t < R * R; t++) sum[t] = taps[t];
  for (int64_t column = 0; column < x->W; column += vectors * LN_VECTOR) {
    const strip shifted = strip_at(R, vectors, dy, column);
    const strip as_it_lies = strip_at(1, vectors, &unpadded, column);
    rows_met met = { { { { 0 } } } };
    for (int64_t y = 0; y < R - 1; y++)
      met = move_on(R, vectors, met, x, &as_it_lies, y - x->top);
    for (int64_t y = 0; y < dy->H; y++) {
      met = move_on(R, vectors, met, x, &as_it_lies, y + R - 1 - x->top);
      const pixels g = pixels_of(R, vectors, alone, dy, &shifted, y);
#pragma GCC unroll 25
      for (int t = 0; t < R * R; t++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
          sum[t] += g.met[v][R - 1 - t % R] * met.at[t / R][v];
    }
  }
#pragma GCC unroll 25
  for (int t = 0; t < R * R; t++) taps[t] = sum[t];
}

/* The sum of a plane, in lanes. */
static ln_vector sum_of_plane(const plane *p) {
  const int64_t all = p->H * p->W;
  ln_vector sum[4] = { { 0 } };
  int64_t i = 0;
  for (; i + 4 * LN_VECTOR <= all; i += 4 * LN_VECTOR)
    for (int v = 0; v < 4; v++)
      sum[v] += ln_load(p->pixels + i + v * LN_VECTOR);
  for (; i < all; i += LN_VECTOR)
    sum[0] += only(lanes_in_row(i, all), ln_load(p->pixels + i));
  return sum[0] + sum[1] + (sum[2] + sum[3]);
}

/* ---- forward, and the gradient of x -------------------------------------- */

typedef struct job {
  int64_t R, N, C;
  int64_t H, W, OH, OW; /* in, out */
  int64_t top, left;    /* zeros around x */
  bool turned;
  ln_finish finish;
  const float *x, *w, *bias;
  float *y;
} job;

static job forward_job(const sizes *s, const ln_call *call) {
  return (job){ .R = s->KH,
                .N = s->N,
                .C = s->C,
                .H = s->H,
                .W = s->W,
                .OH = s->OH,
                .OW = s->OW,
                .top = s->P[0],
                .left = s->P[1],
                .finish = ln_finish_of(call, s->C),
                .x = ln_x(call, 0),
                .w = ln_w(call, 0),
                .bias = ln_w(call, 1),
                .y = ln_y(call, 0) };
}

static job gradient_job(const sizes *s, const ln_call *call) {
  return (job){ .R = s->KH,
                .N = s->N,
                .C = s->C,
                .H = s->OH,
                .W = s->OW,
                .OH = s->H,
                .OW = s->W,
                .top = s->KH - 1 - s->P[0],
                .left = s->KW - 1 - s->P[1],
                .turned = true,
                .x = ln_dy(call, 0),
                .w = ln_w(call, 0),
                .y = ln_dx(call, 0) };
}

/* The i-th plane of all images. */
static void filter_image(const job *j, int64_t i, float *room) {
  const int64_t taps = j->R * j->R, channel = i % j->C;
  float w[MOST_TAPS];
  for (int64_t t = 0; t < taps; t++)
    w[t] = j->w[channel * taps + (j->turned ? taps - 1 - t : t)];
  const float bias = j->bias ? j->bias[channel] : 0;
  const ln_finisher finish = ln_finish_channel(&j->finish, channel);
  float *y = j->y + i * j->OH * j->OW;
  plane p = plane_of(j->x, i, j->N * j->C, j->H, j->W, room);
  p.top = j->top, p.left = j->left;
  const bool alone = is_alone(j->R, 2, &p, j->OW);
  if (j->R == 3 && alone)
    filter_plane(3, true, &p, w, bias, &finish, j->OH, j->OW, y);
  else if (j->R == 3)
    filter_plane(3, false, &p, w, bias, &finish, j->OH, j->OW, y);
  else if (alone)
    filter_plane(5, true, &p, w, bias, &finish, j->OH, j->OW, y);
  else
    filter_plane(5, false, &p, w, bias, &finish, j->OH, j->OW, y);
}

static void filter_images(void *arg, const ln_chunk *chunk) {
  const job *j = arg;
  memset(chunk->scratch, 0, (size_t)plane_floats(j->H, j->W) * sizeof(float));
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
  const ln_call *call;
} weights_job;

enum { ROOM_FOR_SUMS = 2 * 16 }; /* whole squares */

static void store_sums(const weights_job *j, int64_t c, const ln_vector *sums) {
  const int64_t all = j->s->KH * j->s->KW;
  float *dw = ln_dw(j->call, 0), *db = ln_dw(j->call, 1);
  for (int64_t t = 0; t <= all; t += LN_VECTOR) {
    const ln_vector some = ln_sums_of_lanes((const float *)&sums[t]);
    for (int64_t i = 0; i < LN_VECTOR && t + i <= all; i++)
      if (t + i < all && dw)
        dw[c * all + t + i] = some[i];
      else if (t + i == all && db)
        db[c] = some[i];
  }
}

/* One channel, through all images. */
static void channel_gradient(const weights_job *j, int64_t c, float *room) {
  const sizes *s = j->s;
  const int64_t all = s->KH * s->KW;
  ln_vector sums[ROOM_FOR_SUMS]; /* of the taps, and that of dy */
  memset(sums, 0, sizeof sums);
  for (int64_t n = 0; n < s->N; n++) {
    const int64_t i = n * s->C + c, count = s->N * s->C;
    plane x = plane_of(ln_x(j->call, 0), i, count, s->H, s->W, room);
    x.top = s->P[0];
    plane dy = plane_of(ln_dy(j->call, 0), i, count, s->OH, s->OW,
                        room + plane_floats(s->H, s->W));
    dy.left = s->KW - 1 - s->P[1];
    if (s->KH == 3 && is_alone(3, GRADIENT_VECTORS, &dy, s->W))
      add_gradient(3, true, &x, &dy, sums);
    else if (s->KH == 3)
      add_gradient(3, false, &x, &dy, sums);
    else
      add_gradient(5, false, &x, &dy, sums);
    if (ln_dw(j->call, 1)) sums[all] += sum_of_plane(&dy);
  }
  store_sums(j, c, sums);
}

static int64_t weights_floats(const sizes *s) {
  return plane_floats(s->H, s->W) + plane_floats(s->OH, s->OW);
}

static void channel_gradients(void *arg, const ln_chunk *chunk) {
  const weights_job *j = arg;
  memset(chunk->scratch, 0, (size_t)weights_floats(j->s) * sizeof(float));
  for (int64_t c = chunk->begin; c < chunk->end; c++)
    channel_gradient(j, c, chunk->scratch);
}

/* ---- the method ---------------------------------------------------------- */

ln_status LN_FOR_ISA(depthwise_plan)(const void *self, ln_infer *io) {
  const sizes s = planned_sizes(self, io);
  if (s.CG != 1 || s.KG != 1 || s.KH != s.KW || (s.KH != 3 && s.KH != 5))
    return LN_UNSUITED;
  for (int d = 0; d < 2; d++)
    if (s.S[d] != 1 || s.D[d] != 1 || s.P[d] >= s.KH) return LN_UNSUITED;
  io->scratch = weights_floats(&s) * (int64_t)sizeof(float);
  return LN_OK;
}

ln_status LN_FOR_ISA(depthwise_forward)(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  job j = forward_job(&s, call);
  return run(&j, call);
}

static ln_status data_gradient(const sizes *s, const ln_call *call) {
  job j = gradient_job(s, call);
  return run(&j, call);
}

ln_status LN_FOR_ISA(depthwise_backward)(const void *self,
                                         const ln_call *call) {
  const sizes s = sizes_of(self, call);
  ln_status status = ln_dx(call, 0) ? data_gradient(&s, call) : LN_OK;
  if (status || (!ln_dw(call, 0) && !ln_dw(call, 1))) return status;
  weights_job j = { &s, call };
  return call->host->parallel_for(call, s.C, divide_up(s.C, 16),
                                  channel_gradients, &j);
}
