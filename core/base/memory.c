/* memory.c - see memory.h. */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

static _Atomic int64_t allocations;

int64_t ln_allocations(void) {
  return allocations;
}

void *ln_alloc(size_t bytes) {
  void *p = NULL;
  allocations++;
  if (posix_memalign(&p, ALIGNMENT, bytes ? bytes : 1) == 0) return p;
  ln_set_error("out of memory: no %zu bytes left\n"
               "  try a smaller batch or smaller tensors",
               bytes);
  return NULL;
}

void *ln_alloc_zero(size_t bytes) {
  void *p = ln_alloc(bytes);
  if (p) memset(p, 0, bytes);
  return p;
}

void ln_free(void *p) {
  free(p);
}

char *ln_copy_text(const char *s) {
  size_t size = strlen(s) + 1;
  char *copy = ln_alloc(size);
  if (copy) memcpy(copy, s, size);
  return copy;
}
