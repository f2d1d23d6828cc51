/* safetensors_header.c - read and check the header, see safetensors.h: after
 * it every entry has its place in the file and a shape that fills it. */
#include "files/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "files/bytes.h"
#include "files/file.h"
#include "files/json.h"

#define MOST_EXACT 9007199254740992.0 /* 2^53: JSON numbers are doubles */

static ln_status refuse(const char *path, const char *name,
                        const char *expected) {
  return ln_set_error("%s, offset 8: expected %s of tensor '%s', got something "
                      "else" LN_TRY_NEW_COPY,
                      path, expected, name);
}

/* A whole number from 0 to 2^53. */
static bool read_number(const cJSON *value, int64_t *out) {
  if (!cJSON_IsNumber(value)) return false;
  double x = value->valuedouble;
  if (!(x >= 0 && x <= MOST_EXACT) || x != (double)(int64_t)x) return false;
  *out = (int64_t)x;
  return true;
}

static ln_status read_shape(const char *path, const cJSON *list,
                            ln_safetensors_entry *e) {
  if (!cJSON_IsArray(list)) return refuse(path, e->name, "a list as shape");
  for (const cJSON *c = list->child; c != NULL; c = c->next) {
    if (e->shape.rank == LN_MAX_DIMS)
      return ln_set_error("%s, offset 8: expected at most %d dims of tensor "
                          "'%s', got more\n  try to reshape it before saving",
                          path, LN_MAX_DIMS, e->name);
    if (!read_number(c, &e->shape.dim[e->shape.rank]))
      return refuse(path, e->name, "whole numbers from 0 to 2^53 in the shape");
    e->shape.rank++;
  }
  return LN_OK;
}

static ln_status read_type(const char *path, const cJSON *type,
                           ln_safetensors_entry *e) {
  if (!cJSON_IsString(type)) return refuse(path, e->name, "a text as dtype");
  e->element = ln_element_of_safetensors(type->valuestring);
  if (e->element != NULL) return LN_OK;
  return ln_set_error("%s, offset 8: expected F64 F32 F16 BF16, I64 to I8, "
                      "U64 to U8 or BOOL as dtype of tensor '%s', got '%s'\n"
                      "  try to save it as F32",
                      path, e->name, type->valuestring);
}

static ln_status read_offsets(const char *path, const cJSON *list,
                              ln_safetensors_entry *e) {
  if (cJSON_IsArray(list) && cJSON_GetArraySize(list) == 2 &&
      read_number(list->child, &e->begin) &&
      read_number(list->child->next, &e->end) && e->begin <= e->end)
    return LN_OK;
  return refuse(path, e->name, "data_offsets [begin, end]");
}

static ln_status check_size(const char *path, const ln_safetensors_entry *e) {
  int64_t count, bytes;
  if (ln_shape_count(&e->shape, &count) != LN_OK)
    return ln_prefix_error("%s, offset 8: tensor '%s': ", path, e->name);
  if (ln_multiply(count, (int64_t)e->element->size, &bytes) &&
      bytes == e->end - e->begin)
    return LN_OK;
  char shape[200];
  return ln_set_error("%s, offset 8: expected %" PRId64 " numbers of %zu bytes "
                      "for the shape %s of tensor '%s', got data_offsets for "
                      "%" PRId64 " bytes" LN_TRY_NEW_COPY,
                      path, count, e->element->size,
                      ln_shape_text(&e->shape, shape), e->name,
                      e->end - e->begin);
}

/* The fields we know, once each; others are left to later versions. */
static ln_status read_entry(const char *path, const cJSON *json,
                            ln_safetensors_entry *e) {
  e->name = ln_copy_text(json->string);
  if (e->name == NULL) return LN_FAILED;
  if (!cJSON_IsObject(json)) return refuse(path, e->name, "an object");
  cJSON **fields;
  int64_t n;
  if (ln_json_sorted(path, json, &fields, &n) != LN_OK) return LN_FAILED;
  ln_free(fields);
  if (read_type(path, cJSON_GetObjectItemCaseSensitive(json, "dtype"), e) !=
          LN_OK ||
      read_shape(path, cJSON_GetObjectItemCaseSensitive(json, "shape"), e) !=
          LN_OK ||
      read_offsets(path, cJSON_GetObjectItemCaseSensitive(json, "data_offsets"),
                   e) != LN_OK)
    return LN_FAILED;
  return check_size(path, e);
}

static ln_status read_metadata(const char *path, const cJSON *json,
                               ln_safetensors_header *h) {
  if (cJSON_IsNull(json)) return LN_OK;
  cJSON **members;
  int64_t n;
  if (!ln_json_is_texts(json))
    return ln_set_error("%s, offset 8: expected texts by name in %s, got "
                        "something else" LN_TRY_NEW_COPY,
                        path, LN_METADATA);
  if (ln_json_sorted(path, json, &members, &n) != LN_OK) return LN_FAILED;
  ln_free(members);
  h->metadata = cJSON_PrintUnformatted(json);
  if (h->metadata == NULL) return ln_set_error("%s: no memory", path);
  return LN_OK;
}

static int by_place(const void *a, const void *b) {
  const ln_safetensors_entry *p = a, *q = b;
  if (p->begin != q->begin) return p->begin < q->begin ? -1 : 1;
  if (p->end != q->end) return p->end < q->end ? -1 : 1;
  return strcmp(p->name, q->name);
}

/* One after the other from the first byte to the last, without holes. */
static ln_status check_places(const char *path, const ln_safetensors_header *h,
                              size_t size) {
  int64_t at = 0;
  for (int64_t i = 0; i < h->count; i++) {
    const ln_safetensors_entry *e = &h->entries[i];
    if (e->begin != at)
      return ln_set_error("%s, offset 8: expected tensor '%s' to begin at byte "
                          "%" PRId64 " of the numbers, got %" PRId64
                          ": %s" LN_TRY_NEW_COPY,
                          path, e->name, at, e->begin,
                          e->begin < at ? "tensors overlap" : "a hole");
    at = e->end;
  }
  if ((uint64_t)at == size - h->data) return LN_OK;
  return ln_set_error("%s, offset %zu: expected %" PRId64 " bytes of numbers, "
                      "got %zu" LN_TRY_NEW_COPY,
                      path, h->data, at, size - h->data);
}

static ln_status read_members(const char *path, cJSON **members, int64_t n,
                              ln_safetensors_header *h) {
  h->entries = ln_alloc_zero((size_t)n * sizeof *h->entries);
  if (h->entries == NULL) return LN_FAILED;
  for (int64_t i = 0; i < n; i++) {
    if (strcmp(members[i]->string, LN_METADATA) == 0) {
      if (read_metadata(path, members[i], h) != LN_OK) return LN_FAILED;
    } else {
      h->count++;
      if (read_entry(path, members[i], &h->entries[h->count - 1]) != LN_OK)
        return LN_FAILED;
    }
  }
  qsort(h->entries, (size_t)h->count, sizeof *h->entries, by_place);
  return LN_OK;
}

/* Where the numbers begin. */
static ln_status read_length(const char *path, const uint8_t *bytes,
                             size_t size, size_t *data) {
  if (size < 8)
    return ln_set_error("%s, offset 0: expected the header's length in 8 "
                        "bytes, got %zu" LN_TRY_NEW_COPY,
                        path, size);
  uint64_t length = ln_bytes_little(bytes, 8);
  if (length > LN_SAFETENSORS_MOST_HEADER)
    return ln_set_error("%s, offset 0: expected a header of at most %d bytes, "
                        "got %llu" LN_TRY_NEW_COPY,
                        path, LN_SAFETENSORS_MOST_HEADER,
                        (unsigned long long)length);
  if (length > size - 8)
    return ln_set_error("%s, offset 8: expected a header of %llu bytes, got "
                        "%zu" LN_TRY_NEW_COPY,
                        path, (unsigned long long)length, size - 8);
  *data = 8 + (size_t)length;
  return LN_OK;
}

ln_status ln_safetensors_read_header(const char *path, const uint8_t *bytes,
                                     size_t size, ln_safetensors_header *out) {
  ln_safetensors_header h = { 0 };
  cJSON *json, **members;
  int64_t n;
  size_t most = size / 2 * 3 + ((size_t)16 << 20);
  if (read_length(path, bytes, size, &h.data) != LN_OK ||
      ln_json_parse(path, 8, (const char *)bytes + 8, h.data - 8, most,
                    &json) != LN_OK)
    return LN_FAILED;
  ln_status status = ln_json_sorted(path, json, &members, &n);
  if (status == LN_OK) {
    status = read_members(path, members, n, &h);
    ln_free(members);
  }
  cJSON_Delete(json);
  if (status == LN_OK) status = check_places(path, &h, size);
  if (status == LN_OK)
    *out = h;
  else
    ln_safetensors_header_free(&h);
  return status;
}

void ln_safetensors_header_free(ln_safetensors_header *h) {
  for (int64_t i = 0; i < h->count; i++) ln_free(h->entries[i].name);
  ln_free(h->entries);
  free(h->metadata);
  *h = (ln_safetensors_header){ 0 };
}
