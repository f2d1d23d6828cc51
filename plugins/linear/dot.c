/* dot.c - linear's method "dot", for one instruction set: a batch of one to
 * four items.
 *
 * A matrix product copies the weights before it uses them, as many items then
 * share the copy. For a few items that costs more than the sums. Here each
 * y[n,k] is a dot product along a row of w, where it lies: ROWS rows at once,
 * so that a vector of x, once loaded, serves all of them. The memory that the
 * weights come from sets the pace. Backward is that of "matmul". */
#include "linear.h"

#include <lunet/kernels/moments.h>

enum {
  MOST_ITEMS = 4,
  ROWS = 4,
  WEIGHTS_AT_ONCE = 65536 /* in a piece of work: some microseconds */
};

ln_status LN_FOR_ISA(dot_plan)(const void *self, ln_infer *io) {
  (void)self;
  return io->x[0].dim[0] > MOST_ITEMS ? LN_UNSUITED : LN_OK;
}

typedef struct job {
  sizes s;
  const ln_call *call;
} job;

/* Rows of w in a piece of work, a multiple of ROWS. */
static int64_t grain_of(const sizes *s) {
  const int64_t rows = WEIGHTS_AT_ONCE / s->C;
  return rows < ROWS ? ROWS : rows / ROWS * ROWS;
}

LN_INLINE void store(const job *j, int64_t n, int64_t k, float sum) {
  const float *b = ln_w(j->call, 1);
  const float y = b ? sum + b[k] : sum;
  ln_y(j->call, 0)[n * j->s.K + k] =
      j->call->activation == LN_IS_RELU && y <= 0 ? 0 : y;
}

/* y[n,k] for `items` items and `rows` rows of w from k on; both are constants
 * at the call, so that the sums stay in registers. */
LN_INLINE void multiply(const int items, const int rows, const job *j,
                        int64_t k) {
  const int64_t C = j->s.C;
  const float *x = ln_x(j->call, 0), *w = ln_w(j->call, 0) + k * C;
  ln_vector sum[MOST_ITEMS][ROWS] = { 0 };
  int64_t c = 0;
  for (; c + LN_VECTOR <= C; c += LN_VECTOR)
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
      const ln_vector weights = ln_load(w + r * C + c);
#pragma GCC unroll 4
      for (int n = 0; n < items; n++)
        sum[n][r] += weights * ln_load(x + n * C + c);
    }
#pragma GCC unroll 4
  for (int n = 0; n < items; n++)
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
      double all = ln_vector_sum_(sum[n][r]);
      for (int64_t i = c; i < C; i++)
        all += (double)(w[r * C + i] * x[n * C + i]);
      store(j, n, k + r, (float)all);
    }
}

LN_INLINE void all_rows(const int items, const job *j, int64_t k, int64_t end) {
  for (; k + ROWS <= end; k += ROWS) multiply(items, ROWS, j, k);
  for (; k < end; k++) multiply(items, 1, j, k);
}

static void some_rows(void *arg, const ln_chunk *chunk) {
  const job *j = arg;
  switch (j->s.N) {
  case 1: all_rows(1, j, chunk->begin, chunk->end); break;
  case 2: all_rows(2, j, chunk->begin, chunk->end); break;
  case 3: all_rows(3, j, chunk->begin, chunk->end); break;
  case 4: all_rows(4, j, chunk->begin, chunk->end); break;
  }
}

ln_status LN_FOR_ISA(dot_forward)(const void *self, const ln_call *call) {
  job j = { sizes_of(self, call), call };
  return call->host->parallel_for(call, j.s.K, grain_of(&j.s), some_rows, &j);
}
