/* guard.h - memory between pages that nobody may touch, to find who writes or
 * reads beyond an end: the machine stops there at once. Slow, and each piece
 * takes two pages more; for whoever looks for such a mistake. */
#ifndef LUNET_BASE_GUARD_H
#define LUNET_BASE_GUARD_H

#include <lunet/lunet.h>

/* Is new memory of tensors to be guarded? */
bool ln_is_guarded(void);
void ln_guard(bool on);

int64_t ln_page_bytes(void);
static inline int64_t ln_whole_pages(int64_t bytes) {
  return (bytes + ln_page_bytes() - 1) / ln_page_bytes() * ln_page_bytes();
}

/* Whole pages, zeroed; NULL and a sentence where there are none. */
void *ln_pages_new(int64_t bytes);
void ln_pages_free(void *pages, int64_t bytes);
/* What may be done with these pages from now on. */
typedef enum ln_pages_access {
  LN_PAGES_NOTHING,
  LN_PAGES_READ,
  LN_PAGES_WRITE /* and read */
} ln_pages_access;
void ln_pages_allow(void *pages, int64_t bytes, ln_pages_access);

/* `bytes` that end at a closed page, with another one before their first page;
 * free them with the same number. They begin at a multiple of 4. */
void *ln_guarded_new(int64_t bytes);
void ln_guarded_free(void *data, int64_t bytes);

#endif
