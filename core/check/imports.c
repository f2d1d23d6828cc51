/* imports.c - counters between a plugin and malloc; see imports.h.
 *
 * A shared object calls other libraries through a table of addresses (its
 * global offset table) that the loader fills in. Here the places that belong
 * to malloc and its kin get the addresses of counters instead. */
#include "check/imports.h"

#include <dlfcn.h>
#include <link.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static int64_t calls, bytes_held;
static int fill_byte;

int64_t ln_heap_calls(void) {
  return calls;
}

int64_t ln_heap_bytes(void) {
  return bytes_held;
}

void ln_fill_heap(int byte) {
  fill_byte = byte;
}

static void hold(const void *p, int sign) {
  const int64_t n = (int64_t)malloc_usable_size((void *)(uintptr_t)p);
  __atomic_add_fetch(&bytes_held, sign * n, __ATOMIC_RELAXED);
}

static void *asked(void *p) {
  __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
  hold(p, 1);
  return p;
}

static void *filled(void *p, size_t bytes) {
  if (p && fill_byte) memset(p, fill_byte, bytes);
  return asked(p);
}

static void *counted_malloc(size_t bytes) {
  return filled(malloc(bytes), bytes);
}

static void *counted_calloc(size_t n, size_t bytes) {
  return asked(calloc(n, bytes));
}

static void *counted_realloc(void *p, size_t bytes) {
  hold(p, -1);
  return asked(realloc(p, bytes));
}

static void *counted_aligned(size_t alignment, size_t bytes) {
  return filled(aligned_alloc(alignment, bytes), bytes);
}

static int counted_posix(void **p, size_t alignment, size_t bytes) {
  const int failed = posix_memalign(p, alignment, bytes);
  if (!failed) filled(*p, bytes);
  return failed;
}

static void *counted_strdup(const char *s) {
  return asked(strdup(s));
}

static void counted_free(void *p) {
  hold(p, -1);
  free(p);
}

/* C++'s new and delete are malloc and free. */
static const struct {
  const char *name;
  uintptr_t counter;
} kin[] = {
  { "malloc", (uintptr_t)counted_malloc },
  { "calloc", (uintptr_t)counted_calloc },
  { "realloc", (uintptr_t)counted_realloc },
  { "aligned_alloc", (uintptr_t)counted_aligned },
  { "posix_memalign", (uintptr_t)counted_posix },
  { "strdup", (uintptr_t)counted_strdup },
  { "free", (uintptr_t)counted_free },
  { "_Znwm", (uintptr_t)counted_malloc },
  { "_Znam", (uintptr_t)counted_malloc },
  { "_ZdlPv", (uintptr_t)counted_free },
  { "_ZdaPv", (uintptr_t)counted_free },
  { "_ZdlPvm", (uintptr_t)counted_free },
};

typedef struct tables {
  const char *strings;
  const ElfW(Sym) * symbols;
  uintptr_t base;
} tables;

static void redirect(const tables *t, const ElfW(Rela) * row) {
  const char *name = t->strings + t->symbols[ELF64_R_SYM(row->r_info)].st_name;
  for (size_t i = 0; i < sizeof kin / sizeof *kin; i++) {
    if (strcmp(name, kin[i].name)) continue;
    uintptr_t *place = (uintptr_t *)(t->base + row->r_offset);
    const uintptr_t page = (uintptr_t)place & ~(uintptr_t)4095;
    mprotect((void *)page, 8192, PROT_READ | PROT_WRITE);
    *place = kin[i].counter;
  }
}

static void redirect_all(const tables *t, const ElfW(Rela) * rows,
                         uint64_t bytes) {
  for (uint64_t i = 0; rows && i < bytes / sizeof *rows; i++)
    if (ELF64_R_SYM(rows[i].r_info)) redirect(t, &rows[i]);
}

void ln_count_heap_calls(void *handle) {
  struct link_map *map;
  if (!handle || dlinfo(handle, RTLD_DI_LINKMAP, &map)) return;
  tables t = { .base = map->l_addr };
  const ElfW(Rela) *jumps = NULL, *data = NULL;
  uint64_t jump_bytes = 0, data_bytes = 0;
  for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++)
    switch (d->d_tag) {
    case DT_STRTAB: t.strings = (const char *)d->d_un.d_ptr; break;
    case DT_SYMTAB: t.symbols = (const void *)d->d_un.d_ptr; break;
    case DT_JMPREL: jumps = (const void *)d->d_un.d_ptr; break;
    case DT_PLTRELSZ: jump_bytes = d->d_un.d_val; break;
    case DT_RELA: data = (const void *)d->d_un.d_ptr; break;
    case DT_RELASZ: data_bytes = d->d_un.d_val; break;
    default: break;
    }
  if (!t.strings || !t.symbols) return;
  redirect_all(&t, jumps, jump_bytes);
  redirect_all(&t, data, data_bytes);
}
