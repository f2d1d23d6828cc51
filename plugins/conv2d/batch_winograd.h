/* batch_winograd.h - tiles of the method "batch_winograd": m neighbouring
 * outputs of a row, made from 6 pixels that overlap those of the next tile.
 *
 * An image a lane, as in batch.h, the pixels of a tile become 6 numbers V; a
 * filter's row of R taps becomes 6 numbers, too, and each frequency is a sum
 * over rows of the filter and channels, with one tap a row. */
#ifndef BATCH_WINOGRAD_H
#define BATCH_WINOGRAD_H

#include "batch_pass.h"
#include "winograd_transforms.h"

typedef struct tiling {
  int64_t m, R, across; /* outputs of a tile, taps of a row; tiles of a row */
  int64_t left;         /* of the first tile, in a turned row */
  turned channel;       /* turned pixels of one channel, for whole tiles */
  turned tiles;         /* one frequency of V, all channels: tiles as pixels */
} tiling;

/* Three taps or five. */
static inline tiling tiling_of(int64_t channels, const axis *y, const axis *x) {
  tiling t = { .m = POINTS + 1 - x->taps, .R = x->taps };
  t.across = divide_up(x->size, t.m);
  axis whole = *x;
  whole.size = t.across * t.m;
  t.channel = turned_of(1, y, &whole);
  t.left = t.channel.left + lowest(x);
  t.tiles = t.channel;
  t.tiles.channels = channels, t.tiles.left = 0, t.tiles.row = t.across;
  t.tiles.plane = t.channel.plane / t.channel.row * t.across;
  return t;
}

/* Vectors of one frequency of V. */
static inline int64_t V_frequency_of(const tiling *t) {
  return t->tiles.channels * t->tiles.plane;
}

static inline int64_t V_floats(const tiling *t) {
  return POINTS * V_frequency_of(t) * LN_VECTOR;
}

/* In a frequency of V, a row of a filter is one tap. */
static const axis one_column = { .taps = 1 };

/* V of a row of turned pixels. */
static inline void transform_row(const tiling *t, const float *row, float *to) {
  const int64_t frequency = V_frequency_of(t) * LN_VECTOR;
  row += t->left * LN_VECTOR;
  for (int64_t i = 0; i < t->across; i++) {
    ln_vector d[POINTS], V[POINTS];
#pragma GCC unroll 6
    for (int p = 0; p < POINTS; p++)
      d[p] = ln_load(row + (i * t->m + p) * LN_VECTOR);
    transform_input(d, V);
#pragma GCC unroll 6
    for (int p = 0; p < POINTS; p++)
      ln_store(to + p * frequency + i * LN_VECTOR, V[p]);
  }
}

/* V of some images; `end` is that of what may be read, `room` is for a turned
 * channel. */
static inline void make_V(const tiling *t, const images *some, const float *end,
                          float *room, float *V) {
  const turned *c = &t->channel;
  const int64_t rows = c->plane / c->row;
  for (int64_t i = 0; i < t->tiles.channels; i++) {
    turn(c, some->in + i * c->H * c->W, some->in_next, some->count, end, room);
    for (int64_t r = 0; r < rows; r++, V += t->across * LN_VECTOR)
      transform_row(t, room + r * c->row * LN_VECTOR, V);
  }
}

/* Rows of a band: its tiles of all frequencies stay in a near cache. */
static inline int64_t tile_rows(int64_t channels, const tiling *t,
                                const axis *y) {
  enum { BAND_BYTES = 320 << 10 };
  const int64_t bytes =
      POINTS * channels * t->across * LN_VECTOR * (int64_t)sizeof(float);
  const int64_t rows = larger(1, BAND_BYTES / larger(bytes, 1));
  return divide_up(y->size, divide_up(larger(y->size, 1), rows));
}

void LN_FOR_ISA(batch_winograd_weights_plan)(const sizes *s, ln_infer *io);
ln_status LN_FOR_ISA(batch_winograd_backward_weights)(const sizes *s,
                                                      const ln_call *call);

#endif
