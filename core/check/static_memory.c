/* static_memory.c - a copy of a plugin's writable segments; see
 * static_memory.h. */
#include "check/static_memory.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SEGMENTS = 4, MOST_BYTES = 1 << 22 };

static struct {
  const char *at;
  char *copy;
  size_t bytes;
} segments[MOST_SEGMENTS];
static int n_segments;

static void keep_segment(const char *at, size_t bytes) {
  if (n_segments == MOST_SEGMENTS || bytes > MOST_BYTES) return;
  char *copy = malloc(bytes ? bytes : 1);
  if (!copy) return;
  memcpy(copy, at, bytes);
  segments[n_segments].at = at;
  segments[n_segments].copy = copy;
  segments[n_segments++].bytes = bytes;
}

static int look_at(struct dl_phdr_info *info, size_t size, void *base) {
  (void)size;
  if (info->dlpi_addr != *(ElfW(Addr) *)base) return 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *p = &info->dlpi_phdr[i];
    if (p->p_type == PT_LOAD && (p->p_flags & PF_W))
      keep_segment((const char *)(info->dlpi_addr + p->p_vaddr), p->p_memsz);
  }
  return 1;
}

void ln_statics_keep(void *handle) {
  struct link_map *map;
  for (int i = 0; i < n_segments; i++) free(segments[i].copy);
  n_segments = 0;
  if (handle && !dlinfo(handle, RTLD_DI_LINKMAP, &map))
    dl_iterate_phdr(look_at, &map->l_addr);
}

int64_t ln_statics_changed(void) {
  int64_t n = 0;
  for (int i = 0; i < n_segments; i++)
    for (size_t k = 0; k < segments[i].bytes; k++)
      n += segments[i].at[k] != segments[i].copy[k];
  return n;
}
