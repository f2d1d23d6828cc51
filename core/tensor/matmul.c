/* matmul.c - the matrix product on all threads: c is cut into tiles.
 *
 * How c is cut changes no bit of it (see lunet/kernels/matmul.h), only who
 * computes what. */
#include "tensor/matmul.h"
#include "tensor/matmul_isa.h"
#include "base/cpu.h"
#include "base/threads.h"

/* Below this many multiply-adds (some 10 microseconds) waking threads costs
 * more than they gain. */
static const double WORTH_THREADS = 1e6;
enum { WANTED_TILES = 12, FEWEST_TILES = 4 };

static const ln_tile_kernel *kernel(void) {
#ifdef __x86_64__
  ln_isa isa;
  if (ln_cpu_isa(&isa) != LN_OK) return &ln_matmul_baseline;
  if (isa == LN_ISA_AVX512) return &ln_matmul_avx512;
  if (isa == LN_ISA_AVX2) return &ln_matmul_avx2;
#endif
  return &ln_matmul_baseline;
}

typedef struct cut {
  const ln_product *x;
  const ln_tile_kernel *kernel;
  int64_t tile_rows, tile_columns;
  int64_t tiles_down, tiles_across;
} cut;

static int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

/* Cuts `size` into `pieces` of about equal size, each a multiple of `unit`;
 * gives that size. */
static int64_t piece_size(int64_t size, int64_t pieces, int64_t unit) {
  return divide_up(divide_up(size, unit), pieces) * unit;
}

/* Columns first, as far as a tile can hold, and into a few tiles at least; then
 * rows until there are enough to share, but never so few that copying b is no
 * longer worth it. */
static cut cut_up(const ln_product *x) {
  cut t = { .x = x, .kernel = kernel() };
  int64_t fewest_rows = 8 * t.kernel->block_rows;
  t.tiles_across = divide_up(x->n, LN_TILE_COLUMNS);
  if (t.tiles_across < FEWEST_TILES)
    t.tiles_across = ln_least_(FEWEST_TILES, divide_up(x->n, t.kernel->panel));
  t.tile_columns = piece_size(x->n, t.tiles_across, t.kernel->panel);
  t.tiles_across = divide_up(x->n, t.tile_columns);
  int64_t down = ln_least_(divide_up(WANTED_TILES, t.tiles_across),
                           divide_up(x->m, fewest_rows));
  t.tile_rows = piece_size(x->m, down, t.kernel->block_rows);
  t.tiles_down = divide_up(x->m, t.tile_rows);
  return t;
}

static void compute_tile(void *arg, int64_t index, int slot) {
  (void)slot;
  const cut *t = arg;
  int64_t row = index % t->tiles_down * t->tile_rows;
  int64_t column = index / t->tiles_down * t->tile_columns;
  t->kernel->tile(t->x, row, ln_least_(t->tile_rows, t->x->m - row), column,
                  ln_least_(t->tile_columns, t->x->n - column));
}

/* Ctrl-C leaves tiles out here, too: whoever called looks for it. */
static void compute_here(const ln_product *x) {
  const ln_tile_kernel *k = kernel();
  for (int64_t j = 0; j < x->n && !ln_is_cancelled(); j += LN_TILE_COLUMNS)
    k->tile(x, 0, x->m, j, ln_least_(LN_TILE_COLUMNS, x->n - j));
}

void ln_matmul(bool transpose_a, bool transpose_b, int64_t m, int64_t n,
               int64_t k, const float *a, int64_t lda, const float *b,
               int64_t ldb, float beta, float *c, int64_t ldc) {
  const ln_product x = { transpose_a, transpose_b, m,   n,    k, a,
                         lda,         b,           ldb, beta, c, ldc };
  if (m <= 0 || n <= 0) return;
  if ((double)m * (double)n * (double)k < WORTH_THREADS || ln_in_parallel() ||
      ln_num_threads() == 1) {
    compute_here(&x);
    return;
  }
  cut t = cut_up(&x);
  ln_parallel(t.tiles_down * t.tiles_across, compute_tile, &t);
}
