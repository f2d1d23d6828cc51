/* lunet/kernels/vector.h - vectors of floats, as long as the instruction set
 * that this file is compiled for has them.
 *
 * Plain C with the vector extension of GCC and Clang: + and * work on all
 * elements at once. Compile a kernel once for each instruction set
 * (-march=x86-64-v4, -march=x86-64-v3, none), with -ffp-contract=fast, which
 * makes a * b + c one instruction. A vector that is longer than the
 * instruction set has is about 50 times slower, so the length follows it. */
#ifndef LUNET_KERNELS_VECTOR_H
#define LUNET_KERNELS_VECTOR_H

#include <stddef.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define LN_VECTOR 16 /* floats in a vector */
#elif defined(__AVX2__)
#define LN_VECTOR 8
#else
#define LN_VECTOR 4
#endif

#if defined(__AVX512F__) || defined(__aarch64__)
#define LN_VECTOR_REGISTERS 32
#else
#define LN_VECTOR_REGISTERS 16
#endif

#define LN_INLINE static inline __attribute__((always_inline))

typedef float ln_vector __attribute__((vector_size(LN_VECTOR * 4)));
typedef float ln_quad __attribute__((vector_size(16)));
/* The same where they lie in memory: at any float. */
typedef float ln_vector_in_memory_
    __attribute__((vector_size(LN_VECTOR * 4), aligned(4), may_alias));
typedef float ln_quad_in_memory_
    __attribute__((vector_size(16), aligned(4), may_alias));

LN_INLINE ln_vector ln_load(const float *p) {
  return (ln_vector)*(const ln_vector_in_memory_ *)p;
}
/* For a vector with several uses: the compiler would rather load it anew for
 * each of them than keep it in a register. */
LN_INLINE ln_vector ln_load_once(const float *p) {
  ln_vector v = ln_load(p);
#ifdef __x86_64__
  __asm__("" : "+v"(v));
#endif
  return v;
}
LN_INLINE void ln_store(float *p, ln_vector v) {
  *(ln_vector_in_memory_ *)p = (ln_vector_in_memory_)v;
}
LN_INLINE ln_quad ln_load_quad(const float *p) {
  return (ln_quad)*(const ln_quad_in_memory_ *)p;
}
LN_INLINE void ln_store_quad(float *p, ln_quad v) {
  *(ln_quad_in_memory_ *)p = (ln_quad_in_memory_)v;
}

/* v <= 0 ? 0 : v, so NaN stays. */
LN_INLINE ln_vector ln_rectify(ln_vector v) {
  typedef int mask __attribute__((vector_size(LN_VECTOR * 4)));
  const mask keeps = ~(mask)(v <= 0);
  return (ln_vector)((mask)v & keeps);
}

/* Copies n floats, or sets them to 0: for short rows, which a call of memcpy or
 * memset would take longer for. The last vector overlaps the one before it. */
LN_INLINE void ln_copy_short(float *to, const float *from, ptrdiff_t n) {
  ptrdiff_t i = 0;
  if (n >= LN_VECTOR) {
    for (; i <= n - LN_VECTOR; i += LN_VECTOR)
      ln_store(to + i, ln_load(from + i));
    ln_store(to + n - LN_VECTOR, ln_load(from + n - LN_VECTOR));
  } else if (n >= 4) {
    for (; i <= n - 4; i += 4) ln_store_quad(to + i, ln_load_quad(from + i));
    ln_store_quad(to + n - 4, ln_load_quad(from + n - 4));
  } else {
    for (; i < n; i++) to[i] = from[i];
  }
}
LN_INLINE void ln_clear_short(float *to, ptrdiff_t n) {
  ptrdiff_t i = 0;
  if (n >= LN_VECTOR) {
    for (; i <= n - LN_VECTOR; i += LN_VECTOR)
      ln_store(to + i, (ln_vector){ 0 });
    ln_store(to + n - LN_VECTOR, (ln_vector){ 0 });
  } else if (n >= 4) {
    for (; i <= n - 4; i += 4) ln_store_quad(to + i, (ln_quad){ 0 });
    ln_store_quad(to + n - 4, (ln_quad){ 0 });
  } else {
    for (; i < n; i++) to[i] = 0;
  }
}

/* The first n floats at p, or all; `other` in the lanes behind them. Nothing
 * else is read. */
LN_INLINE ln_vector ln_load_first(const float *p, ptrdiff_t n, float other) {
  if (n >= LN_VECTOR) return ln_load(p);
#if LN_VECTOR == 16
  const __mmask16 first = n > 0 ? (__mmask16)((1u << n) - 1) : 0;
  return (ln_vector)_mm512_mask_loadu_ps(_mm512_set1_ps(other), first, p);
#else
  float lanes[LN_VECTOR];
  for (int i = 0; i < LN_VECTOR; i++) lanes[i] = other;
  if (n > 0) ln_copy_short(lanes, p, n);
  return ln_load(lanes);
#endif
}

/* The first n floats of v, or all. */
LN_INLINE void ln_store_first(float *to, ln_vector v, ptrdiff_t n) {
  if (n >= LN_VECTOR) {
    ln_store(to, v);
    return;
  }
#if LN_VECTOR == 16
  if (n > 0) _mm512_mask_storeu_ps(to, (__mmask16)((1u << n) - 1), (__m512)v);
#else
  float lanes[LN_VECTOR];
  ln_store(lanes, v);
  ln_copy_short(to, lanes, n);
#endif
}

#endif
