/* lanes.c - method "lanes": the same sums for a vector of items at once.
 *
 * An item needs each weight once, so item by item the time goes into fetching
 * weights. Here the items of a block of the batch lie side by side in the
 * lanes of a vector (lunet/kernels/lanes.h): X[pixel] and Y[output] are
 * vectors. The loops are the textbook's, but a weight, fetched once a pass,
 * meets a pixel of all items in one multiply-add:
 *
 *   Y[k,oy,ox] = b[k,oy,ox] + sum over c,ky,kx of
 *                             w[oy,ox,k,c,ky,kx] * X[c, iy, ix]
 *
 * likewise dX[c,iy,ix] += w * dY[k,oy,ox]. In dw the items are added up, so
 * the patch of a place is turned round and the lanes run over its pixels:
 *
 *   dw[oy,ox,k,.] = sum over n of dY[k,oy,ox][n] * patch[n,.]
 *
 * The price is turning x and y into lanes and back, which is little beside the
 * weights, and memory for both. */
#include "locally_connected2d.h"

#include <string.h>

#include <lunet/kernels/lanes.h>

enum {
  FILTERS = 8,           /* at once: their sums stay in registers */
  PLACES_AT_ONCE = 8,    /* a share of the work for a thread */
  PIXELS_AT_ONCE = 1024, /* likewise; whole vectors */
};

static int64_t round_up(int64_t n) {
  return (n + LN_VECTOR - 1) / LN_VECTOR * LN_VECTOR;
}

static int64_t clamp(int64_t value, int64_t min, int64_t max) {
  return value < min ? min : value > max ? max : value;
}

/* ---- the work of one call ------------------------------------------------ */

typedef struct job {
  sizes s;
  const ln_call *call;
  int64_t blocks;           /* of LN_VECTOR items each */
  int64_t places, inputs;   /* OH*OW; C*KH*KW, that meet in an output */
  int64_t x_block, y_block; /* floats of a block of X and of Y */
  float *X, *Y;             /* or their gradients */
  int parity;               /* of the bands, see band_height */
} job;

static job job_from(const sizes *s) {
  return (job){
    .s = *s,
    .blocks = round_up(s->N) / LN_VECTOR,
    .places = s->OH * s->OW,
    .inputs = s->C * s->KH * s->KW,
    .x_block = round_up(s->C * s->H * s->W) * LN_VECTOR,
    .y_block = round_up(s->K * s->OH * s->OW) * LN_VECTOR,
  };
}

static job job_of(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  job j = job_from(&s);
  j.call = call;
  j.X = call->workspace;
  j.Y = j.X + j.blocks * j.x_block;
  return j;
}

ln_status LN_FOR_ISA(lanes_plan)(const void *self, ln_infer *io) {
  const sizes s = sizes_from(self, &io->x[0], &io->y[0]);
  const job j = job_from(&s);
  const double images = ((double)j.x_block + (double)j.y_block) *
                        (double)j.blocks * sizeof(float);
  const double patches =
      2.0 * LN_VECTOR * (double)round_up(j.inputs) * sizeof(float);
  if (images + patches > 0x1p30) return LN_UNSUITED; /* above a gigabyte */
  io->workspace = (int64_t)images;
  io->scratch = (int64_t)patches;
  return LN_OK;
}

/* ---- into lanes and back ------------------------------------------------- */

typedef struct turning {
  float *items; /* (N, pixels) */
  float *lanes; /* (blocks, block / LN_VECTOR, LN_VECTOR) */
  int64_t N, pixels, block, pieces;
} turning;

static turning turning_of(const ln_tensor *items, float *lanes, int64_t block) {
  const int64_t N = items->shape.dim[0], pixels = N ? items->count / N : 0;
  return (turning){
    items->data, lanes, N,
    pixels,      block, (pixels + PIXELS_AT_ONCE - 1) / PIXELS_AT_ONCE
  };
}

/* One piece of one block. */
typedef struct piece {
  float *items, *lanes;
  int64_t n_items, pixels;
} piece;

static piece piece_of(const turning *t, int64_t index) {
  const int64_t first = index / t->pieces * LN_VECTOR;
  const int64_t pixel = index % t->pieces * PIXELS_AT_ONCE;
  return (piece){
    t->items + first * t->pixels + pixel,
    t->lanes + first / LN_VECTOR * t->block + pixel * LN_VECTOR,
    clamp(t->N - first, 0, LN_VECTOR),
    clamp(t->pixels - pixel, 0, PIXELS_AT_ONCE),
  };
}

static void pieces_to_lanes(void *arg, const ln_chunk *chunk) {
  const turning *t = arg;
  for (int64_t i = chunk->begin; i < chunk->end; i++) {
    const piece p = piece_of(t, i);
    ln_to_lanes(p.items, t->pixels, p.n_items, p.pixels,
                t->items + t->N * t->pixels, p.lanes);
  }
}

static void pieces_from_lanes(void *arg, const ln_chunk *chunk) {
  const turning *t = arg;
  for (int64_t i = chunk->begin; i < chunk->end; i++) {
    const piece p = piece_of(t, i);
    ln_from_lanes(p.lanes, p.pixels, p.items, t->pixels, p.n_items);
  }
}

static ln_status turn(const job *j, ln_body body, const ln_tensor *items,
                      float *lanes, int64_t block) {
  turning t = turning_of(items, lanes, block);
  return j->call->host->parallel_for(j->call, j->blocks * t.pieces, 1, body,
                                     &t);
}

/* ---- places -------------------------------------------------------------- */

/* Where the window of a place lies, and which part of it is in the image. */
typedef struct window {
  int64_t top, left;
  int64_t ky, end_ky, kx, end_kx;
} window;

static window window_of(const sizes *s, int64_t place) {
  window v = { .top = place / s->OW * s->S[0] - s->P[0],
               .left = place % s->OW * s->S[1] - s->P[1] };
  v.ky = clamp(-v.top, 0, s->KH);
  v.end_ky = clamp(s->H - v.top, 0, s->KH);
  v.kx = clamp(-v.left, 0, s->KW);
  v.end_kx = clamp(s->W - v.left, 0, s->KW);
  return v;
}

/* How far the row ky of the window lies from the start of X, in floats; the
 * element kx of it is kx vectors further. */
static ptrdiff_t row_of(const sizes *s, const window *v, int64_t c,
                        int64_t ky) {
  return ((c * s->H + v->top + ky) * s->W + v->left) * LN_VECTOR;
}

/* Calls f(filters, ...) with k from 0 to K, `filters` a constant in each. */
#define FOR_ALL_FILTERS(K, f, ...)                                             \
  do {                                                                         \
    int64_t k = 0;                                                             \
    for (; k + FILTERS <= (K); k += FILTERS) f(FILTERS, k, __VA_ARGS__);       \
    if (((K)-k) & 4) f(4, k, __VA_ARGS__), k += 4;                             \
    if (((K)-k) & 2) f(2, k, __VA_ARGS__), k += 2;                             \
    if (((K)-k) & 1) f(1, k, __VA_ARGS__);                                     \
  } while (0)

/* ---- forward ------------------------------------------------------------- */

/* Y[k .. k + filters] at a place, for one block of items. */
LN_INLINE void filters_forward(const int filters, int64_t k, const job *j,
                               const window *v, int64_t place, int64_t block) {
  const sizes *s = &j->s;
  const float *w = ln_w(j->call, 0) + (place * s->K + k) * j->inputs;
  const float *b = ln_w(j->call, 1);
  const float *X = j->X + block * j->x_block;
  float *Y = j->Y + block * j->y_block + (k * j->places + place) * LN_VECTOR;

  ln_vector sum[FILTERS];
  for (int f = 0; f < filters; f++)
    sum[f] = (ln_vector){ 0 } + (b ? b[(k + f) * j->places + place] : 0);
  for (int64_t c = 0; c < s->C; c++)
    for (int64_t ky = v->ky; ky < v->end_ky; ky++) {
      const ptrdiff_t row = row_of(s, v, c, ky);
      const float *w_row = w + (c * s->KH + ky) * s->KW;
      for (int64_t kx = v->kx; kx < v->end_kx; kx++) {
        const ln_vector x = ln_load(X + (row + kx * LN_VECTOR));
#pragma GCC unroll 8
        for (int f = 0; f < filters; f++)
          sum[f] += w_row[f * j->inputs + kx] * x;
      }
    }
  for (int f = 0; f < filters; f++)
    ln_store(Y + f * j->places * LN_VECTOR, sum[f]);
}

static void places_forward(void *arg, const ln_chunk *chunk) {
  const job *j = arg;
  for (int64_t place = chunk->begin; place < chunk->end; place++) {
    const window v = window_of(&j->s, place);
    for (int64_t block = 0; block < j->blocks; block++)
      FOR_ALL_FILTERS(j->s.K, filters_forward, j, &v, place, block);
  }
}

ln_status LN_FOR_ISA(lanes_forward)(const void *self, const ln_call *call) {
  job j = job_of(self, call);
  ln_status status = turn(&j, pieces_to_lanes, call->x[0], j.X, j.x_block);
  if (status == LN_OK)
    status = call->host->parallel_for(call, j.places, PLACES_AT_ONCE,
                                      places_forward, &j);
  if (status == LN_OK)
    status = turn(&j, pieces_from_lanes, call->y[0], j.Y, j.y_block);
  return status;
}

/* ---- backward: dx -------------------------------------------------------- */

/* What dY[k .. k + filters] at a place sends back to dX. */
LN_INLINE void filters_to_dx(const int filters, int64_t k, const job *j,
                             const window *v, int64_t place, int64_t block) {
  const sizes *s = &j->s;
  const float *w = ln_w(j->call, 0) + (place * s->K + k) * j->inputs;
  const float *dY =
      j->Y + block * j->y_block + (k * j->places + place) * LN_VECTOR;
  float *dX = j->X + block * j->x_block;

  ln_vector dy[FILTERS];
  for (int f = 0; f < filters; f++)
    dy[f] = ln_load(dY + f * j->places * LN_VECTOR);
  for (int64_t c = 0; c < s->C; c++)
    for (int64_t ky = v->ky; ky < v->end_ky; ky++) {
      const ptrdiff_t row = row_of(s, v, c, ky);
      const float *w_row = w + (c * s->KH + ky) * s->KW;
      for (int64_t kx = v->kx; kx < v->end_kx; kx++) {
        ln_vector dx = ln_load(dX + (row + kx * LN_VECTOR));
#pragma GCC unroll 8
        for (int f = 0; f < filters; f++)
          dx += w_row[f * j->inputs + kx] * dy[f];
        ln_store(dX + (row + kx * LN_VECTOR), dx);
      }
    }
}

static void place_to_dx(const job *j, int64_t place) {
  const window v = window_of(&j->s, place);
  for (int64_t block = 0; block < j->blocks; block++)
    FOR_ALL_FILTERS(j->s.K, filters_to_dx, j, &v, place, block);
}

/* Rows of places whose windows reach less far than the next band but one: so
 * all bands of one parity may add to dX at the same time. */
static int64_t band_height(const sizes *s) {
  return 1 + (s->KH - 1) / s->S[0];
}

static void bands_to_dx(void *arg, const ln_chunk *chunk) {
  const job *j = arg;
  const int64_t size = band_height(&j->s) * j->s.OW;
  for (int64_t i = chunk->begin; i < chunk->end; i++) {
    const int64_t begin = (2 * i + j->parity) * size;
    const int64_t end = clamp(begin + size, 0, j->places);
    for (int64_t place = begin; place < end; place++) place_to_dx(j, place);
  }
}

ln_status LN_FOR_ISA(lanes_backward)(const void *self, const ln_call *call) {
  job j = job_of(self, call);
  const int64_t bands = (j.s.OH - 1) / band_height(&j.s) + 1;
  ln_status status = turn(&j, pieces_to_lanes, call->dy[0], j.Y, j.y_block);
  memset(j.X, 0, (size_t)(j.blocks * j.x_block) * sizeof *j.X);
  for (j.parity = 0; status == LN_OK && j.parity < 2; j.parity++)
    status =
        call->host->parallel_for(call, (bands + 1) / 2, 1, bands_to_dx, &j);
  if (status == LN_OK)
    status = turn(&j, pieces_from_lanes, call->dx[0], j.X, j.x_block);
  return status;
}

/* ---- backward: dw -------------------------------------------------------- */

/* `count` vectors; from NULL: zeros. */
static float *put_vectors(float *to, const float *from, int64_t count) {
  for (int64_t i = 0; i < count * LN_VECTOR; i += LN_VECTOR)
    ln_store(to + i, from ? ln_load(from + i) : (ln_vector){ 0 });
  return to + count * LN_VECTOR;
}

/* The pixels under a window, (inputs) vectors; 0 outside the image. */
static void cut_patch(const job *j, const window *v, int64_t block,
                      float *patch) {
  const sizes *s = &j->s;
  const float *X = j->X + block * j->x_block;
  const int64_t inside = v->end_kx > v->kx ? v->end_kx - v->kx : 0;
  for (int64_t c = 0; c < s->C; c++)
    for (int64_t ky = 0; ky < s->KH; ky++) {
      if (ky < v->ky || ky >= v->end_ky || inside == 0) {
        patch = put_vectors(patch, NULL, s->KW);
        continue;
      }
      patch = put_vectors(patch, NULL, v->kx);
      patch = put_vectors(patch, X + (row_of(s, v, c, ky) + v->kx * LN_VECTOR),
                          inside);
      patch = put_vectors(patch, NULL, s->KW - v->end_kx);
    }
}

/* The first numbers of v, as far as there is room. */
static void store_before(float *p, const float *end, ln_vector v) {
  float all[LN_VECTOR];
  ln_store(all, v);
  memcpy(p, all, (size_t)(end - p) * sizeof *p);
}

/* dw of `filters` filters at a place, += what one block of items adds; the
 * first block sets it. patch: (LN_VECTOR, inputs), rows rounded up. */
LN_INLINE void filters_to_dw(const int filters, int64_t k, const job *j,
                             const float *patch, int64_t place, int64_t block) {
  const int64_t inputs = j->inputs, row = round_up(inputs);
  const float *dY =
      j->Y + block * j->y_block + (k * j->places + place) * LN_VECTOR;
  float *dw = ln_dw(j->call, 0) + (place * j->s.K + k) * inputs;

  for (int64_t i = 0; i < inputs; i += LN_VECTOR) {
    ln_vector sum[FILTERS];
    for (int f = 0; f < filters; f++) {
      const float *end = dw + (f + 1) * inputs;
      sum[f] = block == 0 ? (ln_vector){ 0 }
                          : ln_load_before(dw + f * inputs + i, end);
    }
    for (int n = 0; n < LN_VECTOR; n++) {
      const ln_vector x = ln_load(patch + n * row + i);
#pragma GCC unroll 8
      for (int f = 0; f < filters; f++)
        sum[f] += dY[f * j->places * LN_VECTOR + n] * x;
    }
    for (int f = 0; f < filters; f++) {
      float *to = dw + f * inputs + i;
      if (i + LN_VECTOR <= inputs)
        ln_store(to, sum[f]);
      else
        store_before(to, dw + (f + 1) * inputs, sum[f]);
    }
  }
}

static void places_to_dw(void *arg, const ln_chunk *chunk) {
  const job *j = arg;
  const int64_t row = round_up(j->inputs);
  float *patch = chunk->scratch, *turned = patch + row * LN_VECTOR;
  memset(turned, 0, (size_t)(row * LN_VECTOR) * sizeof *turned);

  for (int64_t place = chunk->begin; place < chunk->end; place++) {
    const window v = window_of(&j->s, place);
    for (int64_t block = 0; block < j->blocks; block++) {
      cut_patch(j, &v, block, patch);
      ln_from_lanes(patch, j->inputs, turned, row, LN_VECTOR);
      FOR_ALL_FILTERS(j->s.K, filters_to_dw, j, turned, place, block);
    }
  }
}

ln_status LN_FOR_ISA(lanes_backward_weights)(const void *self,
                                             const ln_call *call) {
  job j = job_of(self, call);
  locally_connected2d_bias_gradient(&j.s, call);
  if (!ln_dw(call, 0)) return LN_OK;
  if (j.blocks == 0) /* no items: no block sets it */
    memset(ln_dw(call, 0), 0, (size_t)call->dw[0]->count * sizeof(float));
  ln_status status = turn(&j, pieces_to_lanes, call->x[0], j.X, j.x_block);
  if (status == LN_OK)
    status = turn(&j, pieces_to_lanes, call->dy[0], j.Y, j.y_block);
  if (status == LN_OK)
    status = call->host->parallel_for(call, j.places, PLACES_AT_ONCE,
                                      places_to_dw, &j);
  return status;
}
