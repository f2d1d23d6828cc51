/* json.c - what cJSON lets pass and files of strangers must not do: texts that
 * are no UTF-8 or hold zero bytes, equal names in an object, and small files
 * that need giant memory. */
#include "files/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "files/file.h"
#include "files/table.h"

/* What cJSON and malloc need for a value with its texts, at most. */
#define VALUE_BYTES (sizeof(cJSON) + 64)

static ln_status refuse(const char *where, size_t offset, const char *expected,
                        const char *got) {
  return ln_set_error("%s, offset %zu: expected %s, got %s" LN_TRY_NEW_COPY,
                      where, offset, expected, got);
}

/* Behind the opening quote at *at: moves to the closing one. */
static ln_status skip_text(const char *where, size_t offset, const char *text,
                           size_t size, size_t *at) {
  for (size_t i = *at + 1; i < size; i++) {
    if ((unsigned char)text[i] < ' ')
      return refuse(where, offset + i, "a text in quotes",
                    "a control character");
    if (text[i] == '"') {
      *at = i;
      return LN_OK;
    }
    if (text[i] != '\\') continue;
    if (size - i >= 6 && memcmp(text + i, "\\u0000", 6) == 0)
      return refuse(where, offset + i, "a text without zero bytes", "\\u0000");
    i++;
  }
  return refuse(where, offset + size, "a closing quote", "the end");
}

/* At most one more than there are  { [ ,  outside of texts. */
static ln_status count_values(const char *where, size_t offset,
                              const char *text, size_t size, size_t *values) {
  *values = 1;
  for (size_t i = 0; i < size; i++) {
    if (text[i] == '"' && skip_text(where, offset, text, size, &i) != LN_OK)
      return LN_FAILED;
    if (text[i] != 0 && strchr("{[,", text[i])) ++*values;
  }
  return LN_OK;
}

static bool only_spaces(const char *from, const char *end) {
  while (from < end && strchr(" \t\r\n", *from) && *from != 0) from++;
  return from == end;
}

ln_status ln_json_parse(const char *where, size_t offset, const char *text,
                        size_t size, size_t most, cJSON **out) {
  size_t values;
  if (!ln_is_utf8(text, size))
    return refuse(where, offset, "a header in UTF-8", "other bytes");
  if (count_values(where, offset, text, size, &values) != LN_OK)
    return LN_FAILED;
  if (values > most / VALUE_BYTES)
    return ln_set_error(
        "%s, offset %zu: expected at most %zu values in the "
        "header of a file of this size, got %zu" LN_TRY_NEW_COPY,
        where, offset, most / VALUE_BYTES, values);
  const char *end = text;
  cJSON *json = cJSON_ParseWithLengthOpts(text, size, &end, false);
  if (json == NULL)
    return refuse(where, offset + (size_t)(end - text), "JSON",
                  "something else");
  if (cJSON_IsObject(json) && only_spaces(end, text + size)) {
    *out = json;
    return LN_OK;
  }
  cJSON_Delete(json);
  return refuse(where, offset, "one JSON object { ... }", "something else");
}

static int by_name(const void *a, const void *b) {
  const cJSON *const *p = a, *const *q = b;
  return strcmp((*p)->string, (*q)->string);
}

ln_status ln_json_sorted(const char *where, const cJSON *object, cJSON ***out,
                         int64_t *count) {
  int64_t n = 0;
  for (cJSON *c = object->child; c != NULL; c = c->next) n++;
  cJSON **members = ln_alloc((size_t)n * sizeof(cJSON *));
  if (members == NULL) return LN_FAILED;
  n = 0;
  for (cJSON *c = object->child; c != NULL; c = c->next) members[n++] = c;
  qsort(members, (size_t)n, sizeof(cJSON *), by_name);
  for (int64_t i = 1; i < n; i++) {
    if (strcmp(members[i - 1]->string, members[i]->string) != 0) continue;
    ln_set_error("%s: expected every name once, got '%s' twice" LN_TRY_NEW_COPY,
                 where, members[i]->string);
    ln_free(members);
    return LN_FAILED;
  }
  *out = members;
  *count = n;
  return LN_OK;
}

bool ln_json_is_texts(const cJSON *object) {
  if (!cJSON_IsObject(object)) return false;
  for (const cJSON *c = object->child; c != NULL; c = c->next)
    if (!cJSON_IsString(c)) return false;
  return true;
}
