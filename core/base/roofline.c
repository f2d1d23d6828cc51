/* roofline.c - see roofline.h. */
#include "base/roofline.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/roofline_isa.h"
#include "base/threads.h"

enum { TRIES = 7, ROUNDS = 4000000 };
#define COPY_BYTES ((size_t)128 << 20)

/* The shortest time of a parallel run of one task a thread. */
static double best_time(ln_task task, void *arg) {
  double best = 0;
  for (int i = 0; i < TRIES; i++) {
    const double start = ln_seconds();
    ln_parallel_all(ln_num_threads(), task, arg);
    const double time = ln_seconds() - start;
    if (i == 0 || time < best) best = time;
  }
  return best;
}

/* ---- multiply-adds ------------------------------------------------------- */

static ln_multiply_adds function_of(ln_isa isa) {
#ifdef __x86_64__
  if (isa == LN_ISA_AVX512) return ln_multiply_adds_avx512;
  if (isa == LN_ISA_AVX2) return ln_multiply_adds_avx2;
#endif
  (void)isa;
  return ln_multiply_adds_baseline;
}

typedef struct multiplying {
  ln_multiply_adds run;
  float result[LN_MAX_THREADS];
  double flops[LN_MAX_THREADS];
} multiplying;

/* Half of a sum plus 1 tends to 2: neither overflow nor denormal numbers. */
static void multiply(void *arg, int64_t index, int slot) {
  (void)slot;
  multiplying *m = arg;
  m->result[index] = m->run(ROUNDS, 0.5f, 1.0f, &m->flops[index]);
}

double ln_peak_flops(ln_isa isa) {
  multiplying m = { .run = function_of(isa) };
  const double time = best_time(multiply, &m);
  return m.flops[0] * ln_num_threads() / time;
}

/* ---- copying ------------------------------------------------------------- */

typedef struct copying {
  char *from, *to;
  size_t share; /* bytes a thread */
} copying;

static void copy(void *arg, int64_t index, int slot) {
  (void)slot;
  const copying *c = arg;
  const size_t start = (size_t)index * c->share;
  memcpy(c->to + start, c->from + start, c->share);
}

ln_status ln_copy_rate(double *bytes_per_second) {
  const size_t share = COPY_BYTES / (size_t)ln_num_threads();
  copying c = { ln_alloc_zero(COPY_BYTES), ln_alloc_zero(COPY_BYTES), share };
  const bool has_room = c.from && c.to;
  if (has_room) {
    const double bytes = 2.0 * (double)share * ln_num_threads();
    *bytes_per_second = bytes / best_time(copy, &c);
  }
  ln_free(c.from);
  ln_free(c.to);
  return has_room ? LN_OK : LN_FAILED;
}
