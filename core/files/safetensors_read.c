/* safetensors_read.c - the tensors of a .safetensors file, as float32. */
#include <stdlib.h>

#include "base/memory.h"
#include "files/file.h"
#include "files/safetensors.h"
#include "files/table.h"

static ln_status read_tensor(const char *path, const uint8_t *numbers,
                             const ln_safetensors_entry *e, ln_tensor **out) {
  ln_tensor *t;
  if (ln_tensor_new(&e->shape, &t) != LN_OK)
    return ln_prefix_error("%s, tensor '%s': ", path, e->name);
  ln_element_read(e->element, false, numbers + e->begin, t->count, t->data);
  ln_tensor_touch(t);
  *out = t;
  return LN_OK;
}

static ln_status read_tensors(const char *path, const uint8_t *numbers,
                              const ln_safetensors_header *h,
                              ln_tensor_table *t) {
  for (int64_t i = 0; i < h->count; i++) {
    t->names[i] = ln_copy_text(h->entries[i].name);
    if (t->names[i] == NULL ||
        read_tensor(path, numbers, &h->entries[i], &t->tensors[i]) != LN_OK)
      return LN_FAILED;
  }
  return LN_OK;
}

static ln_status read_bytes(const char *path, const uint8_t *bytes, size_t size,
                            ln_tensor_table *out, char **metadata) {
  ln_safetensors_header h;
  ln_tensor_table t;
  if (ln_safetensors_read_header(path, bytes, size, &h) != LN_OK)
    return LN_FAILED;
  ln_status status = ln_table_new(h.count, &t);
  if (status == LN_OK) {
    status = read_tensors(path, bytes + h.data, &h, &t);
    if (status != LN_OK) ln_tensor_table_free(&t);
  }
  if (status == LN_OK) {
    *out = t;
    *metadata = h.metadata;
    h.metadata = NULL;
  }
  ln_safetensors_header_free(&h);
  return status;
}

ln_status ln_safetensors_read(const char *path, ln_tensor_table *out,
                              char **metadata) {
  uint8_t *bytes;
  size_t size;
  ln_status status = ln_file_read_raw(path, &bytes, &size);
  if (status != LN_OK) return status;
  status = read_bytes(path, bytes, size, out, metadata);
  free(bytes);
  return status;
}
