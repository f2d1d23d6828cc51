/* elf.c - a look at a shared object before it is opened; see elf.h. */
#include "host/elf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#ifdef __ELF__
#include <elf.h>
#include <link.h>

typedef ElfW(Ehdr) elf_header;
typedef ElfW(Phdr) elf_segment;

/* The size that the segments need; 0 where even they cannot be read. */
static uint64_t needed_size(FILE *f, const elf_header *h) {
  uint64_t needed = sizeof *h;
  if (fseek(f, (long)h->e_phoff, SEEK_SET)) return 0;
  for (int i = 0; i < h->e_phnum; i++) {
    elf_segment s;
    if (fread(&s, sizeof s, 1, f) != 1) return 0;
    uint64_t end = (uint64_t)s.p_offset + s.p_filesz;
    if (end > needed) needed = end;
  }
  return needed;
}

static ln_status check_header(FILE *f, uint64_t size) {
  elf_header h;
  if (size < 4 || fread(h.e_ident, 1, 4, f) != 4 ||
      memcmp(h.e_ident, ELFMAG, SELFMAG))
    return ln_set_error("it is not a shared object; build it with\n"
                        "  cc -shared -fPIC layer.c -o layer.so");
  if (size < sizeof h || fseek(f, 0, SEEK_SET) ||
      fread(&h, sizeof h, 1, f) != 1)
    return ln_set_error("it is truncated: %" PRIu64 " bytes, where the header "
                        "alone takes %zu",
                        size, sizeof h);
  if (h.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32))
    return ln_set_error("it was built for another pointer size than this "
                        "program's %zu bytes",
                        sizeof(void *));
  uint64_t needed = needed_size(f, &h);
  if (!needed || needed > size)
    return ln_set_error("it is truncated: %" PRIu64 " bytes, where its "
                        "segments reach to %" PRIu64,
                        size, needed);
  return LN_OK;
}
#else
static ln_status check_header(FILE *f, uint64_t size) {
  (void)f;
  return size ? LN_OK : ln_set_error("the file is empty");
}
#endif

ln_status ln_elf_check(const char *path) {
  FILE *f = fopen(path, "rb");
  if (!f) return ln_set_error("it cannot be read: %s", strerror(errno));
  long size = fseek(f, 0, SEEK_END) ? -1 : ftell(f);
  ln_status s = LN_FAILED;
  if (size < 0 || fseek(f, 0, SEEK_SET))
    ln_set_error("it cannot be read: %s", strerror(errno));
  else
    s = check_header(f, (uint64_t)size);
  fclose(f);
  return s;
}
