/* npy.h - numpy's format for one tensor, in memory: .npy files are this, and
 * .npz files hold many of them. */
#ifndef LUNET_FILES_NPY_H
#define LUNET_FILES_NPY_H

#include <lunet/lunet.h>

#include "files/element.h"

typedef struct ln_npy_header {
  const ln_element *element;
  bool big_endian, fortran_order; /* Fortran: the first index runs fastest */
  ln_shape shape;
  size_t data; /* where the numbers begin */
} ln_npy_header;

/* `where` stands in messages: the file, or the file and the entry. */
ln_status ln_npy_read_header(const char *where, const uint8_t *bytes,
                             size_t size, ln_npy_header *out);
ln_status ln_npy_decode(const char *where, const uint8_t *bytes, size_t size,
                        ln_tensor **out);

#define LN_NPY_MOST_HEADER 320
/* Writes the header of a float32 tensor; returns its size. */
size_t ln_npy_write_header(const ln_shape *shape,
                           uint8_t out[LN_NPY_MOST_HEADER]);

#endif
