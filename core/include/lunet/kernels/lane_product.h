/* lunet/kernels/lane_product.h - matrix products of matrices that lie as
 * lanes do (see lanes.h): LN_VECTOR columns of a matrix side by side.
 *
 *   ln_row_product      c[r,j]  = sum over k of a[r,k] * b[k,j], or c += that
 *   ln_column_product   c[r,j]  = sum over t of a[t,r] * b[t,j], or c += that
 *
 * `a` lies in blocks of LN_VECTOR columns: row r of a block is a vector. `b`
 * and `c` are one panel, `vectors` (1 or 2) vectors wide, row after row. The
 * sums stay in registers all the way, and each is one sum in order of k or t,
 * however the rows are cut. */
#ifndef LUNET_KERNELS_LANE_PRODUCT_H
#define LUNET_KERNELS_LANE_PRODUCT_H

#include <lunet/kernels/vector.h>

#include <stdbool.h>
#include <stdint.h>

enum {
  LN_MOST_ROWS = LN_VECTOR_REGISTERS == 32 ? 14 : 6,
  LN_COLUMN_ROWS = LN_VECTOR == 16 ? 8 : 4 /* of a column product */
};

/* ---- sums of some rows, one or two vectors wide -------------------------- */

LN_INLINE void ln_begin_sums_(const int rows, const int vectors, bool adds,
                              const float *c, ln_vector sum[][2]) {
#pragma GCC unroll 14
  for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = (ln_vector){ 0 };
  if (adds)
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
      for (int v = 0; v < vectors; v++)
        sum[r][v] = ln_load(c + (r * vectors + v) * LN_VECTOR);
}

LN_INLINE void ln_store_sums_(const int rows, const int vectors,
                              ln_vector sum[][2], float *c) {
#pragma GCC unroll 14
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++)
      ln_store(c + (r * vectors + v) * LN_VECTOR, sum[r][v]);
}

/* ---- rows ---------------------------------------------------------------- */

/* rows and vectors are constants at the call. The blocks of `a` are `block`
 * floats apart. */
LN_INLINE void ln_row_product_(const int rows, const int vectors,
                               int64_t depth, const float *a, ptrdiff_t block,
                               const float *b, bool adds, float *c) {
  ln_vector sum[LN_MOST_ROWS][2];
  ln_begin_sums_(rows, vectors, adds, c, sum);
  for (; depth > 0; depth -= LN_VECTOR, a += block) {
    const int64_t steps = depth < LN_VECTOR ? depth : LN_VECTOR;
#pragma GCC unroll 2
    for (int64_t k = 0; k < steps; k++, b += vectors * LN_VECTOR) {
      const ln_vector b0 = ln_load(b);
      const ln_vector b1 = vectors > 1 ? ln_load(b + LN_VECTOR) : b0;
#pragma GCC unroll 14
      for (int r = 0; r < rows; r++) {
        sum[r][0] += a[r * LN_VECTOR + k] * b0;
        if (vectors > 1) sum[r][1] += a[r * LN_VECTOR + k] * b1;
      }
    }
  }
  ln_store_sums_(rows, vectors, sum, c);
}

/* One function for each number of rows and vectors. */
typedef void ln_some_rows_(int64_t depth, const float *a, ptrdiff_t block,
                           const float *b, bool adds, float *c);
#define LN_SOME_ROWS_(rows, vectors)                                        \
  __attribute__((noinline, unused)) static void                             \
      ln_rows_##rows##_by_##vectors##_(int64_t depth, const float *a,       \
                                       ptrdiff_t block, const float *b,     \
                                       bool adds, float *c) {               \
    ln_row_product_(rows, vectors, depth, a, block, b, adds, c);            \
  }
#define LN_ROWS_(rows) LN_SOME_ROWS_(rows, 1) LN_SOME_ROWS_(rows, 2)
#define LN_NAMES_(vectors)                                          \
  NULL, ln_rows_1_by_##vectors##_, ln_rows_2_by_##vectors##_,       \
      ln_rows_3_by_##vectors##_, ln_rows_4_by_##vectors##_,         \
      ln_rows_5_by_##vectors##_, ln_rows_6_by_##vectors##_
#define LN_MORE_NAMES_(vectors)                                     \
  ln_rows_7_by_##vectors##_, ln_rows_8_by_##vectors##_,             \
      ln_rows_9_by_##vectors##_, ln_rows_10_by_##vectors##_,        \
      ln_rows_11_by_##vectors##_, ln_rows_12_by_##vectors##_,       \
      ln_rows_13_by_##vectors##_, ln_rows_14_by_##vectors##_

LN_ROWS_(1) LN_ROWS_(2) LN_ROWS_(3) LN_ROWS_(4) LN_ROWS_(5) LN_ROWS_(6)
#if LN_VECTOR_REGISTERS == 32
LN_ROWS_(7) LN_ROWS_(8) LN_ROWS_(9) LN_ROWS_(10)
LN_ROWS_(11) LN_ROWS_(12) LN_ROWS_(13) LN_ROWS_(14)
static ln_some_rows_ *const ln_rows_by_[2][LN_MOST_ROWS + 1] = {
  { LN_NAMES_(1), LN_MORE_NAMES_(1) }, { LN_NAMES_(2), LN_MORE_NAMES_(2) }
};
#else
static ln_some_rows_ *const ln_rows_by_[2][LN_MOST_ROWS + 1] = {
  { LN_NAMES_(1) }, { LN_NAMES_(2) }
};
#endif

/* Any number of rows, in pieces of about equal height: 16 are 8 + 8. */
static inline void ln_row_product(int64_t rows, int vectors, int64_t depth,
                                  const float *a, ptrdiff_t block,
                                  const float *b, bool adds, float *c) {
  for (int64_t pieces = (rows + LN_MOST_ROWS - 1) / LN_MOST_ROWS; pieces > 0;
       pieces--) {
    const int64_t here = (rows + pieces - 1) / pieces;
    ln_rows_by_[vectors - 1][here](depth, a, block, b, adds, c);
    a += here * LN_VECTOR;
    c += here * vectors * LN_VECTOR;
    rows -= here;
  }
}

/* ---- columns ------------------------------------------------------------- */

LN_INLINE void ln_some_columns_(const int vectors, int64_t depth,
                                const float *a, const float *b, bool adds,
                                float *c) {
  ln_vector sum[LN_COLUMN_ROWS][2];
  ln_begin_sums_(LN_COLUMN_ROWS, vectors, adds, c, sum);
#pragma GCC unroll 2
  for (int64_t t = 0; t < depth; t++, a += LN_VECTOR) {
    const ln_vector b0 = ln_load(b);
    const ln_vector b1 = vectors > 1 ? ln_load(b + LN_VECTOR) : b0;
    b += vectors * LN_VECTOR;
#pragma GCC unroll 8
    for (int r = 0; r < LN_COLUMN_ROWS; r++) {
      sum[r][0] += a[r] * b0;
      if (vectors > 1) sum[r][1] += a[r] * b1;
    }
  }
  ln_store_sums_(LN_COLUMN_ROWS, vectors, sum, c);
}

/* All LN_VECTOR columns of one block of `a`. */
static inline void ln_column_product(int vectors, int64_t depth,
                                     const float *a, const float *b,
                                     bool adds, float *c) {
  for (int r = 0; r < LN_VECTOR; r += LN_COLUMN_ROWS) {
    if (vectors > 1)
      ln_some_columns_(2, depth, a + r, b, adds, c + r * 2 * LN_VECTOR);
    else
      ln_some_columns_(1, depth, a + r, b, adds, c + r * LN_VECTOR);
  }
}

#endif
