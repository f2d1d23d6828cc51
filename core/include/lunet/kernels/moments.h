/* lunet/kernels/moments.h - mean, variance and sums of many floats, fast and
 * with all their digits: what the layers that normalise have in common.
 *
 * Sums run in floats, in several vectors at once, over blocks of numbers; from
 * a block its own mean is taken off first, so that a mean far larger than the
 * deviation costs nothing. The sums of blocks are added up in doubles. A block
 * is read twice, but the second time it still lies in the cache. */
#ifndef LUNET_KERNELS_MOMENTS_H
#define LUNET_KERNELS_MOMENTS_H

#include <stdint.h>
#include <string.h>

#include <lunet/kernels/vector.h>

enum { LN_SUM_BLOCK = 1024 }; /* numbers whose sums stay floats */

/* How `count` numbers x lie. */
typedef struct ln_moments {
  double count, mean, squares; /* squares: sum of (x - mean)^2 */
} ln_moments;

/* The sums of d and of d * (x - mean), where d = v - taken. */
typedef struct ln_sums {
  double v, vx;
} ln_sums;

/* Half a vector of floats, and as many doubles. */
typedef float ln_half_ __attribute__((vector_size(LN_VECTOR * 2)));
typedef double ln_doubles_ __attribute__((vector_size(LN_VECTOR * 4)));

/* Halves are added until one number is left: no long row of additions, each
 * of which would wait for the one before it. */
LN_INLINE double ln_vector_sum_(ln_vector v) {
  ln_half_ half[2];
  double lanes[LN_VECTOR / 2];
  memcpy(half, &v, sizeof half);
  const ln_doubles_ both = __builtin_convertvector(half[0], ln_doubles_) +
                           __builtin_convertvector(half[1], ln_doubles_);
  memcpy(lanes, &both, sizeof lanes);
#pragma GCC unroll 4
  for (int n = LN_VECTOR / 4; n > 0; n /= 2)
#pragma GCC unroll 4
    for (int i = 0; i < n; i++) lanes[i] += lanes[i + n];
  return lanes[0];
}

static inline double ln_block_sum_(const float *x, int64_t n) {
  enum { V = LN_VECTOR };
  ln_vector a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };
  int64_t i = 0;
  for (; i + 4 * V <= n; i += 4 * V) {
    a += ln_load(x + i);
    b += ln_load(x + i + V);
    c += ln_load(x + i + 2 * V);
    d += ln_load(x + i + 3 * V);
  }
  double sum = ln_vector_sum_((a + b) + (c + d));
  for (; i < n; i++) sum += (double)x[i];
  return sum;
}

static inline ln_sums ln_block_sums_(const float *v, float taken,
                                     const float *x, float mean, int64_t n) {
  enum { V = LN_VECTOR };
  ln_vector a = { 0 }, b = { 0 }, ax = { 0 }, bx = { 0 };
  int64_t i = 0;
  for (; i + 2 * V <= n; i += 2 * V) {
    const ln_vector da = ln_load(v + i) - taken;
    const ln_vector db = ln_load(v + i + V) - taken;
    a += da;
    b += db;
    ax += da * (ln_load(x + i) - mean);
    bx += db * (ln_load(x + i + V) - mean);
  }
  ln_sums sums = { ln_vector_sum_(a + b), ln_vector_sum_(ax + bx) };
  for (; i < n; i++) {
    const double d = (double)(v[i] - taken);
    sums.v += d;
    sums.vx += d * (double)(x[i] - mean);
  }
  return sums;
}

static inline ln_moments ln_block_moments_(const float *x, int64_t n) {
  const double count = (double)n;
  const float near = (float)(ln_block_sum_(x, n) / count); /* mean, rounded */
  const ln_sums rest = ln_block_sums_(x, near, x, near, n);
  const double mean = (double)near + rest.v / count;
  return (ln_moments){ count, mean, rest.vx - rest.v * rest.v / count };
}

LN_INLINE int64_t ln_block_size_(int64_t begin, int64_t end) {
  return end - begin < LN_SUM_BLOCK ? end - begin : LN_SUM_BLOCK;
}

/* Those of a's and b's numbers together (Chan, Golub, LeVeque, 1979). */
static inline ln_moments ln_moments_merge(ln_moments a, ln_moments b) {
  const double count = a.count + b.count, apart = b.mean - a.mean;
  return (ln_moments){ count, a.mean + apart * b.count / count,
                       a.squares + b.squares +
                           apart * apart * a.count * b.count / count };
}

/* Adds n numbers to m, which begins as zeros. */
static inline void ln_moments_add(ln_moments *m, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i += LN_SUM_BLOCK)
    *m = ln_moments_merge(*m, ln_block_moments_(x + i, ln_block_size_(i, n)));
}

/* Adds the sums of v and of v * (x - mean) over n numbers to *sums. */
static inline void ln_sums_add(ln_sums *sums, const float *v, const float *x,
                               double mean, int64_t n) {
  const float near = (float)mean;
  for (int64_t i = 0; i < n; i += LN_SUM_BLOCK) {
    const ln_sums block =
        ln_block_sums_(v + i, 0, x + i, near, ln_block_size_(i, n));
    sums->v += block.v;
    sums->vx += block.vx - (mean - (double)near) * block.v;
  }
}

#endif
