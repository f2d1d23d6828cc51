/* zip_read.c - find and unpack the entries of a zip file.
 *
 * A zip is read from its end: the end record says where the directory lies,
 * the directory says for each entry where its local header lies, and behind
 * that come the bytes. Where a 32-bit field is full, zip64 records hold the
 * number instead. */
#include "files/zip.h"

#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#include "base/memory.h"
#include "files/bytes.h"

#define LOCAL        30 /* sizes of the fixed parts of the records */
#define CENTRAL      46
#define END          22
#define LOCATOR64    20
#define END64        56
#define MOST_COMMENT 65535
#define FULL         0xffffffffu
/* Deflate cannot do better than 258 bytes for 2 bits. */
#define MOST_RATIO 1032

static const char local_mark[] = "PK\3\4", central_mark[] = "PK\1\2";
static const char end_mark[] = "PK\5\6";
static const char locator64_mark[] = "PK\6\7", end64_mark[] = "PK\6\6";

typedef struct directory {
  uint64_t begin, size, count;
} directory;

static bool has_mark(const ln_zip *z, uint64_t at, size_t size,
                     const char *mark) {
  return at <= z->size && z->size - at >= size &&
         memcmp(z->bytes + at, mark, 4) == 0;
}

static uint64_t number(const ln_zip *z, uint64_t at, size_t size) {
  return ln_bytes_little(z->bytes + at, size);
}

static ln_status damaged(const ln_zip *z, uint64_t at, const char *expected,
                         const char *got) {
  return ln_set_error("%s, offset %llu: expected %s, got %s" LN_TRY_NEW_COPY,
                      z->path, (unsigned long long)at, expected, got);
}

/* The end record is the last thing, but for a comment whose length it tells. */
static ln_status find_end(const ln_zip *z, uint64_t *at) {
  size_t least =
      z->size > END + MOST_COMMENT ? z->size - END - MOST_COMMENT : 0;
  for (size_t i = z->size >= END ? z->size - END + 1 : 0; i > least; i--) {
    if (!has_mark(z, i - 1, END, end_mark)) continue;
    if (number(z, i - 1 + 20, 2) != z->size - END - (i - 1)) continue;
    *at = i - 1;
    return LN_OK;
  }
  return damaged(z, z->size, "a zip file's end record (PK 5 6) before here",
                 "none: the end is missing, or this is no .npz file");
}

static ln_status read_end64(const ln_zip *z, uint64_t end, directory *d) {
  uint64_t locator = end - LOCATOR64;
  if (end < LOCATOR64 || !has_mark(z, locator, LOCATOR64, locator64_mark))
    return damaged(z, end, "a zip64 locator before here", "none");
  uint64_t at = number(z, locator + 8, 8);
  if (!has_mark(z, at, END64, end64_mark))
    return damaged(z, at, "a zip64 end record (PK 6 6)", "something else");
  d->count = number(z, at + 32, 8);
  d->size = number(z, at + 40, 8);
  d->begin = number(z, at + 48, 8);
  return LN_OK;
}

static ln_status find_directory(const ln_zip *z, directory *d) {
  uint64_t end = 0;
  if (find_end(z, &end) != LN_OK) return LN_FAILED;
  d->count = number(z, end + 10, 2);
  d->size = number(z, end + 12, 4);
  d->begin = number(z, end + 16, 4);
  bool is_zip64 = d->count == 0xffff || d->size == FULL || d->begin == FULL;
  if (is_zip64 && read_end64(z, end, d) != LN_OK) return LN_FAILED;
  if (d->begin > end || d->size > end - d->begin)
    return damaged(z, end, "a directory that ends before here",
                   "one that ends behind it");
  if (d->count > d->size / CENTRAL)
    return damaged(z, end, "a directory with room for its entries",
                   "more entries than fit");
  return LN_OK;
}

/* The zip64 field of a directory record holds, in this order, what was full
 * in the record itself. */
static ln_status read_extra64(const ln_zip *z, uint64_t at, uint64_t end,
                              ln_zip_entry *e) {
  uint64_t *wanted[] = { &e->size, &e->packed, &e->begin };
  while (end - at >= 4) {
    uint64_t id = number(z, at, 2), size = number(z, at + 2, 2);
    at += 4;
    if (size > end - at) break;
    if (id != 1) {
      at += size;
      continue;
    }
    for (int i = 0; i < 3; i++) {
      if (*wanted[i] != FULL) continue;
      if (size < 8) return damaged(z, at, "a whole zip64 field", "a short one");
      *wanted[i] = number(z, at, 8);
      at += 8;
      size -= 8;
    }
    return LN_OK;
  }
  if (e->size == FULL || e->packed == FULL || e->begin == FULL)
    return damaged(z, at, "a zip64 field", "none");
  return LN_OK;
}

static ln_status check_entry(const ln_zip *z, uint64_t at,
                             const ln_zip_entry *e, uint64_t flags) {
  if (flags & 1)
    return damaged(z, at, "an entry that can be read", "an encrypted one");
  if (e->method != 0 && e->method != 8)
    return damaged(z, at, "an entry stored (0) or deflated (8)",
                   "another method");
  if (e->packed > z->size)
    return damaged(z, at, "an entry smaller than the file", "a larger one");
  if (e->method == 0 && e->size != e->packed)
    return damaged(z, at, "two equal sizes of a stored entry", "unequal ones");
  if (e->size / MOST_RATIO > e->packed + 16)
    return damaged(z, at, "a size that deflate can reach", "a larger one");
  return LN_OK;
}

static ln_status copy_name(const ln_zip *z, uint64_t at, size_t length,
                           char **out) {
  if (memchr(z->bytes + at, 0, length) != NULL)
    return damaged(z, at, "a name", "one with a zero byte");
  char *name = ln_alloc(length + 1);
  if (name == NULL) return LN_FAILED;
  memcpy(name, z->bytes + at, length);
  name[length] = 0;
  *out = name;
  return LN_OK;
}

/* Reads the directory record at *at and moves on to the next one. */
static ln_status read_entry(const ln_zip *z, uint64_t *at, uint64_t end,
                            ln_zip_entry *e) {
  uint64_t a = *at;
  if (end - a < CENTRAL || !has_mark(z, a, CENTRAL, central_mark))
    return damaged(z, a, "a directory record (PK 1 2)", "something else");
  e->method = (uint16_t)number(z, a + 10, 2);
  e->crc = (uint32_t)number(z, a + 16, 4);
  e->packed = number(z, a + 20, 4);
  e->size = number(z, a + 24, 4);
  e->begin = number(z, a + 42, 4);
  uint64_t name = a + CENTRAL, extra = name + number(z, a + 28, 2);
  uint64_t comment = extra + number(z, a + 30, 2);
  uint64_t next = comment + number(z, a + 32, 2);
  if (next > end)
    return damaged(z, a, "a record inside the directory", "a longer one");
  if (read_extra64(z, extra, comment, e) != LN_OK ||
      check_entry(z, a, e, number(z, a + 8, 2)) != LN_OK)
    return LN_FAILED;
  *at = next;
  return copy_name(z, name, (size_t)(extra - name), &e->name);
}

/* Entries that share bytes are how small files unpack to giant ones. */
static ln_status read_directory(ln_zip *z, const directory *d) {
  uint64_t at = d->begin, end = d->begin + d->size, packed = 0;
  z->entries = ln_alloc_zero((size_t)d->count * sizeof *z->entries);
  if (z->entries == NULL) return LN_FAILED;
  for (uint64_t i = 0; i < d->count; i++) {
    ln_zip_entry *e = &z->entries[i];
    if (read_entry(z, &at, end, e) != LN_OK) return LN_FAILED;
    z->count++;
    packed += LOCAL + e->packed;
    if (packed > d->begin)
      return damaged(z, at, "entries that lie beside each other",
                     "entries that overlap");
  }
  if (at != end)
    return damaged(z, at, "the end of the directory", "further bytes");
  return LN_OK;
}

ln_status ln_zip_open(const char *path, ln_zip *out) {
  ln_zip z = { .path = path };
  directory d;
  ln_status status = ln_file_read_raw(path, &z.bytes, &z.size);
  if (status != LN_OK) return status;
  if (find_directory(&z, &d) != LN_OK || read_directory(&z, &d) != LN_OK) {
    ln_zip_close(&z);
    return LN_FAILED;
  }
  *out = z;
  return LN_OK;
}

void ln_zip_close(ln_zip *z) {
  for (int64_t i = 0; i < z->count; i++) ln_free(z->entries[i].name);
  ln_free(z->entries);
  free(z->bytes);
  *z = (ln_zip){ 0 };
}

/* Inflates `packed` bytes to exactly `size`; zlib counts in 32 bits, so both
 * are handed over in pieces. */
static bool inflate_all(const uint8_t *from, uint64_t packed, uint8_t *to,
                        uint64_t size) {
  const uint64_t piece = 1u << 30;
  z_stream s = { .next_in = from, .next_out = to };
  if (inflateInit2(&s, -MAX_WBITS) != Z_OK) return false;
  int code = Z_OK;
  while (code == Z_OK) {
    uInt in = (uInt)(packed < piece ? packed : piece);
    uInt out = (uInt)(size < piece ? size : piece);
    s.avail_in = in;
    s.avail_out = out;
    code = inflate(&s, Z_NO_FLUSH);
    packed -= in - s.avail_in;
    size -= out - s.avail_out;
  }
  inflateEnd(&s);
  return code == Z_STREAM_END && packed == 0 && size == 0;
}

static ln_status find_content(const ln_zip *z, const ln_zip_entry *e,
                              uint64_t *at) {
  if (!has_mark(z, e->begin, LOCAL, local_mark))
    return damaged(z, e->begin, "a local header (PK 3 4)", "something else");
  *at = e->begin + LOCAL + number(z, e->begin + 26, 2) +
        number(z, e->begin + 28, 2);
  if (*at > z->size || z->size - *at < e->packed)
    return damaged(z, e->begin, "an entry inside the file", "a longer one");
  return LN_OK;
}

ln_status ln_zip_content(const ln_zip *z, const ln_zip_entry *e,
                         const uint8_t **content, uint8_t **owned) {
  uint64_t at = 0;
  if (find_content(z, e, &at) != LN_OK) return LN_FAILED;
  const uint8_t *bytes = z->bytes + at;
  uint8_t *unpacked = NULL;
  if (e->method == 8) {
    unpacked = malloc(e->size > 0 ? (size_t)e->size : 1);
    if (unpacked == NULL)
      return ln_set_error("%s: no memory for the %llu bytes of '%s'\n"
                          "  try to close other programs",
                          z->path, (unsigned long long)e->size, e->name);
    if (!inflate_all(bytes, e->packed, unpacked, e->size)) {
      free(unpacked);
      return damaged(z, at, "deflated bytes of the size in the directory",
                     "others");
    }
    bytes = unpacked;
  }
  if (crc32_z(0, bytes, (size_t)e->size) != e->crc) {
    free(unpacked);
    return damaged(z, at, "bytes with the checksum (CRC-32) in the directory",
                   "another checksum");
  }
  *content = bytes;
  *owned = unpacked;
  return LN_OK;
}
