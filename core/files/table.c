/* table.c - tables name -> tensor: equal content is to give equal bytes, so
 * everything is written in the order of names. */
#include "files/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

ln_status ln_table_new(int64_t count, ln_tensor_table *out) {
  char **names = ln_alloc_zero((size_t)count * sizeof *names);
  ln_tensor **tensors = ln_alloc_zero((size_t)count * sizeof *tensors);
  if (names == NULL || tensors == NULL) {
    ln_free(names);
    ln_free(tensors);
    return LN_FAILED;
  }
  *out = (ln_tensor_table){ count, names, tensors };
  return LN_OK;
}

void ln_tensor_table_free(ln_tensor_table *t) {
  for (int64_t i = 0; i < t->count; i++) {
    ln_free(t->names[i]);
    ln_tensor_release(t->tensors[i]);
  }
  ln_free(t->names);
  ln_free(t->tensors);
  *t = (ln_tensor_table){ 0 };
}

typedef struct named_place {
  const char *name;
  int64_t place;
} named_place;

static int by_name(const void *a, const void *b) {
  const named_place *p = a, *q = b;
  return strcmp(p->name, q->name);
}

static ln_status check_names(const char *where, const named_place *p,
                             int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    if (!ln_is_utf8(p[i].name, strlen(p[i].name)))
      return ln_set_error("%s: expected names in UTF-8, got other bytes in the "
                          "name of tensor %" PRId64 "\n"
                          "  try a name of plain letters",
                          where, p[i].place + 1);
    if (i > 0 && strcmp(p[i - 1].name, p[i].name) == 0)
      return ln_set_error("%s: expected every name once, got two tensors '%s'\n"
                          "  try to rename one of them",
                          where, p[i].name);
  }
  return LN_OK;
}

ln_status ln_table_order(const char *where, const ln_tensor_table *t,
                         int64_t **order) {
  named_place *sorted = ln_alloc((size_t)t->count * sizeof *sorted);
  int64_t *places = ln_alloc((size_t)t->count * sizeof *places);
  ln_status status = sorted && places ? LN_OK : LN_FAILED;
  if (status == LN_OK) {
    for (int64_t i = 0; i < t->count; i++)
      sorted[i] = (named_place){ t->names[i], i };
    qsort(sorted, (size_t)t->count, sizeof *sorted, by_name);
    for (int64_t i = 0; i < t->count; i++) places[i] = sorted[i].place;
    status = check_names(where, sorted, t->count);
  }
  ln_free(sorted);
  if (status == LN_OK)
    *order = places;
  else
    ln_free(places);
  return status;
}

/* Bytes that must follow a first byte; -1: it cannot come first. */
static int bytes_behind(unsigned first) {
  if (first < 0x80) return 0;
  if (first < 0xc2) return -1;
  if (first < 0xe0) return 1;
  if (first < 0xf0) return 2;
  return first < 0xf5 ? 3 : -1;
}

/* Refused are also what is written longer than needed, the halves of UTF-16
 * pairs, and what lies beyond U+10FFFF: all show in the second byte. */
static bool second_fits(unsigned first, unsigned second) {
  switch (first) {
  case 0xe0: return second >= 0xa0;
  case 0xed: return second < 0xa0;
  case 0xf0: return second >= 0x90;
  case 0xf4: return second < 0x90;
  default: return true;
  }
}

bool ln_is_utf8(const void *bytes, size_t size) {
  const uint8_t *b = bytes;
  for (size_t i = 0; i < size;) {
    int behind = bytes_behind(b[i]);
    if (behind < 0 || size - i <= (size_t)behind) return false;
    if (behind > 0 && !second_fits(b[i], b[i + 1])) return false;
    for (int k = 1; k <= behind; k++)
      if ((b[i + (size_t)k] & 0xc0) != 0x80) return false;
    i += (size_t)behind + 1;
  }
  return true;
}
