/* element.h - the number types that files hold, all read as float32. */
#ifndef LUNET_FILES_ELEMENT_H
#define LUNET_FILES_ELEMENT_H

#include <lunet/lunet.h>

/* Tensors are written by copying their memory, which must hold what the
 * formats call little-endian float32. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "on this machine float32 has to be turned before writing");

typedef struct ln_element {
  const char *npy;         /* "f4": numpy's, without byte order; NULL: none */
  const char *safetensors; /* "F32" */
  size_t size;             /* bytes of one element */
  float (*value)(uint64_t bits);
} ln_element;

/* NULL: no such type. */
const ln_element *ln_element_of_npy(const char *name);
const ln_element *ln_element_of_safetensors(const char *name);

void ln_element_read(const ln_element *e, bool big_endian, const uint8_t *bytes,
                     int64_t n, float *out);

#endif
