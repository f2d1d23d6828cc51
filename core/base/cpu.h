/* cpu.h - which instruction set the kernels use. */
#ifndef LUNET_BASE_CPU_H
#define LUNET_BASE_CPU_H

#include <lunet/lunet.h>

typedef enum { LN_ISA_BASELINE, LN_ISA_AVX2, LN_ISA_AVX512 } ln_isa;

/* The best that this machine has, or the one that the environment variable
 * LUNET_ISA asks for; an unknown or impossible one is refused. Looked up once.
 *
 * The baseline is what all processors of a family have: on x86-64 four floats a
 * vector, and the others are avx2 and avx512; on 64-bit ARM it is NEON, and
 * there is no other. */
ln_status ln_cpu_isa(ln_isa *out);
/* "baseline", "avx2", "avx512"; the baseline of 64-bit ARM is "neon" */
const char *ln_isa_name(ln_isa isa);
/* LN_CPU_... bits of that instruction set; those of the baseline where
 * ln_cpu_isa refuses. */
uint64_t ln_cpu_features(void);

#endif
