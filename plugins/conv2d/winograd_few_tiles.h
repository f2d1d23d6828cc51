/* winograd_few_tiles.h - Winograd's product for so few tiles that U is not
 * worth writing down.
 *
 * U is used once for each tile. With one image of 7x7 there are four, and to
 * store U and load it again takes longer than its arithmetic. Here the filters
 * become U in registers, a row of six frequencies at a time, and meet V at
 * once:
 *
 *     M[y,x][tile,k] += V[y,x][tile,c] * (G w G^T)[y,x][c,k]     x = 0..5
 *
 * Row y of G w is made anew for each y, 3 x 3 taps to 3 numbers; what it leaves
 * are the numbers of winograd_filters.h to the last bit. */
#ifndef WINOGRAD_FEW_TILES_H
#define WINOGRAD_FEW_TILES_H

#include "winograd_filters.h"

/* Six sums for each tile have to fit in the registers. */
enum { MOST_FEW_TILES = LN_VECTOR_REGISTERS == 32 ? 4 : 2, FEW_TAPS = 3 * 3 };

/* Row y of G w: part * (g[0] + square * g[2] + point * g[1]). */
typedef struct row_of_G {
  float point, square, part;
  bool last; /* the point is infinity: g[2] */
} row_of_G;

static const row_of_G rows_of_G[POINTS] = {
  { 0, 0, PART0, false },    { S1, Q1, PART1, false },
  { -S1, Q1, PART1, false }, { S2, Q2, PART2, false },
  { -S2, Q2, PART2, false }, { 0, 0, 1, true },
};

/* At most LN_VECTOR channels of a panel's filters: tap i of channel c begins at
 * taps[c * channel + i * PANEL]. V of a frequency and a tile is a row of
 * channels, V[frequency * V_frequency + tile * LN_VECTOR + c]; M is one of
 * filters. */
typedef struct few_tiles {
  int64_t channels;
  const float *taps, *V;
  ptrdiff_t channel, V_frequency, M_frequency, M_tile;
  bool more;           /* M has begun */
  const float *next;   /* filters that are wanted next; for so many floats of */
  ptrdiff_t next_step; /* them, one or two lines, each channel of a row sends */
} few_tiles;

/* One row of frequencies, one vector of filters: taps, V and M begin there. */
LN_INLINE void few_tiles_row(const int tiles, const few_tiles *p,
                             const row_of_G *G, const float *taps,
                             const float *next, const float *V, float *M) {
  const few_tiles f = *p;
  const float *g0 = taps + (G->last ? 6 * PANEL : 0);
  const float *g1 = taps + 3 * PANEL, *g2 = taps + 6 * PANEL;
  const float point = G->point, square = G->square, part = G->part;
  ln_vector sum[POINTS][MOST_FEW_TILES];
#pragma GCC unroll 6
  for (int x = 0; x < POINTS; x++)
#pragma GCC unroll 4
    for (int t = 0; t < tiles; t++)
      sum[x][t] = f.more ? ln_load(M + x * f.M_frequency + t * f.M_tile)
                         : (ln_vector){ 0 };
  for (int64_t c = 0; c < f.channels; c++) {
    ln_vector half[5], u[POINTS];
    __builtin_prefetch(next, 0, 2);
    __builtin_prefetch(next + LN_VECTOR, 0, 2);
#pragma GCC unroll 3
    for (int x = 0; x < 3; x++) {
      const ln_vector even =
          ln_load(g0 + x * PANEL) + square * ln_load(g2 + x * PANEL);
      half[x] = part * (even + point * ln_load(g1 + x * PANEL));
    }
    transform_filter(3, half, u);
#pragma GCC unroll 6
    for (int x = 0; x < POINTS; x++)
#pragma GCC unroll 4
      for (int t = 0; t < tiles; t++)
        sum[x][t] += V[x * f.V_frequency + t * LN_VECTOR + c] * u[x];
    g0 += f.channel, g1 += f.channel, g2 += f.channel;
    next += f.next_step;
  }
#pragma GCC unroll 6
  for (int x = 0; x < POINTS; x++)
#pragma GCC unroll 4
    for (int t = 0; t < tiles; t++)
      ln_store(M + x * f.M_frequency + t * f.M_tile, sum[x][t]);
}

typedef void few_tiles_function(const few_tiles *p, const row_of_G *G,
                                const float *taps, const float *next,
                                const float *V, float *M);
#define FEW_TILES(n)                                                           \
  __attribute__((noinline, unused)) static void few_tiles_##n(                 \
      const few_tiles *p, const row_of_G *G, const float *taps,                \
      const float *next, const float *V, float *M) {                           \
    few_tiles_row(n, p, G, taps, next, V, M);                                  \
  }
FEW_TILES(1)
FEW_TILES(2)
#if LN_VECTOR_REGISTERS == 32
FEW_TILES(3)
FEW_TILES(4)
#endif
static few_tiles_function *const few_tiles_of[MOST_FEW_TILES + 1] = {
  NULL, few_tiles_1, few_tiles_2,
#if LN_VECTOR_REGISTERS == 32
  few_tiles_3, few_tiles_4
#endif
};

/* All frequencies of one or two vectors of filters. */
static inline void multiply_few_tiles(const few_tiles *f, int64_t tiles,
                                      int vectors, float *M) {
  const float *next = f->next;
  for (int v = 0; v < vectors; v++)
    for (int y = 0; y < POINTS; y++, next += LN_VECTOR * f->next_step)
      few_tiles_of[tiles](f, &rows_of_G[y], f->taps + v * LN_VECTOR, next,
                          f->V + y * POINTS * f->V_frequency,
                          M + y * POINTS * f->M_frequency + v * LN_VECTOR);
}

/* Channels [c, end) of a panel, at most LN_VECTOR, as they are laid out. */
static inline few_tiles few_tiles_of_filters(const packing *p, int64_t panel,
                                             int64_t c, int64_t end) {
  const int64_t channel = FEW_TAPS * PANEL;
  const int64_t calls = width_of_panel(p->K, panel) / LN_VECTOR * POINTS;
  const float *taps = p->lanes + panel * lanes_of_panel(p) + c * channel;
  return (few_tiles){ .channels = end - c,
                      .taps = taps,
                      .channel = channel,
                      .next = taps + floats_ahead(p, panel, c, LN_VECTOR),
                      .next_step = channel / calls };
}

#endif
