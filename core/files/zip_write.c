/* zip_write.c - entries stored as they are, then the directory, then the end
 * record. The date is 1980-01-01, the first a zip can say: equal content, equal
 * bytes. */
#include "files/zip.h"

#include <string.h>
#include <zlib.h>

#include "files/bytes.h"

#define VERSION       20
#define UTF8_NAME     0x800
#define FIRST_OF_1980 0x21
#define MOST_ENTRIES  65534
#define MOST_BYTES    0xfffffffeu

/* What local header and directory record have in common, 26 bytes. */
static uint8_t *put_common(uint8_t *b, const ln_zip_entry *e) {
  b = ln_bytes_put(b, 2, VERSION);
  b = ln_bytes_put(b, 2, UTF8_NAME);
  b = ln_bytes_put(b, 2, e->method);
  b = ln_bytes_put(b, 2, 0); /* time of day */
  b = ln_bytes_put(b, 2, FIRST_OF_1980);
  b = ln_bytes_put(b, 4, e->crc);
  b = ln_bytes_put(b, 4, e->packed);
  b = ln_bytes_put(b, 4, e->size);
  b = ln_bytes_put(b, 2, strlen(e->name));
  return ln_bytes_put(b, 2, 0); /* extra fields */
}

static ln_status too_large(const ln_new_file *f, const char *what) {
  return ln_set_error("%s, offset %zu: expected %s in an .npz file, got more\n"
                      "  try .safetensors, which has no such limit",
                      f->path, f->written, what);
}

/* Goes on from `crc`; after Ctrl-C, with which the file is given up, not to the
 * end. */
static uint32_t checksum(uint32_t crc, const uint8_t *bytes, size_t size) {
  while (size > 0 && !ln_is_cancelled()) {
    const size_t piece = size < LN_FILE_PIECE ? size : LN_FILE_PIECE;
    crc = (uint32_t)crc32_z(crc, bytes, piece);
    bytes += piece;
    size -= piece;
  }
  return crc;
}

ln_status ln_zip_add(ln_new_file *f, ln_zip_entry *e, const void *head,
                     size_t head_size, const void *body, size_t body_size) {
  size_t size = head_size + body_size, name = strlen(e->name);
  if (size > MOST_BYTES || f->written > MOST_BYTES - size)
    return too_large(f, "less than 4 GiB");
  if (name > 65535) return too_large(f, "names of at most 65535 bytes");
  e->begin = f->written;
  e->packed = e->size = size;
  e->crc = checksum((uint32_t)crc32_z(0, head, head_size), body, body_size);
  e->method = 0;
  uint8_t local[30] = "PK\3\4";
  put_common(local + 4, e);
  ln_new_file_write(f, local, sizeof local);
  ln_new_file_write(f, e->name, name);
  ln_new_file_write(f, head, head_size);
  ln_new_file_write(f, body, body_size);
  return LN_OK;
}

static void put_directory_record(ln_new_file *f, const ln_zip_entry *e) {
  uint8_t record[46] = "PK\1\2";
  uint8_t *b = ln_bytes_put(record + 4, 2, VERSION);
  b = put_common(b, e);
  memset(b, 0, 10); /* comment, disk, attributes */
  ln_bytes_put(b + 10, 4, e->begin);
  ln_new_file_write(f, record, sizeof record);
  ln_new_file_write(f, e->name, strlen(e->name));
}

ln_status ln_zip_end(ln_new_file *f, const ln_zip_entry *entries,
                     int64_t count) {
  if (count > MOST_ENTRIES) return too_large(f, "less than 65535 tensors");
  size_t begin = f->written;
  for (int64_t i = 0; i < count; i++) put_directory_record(f, &entries[i]);
  if (f->written > MOST_BYTES) return too_large(f, "less than 4 GiB");
  uint8_t end[22] = "PK\5\6";
  uint8_t *b = ln_bytes_put(end + 8, 2, (uint64_t)count); /* on this disk */
  b = ln_bytes_put(b, 2, (uint64_t)count);
  b = ln_bytes_put(b, 4, f->written - begin);
  ln_bytes_put(b, 4, begin);
  ln_new_file_write(f, end, sizeof end);
  return LN_OK;
}
