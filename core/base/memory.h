/* memory.h - allocation that reports its failures, and sizes that cannot
 * overflow silently. */
#ifndef LUNET_BASE_MEMORY_H
#define LUNET_BASE_MEMORY_H

#include <lunet/lunet.h>

/* Memory that begins at a multiple of 64 bytes; NULL and an error sentence
 * where there is none. 0 bytes give a valid pointer. Free with ln_free. */
void *ln_alloc(size_t bytes);
void *ln_alloc_zero(size_t bytes);
void ln_free(void *p);
/* A copy of a text; free with ln_free. */
char *ln_copy_text(const char *s);

/* *out = a * b (a + b); false where that exceeds int64_t. a, b >= 0. */
static inline bool ln_multiply(int64_t a, int64_t b, int64_t *out) {
  return !__builtin_mul_overflow(a, b, out);
}
static inline bool ln_sum(int64_t a, int64_t b, int64_t *out) {
  return !__builtin_add_overflow(a, b, out);
}

#endif
