/* cifar10.c - CIFAR-10's binary batches, plain or gzip: records of 3,073
 * bytes, the class from 0 to 9, then 32 x 32 red, green and blue bytes. */
#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"

#define SIDE         32
#define PIXELS       (3 * SIDE * SIDE)
#define RECORD       (1 + PIXELS)
#define CLASSES      10
#define MOST_RECORDS 100000 /* ten times what a batch holds */
#define TRY_NEW_COPY "\n  try a new copy of the file: this one is damaged"

/* The records of all files, one behind the other. */
typedef struct records {
  uint8_t *bytes;
  size_t count;
} records;

static ln_status check_records(const char *path, const uint8_t *b,
                               size_t size) {
  size_t rest = size % RECORD;
  if (size == 0 || rest != 0)
    return ln_set_error("%s, offset %zu: expected a record of %d bytes, got "
                        "%zu" TRY_NEW_COPY,
                        path, size - rest, RECORD, rest);
  if (size / RECORD > MOST_RECORDS)
    return ln_set_error("%s: expected at most %d pictures, got more\n"
                        "  try the official batches of 10,000",
                        path, MOST_RECORDS);
  for (size_t at = 0; at < size; at += RECORD)
    if (b[at] >= CLASSES)
      return ln_set_error("%s, offset %zu: expected a class from 0 to %d, got "
                          "%d" TRY_NEW_COPY,
                          path, at, CLASSES - 1, b[at]);
  return LN_OK;
}

static ln_status append(records *all, const char *path, const uint8_t *b,
                        size_t size) {
  size_t before = all->count * RECORD;
  uint8_t *bytes = realloc(all->bytes, before + size);
  if (bytes == NULL)
    return ln_set_error("%s: no memory for its %zu pictures", path,
                        size / RECORD);
  memcpy(bytes + before, b, size);
  all->bytes = bytes;
  all->count += size / RECORD;
  return LN_OK;
}

static ln_status read_batch(records *all, const char *path) {
  uint8_t *b;
  size_t size, most = (size_t)(MOST_RECORDS + 1) * RECORD;
  if (ln_file_read_first(path, most, &b, &size) != LN_OK) return LN_FAILED;
  ln_status status = check_records(path, b, size);
  if (status == LN_OK) status = append(all, path, b, size);
  free(b);
  return status;
}

static ln_status make_dataset(records *all, ln_dataset **out) {
  uint8_t *labels = malloc(all->count);
  if (labels == NULL) return ln_set_error("no memory for the labels");
  for (size_t i = 0; i < all->count; i++) labels[i] = all->bytes[i * RECORD];
  uint8_t *bytes = all->bytes;
  all->bytes = NULL;
  ln_status status =
      ln_dataset_own_bytes(bytes, 1, RECORD, labels, (int64_t)all->count,
                           &LN_SHAPE(3, SIDE, SIDE), 255, out);
  free(labels);
  return status;
}

ln_status ln_dataset_read_cifar10(const char *const *paths, int64_t n,
                                  ln_dataset **out) {
  if (n < 1)
    return ln_set_error("CIFAR-10: expected at least one batch, got none\n"
                        "  try data_batch_1.bin");
  records all = { 0 };
  ln_status status = LN_OK;
  for (int64_t i = 0; i < n && status == LN_OK; i++)
    status = read_batch(&all, paths[i]);
  if (status == LN_OK) status = make_dataset(&all, out);
  free(all.bytes);
  return status;
}
