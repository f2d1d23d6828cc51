/* winograd.h - how Winograd's method cuts images into tiles.
 *
 * A tile is m x m outputs, made from 6 x 6 pixels that overlap those of its
 * neighbours. Work is cut into blocks of some rows of tiles, counted through
 * all images; the rows of a block that lie in one image are a band. */
#ifndef WINOGRAD_H
#define WINOGRAD_H

#include "conv2d.h"
#include "winograd_transforms.h"

#include <lunet/kernels/finish.h>
#include <lunet/kernels/lane_product.h>
#include <lunet/kernels/lanes.h>

/* Images as one call reads them. */
typedef struct images {
  const float *data, *end; /* `end`: of what may be read */
  int64_t channels, H, W;
} images;

static inline images images_of(const ln_tensor *t) {
  const int64_t *dim = t->shape.dim;
  return (images){ t->data, t->data + t->count, dim[1], dim[2], dim[3] };
}

typedef struct tiling {
  int64_t N;
  int64_t m, down, across; /* outputs a side; tiles of an image */
  int64_t rows, tiles;     /* of a block */
} tiling;

/* As one block. */
static inline tiling tiling_of(int64_t N, int64_t m, int64_t OH, int64_t OW) {
  tiling t = {
    .N = N, .m = m, .down = divide_up(OH, m), .across = divide_up(OW, m)
  };
  t.rows = larger(N * t.down, 1);
  t.tiles = t.rows * t.across;
  return t;
}

/* Into blocks of about `tiles`, all of about the same size. */
static inline tiling cut_into_blocks(tiling t, int64_t tiles) {
  const int64_t all = t.rows;
  t.rows = larger(1, smaller(all, tiles / t.across));
  t.rows = divide_up(all, divide_up(all, t.rows));
  t.tiles = t.rows * t.across;
  return t;
}

static inline int64_t blocks_of(const tiling *t) {
  return divide_up(t->N * t->down, t->rows);
}

typedef struct band {
  int64_t n, row, rows; /* image, its first row of tiles, how many */
  int64_t tile;         /* its first tile, counted within the block */
} band;

/* The first band of rows [row, end), which follows `tile` tiles. */
static inline band band_at(const tiling *t, int64_t row, int64_t end,
                           int64_t tile) {
  const int64_t n = row / t->down, here = row % t->down;
  return (band){ n, here, smaller(end - row, t->down - here), tile };
}

/* The numbers of a tensor's tiles, for each frequency and block of channels:
 * at(f, block, tile) is a row of lanes. A gap after each frequency keeps them
 * from falling on the same lines of the cache. */
typedef struct spectrum {
  int64_t width;                    /* floats of a row */
  int64_t per_block, per_frequency; /* floats */
} spectrum;

static inline spectrum spectrum_of(int64_t blocks, int64_t tiles,
                                   int64_t width) {
  const int64_t per_block = tiles * width;
  return (spectrum){ width, per_block, blocks * per_block + LN_VECTOR };
}

static inline int64_t spectrum_floats(const spectrum *s) {
  return FREQUENCIES * s->per_frequency;
}

/* One channel block's pixels [top, top + rows) x [left, left + columns), lanes
 * side by side, zeros outside the image. `to` has room for LN_VECTOR more
 * columns than that. */
static inline void load_window(const images *x, int64_t n, int64_t channel,
                               int64_t top, int64_t left, int64_t rows,
                               int64_t columns, float *to) {
  const int64_t begin = smaller(larger(-left, 0), columns);
  const int64_t end = larger(smaller(x->W - left, columns), begin);
  const int64_t plane = x->H * x->W;
  const float *image = x->data + (n * x->channels + channel) * plane;
  const int64_t channels = smaller(x->channels - channel, LN_VECTOR);
  for (int64_t r = 0; r < rows; r++, to += columns * LN_VECTOR) {
    const int64_t y = top + r;
    const bool inside = y >= 0 && y < x->H;
    const int64_t from = inside ? begin : columns, until = inside ? end : 0;
    memset(to, 0, (size_t)(from * LN_VECTOR) * sizeof *to);
    if (!inside) continue;
    ln_to_lanes(image + y * x->W + left + begin, plane, channels, until - from,
                x->end, to + from * LN_VECTOR);
    memset(to + until * LN_VECTOR, 0,
           (size_t)((columns - until) * LN_VECTOR) * sizeof *to);
  }
}

/* The pixels that `rows` rows of tiles read: rows and columns. */
static inline int64_t window_rows(const tiling *t, int64_t rows) {
  return rows * t->m + POINTS - t->m;
}
static inline int64_t window_columns(const tiling *t) {
  return t->across * t->m + POINTS - t->m;
}
static inline int64_t window_floats(const tiling *t) {
  return (window_rows(t, smaller(t->rows, t->down)) * window_columns(t) +
          LN_VECTOR) *
         LN_VECTOR;
}

/* Transforms a block of channels of the tiles of rows [row, end). */
static inline void transform_images(const tiling *t, const images *x,
                                    const int64_t pad[2], int64_t channel,
                                    int64_t row, int64_t end, int64_t tile,
                                    const spectrum *s, float *window,
                                    float *to) {
  const int64_t columns = window_columns(t), m = t->m;
  while (row < end) {
    const band b = band_at(t, row, end, tile);
    load_window(x, b.n, channel, b.row * m - pad[0], -pad[1],
                window_rows(t, b.rows), columns, window);
    for (int64_t y = 0; y < b.rows; y++)
      for (int64_t i = 0; i < t->across; i++, tile++)
        transform_input_tile(window + (y * m * columns + i * m) * LN_VECTOR,
                             columns * LN_VECTOR, to + tile * s->width,
                             s->per_frequency);
    row += b.rows;
  }
}

#endif
