/* roofline_isa.c - as many multiply-adds as registers allow. Compiled once for
 * each instruction set, with LN_SUFFIX its name. */
#include "base/roofline_isa.h"

#include <lunet/kernels/vector.h>

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)

/* A sum waits some 4 cycles for itself, and two units take one multiply-add
 * each in a cycle: 8 sums keep them busy. With 12 there is room to spare, and
 * they still fit into 16 registers. */
enum { SUMS = 12 };

float JOIN(ln_multiply_adds_, LN_SUFFIX)(int64_t rounds, float factor,
                                         float term, double *flops) {
  const ln_vector zero = { 0 };
  const ln_vector factors = zero + factor, terms = zero + term;
  ln_vector sum[SUMS];
  for (int i = 0; i < SUMS; i++) sum[i] = zero + (float)i;
  for (int64_t r = 0; r < rounds; r++)
#pragma GCC unroll 12
    for (int i = 0; i < SUMS; i++) sum[i] = sum[i] * factors + terms;

  for (int i = 1; i < SUMS; i++) sum[0] += sum[i];
  float total = 0;
  for (int i = 0; i < LN_VECTOR; i++) total += sum[0][i];
  *flops = 2.0 * LN_VECTOR * SUMS * (double)rounds;
  return total;
}
