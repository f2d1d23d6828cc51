/* lunet/kernels/functions.h - exp, tanh and their relatives without branches,
 * calls and tables, so that a compiler makes vector code of the loop around
 * them.
 *
 * Each is defined for every float: NaN gives NaN, infinity the limit. The error
 * is at most (in units of the last place of the float nearest to the exact
 * result, ulp; tests/core/test_kernel_functions.c measures it)
 *
 *   ln_exp      1.5    ln_expm1    2    ln_normal_density   2.5
 *   ln_sigmoid  2.5    ln_softplus 3    ln_tanh             2.5
 *   ln_normal_chance   7
 *
 * where results too small for a normal float may also be 0.
 *
 * exp goes the usual way: x = n log 2 + r with |r| <= log(2) / 2, so that
 * exp(x) = 2^n exp(r). A short polynomial does for exp(r), and 2^n is made of
 * the bits of n. The polynomials are fitted for the smallest largest relative
 * error on their interval. */
#ifndef LUNET_KERNELS_FUNCTIONS_H
#define LUNET_KERNELS_FUNCTIONS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include <lunet/kernels/vector.h>

LN_INLINE uint32_t ln_bits_(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

LN_INLINE float ln_of_bits_(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* 2^n for n in -126 .. 127. */
LN_INLINE float ln_power_of_2_(int32_t n) {
  return ln_of_bits_((uint32_t)(n + 127) << 23);
}

/* x + tail = n log 2 + r. */
typedef struct ln_reduced_ {
  float r;
  int32_t n;
} ln_reduced_;

LN_INLINE ln_reduced_ ln_reduce_(float x, float tail) {
  /* Behind 1.5 * 2^23, no bits are left for a fraction: the sum is rounded,
   * and its last bits are n. log 2 is a sum of two floats, of which the first
   * is so short that its product with n is exact. */
  const float shift = 0x1.8p23f, log2_of_e = 0x1.715476p0f;
  const float log_2 = 0x1.62e4p-1f, log_2_rest = 0x1.7f7d1cp-20f;
  const float shifted = x * log2_of_e + shift;
  const float n = shifted - shift;
  const float r = (x - n * log_2) - n * log_2_rest + tail;
  return (ln_reduced_){ r, (int32_t)(ln_bits_(shifted) - ln_bits_(shift)) };
}

/* exp(r) - 1 for |r| <= log(2) / 2. */
LN_INLINE float ln_expm1_near_0_(float r) {
  float p = 0.0013946552f;
  p = p * r + 0.008366644f;
  p = p * r + 0.04166628f;
  p = p * r + 0.16666542f;
  p = p * r + 0.5f;
  return p * r * r + r;
}

/* exp(x + tail), for a tail that is small. 2^n is multiplied in two steps, as
 * it may itself be too large or too small for a float. */
LN_INLINE float ln_exp_of_sum_(float x, float tail) {
  x = x > 89 ? 89 : x; /* so written, a NaN stays */
  x = x < -104 ? -104 : x;
  const ln_reduced_ to = ln_reduce_(x, tail);
  const int32_t half = to.n >> 1;
  return (1 + ln_expm1_near_0_(to.r)) * ln_power_of_2_(half) *
         ln_power_of_2_(to.n - half);
}

LN_INLINE float ln_exp(float x) {
  return ln_exp_of_sum_(x, 0);
}

/* exp(x) - 1, exact for small x, too; infinity from 88 on. */
LN_INLINE float ln_expm1(float x) {
  const float inside = x > 88 ? 88 : x < -30 ? -30 : x;
  const ln_reduced_ to = ln_reduce_(inside, 0);
  const float power = ln_power_of_2_(to.n);
  const float y = power * ln_expm1_near_0_(to.r) + (power - 1);
  return x > 88 ? INFINITY : y;
}

/* With e = exp(2|x|) - 1, tanh |x| = e / (e + 2); it is 1 from 10 on. */
LN_INLINE float ln_tanh(float x) {
  const float size = fabsf(x);
  const float e = ln_expm1(2 * (size > 10 ? 10 : size));
  return copysignf(e / (e + 2), x);
}

/* 1 / (1 + exp(-x)) */
LN_INLINE float ln_sigmoid(float x) {
  return 1 / (1 + ln_exp(-x));
}

/* log(1 + e) for e in 0 .. 1: with s = e / (2 + e) it is log((1 + s) / (1 - s))
 * = 2 (s + s^3 / 3 + s^5 / 5 + ...). */
LN_INLINE float ln_log1p_to_1_(float e) {
  const float s = e / (2 + e), z = s * s;
  float p = 0.28024465f;
  p = p * z + 0.2799914f;
  p = p * z + 0.400217f;
  p = p * z + 0.6666641f;
  return 2 * s + s * z * p;
}

/* log(1 + exp(x)) */
LN_INLINE float ln_softplus(float x) {
  return (x > 0 ? x : 0) + ln_log1p_to_1_(ln_exp(-fabsf(x)));
}

/* exp(-x^2 / 2) for 0 <= x <= 15. The rounding of x^2 would grow with the
 * exponential; so x is cut to its first 12 bits, whose square is exact, and
 * what that leaves of x^2 goes into the tail. */
LN_INLINE float ln_bell_(float x) {
  const float front = ln_of_bits_(ln_bits_(x) & 0xfffff000u);
  return ln_exp_of_sum_(-0.5f * front * front,
                        -0.5f * (x - front) * (x + front));
}

/* The chance that a standard normal number is smaller than x: for x < 0 it is
 * exp(-x^2 / 2) / 2 times a slow function, a polynomial in v, times u. */
LN_INLINE float ln_normal_chance(float x) {
  const float size = fabsf(x) > 15 ? 15 : fabsf(x);
  const float u = 1 / (1 + 0.28284271f * size); /* 1 .. 0.19 */
  const float v = u - 0.6f;
  float p = -0.02826667f;
  p = p * v + 0.03818356f;
  p = p * v + 0.06765552f;
  p = p * v - 0.08855577f;
  p = p * v - 0.17265862f;
  p = p * v + 0.110520296f;
  p = p * v + 0.6075057f;
  p = p * v + 0.9003025f;
  p = p * v + 0.8060794f;
  p = p * v + 0.49381247f;
  const float beyond = 0.5f * ln_bell_(size) * u * p;
  return x > 0 ? 1 - beyond : beyond;
}

/* exp(-x^2 / 2) / sqrt(2 pi) */
LN_INLINE float ln_normal_density(float x) {
  return 0.39894228f * ln_bell_(fabsf(x) > 15 ? 15 : fabsf(x));
}

#endif
