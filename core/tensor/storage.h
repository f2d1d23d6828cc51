/* storage.h - the memory of tensors, lent from a pool.
 *
 * A storage given back is kept for the next one of about its size, so a
 * training step in its stride calls malloc for nothing. What is kept is
 * bounded: 64 MB, or half of what is alive where that is more. */
#ifndef LUNET_TENSOR_STORAGE_H
#define LUNET_TENSOR_STORAGE_H

#include "tensor/tensor.h"

/* Room for `count` floats, with one reference and garbage inside. */
ln_status ln_storage_new(int64_t count, ln_storage **out);
void ln_storage_retain(ln_storage *s);
void ln_storage_release(ln_storage *s);
/* Bytes that are kept and not in use; frees them. */
int64_t ln_storage_bytes_kept(void);
void ln_storage_pool_clear(void);

#endif
