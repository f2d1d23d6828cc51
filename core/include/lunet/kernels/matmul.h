/* lunet/kernels/matmul.h - the matrix product of one thread.
 *
 *     c[i,j] = beta * c[i,j] + sum over p of a[i,p] * b[p,j]
 *
 * The textbook's three loops, cut into pieces that fit the machine:
 *
 *   block   LN_BLOCK_ROWS rows by LN_PANEL columns of c, held in registers
 *           for up to LN_DEPTH steps of p. A step loads two vectors of b and
 *           LN_BLOCK_ROWS single numbers of a, and multiplies each with each.
 *   panel   LN_PANEL columns of b, copied so that the block reads them one
 *           after the other; likewise a block's rows of a.
 *   tile    up to LN_TILE_COLUMNS columns of c and any number of rows: the
 *           panels of b are copied once, while the first rows pass over them,
 *           and all other rows read the copy.
 *
 * Each c[i,j] is one sum in the order of p, whatever the pieces: where p is
 * cut, the sum so far waits in c. So the bits depend neither on the place in
 * the matrix nor on how c is cut into tiles. */
#ifndef LUNET_KERNELS_MATMUL_H
#define LUNET_KERNELS_MATMUL_H

#include <lunet/plugin.h>
#include <lunet/kernels/lanes.h>
#include <lunet/kernels/vector.h>

#include <string.h>

enum {
  LN_PANEL = 2 * LN_VECTOR,
  LN_BLOCK_ROWS = LN_VECTOR_REGISTERS == 32 ? 14 : 6,
  LN_DEPTH = 256,
  LN_TILE_COLUMNS = 256,
  LN_AHEAD = 12, /* steps of p */
  /* Rows of a, copied, are this far apart: no power of two, which the caches
   * would put on one pile. */
  LN_A_ROW = LN_DEPTH + 16,
  LN_A_FLOATS = LN_BLOCK_ROWS * LN_A_ROW,
  LN_MATMUL_FLOATS = LN_A_FLOATS + LN_DEPTH * LN_TILE_COLUMNS
};

/* A product to do: what ln_host.matmul takes. */
typedef struct ln_product {
  bool transpose_a, transpose_b;
  int64_t m, n, k;
  const float *a;
  int64_t lda;
  const float *b;
  int64_t ldb;
  float beta;
  float *c;
  int64_t ldc;
} ln_product;

/* ---- the block ----------------------------------------------------------- */

/* rows x vectors of c, `depth` steps of p. a[r,p] is a[r * a_row + p * a_step].
 * beta 0 does not read c. Where `copy` is given, b goes there as a panel.
 * rows, vectors, a_row and a_step must be constants at the call: then the sums
 * stay in registers. */
LN_INLINE void ln_block_product(const int rows, const int vectors,
                                const ptrdiff_t a_row, const ptrdiff_t a_step,
                                int64_t depth, const float *a, const float *b,
                                ptrdiff_t b_row, float beta, float *c,
                                ptrdiff_t c_row, float *copy) {
  ln_vector sum[LN_BLOCK_ROWS][2];
#pragma GCC unroll 14
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++)
      sum[r][v] = beta == 0 ? (ln_vector){ 0 }
                            : beta * ln_load(c + r * c_row + v * LN_VECTOR);
#pragma GCC unroll 2
  for (int64_t p = 0; p < depth; p++, a += a_step, b += b_row) {
    ln_vector b0 = ln_load(b);
    ln_vector b1 = vectors > 1 ? ln_load(b + LN_VECTOR) : b0;
    if (vectors > 1 && copy) { /* b lies far apart: it is sent for in time */
      const float *ahead = p + LN_AHEAD < depth ? b + LN_AHEAD * b_row : b;
      __builtin_prefetch(ahead);
      __builtin_prefetch(ahead + LN_VECTOR);
      ln_store(copy, b0);
      ln_store(copy + LN_VECTOR, b1);
      copy += LN_PANEL;
    }
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++) {
      sum[r][0] += a[r * a_row] * b0;
      if (vectors > 1) sum[r][1] += a[r * a_row] * b1;
    }
  }
#pragma GCC unroll 14
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++)
      ln_store(c + r * c_row + v * LN_VECTOR, sum[r][v]);
}

/* One function for each number of rows and vectors, and for the two ways in
 * which a lies: rows copied one by one, or step by step (a transposed). */
typedef void ln_block_(int64_t depth, const float *a, const float *b,
                       ptrdiff_t b_row, float beta, float *c, ptrdiff_t c_row,
                       float *copy);

#define LN_BLOCK_(name, rows, vectors, a_row, a_step)                         \
  __attribute__((unused, noinline)) static void name(                         \
      int64_t depth, const float *a, const float *b, ptrdiff_t b_row,         \
      float beta, float *c, ptrdiff_t c_row, float *copy) {                   \
    ln_block_product(rows, vectors, a_row, a_step, depth, a, b, b_row, beta,  \
                     c, c_row, copy);                                         \
  }
#define LN_BLOCKS_(rows)                                      \
  LN_BLOCK_(ln_block_rows_1_##rows, rows, 1, LN_A_ROW, 1)     \
  LN_BLOCK_(ln_block_rows_2_##rows, rows, 2, LN_A_ROW, 1)     \
  LN_BLOCK_(ln_block_steps_1_##rows, rows, 1, 1, LN_BLOCK_ROWS) \
  LN_BLOCK_(ln_block_steps_2_##rows, rows, 2, 1, LN_BLOCK_ROWS)

LN_BLOCKS_(1) LN_BLOCKS_(2) LN_BLOCKS_(3)
LN_BLOCKS_(4) LN_BLOCKS_(5) LN_BLOCKS_(6)
#if LN_VECTOR_REGISTERS == 32
LN_BLOCKS_(7) LN_BLOCKS_(8) LN_BLOCKS_(9) LN_BLOCKS_(10)
LN_BLOCKS_(11) LN_BLOCKS_(12) LN_BLOCKS_(13) LN_BLOCKS_(14)
#define LN_LIST_MORE_(name) \
  , name##7, name##8, name##9, name##10, name##11, name##12, name##13, name##14
#else
#define LN_LIST_MORE_(name)
#endif
#define LN_LIST_(name)                                        \
  { NULL, name##1, name##2, name##3, name##4, name##5, name##6 \
    LN_LIST_MORE_(name) }

static inline ln_block_ *ln_find_block_(bool transpose_a, int vectors,
                                        int64_t rows) {
  static ln_block_ *const blocks[2][2][LN_BLOCK_ROWS + 1] = {
    { LN_LIST_(ln_block_rows_1_), LN_LIST_(ln_block_rows_2_) },
    { LN_LIST_(ln_block_steps_1_), LN_LIST_(ln_block_steps_2_) },
  };
  return blocks[transpose_a][vectors - 1][rows];
}

static inline int64_t ln_least_(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/* ---- copying ------------------------------------------------------------- */

/* Rows row .. row + rows of op(a), steps p .. p + depth. */
static inline void ln_copy_a_(const ln_product *x, int64_t row, int64_t rows,
                              int64_t p, int64_t depth, float *to) {
  if (x->transpose_a)
    for (int64_t q = 0; q < depth; q++)
      ln_copy_short(to + q * LN_BLOCK_ROWS, x->a + (p + q) * x->lda + row,
                    rows);
  else
    for (int64_t r = 0; r < rows; r++)
      ln_copy_short(to + r * LN_A_ROW, x->a + (row + r) * x->lda + p, depth);
}

/* `width` columns of b that lie as rows of memory, and zeros behind them. */
static inline void ln_turn_panel_(const ln_product *x, int64_t column,
                                  int64_t width, int64_t p, int64_t depth,
                                  float *to) {
  const float *end = x->b + (x->n - 1) * x->ldb + x->k;
  for (int64_t j = 0; j < LN_PANEL; j += LN_VECTOR) {
    const int64_t left = width > j ? width - j : 0;
    ln_to_lane_rows(x->b + (left ? column + j : 0) * x->ldb + p, x->ldb,
                    ln_least_(left, LN_VECTOR), depth, end, to + j, LN_PANEL);
  }
}

/* Columns column .. column + width of op(b), filled up with zeros. */
static inline void ln_copy_panel_(const ln_product *x, int64_t column,
                                  int64_t width, int64_t p, int64_t depth,
                                  float *to) {
  if (x->transpose_b) {
    ln_turn_panel_(x, column, width, p, depth, to);
    return;
  }
  for (int64_t q = 0; q < depth; q++)
    ln_copy_short(to + q * LN_PANEL, x->b + (p + q) * x->ldb + column, width);
  for (int64_t q = 0; q < depth && width < LN_PANEL; q++)
    ln_clear_short(to + q * LN_PANEL + width, LN_PANEL - width);
}

/* ---- the tile ------------------------------------------------------------ */

/* Some steps of p for a tile. */
typedef struct ln_piece_ {
  const ln_product *x;
  int64_t column, columns; /* of c */
  int64_t p, depth;
  float beta;
  const float *b; /* its panels, copied or where they lie */
  ptrdiff_t b_row, b_panel;
  float *copy; /* not NULL: where the next rows copy them to */
  const float *b_last; /* a last panel of a width that no vector has */
} ln_piece_;

/* A block that is narrower than its vectors works beside c. */
static inline void ln_narrow_block_(const ln_piece_ *t, ln_block_ *block,
                                    int64_t rows, int64_t width,
                                    const float *a, float *c) {
  float beside[LN_BLOCK_ROWS * LN_PANEL];
  if (t->beta != 0) {
    memset(beside, 0, sizeof beside);
    for (int64_t r = 0; r < rows; r++)
      ln_copy_short(beside + r * LN_PANEL, c + r * t->x->ldc, width);
  }
  block(t->depth, a, t->b_last, LN_PANEL, t->beta, beside, LN_PANEL, NULL);
  for (int64_t r = 0; r < rows; r++)
    ln_copy_short(c + r * t->x->ldc, beside + r * LN_PANEL, width);
}

/* A row of blocks; `a` is the copy of its rows. */
static inline void ln_row_of_blocks_(const ln_piece_ *t, int64_t row,
                                     int64_t rows, const float *a) {
  const ln_product *x = t->x;
  float *c = x->c + row * x->ldc + t->column, *copy = t->copy;
  const float *b = t->b;
  for (int64_t j = 0; j < t->columns; j += LN_PANEL, b += t->b_panel) {
    int64_t width = ln_least_(LN_PANEL, t->columns - j);
    int vectors = width > LN_VECTOR ? 2 : 1;
    ln_block_ *block = ln_find_block_(x->transpose_a, vectors, rows);
    if (width == vectors * LN_VECTOR)
      block(t->depth, a, b, t->b_row, t->beta, c + j, x->ldc, copy);
    else
      ln_narrow_block_(t, block, rows, width, a, c + j);
    if (copy) copy += LN_DEPTH * LN_PANEL;
  }
}

/* From here on the panels of b are those in `room`. */
static inline void ln_use_copy_(ln_piece_ *t, const float *room) {
  t->b = room;
  t->b_row = LN_PANEL;
  t->b_panel = LN_DEPTH * LN_PANEL;
  t->copy = NULL;
}

/* Decides where b is read. Transposed, it is copied to `room` now; else the
 * first rows do that, unless there are so few that it is not worth it: they
 * read b where it lies. A last panel of a width that no vector has is copied
 * in any case. */
static inline void ln_place_b_(ln_piece_ *t, int64_t rows, float *room) {
  const ln_product *x = t->x;
  for (int64_t j = 0; j < t->columns; j += LN_PANEL) {
    int64_t width = ln_least_(LN_PANEL, t->columns - j);
    float *to = room + j / LN_PANEL * LN_DEPTH * LN_PANEL;
    t->b_last = to;
    if (x->transpose_b || width < LN_PANEL)
      ln_copy_panel_(x, t->column + j, width, t->p, t->depth, to);
  }
  if (x->transpose_b) {
    ln_use_copy_(t, room);
    return;
  }
  t->b = x->b + t->p * x->ldb + t->column;
  t->b_row = x->ldb;
  t->b_panel = LN_PANEL;
  t->copy = rows <= 2 * LN_BLOCK_ROWS ? NULL : room;
}

/* Blocks of about equal height: 16 rows are 8 + 8, not 14 + 2. */
static inline void ln_all_rows_(ln_piece_ *t, int64_t row, int64_t rows,
                                float *room) {
  int64_t blocks = (rows + LN_BLOCK_ROWS - 1) / LN_BLOCK_ROWS;
  for (; blocks > 0; blocks--) {
    int64_t here = (rows + blocks - 1) / blocks;
    ln_copy_a_(t->x, row, here, t->p, t->depth, room);
    ln_row_of_blocks_(t, row, here, room);
    if (t->copy) ln_use_copy_(t, t->copy);
    row += here;
    rows -= here;
  }
}

/* Rows row .. row + rows and columns column .. column + columns of c, at most
 * LN_TILE_COLUMNS. workspace: LN_MATMUL_FLOATS floats. */
static inline void ln_matmul_tile(const ln_product *x, int64_t row,
                                  int64_t rows, int64_t column,
                                  int64_t columns, float *workspace) {
  ln_piece_ t = { .x = x, .column = column, .columns = columns,
                  .beta = x->beta };
  do { /* once where k is 0: c = beta * c */
    t.depth = ln_least_(LN_DEPTH, x->k - t.p);
    ln_place_b_(&t, rows, workspace + LN_A_FLOATS);
    ln_all_rows_(&t, row, rows, workspace);
    t.p += t.depth;
    t.beta = 1;
  } while (t.p < x->k);
}

/* The whole product, on this thread. */
static inline void ln_matmul_here(const ln_product *x, float *workspace) {
  for (int64_t j = 0; j < x->n; j += LN_TILE_COLUMNS)
    ln_matmul_tile(x, 0, x->m, j, ln_least_(LN_TILE_COLUMNS, x->n - j),
                   workspace);
}

#endif
