/* idx.c - MNIST's format, IDX: big-endian numbers of 4 bytes, then bytes.
 *
 *   images  00000803, count, rows, columns, then count * rows * columns bytes
 *   labels  00000801, count, then count bytes, a class from 0 to 9 each
 *
 * Plain or gzip. The size follows from the header, so it is looked at first,
 * and no more is unpacked than it announces. */
#include <stdlib.h>

#include "base/memory.h"
#include "data/dataset.h"

#define IMAGES       0x803
#define LABELS       0x801
#define CLASSES      10
#define TRY_NEW_COPY "\n  try a new copy of the file: this one is damaged"

/* A file whose header has been checked. */
typedef struct idx {
  const char *path;
  int64_t count, rows, columns; /* labels: 1 row, 1 column */
  size_t begin, size;           /* of the items; of the whole */
  uint8_t *bytes;               /* the whole; for free() */
} idx;

static uint32_t read_number(const uint8_t *b) {
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 |
         b[3];
}

static const char *what_it_is(uint32_t magic) {
  if (magic == IMAGES) return " (images)";
  return magic == LABELS ? " (labels)" : "";
}

static ln_status check_magic(const char *path, const uint8_t *b, size_t size,
                             uint32_t magic) {
  if (size < 4)
    return ln_set_error("%s, offset 0: expected a magic number of 4 bytes, got "
                        "a file of %zu" TRY_NEW_COPY,
                        path, size);
  uint32_t got = read_number(b);
  if (got == magic) return LN_OK;
  return ln_set_error("%s, offset 0: expected the magic number %08x%s, got "
                      "%08x%s\n  try %s",
                      path, magic, what_it_is(magic), got, what_it_is(got),
                      *what_it_is(got) ? "to exchange images and labels"
                                       : "a file in MNIST's format");
}

static ln_status set_sizes(idx *f, const uint8_t *b, size_t size) {
  if (size < f->begin)
    return ln_set_error("%s, offset 4: expected a header of %zu bytes, got a "
                        "file of %zu" TRY_NEW_COPY,
                        f->path, f->begin, size);
  int64_t all;
  f->count = read_number(b + 4);
  f->rows = f->begin == 16 ? read_number(b + 8) : 1;
  f->columns = f->begin == 16 ? read_number(b + 12) : 1;
  if (!ln_multiply(f->count, f->rows, &all) ||
      !ln_multiply(all, f->columns, &all) ||
      !ln_multiply(all, (int64_t)sizeof(float), &all))
    return ln_set_error("%s, offset 4: expected sizes that fit in memory, got "
                        "%" PRId64 " x %" PRId64 " x %" PRId64 TRY_NEW_COPY,
                        f->path, f->count, f->rows, f->columns);
  f->size = f->begin + (size_t)(f->count * f->rows * f->columns);
  return LN_OK;
}

static ln_status read_header(idx *f, uint32_t magic) {
  uint8_t *b;
  size_t size;
  f->begin = magic == IMAGES ? 16 : 8;
  if (ln_file_read_first(f->path, f->begin, &b, &size) != LN_OK)
    return LN_FAILED;
  ln_status status = check_magic(f->path, b, size, magic);
  if (status == LN_OK) status = set_sizes(f, b, size);
  free(b);
  return status;
}

/* One byte more than announced is asked for, to see whether it is there. */
static ln_status read_items(idx *f) {
  size_t size;
  if (ln_file_read_first(f->path, f->size + 1, &f->bytes, &size) != LN_OK)
    return LN_FAILED;
  if (size == f->size) return LN_OK;
  free(f->bytes);
  f->bytes = NULL;
  if (size > f->size)
    return ln_set_error("%s, offset %zu: expected the end after %" PRId64
                        " x %" PRId64 " x %" PRId64
                        " bytes, got more" TRY_NEW_COPY,
                        f->path, f->size, f->count, f->rows, f->columns);
  return ln_set_error("%s, offset %zu: expected %zu bytes (%" PRId64
                      " x %" PRId64 " x %" PRId64 " and a header of %zu), got "
                      "the end" TRY_NEW_COPY,
                      f->path, size, f->size, f->count, f->rows, f->columns,
                      f->begin);
}

static ln_status read_idx(const char *path, uint32_t magic, idx *f) {
  *f = (idx){ .path = path };
  if (read_header(f, magic) != LN_OK) return LN_FAILED;
  return read_items(f);
}

static ln_status check_labels(const idx *images, const idx *labels) {
  if (labels->count != images->count)
    return ln_set_error("%s, offset 4: expected %" PRId64 " labels, one for "
                        "each picture of %s, got %" PRId64 "\n"
                        "  try the two files of the same set",
                        labels->path, images->count, images->path,
                        labels->count);
  for (int64_t i = 0; i < labels->count; i++) {
    uint8_t label = labels->bytes[labels->begin + (size_t)i];
    if (label >= CLASSES)
      return ln_set_error("%s, offset %zu: expected a class from 0 to %d, got "
                          "%d" TRY_NEW_COPY,
                          labels->path, labels->begin + (size_t)i, CLASSES - 1,
                          label);
  }
  return LN_OK;
}

ln_status ln_dataset_read_idx(const char *images, const char *labels,
                              ln_dataset **out) {
  idx x, ids = { 0 };
  if (read_idx(images, IMAGES, &x) != LN_OK) return LN_FAILED;
  ln_status status = read_idx(labels, LABELS, &ids);
  if (status == LN_OK) status = check_labels(&x, &ids);
  if (status == LN_OK)
    status = ln_dataset_own_bytes(x.bytes, (int64_t)x.begin, x.rows * x.columns,
                                  ids.bytes + ids.begin, x.count,
                                  &LN_SHAPE(1, x.rows, x.columns), 255, out);
  else
    free(x.bytes);
  free(ids.bytes);
  return status;
}
