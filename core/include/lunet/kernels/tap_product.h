/* lunet/kernels/tap_product.h - sums over taps: the kernels of convolutions
 * that read images where they lie.
 *
 *     y[k,p] = start[k] + sum over t of w[k,t] * plane[offset[t] + p]
 *
 * A tap t is one element of a filter: channel, row and column. offset[t] says
 * where it looks; neighbouring pixels p look one further each. Two kernels
 * differ in what lies in the lanes of a vector, the filters or the pixels; the
 * other is read number by number. Two more do the same for the gradient
 *
 *     dw[k,t] = sum over p of dy[k,p] * plane[offset[t] + p]
 */
#ifndef LUNET_KERNELS_TAP_PRODUCT_H
#define LUNET_KERNELS_TAP_PRODUCT_H

#include <lunet/kernels/finish.h>

#include <stdbool.h>
#include <stdint.h>

enum {
  LN_MOST_PIXELS = LN_VECTOR_REGISTERS == 32 ? 14 : 6,  /* of filter lanes */
  LN_MOST_FILTERS = LN_VECTOR_REGISTERS == 32 ? 8 : 4,  /* of pixel lanes */
  LN_MOST_TAPS = LN_VECTOR_REGISTERS == 32 ? 8 : 4      /* of a gradient */
};

/* f(1), f(2), ... up to the largest number that a kernel takes. */
#define LN_TO_3_(f)  f(1) f(2) f(3)
#define LN_TO_4_(f)  LN_TO_3_(f) f(4)
#define LN_TO_6_(f)  LN_TO_4_(f) f(5) f(6)
#define LN_TO_7_(f)  LN_TO_6_(f) f(7)
#define LN_TO_8_(f)  LN_TO_7_(f) f(8)
#define LN_TO_14_(f) LN_TO_8_(f) f(9) f(10) f(11) f(12) f(13) f(14)

/* ---- lanes are filters --------------------------------------------------- */

/* 1 or 2 vectors of filters, a part of w and of `to` each, w_part and to_part
 * floats apart; to[p * LN_VECTOR + k]. */
typedef struct ln_filter_lanes {
  int64_t taps;
  const int64_t *offset;
  const float *w;
  ptrdiff_t w_part, to_part;
  ptrdiff_t plane_row; /* floats from a row of pixels to the next */
  ln_vector start[2];
  const ln_finish *finish;
  int64_t first; /* filter, as `finish` counts them */
} ln_filter_lanes;

/* `pixels` side by side of 1 or 2 rows. */
LN_INLINE void ln_filter_lanes_(const int rows, const int pixels,
                                const int vectors, const ln_filter_lanes *f,
                                const float *plane, float *to) {
  ln_vector sum[LN_MOST_PIXELS][2];
  const float *w = f->w;
  const ptrdiff_t w_part = f->w_part, plane_row = f->plane_row;
#pragma GCC unroll 14
  for (int p = 0; p < rows * pixels; p++)
    sum[p][0] = f->start[0], sum[p][1] = f->start[1];
  for (int64_t t = 0; t < f->taps; t++, w += LN_VECTOR) {
    const float *x = plane + f->offset[t];
    const ln_vector w0 = ln_load(w);
    const ln_vector w1 = vectors > 1 ? ln_load(w + w_part) : w0;
#pragma GCC unroll 14
    for (int p = 0; p < rows * pixels; p++) {
      const float pixel = p < pixels ? x[p] : x[plane_row + p - pixels];
      sum[p][0] += pixel * w0;
      if (vectors > 1) sum[p][1] += pixel * w1;
    }
  }
#pragma GCC unroll 2
  for (int v = 0; v < vectors; v++) {
    const ln_finisher finish =
        ln_finish_lanes(f->finish, f->first + v * LN_VECTOR);
#pragma GCC unroll 14
    for (int p = 0; p < rows * pixels; p++)
      ln_store(to + v * f->to_part + p * LN_VECTOR,
               ln_finished(&finish, sum[p][v]));
  }
}

typedef void ln_filter_lanes_function_(const ln_filter_lanes *f,
                                       const float *plane, float *to);
#define LN_PIXELS_OF_(name, rows, n, vectors)                               \
  __attribute__((noinline, unused)) static void name(                       \
      const ln_filter_lanes *f, const float *plane, float *to) {            \
    ln_filter_lanes_(rows, n, vectors, f, plane, to);                       \
  }
#define LN_PIXELS_(n)                                                       \
  LN_PIXELS_OF_(ln_pixels_1_##n##_, 1, n, 1)                                \
  LN_PIXELS_OF_(ln_pixels_2_##n##_, 1, n, 2)
#define LN_PAIRS_(n)                                                        \
  LN_PIXELS_OF_(ln_pairs_1_##n##_, 2, n, 1)                                 \
  LN_PIXELS_OF_(ln_pairs_2_##n##_, 2, n, 2)
#define LN_PIXELS_1_(n) ln_pixels_1_##n##_,
#define LN_PIXELS_2_(n) ln_pixels_2_##n##_,
#define LN_PAIRS_1_(n)  ln_pairs_1_##n##_,
#define LN_PAIRS_2_(n)  ln_pairs_2_##n##_,

#if LN_VECTOR_REGISTERS == 32
LN_TO_14_(LN_PIXELS_)
LN_TO_7_(LN_PAIRS_)
static ln_filter_lanes_function_ *const ln_filter_lanes_of_[2][15] = {
  { NULL, LN_TO_14_(LN_PIXELS_1_) }, { NULL, LN_TO_14_(LN_PIXELS_2_) }
};
static ln_filter_lanes_function_ *const ln_filter_lanes_pairs_of_[2][8] = {
  { NULL, LN_TO_7_(LN_PAIRS_1_) }, { NULL, LN_TO_7_(LN_PAIRS_2_) }
};
#else
LN_TO_6_(LN_PIXELS_)
LN_TO_3_(LN_PAIRS_)
static ln_filter_lanes_function_ *const ln_filter_lanes_of_[2][7] = {
  { NULL, LN_TO_6_(LN_PIXELS_1_) }, { NULL, LN_TO_6_(LN_PIXELS_2_) }
};
static ln_filter_lanes_function_ *const ln_filter_lanes_pairs_of_[2][4] = {
  { NULL, LN_TO_3_(LN_PAIRS_1_) }, { NULL, LN_TO_3_(LN_PAIRS_2_) }
};
#endif

/* Any number of pixels of a row, in pieces of about equal size. */
static inline void ln_filter_lanes_row_(const ln_filter_lanes *f, int vectors,
                                        int64_t pixels, const float *plane,
                                        float *to) {
  int64_t pieces = (pixels + LN_MOST_PIXELS - 1) / LN_MOST_PIXELS;
  for (; pieces > 0; pieces--) {
    const int64_t here = (pixels + pieces - 1) / pieces;
    ln_filter_lanes_of_[vectors - 1][here](f, plane, to);
    plane += here, to += here * LN_VECTOR, pixels -= here;
  }
}

/* Rows of pixels: two at a time where they are short, so that each vector of
 * weights that is loaded serves more of them. */
static inline void ln_filter_lanes_rows(const ln_filter_lanes *f, int vectors,
                                        int64_t rows, int64_t pixels,
                                        const float *plane, float *to) {
  const int64_t step = 2 * pixels <= LN_MOST_PIXELS ? 2 : 1;
  for (; rows > 0; rows -= step) {
    if (step == 2 && rows > 1 && pixels > 0)
      ln_filter_lanes_pairs_of_[vectors - 1][pixels](f, plane, to);
    else
      ln_filter_lanes_row_(f, vectors, pixels, plane, to);
    plane += step * f->plane_row, to += step * pixels * LN_VECTOR;
  }
}

/* ---- lanes are pixels ---------------------------------------------------- */

/* Some filters by 2 vectors of pixels or, where the filters are few, by 4, so
 * that enough sums grow at once. Vector v begins at plane + at[v];
 * w[t * filters + k], to[k * to_filter + v * LN_VECTOR + p]. */
typedef struct ln_pixel_lanes {
  int64_t taps;
  const int64_t *offset;
  const float *w, *start; /* start NULL: 0 */
  ptrdiff_t to_filter;
  const ln_finish *finish;
  int64_t first; /* filter, as `finish` counts them */
} ln_pixel_lanes;

enum { LN_MOST_VECTORS = 4,
       LN_FEW_FILTERS = LN_VECTOR_REGISTERS == 32 ? 6 : 2 };

static inline int ln_pixel_vectors(int64_t filters) {
  return filters <= LN_FEW_FILTERS ? 4 : 2;
}

LN_INLINE void ln_pixel_lanes_(const int filters, const ln_pixel_lanes *f,
                               const float *plane, const ptrdiff_t *at,
                               float *to) {
  const int vectors = filters <= LN_FEW_FILTERS ? 4 : 2;
  ln_vector sum[LN_MOST_FILTERS][LN_MOST_VECTORS];
  const float *w = f->w, *from[LN_MOST_VECTORS];
#pragma GCC unroll 4
  for (int v = 0; v < vectors; v++) from[v] = plane + at[v];
#pragma GCC unroll 8
  for (int k = 0; k < filters; k++)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
      sum[k][v] = (ln_vector){ 0 } + (f->start ? f->start[k] : 0);
  for (int64_t t = 0; t < f->taps; t++, w += filters) {
    ln_vector x[LN_MOST_VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) x[v] = ln_load(from[v] + f->offset[t]);
#pragma GCC unroll 8
    for (int k = 0; k < filters; k++)
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) sum[k][v] += w[k] * x[v];
  }
#pragma GCC unroll 8
  for (int k = 0; k < filters; k++) {
    const ln_finisher finish = ln_finish_channel(f->finish, f->first + k);
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
      ln_store(to + k * f->to_filter + v * LN_VECTOR,
               ln_finished(&finish, sum[k][v]));
  }
}

typedef void ln_pixel_lanes_function_(const ln_pixel_lanes *f,
                                      const float *plane, const ptrdiff_t *at,
                                      float *to);
#define LN_FILTERS_(n)                                                       \
  __attribute__((noinline, unused)) static void ln_filters_##n##_(           \
      const ln_pixel_lanes *f, const float *plane, const ptrdiff_t *at,      \
      float *to) {                                                           \
    ln_pixel_lanes_(n, f, plane, at, to);                                    \
  }
#define LN_FILTERS_NAME_(n) ln_filters_##n##_,

#if LN_VECTOR_REGISTERS == 32
LN_TO_8_(LN_FILTERS_)
static ln_pixel_lanes_function_ *const ln_pixel_lanes_of_[9] = {
  NULL, LN_TO_8_(LN_FILTERS_NAME_)
};
#else
LN_TO_4_(LN_FILTERS_)
static ln_pixel_lanes_function_ *const ln_pixel_lanes_of_[5] = {
  NULL, LN_TO_4_(LN_FILTERS_NAME_)
};
#endif

/* At most LN_MOST_FILTERS filters, ln_pixel_vectors of pixels. */
static inline void ln_pixel_lanes_block(const ln_pixel_lanes *f,
                                        int64_t filters, const float *plane,
                                        const ptrdiff_t *at, float *to) {
  ln_pixel_lanes_of_[filters](f, plane, at, to);
}

/* ---- gradients ----------------------------------------------------------- */

/* Adds LN_MOST_TAPS taps of one or two vectors of filters to `sums`, over a
 * number of rows of pixels. dy lies in filter lanes, with a part a vector. */
LN_INLINE void ln_filter_gradient_(const int vectors, int64_t rows,
                                   int64_t columns, const int64_t *offset,
                                   const float *plane, ptrdiff_t plane_row,
                                   const float *dy, ptrdiff_t dy_part,
                                   float *sums, ptrdiff_t sums_part) {
  ln_vector sum[LN_MOST_TAPS][2];
#pragma GCC unroll 8
  for (int t = 0; t < LN_MOST_TAPS; t++) {
    sum[t][0] = ln_load(sums + t * LN_VECTOR);
    sum[t][1] =
        vectors > 1 ? ln_load(sums + sums_part + t * LN_VECTOR) : sum[t][0];
  }
  for (int64_t r = 0; r < rows; r++, plane += plane_row) {
    const float *x[LN_MOST_TAPS];
#pragma GCC unroll 8
    for (int t = 0; t < LN_MOST_TAPS; t++) x[t] = plane + offset[t];
    for (int64_t p = 0; p < columns; p++, dy += LN_VECTOR) {
      const ln_vector dy0 = ln_load(dy);
      const ln_vector dy1 = vectors > 1 ? ln_load(dy + dy_part) : dy0;
#pragma GCC unroll 8
      for (int t = 0; t < LN_MOST_TAPS; t++) {
        sum[t][0] += x[t][p] * dy0;
        if (vectors > 1) sum[t][1] += x[t][p] * dy1;
      }
    }
  }
#pragma GCC unroll 8
  for (int t = 0; t < LN_MOST_TAPS; t++) {
    ln_store(sums + t * LN_VECTOR, sum[t][0]);
    if (vectors > 1) ln_store(sums + sums_part + t * LN_VECTOR, sum[t][1]);
  }
}

__attribute__((noinline, unused)) static void ln_filter_gradient(
    int vectors, int64_t rows, int64_t columns, const int64_t *offset,
    const float *plane, ptrdiff_t plane_row, const float *dy,
    ptrdiff_t dy_part, float *sums, ptrdiff_t sums_part) {
  if (vectors > 1)
    ln_filter_gradient_(2, rows, columns, offset, plane, plane_row, dy, dy_part,
                        sums, sums_part);
  else
    ln_filter_gradient_(1, rows, columns, offset, plane, plane_row, dy, dy_part,
                        sums, sums_part);
}

/* The same with pixels in the lanes: a few filters, each by so many taps at
 * once, the more the fewer they are. */
LN_INLINE int ln_gradient_taps(int64_t filters) {
  if (filters <= LN_FEW_FILTERS) return 4;
  return LN_VECTOR_REGISTERS == 32 ? 3 : 2;
}

/* A row of dy is whole vectors, zeros behind its last pixel; each number of
 * `sums` is a vector whose lanes are still to be added:
 * sums[k * sums_filter + t * LN_VECTOR]. */
typedef struct ln_pixel_gradient {
  int64_t rows, columns; /* of dy */
  const float *plane, *dy;
  ptrdiff_t plane_row, dy_filter, sums_filter;
} ln_pixel_gradient;

LN_INLINE void ln_pixel_gradient_(const int filters,
                                  const ln_pixel_gradient *f,
                                  const int64_t *offset, float *sums) {
  const int taps = ln_gradient_taps(filters);
  const ptrdiff_t dy_filter = f->dy_filter;
  const float *plane = f->plane, *dy = f->dy;
  ln_vector sum[LN_MOST_FILTERS][4];
#pragma GCC unroll 8
  for (int k = 0; k < filters; k++)
#pragma GCC unroll 4
    for (int t = 0; t < taps; t++)
      sum[k][t] = ln_load(sums + k * f->sums_filter + t * LN_VECTOR);
  for (int64_t r = 0; r < f->rows; r++, plane += f->plane_row)
    for (int64_t p = 0; p < f->columns; p += LN_VECTOR, dy += LN_VECTOR) {
      ln_vector x[4];
#pragma GCC unroll 4
      for (int t = 0; t < taps; t++) x[t] = ln_load_once(plane + offset[t] + p);
#pragma GCC unroll 8
      for (int k = 0; k < filters; k++) {
        const ln_vector g = ln_load_once(dy + k * dy_filter);
#pragma GCC unroll 4
        for (int t = 0; t < taps; t++) sum[k][t] += g * x[t];
      }
    }
#pragma GCC unroll 8
  for (int k = 0; k < filters; k++)
#pragma GCC unroll 4
    for (int t = 0; t < taps; t++)
      ln_store(sums + k * f->sums_filter + t * LN_VECTOR, sum[k][t]);
}

typedef void ln_pixel_gradient_function_(const ln_pixel_gradient *f,
                                         const int64_t *offset, float *sums);
#define LN_GRADIENT_(n)                                                     \
  __attribute__((noinline, unused)) static void ln_gradient_##n##_(         \
      const ln_pixel_gradient *f, const int64_t *offset, float *sums) {     \
    ln_pixel_gradient_(n, f, offset, sums);                                 \
  }
#define LN_GRADIENT_NAME_(n) ln_gradient_##n##_,

#if LN_VECTOR_REGISTERS == 32
LN_TO_8_(LN_GRADIENT_)
static ln_pixel_gradient_function_ *const ln_gradient_of_[9] = {
  NULL, LN_TO_8_(LN_GRADIENT_NAME_)
};
#else
LN_TO_4_(LN_GRADIENT_)
static ln_pixel_gradient_function_ *const ln_gradient_of_[5] = {
  NULL, LN_TO_4_(LN_GRADIENT_NAME_)
};
#endif

/* All taps. `offset` and `sums` have room for a few more, which are wasted. */
enum { LN_SPARE_TAPS = 3 };

static inline void ln_pixel_gradient_taps(const ln_pixel_gradient *f,
                                          int64_t filters, int64_t taps,
                                          const int64_t *offset,
                                          float *sums) {
  const int step = ln_gradient_taps(filters);
  for (int64_t t = 0; t < taps; t += step)
    ln_gradient_of_[filters](f, offset + t, sums + t * LN_VECTOR);
}

#endif
