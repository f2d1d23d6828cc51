/* npy.c - one tensor in numpy's format, see npy_header.c for how it begins.
 * The numbers follow without gaps, the last index running fastest, or the
 * first one if the header says Fortran order. */
#include "files/npy.h"

#include <stdlib.h>

#include "base/memory.h"
#include "files/file.h"
#include "tensor/tensor.h"

/* Walks through the tensor row by row while `place`, in numbers, jumps
 * through the file. */
static void read_fortran(const ln_npy_header *h, const uint8_t *numbers,
                         ln_tensor *t) {
  int64_t index[LN_MAX_DIMS] = { 0 }, step[LN_MAX_DIMS], place = 0;
  for (int d = 0; d < h->shape.rank; d++)
    step[d] = d == 0 ? 1 : step[d - 1] * h->shape.dim[d - 1];
  for (int64_t i = 0; i < t->count; i++) {
    ln_element_read(h->element, h->big_endian,
                    numbers + (size_t)place * h->element->size, 1, &t->data[i]);
    for (int d = h->shape.rank - 1; d >= 0; d--) {
      place += step[d];
      if (++index[d] < h->shape.dim[d]) break;
      place -= step[d] * index[d];
      index[d] = 0;
    }
  }
}

static ln_status check_size(const char *where, const ln_npy_header *h,
                            size_t size) {
  int64_t count, bytes;
  if (ln_shape_count(&h->shape, &count) != LN_OK)
    return ln_prefix_error("%s, offset 10: ", where);
  size_t left = size - h->data;
  if (ln_multiply(count, (int64_t)h->element->size, &bytes) &&
      (uint64_t)bytes == left)
    return LN_OK;
  char shape[200];
  return ln_set_error("%s, offset %zu: expected %" PRId64 " numbers of %zu "
                      "bytes for the shape %s, got %zu bytes" LN_TRY_NEW_COPY,
                      where, h->data, count, h->element->size,
                      ln_shape_text(&h->shape, shape), left);
}

ln_status ln_npy_decode(const char *where, const uint8_t *bytes, size_t size,
                        ln_tensor **out) {
  ln_npy_header h;
  if (ln_npy_read_header(where, bytes, size, &h) != LN_OK ||
      check_size(where, &h, size) != LN_OK)
    return LN_FAILED;
  ln_tensor *t;
  if (ln_tensor_new(&h.shape, &t) != LN_OK)
    return ln_prefix_error("%s: ", where);
  if (h.fortran_order)
    read_fortran(&h, bytes + h.data, t);
  else
    ln_element_read(h.element, h.big_endian, bytes + h.data, t->count, t->data);
  ln_tensor_touch(t);
  *out = t;
  return LN_OK;
}

ln_status ln_npy_read(const char *path, ln_tensor **out) {
  uint8_t *bytes;
  size_t size;
  ln_status status = ln_file_read_raw(path, &bytes, &size);
  if (status != LN_OK) return status;
  status = ln_npy_decode(path, bytes, size, out);
  free(bytes);
  return status;
}

ln_status ln_npy_write(const char *path, const ln_tensor *t) {
  ln_tensor *dense;
  ln_status status = ln_tensor_dense(&ln_full(t)->view, &dense);
  if (status != LN_OK) return status;
  uint8_t header[LN_NPY_MOST_HEADER];
  size_t length = ln_npy_write_header(&dense->shape, header);
  ln_new_file f;
  ln_new_file_open(&f, path);
  ln_new_file_write(&f, header, length);
  ln_new_file_write(&f, dense->data, (size_t)dense->count * sizeof(float));
  ln_tensor_release(dense);
  return ln_new_file_commit(&f);
}
