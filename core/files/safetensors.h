/* safetensors.h - what the header of a .safetensors file says.
 *
 *   8 bytes   N, little-endian
 *   N bytes   JSON: { "name": { "dtype": "F32", "shape": [2,3],
 *             "data_offsets": [0,24] }, ..., "__metadata__": { "a": "text" } }
 *             with spaces behind it, so that the numbers begin at a multiple
 *             of 8
 *   the rest  the numbers, row by row; the offsets, which count from here,
 *             cover it without gaps
 *
 * The rules are those of the reference implementation, and stricter in one
 * point: equal names are refused. */
#ifndef LUNET_FILES_SAFETENSORS_H
#define LUNET_FILES_SAFETENSORS_H

#include <lunet/lunet.h>

#include "files/element.h"

#define LN_METADATA                "__metadata__"
#define LN_SAFETENSORS_MOST_HEADER 100000000

typedef struct ln_safetensors_entry {
  char *name;
  const ln_element *element;
  ln_shape shape;
  int64_t begin, end; /* in bytes, counted from the first number */
} ln_safetensors_entry;

typedef struct ln_safetensors_header {
  ln_safetensors_entry *entries; /* in the order of their numbers */
  int64_t count;
  char *metadata; /* JSON, free() it; NULL: none */
  size_t data;    /* where the numbers begin */
} ln_safetensors_header;

ln_status ln_safetensors_read_header(const char *path, const uint8_t *bytes,
                                     size_t size, ln_safetensors_header *out);
void ln_safetensors_header_free(ln_safetensors_header *);

#endif
