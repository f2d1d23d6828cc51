/* lunet/kernels/each_isa.h - a method whose loops are plain C, compiled once
 * for each instruction set, so that one plugin file suits every machine.
 *
 *   LN_INLINE ln_status swift(const void *self, const ln_call *call) { ... }
 *   LN_INLINE ln_status swift_back(const void *self, const ln_call *call) ...
 *   LN_EACH_ISA(swift)
 *   LN_EACH_ISA(swift_back)
 *   static const ln_kernel kernels[] = {
 *     LN_EACH_ISA_ROWS("vector", swift, swift_back),
 *   };
 *
 * The rows work on slices of the batch, so the layer must be LN_PER_SAMPLE.
 * What the loops call must be LN_INLINE, too. */
#ifndef LUNET_KERNELS_EACH_ISA_H
#define LUNET_KERNELS_EACH_ISA_H

#include <lunet/kernels/vector.h>
#include <lunet/plugin.h>

/* In front of a loop: its iterations do not depend on each other, even where
 * its arrays are the same memory (LN_IN_PLACE), which a compiler must fear. */
#ifdef __clang__
#define LN_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define LN_INDEPENDENT _Pragma("GCC ivdep")
#endif

#define LN_EACH_ISA_PASS_(f, isa)                                              \
  static ln_status f##_##isa(const void *self, const ln_call *call) {          \
    return f(self, call);                                                      \
  }
#define LN_EACH_ISA_ROW_(method_, isa_, forward_, backward_)                   \
  {                                                                            \
    .method = method_, .isa = isa_, .forward = forward_,                       \
    .backward = backward_, .per_sample = 1                                     \
  }

#ifdef __x86_64__

/* GCC prefers vectors of 256 bits where 512 are there. */
#ifdef __clang__
#define LN_TARGET_AVX512_ __attribute__((target("arch=x86-64-v4")))
#else
#define LN_TARGET_AVX512_                                                      \
  __attribute__((target("arch=x86-64-v4,prefer-vector-width=512")))
#endif
#define LN_TARGET_AVX2_ __attribute__((target("arch=x86-64-v3")))

#define LN_EACH_ISA(f)                                                         \
  LN_TARGET_AVX512_ LN_EACH_ISA_PASS_(f, avx512)                               \
  LN_TARGET_AVX2_ LN_EACH_ISA_PASS_(f, avx2) LN_EACH_ISA_PASS_(f, baseline)
#define LN_EACH_ISA_ROWS(method, f, b)                                         \
  LN_EACH_ISA_ROW_(method, LN_CPU_AVX512, f##_avx512, b##_avx512),             \
      LN_EACH_ISA_ROW_(method, LN_CPU_AVX2_FMA, f##_avx2, b##_avx2),           \
      LN_EACH_ISA_ROW_(method, 0, f##_baseline, b##_baseline)

#else

#define LN_EACH_ISA(f) LN_EACH_ISA_PASS_(f, baseline)
#define LN_EACH_ISA_ROWS(method, f, b)                                         \
  LN_EACH_ISA_ROW_(method, 0, f##_baseline, b##_baseline)

#endif
#endif
