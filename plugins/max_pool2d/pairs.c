/* pairs.c - method "2x2": windows of 2x2 that touch. No borders, no overlap; a
 * last odd row or column is never read.
 *
 * A vector of outputs is made from two vectors of pixels in an upper row and
 * two in the lower one: their even and their odd pixels, picked apart, are the
 * four pixels of each window, one window a lane. One byte an output says which
 * of the four won.
 *
 * Rows are rarely whole vectors. What a vector does too much lands behind the
 * row's end, where the next row, which comes later, overwrites it; only at the
 * very end of the batch a vector works on copies, beside. */
#include "champions.h"
#include "max_pool2d.h"

#include <string.h>

/* ---- a vector of windows ------------------------------------------------- */

LN_INLINE void pool_vector(const float *upper, const float *lower, float *y,
                           unsigned char *winner) {
  const ln_vector u0 = ln_load(upper), u1 = ln_load(upper + LN_VECTOR);
  const ln_vector l0 = ln_load(lower), l1 = ln_load(lower + LN_VECTOR);
  champions best = { LN_PICK(u0, u1, LN_EVEN), { 0 } };
  best = challenge(best, LN_PICK(u0, u1, LN_ODD), 1);
  best = challenge(best, LN_PICK(l0, l1, LN_EVEN), 2);
  best = challenge(best, LN_PICK(l0, l1, LN_ODD), 3);
  store_champions(best, LN_VECTOR, y, winner);
}

/* dy where the pixel won, else 0. */
LN_INLINE ln_vector share(ln_vector dy, numbers winner, int which) {
  return (ln_vector)((numbers)dy & (numbers)(winner == which));
}

/* Every pixel lies in one window at most: its gradient is written once. */
LN_INLINE void spread_vector(const float *dy, const unsigned char *winner,
                             float *upper, float *lower) {
  const numbers w = load_winners(winner);
  const ln_vector g = ln_load(dy);
  const ln_vector u0 = share(g, w, 0), u1 = share(g, w, 1);
  const ln_vector l0 = share(g, w, 2), l1 = share(g, w, 3);
  ln_store(upper, LN_PICK(u0, u1, LN_FIRST));
  ln_store(upper + LN_VECTOR, LN_PICK(u0, u1, LN_SECOND));
  ln_store(lower, LN_PICK(l0, l1, LN_FIRST));
  ln_store(lower + LN_VECTOR, LN_PICK(l0, l1, LN_SECOND));
}

/* ---- n windows, fewer than a vector, beside ------------------------------ */

static void pool_few(const float *upper, const float *lower, int64_t n,
                     float *y, unsigned char *winner) {
  float pixels[2][2 * LN_VECTOR] = { { 0 } }, values[LN_VECTOR];
  unsigned char which[LN_VECTOR];
  memcpy(pixels[0], upper, (size_t)n * 2 * sizeof(float));
  memcpy(pixels[1], lower, (size_t)n * 2 * sizeof(float));
  pool_vector(pixels[0], pixels[1], values, which);
  memcpy(y, values, (size_t)n * sizeof *y);
  memcpy(winner, which, (size_t)n);
}

static void spread_few(const float *dy, const unsigned char *winner, int64_t n,
                       float *upper, float *lower) {
  float pixels[2][2 * LN_VECTOR], values[LN_VECTOR] = { 0 };
  unsigned char which[LN_VECTOR] = { 0 };
  memcpy(values, dy, (size_t)n * sizeof *dy);
  memcpy(which, winner, (size_t)n);
  spread_vector(values, which, pixels[0], pixels[1]);
  memcpy(upper, pixels[0], (size_t)n * 2 * sizeof(float));
  memcpy(lower, pixels[1], (size_t)n * 2 * sizeof(float));
}

/* ---- the passes ---------------------------------------------------------- */

/* All planes as rows of windows: planes * OH of them. */
typedef struct job {
  int64_t planes, H, W, OH, OW;
  int64_t whole; /* rows whose vectors may reach behind their ends */
} job;

static job job_of(const ln_call *call) {
  const int64_t *x = call->x[0]->shape.dim, *y = call->y[0]->shape.dim;
  job j = {
    .planes = x[0] * x[1], .H = x[2], .W = x[3], .OH = y[2], .OW = y[3]
  };
  /* behind a row that is not among the last few lie as many others */
  const int64_t rows = j.planes * j.OH, few = 1 + LN_VECTOR / j.OW;
  j.whole = rows > few ? rows - few : 0;
  return j;
}

static void pool_row(const job *j, bool whole, const float *upper, float *y,
                     unsigned char *winner) {
  const float *lower = upper + j->W;
  for (int64_t i = 0; i < j->OW; i += LN_VECTOR)
    if (whole || i + LN_VECTOR <= j->OW)
      pool_vector(upper + 2 * i, lower + 2 * i, y + i, winner + i);
    else
      pool_few(upper + 2 * i, lower + 2 * i, j->OW - i, y + i, winner + i);
}

ln_status LN_FOR_ISA(pairs_forward)(const void *self, const ln_call *call) {
  (void)self;
  const job j = job_of(call);
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0);
  unsigned char *winner = call->saved;
  int64_t row = 0; /* of all windows */

  for (int64_t n = 0; n < j.planes; n++, x += j.H * j.W)
    for (int64_t oy = 0; oy < j.OH; oy++, row++)
      pool_row(&j, row < j.whole, x + 2 * oy * j.W, y + row * j.OW,
               winner + row * j.OW);
  return LN_OK;
}

static void spread_row(const job *j, bool whole, const float *dy,
                       const unsigned char *winner, float *upper) {
  float *lower = upper + j->W;
  /* from the end, as what lands behind the upper row is the lower one */
  for (int64_t i = (j->OW - 1) / LN_VECTOR * LN_VECTOR; i >= 0; i -= LN_VECTOR)
    if (whole || i + LN_VECTOR <= j->OW)
      spread_vector(dy + i, winner + i, upper + 2 * i, lower + 2 * i);
    else
      spread_few(dy + i, winner + i, j->OW - i, upper + 2 * i, lower + 2 * i);
}

/* What no window reads: a last column, the rows below. */
static void clear_rest(const job *j, float *plane) {
  for (int64_t y = 0; 2 * j->OW < j->W && y < 2 * j->OH; y++)
    plane[y * j->W + j->W - 1] = 0;
  for (int64_t i = 2 * j->OH * j->W; i < j->H * j->W; i++) plane[i] = 0;
}

ln_status LN_FOR_ISA(pairs_backward)(const void *self, const ln_call *call) {
  (void)self;
  const job j = job_of(call);
  const float *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);
  const unsigned char *winner = call->saved;
  int64_t row = 0; /* of all windows */

  for (int64_t n = 0; n < j.planes; n++, dx += j.H * j.W) {
    for (int64_t oy = 0; oy < j.OH; oy++, row++)
      spread_row(&j, row < j.whole, dy + row * j.OW, winner + row * j.OW,
                 dx + 2 * oy * j.W);
    clear_rest(&j, dx);
  }
  return LN_OK;
}

ln_status LN_FOR_ISA(pairs_plan)(const void *self, ln_infer *io) {
  const bool suited = has_window(self, 2, 0) &&
                      2 * io->y[0].dim[2] <= io->x[0].dim[2] &&
                      2 * io->y[0].dim[3] <= io->x[0].dim[3];
  io->saved = ln_count(&io->y[0]); /* a byte each */
  return suited ? LN_OK : LN_UNSUITED;
}
