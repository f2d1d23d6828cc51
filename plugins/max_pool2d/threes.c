/* threes.c - method "3x3": windows of 3x3 with stride 2, which overlap, and may
 * stick out.
 *
 * Each row of pixels is split into its even and its odd columns, with -infinity
 * where the image ends. Then LN_VECTOR neighbouring windows find their nine
 * pixels as nine vectors: of each of three rows the even columns from i on, the
 * odd ones, and the even ones from i + 1 on. One byte an output says which of
 * the nine won.
 *
 * Split rows are kept while windows need them: the third row of a window is the
 * first one of the next. */
#include "champions.h"
#include "max_pool2d.h"

#include <math.h>
#include <string.h>

typedef struct job {
  int64_t planes, H, W, OH, OW;
  int64_t top, left; /* padding, 0 or 1 */
  int64_t half;      /* floats of the even, and of the odd columns of a row */
} job;

static job job_of(const max_pool2d *o, const int64_t *x, const int64_t *y) {
  job j = { .planes = x[0] * x[1],
            .H = x[2],
            .W = x[3],
            .OH = y[2],
            .OW = y[3],
            .top = o->padding[0],
            .left = o->padding[1] };
  const int64_t most = j.OW > j.W / 2 ? j.OW : j.W / 2;
  j.half = (most / LN_VECTOR + 3) * LN_VECTOR;
  return j;
}

static job job_of_call(const void *self, const ln_call *call) {
  return job_of(self, call->x[0]->shape.dim, call->y[0]->shape.dim);
}

/* Three split rows, by number of the row modulo 3. */
static float *even_of(const job *j, float *rows, int64_t y) {
  return rows + y % 3 * 2 * j->half;
}
static float *odd_of(const job *j, float *rows, int64_t y) {
  return even_of(j, rows, y) + j->half;
}

/* ---- forward ------------------------------------------------------------- */

/* Counted with the padding: where that is 1, the first even column is outside,
 * and stays -infinity, and the image's even columns are the odd ones. */
static void split_row(const job *j, const float *x, float *even, float *odd) {
  float *first = j->left ? odd : even, *second = j->left ? even + 1 : odd;
  for (int64_t i = 0; i < j->W; i += 2 * LN_VECTOR) {
    float last[2 * LN_VECTOR];
    const float *from = x + i;
    if (i + 2 * LN_VECTOR > j->W) {
      for (int k = 0; k < 2 * LN_VECTOR; k++) last[k] = -INFINITY;
      memcpy(last, from, (size_t)(j->W - i) * sizeof *last);
      from = last;
    }
    const ln_vector a = ln_load(from), b = ln_load(from + LN_VECTOR);
    ln_store(first + i / 2, LN_PICK(a, b, LN_EVEN));
    ln_store(second + i / 2, LN_PICK(a, b, LN_ODD));
  }
}

/* A vector of windows of the row `top`, of which the rows `begin` to `end` (of
 * 0..3) lie inside. At first the first pixel inside is the best. */
LN_INLINE champions pool_vector(const job *j, float *rows, int64_t top,
                                const int begin, const int end, int64_t i) {
  champions best = { (ln_vector){ 0 } - INFINITY, (numbers){ 0 } + 3 * begin };
  if (i == 0) best.which[0] += (int)j->left;
#pragma GCC unroll 3
  for (int ky = begin; ky < end; ky++) {
    const float *even = even_of(j, rows, top + ky) + i;
    const float *odd = odd_of(j, rows, top + ky) + i;
    best = challenge(best, ln_load(even), 3 * ky);
    best = challenge(best, ln_load(odd), 3 * ky + 1);
    best = challenge(best, ln_load(even + 1), 3 * ky + 2);
  }
  return best;
}

static void pool_row(const job *j, float *rows, int64_t top, float *y,
                     unsigned char *winner) {
  const int begin = top < 0 ? 1 : 0;
  const int end = top + 3 > j->H ? (int)(j->H - top) : 3;
  for (int64_t i = 0; i < j->OW; i += LN_VECTOR) {
    const champions best = begin == 0 && end == 3
                               ? pool_vector(j, rows, top, 0, 3, i)
                               : pool_vector(j, rows, top, begin, end, i);
    store_champions(best, j->OW - i, y + i, winner + i);
  }
}

static void pool_plane(const job *j, const float *x, float *rows, float *y,
                       unsigned char *winner) {
  int64_t split = 0; /* rows so far */
  for (int64_t oy = 0; oy < j->OH; oy++) {
    const int64_t top = 2 * oy - j->top;
    for (; split < top + 3 && split < j->H; split++)
      split_row(j, x + split * j->W, even_of(j, rows, split),
                odd_of(j, rows, split));
    pool_row(j, rows, top, y + oy * j->OW, winner + oy * j->OW);
  }
}

ln_status LN_FOR_ISA(threes_forward)(const void *self, const ln_call *call) {
  const job j = job_of_call(self, call);
  const int64_t outputs = j.OH * j.OW;
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0), *rows = call->workspace;
  unsigned char *winner = call->saved;

  for (int64_t i = 0; i < 6 * j.half; i++) rows[i] = -INFINITY;
  for (int64_t p = 0; p < j.planes; p++)
    pool_plane(&j, x + p * j.H * j.W, rows, y + p * outputs,
               winner + p * outputs);
  return LN_OK;
}

/* ---- backward ------------------------------------------------------------ */

ln_status LN_FOR_ISA(threes_backward)(const void *self, const ln_call *call) {
  const job j = job_of_call(self, call);
  const int64_t outputs = j.OH * j.OW, pixels = j.H * j.W;
  const float *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);
  const unsigned char *winner = call->saved;
  int64_t step[9]; /* from where a window begins to each of its pixels */
  for (int k = 0; k < 9; k++) step[k] = k / 3 * j.W + k % 3;

  for (int64_t p = 0; p < j.planes; p++) {
    memset(dx + p * pixels, 0, (size_t)pixels * sizeof *dx);
    for (int64_t oy = 0; oy < j.OH; oy++) {
      const int64_t first = p * pixels + (2 * oy - j.top) * j.W - j.left;
      const int64_t o = p * outputs + oy * j.OW;
      for (int64_t ox = 0; ox < j.OW; ox++)
        dx[first + 2 * ox + step[winner[o + ox]]] += dy[o + ox];
    }
  }
  return LN_OK;
}

ln_status LN_FOR_ISA(threes_plan)(const void *self, ln_infer *io) {
  if (!has_window(self, 3, 1)) return LN_UNSUITED;
  const job j = job_of(self, io->x[0].dim, io->y[0].dim);
  io->saved = ln_count(&io->y[0]); /* a byte each */
  io->workspace = 6 * j.half * (int64_t)sizeof(float);
  return LN_OK;
}
