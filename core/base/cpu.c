/* cpu.c - see cpu.h. */
#include "base/cpu.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)

static const char *const names[] = { "baseline", "avx2", "avx512" };
#define CHOICE "it must be baseline, avx2 or avx512"

static ln_isa best_isa(void) {
  __builtin_cpu_init();
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
              __builtin_cpu_supports("bmi2");
  if (!avx2) return LN_ISA_BASELINE;
  bool avx512 =
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512cd") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return avx512 ? LN_ISA_AVX512 : LN_ISA_AVX2;
}

#else /* one form of the kernels, for what all processors of the family have */

#if defined(__aarch64__)
static const char *const names[] = { "neon" };
#define CHOICE "it must be neon or, which is the same here, baseline"
#else
static const char *const names[] = { "baseline" };
#define CHOICE "it must be baseline"
#endif

static ln_isa best_isa(void) {
  return LN_ISA_BASELINE;
}

#endif

enum { N_NAMES = sizeof names / sizeof *names };

/* The number of a name; "baseline" is a name everywhere. -1: unknown. */
static int find_isa(const char *name) {
  for (int i = 0; i < N_NAMES; i++)
    if (!strcmp(name, names[i])) return i;
  return strcmp(name, "baseline") ? -1 : LN_ISA_BASELINE;
}

static ln_status wanted_isa(const char *wanted, ln_isa *out) {
  const ln_isa best = best_isa();
  *out = best;
  if (!wanted || !*wanted) return LN_OK;
  const int isa = find_isa(wanted);
  if (isa < 0)
    return ln_set_error("LUNET_ISA is '%s'; " CHOICE
                        "\n  this machine has at most '%s'",
                        wanted, names[best]);
  if (isa > (int)best)
    return ln_set_error("LUNET_ISA asks for '%s', but this machine has at "
                        "most '%s'\n  try LUNET_ISA=%s, or unset it",
                        wanted, names[best], names[best]);
  *out = (ln_isa)isa;
  return LN_OK;
}

const char *ln_isa_name(ln_isa isa) {
  return names[isa];
}

ln_status ln_cpu_isa(ln_isa *out) {
  static int known = -1;
  int isa = __atomic_load_n(&known, __ATOMIC_RELAXED);
  if (isa < 0) {
    ln_isa found;
    ln_status status = wanted_isa(getenv("LUNET_ISA"), &found);
    if (status != LN_OK) return status;
    isa = (int)found;
    __atomic_store_n(&known, isa, __ATOMIC_RELAXED);
  }
  *out = (ln_isa)isa;
  return LN_OK;
}

uint64_t ln_cpu_features(void) {
#if defined(__aarch64__)
  return LN_CPU_NEON;
#else
  ln_isa isa;
  if (ln_cpu_isa(&isa) != LN_OK || isa == LN_ISA_BASELINE) return 0;
  return LN_CPU_AVX2_FMA | (isa == LN_ISA_AVX512 ? LN_CPU_AVX512 : 0u);
#endif
}
