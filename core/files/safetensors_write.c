/* safetensors_write.c - tensors as F32, in the order of their names. The bytes
 * are those of the reference implementation, but for metadata: it writes them
 * in no order, we in the order of their names. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "files/bytes.h"
#include "files/file.h"
#include "files/json.h"
#include "files/safetensors.h"
#include "files/table.h"

static ln_status no_memory(const char *path) {
  return ln_set_error("%s: no memory for the header\n"
                      "  try to close other programs",
                      path);
}

/* Metadata is parsed and put in order, so that equal content gives equal
 * bytes however it was spelt. */
static ln_status add_metadata(const char *path, const char *text,
                              cJSON *header) {
  if (text == NULL) return LN_OK;
  cJSON *json, **members;
  cJSON *sorted = cJSON_AddObjectToObject(header, LN_METADATA);
  int64_t n;
  size_t size = strlen(text);
  if (sorted == NULL) return no_memory(path);
  if (ln_json_parse("metadata", 0, text, size, SIZE_MAX, &json) != LN_OK)
    return ln_prefix_error("%s: ", path);
  ln_status status = LN_OK;
  if (!ln_json_is_texts(json))
    status = ln_set_error("%s: expected metadata whose values are texts, got "
                          "others\n  try tostring(value)",
                          path);
  if (status == LN_OK) status = ln_json_sorted(path, json, &members, &n);
  if (status == LN_OK) {
    for (int64_t i = 0; i < n; i++)
      if (!cJSON_AddStringToObject(sorted, members[i]->string,
                                   members[i]->valuestring))
        status = no_memory(path);
    ln_free(members);
  }
  cJSON_Delete(json);
  return status;
}

static bool add_tensor(cJSON *header, const char *name, const ln_tensor *t,
                       int64_t begin, int64_t end) {
  cJSON *entry = cJSON_AddObjectToObject(header, name);
  if (entry == NULL || !cJSON_AddStringToObject(entry, "dtype", "F32"))
    return false;
  cJSON *shape = cJSON_AddArrayToObject(entry, "shape");
  if (shape == NULL) return false;
  for (int i = 0; i < t->shape.rank; i++)
    if (!cJSON_AddItemToArray(shape,
                              cJSON_CreateNumber((double)t->shape.dim[i])))
      return false;
  cJSON *offsets = cJSON_AddArrayToObject(entry, "data_offsets");
  return cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)begin)) &&
         cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)end));
}

static ln_status add_tensors(const char *path, const ln_tensor_table *t,
                             const int64_t *order, cJSON *header) {
  int64_t at = 0;
  for (int64_t i = 0; i < t->count; i++) {
    const ln_tensor *tensor = t->tensors[order[i]];
    const char *name = t->names[order[i]];
    int64_t end = at + tensor->count * (int64_t)sizeof(float);
    if (strcmp(name, LN_METADATA) == 0)
      return ln_set_error("%s: expected another name than '%s', which the "
                          "format keeps for itself\n  try to rename the tensor",
                          path, name);
    if (!add_tensor(header, name, tensor, at, end)) return no_memory(path);
    at = end;
  }
  return LN_OK;
}

static ln_status make_header(const char *path, const ln_tensor_table *t,
                             const int64_t *order, const char *metadata,
                             char **text) {
  cJSON *header = cJSON_CreateObject();
  if (header == NULL) return no_memory(path);
  ln_status status = add_metadata(path, metadata, header);
  if (status == LN_OK) status = add_tensors(path, t, order, header);
  if (status == LN_OK) {
    *text = cJSON_PrintUnformatted(header);
    if (*text == NULL) status = no_memory(path);
  }
  cJSON_Delete(header);
  if (status == LN_OK && strlen(*text) > LN_SAFETENSORS_MOST_HEADER - 8) {
    free(*text);
    status = ln_set_error("%s: expected a header of at most %d bytes, got more"
                          "\n  try fewer tensors or shorter metadata",
                          path, LN_SAFETENSORS_MOST_HEADER);
  }
  return status;
}

static void put_header(ln_new_file *f, const char *text) {
  size_t length = strlen(text), padded = (length + 7) / 8 * 8;
  uint8_t size[8];
  ln_bytes_put(size, 8, padded);
  ln_new_file_write(f, size, 8);
  ln_new_file_write(f, text, length);
  ln_new_file_write(f, "       ", padded - length);
}

static ln_status put_tensors(ln_new_file *f, const ln_tensor_table *t,
                             const int64_t *order) {
  for (int64_t i = 0; i < t->count; i++) {
    ln_tensor *dense;
    ln_status status = ln_tensor_dense(t->tensors[order[i]], &dense);
    if (status != LN_OK) return status;
    ln_new_file_write(f, dense->data, (size_t)dense->count * sizeof(float));
    ln_tensor_release(dense);
  }
  return LN_OK;
}

ln_status ln_safetensors_write(const char *path, const ln_tensor_table *t,
                               const char *metadata) {
  int64_t *order;
  char *text = NULL;
  if (ln_table_order(path, t, &order) != LN_OK) return LN_FAILED;
  ln_status status = make_header(path, t, order, metadata, &text);
  if (status == LN_OK) {
    ln_new_file f;
    ln_new_file_open(&f, path);
    put_header(&f, text);
    status = put_tensors(&f, t, order);
    if (status == LN_OK)
      status = ln_new_file_commit(&f);
    else
      ln_new_file_discard(&f);
    free(text);
  }
  ln_free(order);
  return status;
}
