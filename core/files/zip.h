/* zip.h - the container of .npz files. */
#ifndef LUNET_FILES_ZIP_H
#define LUNET_FILES_ZIP_H

#include <lunet/lunet.h>

#include "files/file.h"

typedef struct ln_zip_entry {
  char *name;
  uint64_t begin;        /* of its local header */
  uint64_t packed, size; /* bytes in the file, and unpacked */
  uint32_t crc;
  uint16_t method; /* 0 stored, 8 deflated */
} ln_zip_entry;

typedef struct ln_zip {
  const char *path;
  uint8_t *bytes; /* the whole file */
  size_t size;
  ln_zip_entry *entries;
  int64_t count;
} ln_zip;

/* Reads the file and its directory. */
ln_status ln_zip_open(const char *path, ln_zip *out);
void ln_zip_close(ln_zip *);
/* The content of an entry, `e->size` bytes. It lies in the zip, or, if it had
 * to be unpacked, in *owned, to be given to free(). */
ln_status ln_zip_content(const ln_zip *, const ln_zip_entry *e,
                         const uint8_t **content, uint8_t **owned);

/* Writing: stored entries without a time, so that equal content gives equal
 * bytes. The caller fills `name`; add computes the rest of *e, which must live
 * until the end; the content comes in two parts. */
ln_status ln_zip_add(ln_new_file *f, ln_zip_entry *e, const void *head,
                     size_t head_size, const void *body, size_t body_size);
ln_status ln_zip_end(ln_new_file *f, const ln_zip_entry *entries,
                     int64_t count);

#endif
