/* denormals.c - see denormals.h. */
#include "base/denormals.h"

#if defined(__x86_64__)

#include <xmmintrin.h>

/* MXCSR: results to zero (bit 15), operands as zero (bit 6). */
enum { FLUSH = 1 << 15 | 1 << 6 };

uint64_t ln_denormals_setting(void) {
  return _mm_getcsr() & (unsigned)FLUSH; /* without flags of past events */
}

void ln_restore_denormals(uint64_t setting) {
  _mm_setcsr((_mm_getcsr() & ~(unsigned)FLUSH) | ((unsigned)setting & FLUSH));
}

#elif defined(__aarch64__)

static const uint64_t FLUSH = 1u << 24; /* FPCR.FZ */

uint64_t ln_denormals_setting(void) {
  uint64_t control;
  __asm__ volatile("mrs %0, fpcr" : "=r"(control));
  return control;
}

void ln_restore_denormals(uint64_t setting) {
  uint64_t control = (ln_denormals_setting() & ~FLUSH) | (setting & FLUSH);
  __asm__ volatile("msr fpcr, %0" : : "r"(control));
}

#else /* no such setting known: denormals are computed with, only slower */

enum { FLUSH = 0 };

uint64_t ln_denormals_setting(void) {
  return 0;
}

void ln_restore_denormals(uint64_t setting) {
  (void)setting;
}

#endif

uint64_t ln_flush_denormals(void) {
  uint64_t before = ln_denormals_setting();
  ln_restore_denormals(FLUSH);
  return before;
}
