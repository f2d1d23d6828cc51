/* npy_items.c - a dataset whose items stay in a .npy file (N, ...) until a
 * batch wants them, for sets that are larger than memory.
 *
 * Each item is read by its place (pread), so any number of threads can read at
 * once, and nothing of the file is kept: what was read before stays in the
 * system's cache as long as there is room. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/dataset.h"
#include "files/file.h"
#include "files/npy.h"

enum { MOST_HEADER = 65536 + 12 }; /* bytes that a header may have */

typedef struct item_file {
  int file;
  char *path;
  ln_npy_header header;
  int64_t item_count; /* numbers */
  size_t item_bytes;
} item_file;

/* ---- reading by place ---------------------------------------------------- */

static ln_status cannot_read(const item_file *f) {
  return ln_set_error("%s: cannot read the file: %s\n"
                      "  try `ls -l` on it: is it still there, and whole?",
                      f->path, strerror(errno));
}

static ln_status was_cut(const item_file *f, off_t at, size_t size) {
  return ln_set_error("%s, offset %lld: expected %zu bytes, got the end: the "
                      "file shrank since it was opened\n"
                      "  try again once nobody writes it",
                      f->path, (long long)at, size);
}

static ln_status read_at(const item_file *f, off_t at, uint8_t *bytes,
                         size_t size) {
  for (size_t done = 0; done < size;) {
    const ssize_t n =
        pread(f->file, bytes + done, size - done, at + (off_t)done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return cannot_read(f);
    if (n == 0) return was_cut(f, at + (off_t)done, size - done);
    done += (size_t)n;
  }
  return LN_OK;
}

/* ---- items --------------------------------------------------------------- */

static bool holds_bytes(const item_file *f) {
  return strcmp(f->header.element->npy, "u1") == 0;
}

static ln_status read_item(const item_file *f, int64_t place, uint8_t *bytes,
                           float *x) {
  const ln_npy_header *h = &f->header;
  const off_t at = (off_t)h->data + (off_t)place * (off_t)f->item_bytes;
  const ln_status status = read_at(f, at, bytes, f->item_bytes);
  if (status) return status;
  ln_element_read(h->element, h->big_endian, bytes, f->item_count, x);
  if (holds_bytes(f))
    for (int64_t i = 0; i < f->item_count; i++) x[i] /= 255;
  return LN_OK;
}

static ln_status read_items(const void *arg, const int64_t *order, int64_t n,
                            float *x) {
  const item_file *f = arg;
  ln_status status = LN_OK;
  uint8_t *bytes = malloc(f->item_bytes + 1);
  if (!bytes)
    return ln_set_error("%s: no memory for an item of %zu bytes", f->path,
                        f->item_bytes);
  for (int64_t i = 0; i < n && !status; i++)
    status = read_item(f, order[i], bytes, x + i * f->item_count);
  free(bytes);
  return status;
}

/* ---- opening ------------------------------------------------------------- */

static ln_status read_header(item_file *f, size_t size) {
  const size_t most = size < MOST_HEADER ? size : MOST_HEADER;
  uint8_t *bytes = malloc(most + 1);
  if (!bytes) return ln_set_error("%s: no memory for its header", f->path);
  ln_status status = read_at(f, 0, bytes, most);
  if (!status) status = ln_npy_read_header(f->path, bytes, most, &f->header);
  free(bytes);
  return status;
}

static ln_status check_layout(const item_file *f) {
  char shape[200];
  const ln_npy_header *h = &f->header;
  if (h->shape.rank < 1)
    return ln_set_error("%s holds one number; items lie along the first of "
                        "its dims: it must be (N, ...)",
                        f->path);
  if (h->fortran_order && h->shape.rank > 1)
    return ln_set_error("%s is in Fortran order: the numbers of an item of %s "
                        "do not lie together, and cannot be read one item at a "
                        "time\n  try numpy.save(path, "
                        "numpy.ascontiguousarray(x))",
                        f->path, ln_shape_text(&h->shape, shape));
  return LN_OK;
}

static ln_status check_size(item_file *f, size_t size) {
  char shape[200];
  const ln_npy_header *h = &f->header;
  int64_t count, all;
  if (ln_shape_count(&h->shape, &count) != LN_OK)
    return ln_prefix_error("%s: ", f->path);
  f->item_count = h->shape.dim[0] > 0 ? count / h->shape.dim[0] : 0;
  f->item_bytes = (size_t)f->item_count * h->element->size;
  if (ln_multiply(count, (int64_t)h->element->size, &all) && size >= h->data &&
      (uint64_t)all == size - h->data)
    return LN_OK;
  return ln_set_error("%s, offset %zu: expected %" PRId64 " numbers of %zu "
                      "bytes for the shape %s, got %zu bytes" LN_TRY_NEW_COPY,
                      f->path, h->data, count, h->element->size,
                      ln_shape_text(&h->shape, shape), size - h->data);
}

static ln_status examine(item_file *f, const char *path) {
  size_t size;
  f->path = ln_copy_text(path);
  if (!f->path || ln_file_open(path, &f->file, &size) != LN_OK ||
      read_header(f, size) != LN_OK || check_layout(f) != LN_OK)
    return LN_FAILED;
  return check_size(f, size);
}

static void close_items(void *arg) {
  item_file *f = arg;
  if (f->file >= 0) close(f->file);
  ln_free(f->path);
  ln_free(f);
}

ln_status ln_dataset_stream_npy(const char *path, ln_tensor *labels,
                                ln_dataset **out) {
  item_file *f = ln_alloc_zero(sizeof *f);
  if (!f) return LN_FAILED;
  f->file = -1;
  if (examine(f, path) != LN_OK) {
    close_items(f);
    return LN_FAILED;
  }
  return ln_dataset_from_source((ln_item_source){ read_items, close_items, f },
                                &f->header.shape, labels, out);
}
