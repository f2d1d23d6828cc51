/* lunet/kernels/softmax.h - a row of scores on its way to a softmax: its
 * largest number, and exp of what the others lack to it, LN_VECTOR at a time.
 *
 * What softmax, log_softmax and cross_entropy have in common. Sums run in
 * floats over LN_SUM_BLOCK numbers, and in doubles from block to block. */
#ifndef LUNET_KERNELS_SOFTMAX_H
#define LUNET_KERNELS_SOFTMAX_H

#include <stdint.h>

#include <lunet/kernels/functions.h>
#include <lunet/kernels/lanes.h>
#include <lunet/kernels/moments.h>

LN_INLINE ln_vector ln_larger_(ln_vector a, ln_vector b) {
  typedef int mask __attribute__((vector_size(LN_VECTOR * 4)));
  const mask wins = (mask)(b > a);
  return (ln_vector)(((mask)b & wins) | ((mask)a & ~wins));
}

#define LN_TURNED_(i, s)        (((i) + (s)) % LN_VECTOR)
#define LN_LARGER_TURNED_(v, s) ln_larger_(v, LN_PICK_(v, v, LN_TURNED_, s))

/* Each step takes the larger of two lanes, until all have been in one. */
LN_INLINE float ln_largest_lane_(ln_vector v) {
#if LN_VECTOR >= 16
  v = LN_LARGER_TURNED_(v, 8);
#endif
#if LN_VECTOR >= 8
  v = LN_LARGER_TURNED_(v, 4);
#endif
  v = LN_LARGER_TURNED_(v, 2);
  return LN_LARGER_TURNED_(v, 1)[0];
}

/* The largest of n numbers that is no NaN; -infinity where there is none. */
LN_INLINE float ln_largest(const float *x, int64_t n) {
  ln_vector a = (ln_vector){ 0 } - INFINITY, b = a, c = a, d = a;
  int64_t i = 0;
  for (; i + 4 * LN_VECTOR <= n; i += 4 * LN_VECTOR) {
    a = ln_larger_(a, ln_load(x + i));
    b = ln_larger_(b, ln_load(x + i + LN_VECTOR));
    c = ln_larger_(c, ln_load(x + i + 2 * LN_VECTOR));
    d = ln_larger_(d, ln_load(x + i + 3 * LN_VECTOR));
  }
  for (; i + LN_VECTOR <= n; i += LN_VECTOR) a = ln_larger_(a, ln_load(x + i));
  if (i < n) b = ln_larger_(b, ln_load_first(x + i, n - i, -INFINITY));
  return ln_largest_lane_(ln_larger_(ln_larger_(a, b), ln_larger_(c, d)));
}

LN_INLINE ln_vector ln_exp_of_vector(ln_vector x) {
  float lanes[LN_VECTOR];
  ln_store(lanes, x);
#pragma GCC unroll 1 /* as a loop, it becomes vector code for certain */
  for (int j = 0; j < LN_VECTOR; j++) lanes[j] = ln_exp(lanes[j]);
  return ln_load(lanes);
}

/* The sum of exp(x[k] - largest) over a block; y, if any, gets each. The lanes
 * behind the last number hold exp(-infinity) = 0. */
LN_INLINE double ln_exp_block_(const float *x, float largest, int64_t n,
                               float *y) {
  ln_vector a = { 0 }, b = { 0 };
  int64_t i = 0;
  for (; i + 2 * LN_VECTOR <= n; i += 2 * LN_VECTOR) {
    const ln_vector ea = ln_exp_of_vector(ln_load(x + i) - largest);
    const ln_vector eb = ln_exp_of_vector(ln_load(x + i + LN_VECTOR) - largest);
    a += ea;
    b += eb;
    if (y) ln_store(y + i, ea), ln_store(y + i + LN_VECTOR, eb);
  }
  for (; i < n; i += LN_VECTOR) {
    const int64_t left = n - i;
    const ln_vector v = left >= LN_VECTOR
                            ? ln_load(x + i)
                            : ln_load_first(x + i, left, -INFINITY);
    const ln_vector e = ln_exp_of_vector(v - largest);
    a += e;
    if (y) ln_store_first(y + i, e, left);
  }
  return ln_vector_sum_(a + b);
}

/* y[k] = exp(x[k] - largest), if y is not NULL; gives their sum. */
LN_INLINE double ln_exp_sum(const float *x, float largest, int64_t n,
                            float *y) {
  double sum = 0;
  for (int64_t i = 0; i < n; i += LN_SUM_BLOCK)
    sum += ln_exp_block_(x + i, largest, ln_block_size_(i, n), y ? y + i : y);
  return sum;
}

#endif
