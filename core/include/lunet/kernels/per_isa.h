/* lunet/kernels/per_isa.h - a kernel file of a layer in a folder, compiled once
 * for each instruction set with LN_SUFFIX its name: how its functions are
 * called, declared and listed.
 *
 *   rows.c    ln_status LN_FOR_ISA(swift)(const void *self, ...) { ... }
 *   layer.h   #define DECLARE(isa) ln_status swift_##isa(const void *, ...);
 *             LN_DECLARE_FOR_EACH_ISA(DECLARE)
 *   layer.c   #define ROW(bits, suffix) { .isa = bits, .forward = ... }
 *             static const ln_kernel kernels[] = { LN_FOR_EACH_ISA(ROW) };
 *
 * Where a loop of plain C in one file is all it takes, see each_isa.h. */
#ifndef LUNET_KERNELS_PER_ISA_H
#define LUNET_KERNELS_PER_ISA_H

#define LN_JOIN_(a, b)   a##_##b
#define LN_JOIN(a, b)    LN_JOIN_(a, b)
#define LN_FOR_ISA(name) LN_JOIN(name, LN_SUFFIX)

#ifdef __x86_64__
#define LN_DECLARE_FOR_EACH_ISA(declare)                                       \
  declare(avx512) declare(avx2) declare(baseline)
#define LN_FOR_EACH_ISA(row)                                                   \
  row(LN_CPU_AVX512, avx512), row(LN_CPU_AVX2_FMA, avx2), row(0, baseline)
#else
#define LN_DECLARE_FOR_EACH_ISA(declare) declare(baseline)
#define LN_FOR_EACH_ISA(row)             row(0, baseline)
#endif

#endif
