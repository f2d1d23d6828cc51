/* shared_object.c - reading the tables of an ELF file; see shared_object.h. */
#include "check/shared_object.h"

#include <elf.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

bool ln_is_usual_library(const char *library) {
  static const char *const usual[] = {
    "libc.so",  "libm.so",    "libpthread.so", "libgcc_s.so", "libstdc++.so",
    "libdl.so", "libasan.so", "libubsan.so",   "ld-linux"
  };
  for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
    if (!strncmp(library, usual[i], strlen(usual[i]))) return true;
  return false;
}

typedef struct image {
  const uint8_t *bytes;
  size_t size;
  const ElfW(Ehdr) * header;
} image;

static const void *at(const image *i, uint64_t offset, uint64_t size) {
  return offset <= i->size && size <= i->size - offset ? i->bytes + offset
                                                       : NULL;
}

static const ElfW(Shdr) * section(const image *i, unsigned index) {
  return at(i, i->header->e_shoff + (uint64_t)index * sizeof(ElfW(Shdr)),
            sizeof(ElfW(Shdr)));
}

/* A text of the string table of the section. */
static const char *text_of(const image *i, const ElfW(Shdr) * table,
                           uint64_t offset) {
  const ElfW(Shdr) *strings = section(i, table->sh_link);
  if (!strings || offset >= strings->sh_size) return "";
  const char *s = at(i, strings->sh_offset + offset, 1);
  return s ? s : "";
}

static void read_symbols(const image *i, const ElfW(Shdr) * table,
                         ln_shared_object *o) {
  const ElfW(Sym) *symbols = at(i, table->sh_offset, table->sh_size);
  for (uint64_t k = 0; symbols && k < table->sh_size / sizeof *symbols; k++) {
    const int binding = symbols[k].st_info >> 4;
    if (symbols[k].st_shndx != SHN_UNDEF && symbols[k].st_name &&
        (binding == STB_GLOBAL || binding == STB_WEAK))
      o->shows(o->arg, text_of(i, table, symbols[k].st_name));
  }
}

static void read_dynamic(const image *i, const ElfW(Shdr) * table,
                         ln_shared_object *o) {
  const ElfW(Dyn) *rows = at(i, table->sh_offset, table->sh_size);
  for (uint64_t k = 0; rows && k < table->sh_size / sizeof *rows; k++) {
    if (rows[k].d_tag == DT_NULL) break;
    if (rows[k].d_tag == DT_NEEDED)
      o->links(o->arg, text_of(i, table, rows[k].d_un.d_val));
    if (rows[k].d_tag == DT_TEXTREL) o->relocates_code = true;
  }
}

static void read_segments(const image *i, ln_shared_object *o) {
  for (unsigned k = 0; k < i->header->e_phnum; k++) {
    const ElfW(Phdr) *s =
        at(i, i->header->e_phoff + (uint64_t)k * sizeof *s, sizeof *s);
    if (s && s->p_type == PT_GNU_STACK && (s->p_flags & PF_X))
      o->executable_stack = true;
  }
}

bool ln_shared_object_read(const char *path, ln_shared_object *o) {
  uint8_t *bytes;
  image i = { 0 };
  if (ln_file_read(path, &bytes, &i.size)) return false;
  i.bytes = bytes;
  i.header = at(&i, 0, sizeof *i.header);
  if (i.header) read_segments(&i, o);
  for (unsigned k = 0; i.header && k < i.header->e_shnum; k++) {
    const ElfW(Shdr) *s = section(&i, k);
    if (s && s->sh_type == SHT_DYNSYM) read_symbols(&i, s, o);
    if (s && s->sh_type == SHT_DYNAMIC) read_dynamic(&i, s, o);
  }
  free(bytes);
  return i.header != NULL;
}
