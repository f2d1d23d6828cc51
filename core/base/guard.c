/* guard.c - see guard.h. */
#include "base/guard.h"

#include <sys/mman.h>
#include <unistd.h>

static bool guarded;

bool ln_is_guarded(void) {
  return guarded;
}

void ln_guard(bool on) {
  guarded = on;
}

int64_t ln_page_bytes(void) {
  return sysconf(_SC_PAGESIZE);
}

void *ln_pages_new(int64_t bytes) {
  void *pages = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages != MAP_FAILED) return pages;
  ln_set_error("no %" PRId64 " bytes with guard pages are left\n"
               "  try a smaller batch, or go without --guard",
               bytes);
  return NULL;
}

void ln_pages_free(void *pages, int64_t bytes) {
  if (pages) munmap(pages, (size_t)bytes);
}

void ln_pages_allow(void *pages, int64_t bytes, ln_pages_access access) {
  static const int bits[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE };
  mprotect(pages, (size_t)bytes, bits[access]);
}

static int64_t room_of(int64_t bytes) {
  return ln_whole_pages(bytes) + 2 * ln_page_bytes();
}

void *ln_guarded_new(int64_t bytes) {
  char *pages = ln_pages_new(room_of(bytes));
  if (!pages) return NULL;
  char *end = pages + room_of(bytes) - ln_page_bytes();
  ln_pages_allow(pages, ln_page_bytes(), LN_PAGES_NOTHING);
  ln_pages_allow(end, ln_page_bytes(), LN_PAGES_NOTHING);
  return end - bytes;
}

void ln_guarded_free(void *data, int64_t bytes) {
  char *end = (char *)data + bytes + ln_page_bytes();
  ln_pages_free(end - room_of(bytes), room_of(bytes));
}
