/* memory.c - see memory.h. */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
  ALIGNMENT = 64,
  HUGE_PAGE = 2 << 20 /* from here on they are asked for */
};

static _Atomic int64_t allocations;

int64_t ln_allocations(void) {
  return allocations;
}

/* A processor finds a place in memory by its page, and remembers few pages:
 * large tensors are walked through faster by pages of 2 MB. Where the system
 * has none to give, nothing changes. */
static void ask_for_huge_pages(void *p, size_t bytes) {
#ifdef MADV_HUGEPAGE
  madvise(p, bytes, MADV_HUGEPAGE);
#endif
}

void *ln_alloc(size_t bytes) {
  void *p = NULL;
  const bool large = bytes >= HUGE_PAGE;
  allocations++;
  if (!posix_memalign(&p, large ? HUGE_PAGE : ALIGNMENT, bytes ? bytes : 1)) {
    if (large) ask_for_huge_pages(p, bytes);
    return p;
  }
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
