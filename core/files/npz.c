/* npz.c - many tensors with names: a zip file with an entry NAME.npy each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "files/npy.h"
#include "files/table.h"
#include "files/zip.h"

#define SUFFIX      ".npy"
#define SUFFIX_SIZE 4

static ln_status read_name(const ln_zip *z, const ln_zip_entry *e, char **out) {
  size_t length = strlen(e->name);
  if (length < SUFFIX_SIZE ||
      strcmp(e->name + length - SUFFIX_SIZE, SUFFIX) != 0)
    return ln_set_error("%s: expected entries NAME.npy, got '%s'\n"
                        "  try a file made by lunet.save or numpy.savez",
                        z->path, e->name);
  char *name = ln_copy_text(e->name);
  if (name == NULL) return LN_FAILED;
  name[length - SUFFIX_SIZE] = 0;
  *out = name;
  return LN_OK;
}

static ln_status read_tensor(const ln_zip *z, const ln_zip_entry *e,
                             ln_tensor **out) {
  const uint8_t *content;
  uint8_t *owned;
  if (ln_zip_content(z, e, &content, &owned) != LN_OK) return LN_FAILED;
  ln_text where = { 0 };
  ln_text_add(&where, "%s, entry %s", z->path, e->name);
  ln_status status =
      ln_npy_decode(ln_text_get(&where), content, (size_t)e->size, out);
  ln_text_free(&where);
  free(owned);
  return status;
}

static ln_status read_all(const ln_zip *z, ln_tensor_table *t) {
  for (int64_t i = 0; i < z->count; i++)
    if (read_name(z, &z->entries[i], &t->names[i]) != LN_OK ||
        read_tensor(z, &z->entries[i], &t->tensors[i]) != LN_OK)
      return LN_FAILED;
  int64_t *order; /* asked for only because it refuses equal names */
  if (ln_table_order(z->path, t, &order) != LN_OK) return LN_FAILED;
  ln_free(order);
  return LN_OK;
}

ln_status ln_npz_read(const char *path, ln_tensor_table *out) {
  ln_zip z;
  ln_tensor_table t;
  ln_status status = ln_zip_open(path, &z);
  if (status != LN_OK) return status;
  status = ln_table_new(z.count, &t);
  if (status == LN_OK) {
    status = read_all(&z, &t);
    if (status == LN_OK)
      *out = t;
    else
      ln_tensor_table_free(&t);
  }
  ln_zip_close(&z);
  return status;
}

static ln_status write_tensor(ln_new_file *f, ln_zip_entry *e, const char *name,
                              ln_tensor *t) {
  ln_tensor *dense;
  size_t room = strlen(name) + SUFFIX_SIZE + 1;
  e->name = ln_alloc(room);
  if (e->name == NULL) return LN_FAILED;
  ln_status status = ln_tensor_dense(t, &dense);
  if (status != LN_OK) return status;
  snprintf(e->name, room, "%s" SUFFIX, name);
  uint8_t header[LN_NPY_MOST_HEADER];
  size_t length = ln_npy_write_header(&dense->shape, header);
  status = ln_zip_add(f, e, header, length, dense->data,
                      (size_t)dense->count * sizeof(float));
  ln_tensor_release(dense);
  return status;
}

static ln_status write_all(ln_new_file *f, ln_zip_entry *entries,
                           const ln_tensor_table *t, const int64_t *order) {
  for (int64_t i = 0; i < t->count; i++) {
    ln_status status =
        write_tensor(f, &entries[i], t->names[order[i]], t->tensors[order[i]]);
    if (status != LN_OK) return status;
  }
  return ln_zip_end(f, entries, t->count);
}

static ln_status write_file(const char *path, ln_zip_entry *entries,
                            const ln_tensor_table *t, const int64_t *order) {
  ln_new_file f;
  ln_new_file_open(&f, path);
  ln_status status = write_all(&f, entries, t, order);
  if (status == LN_OK) return ln_new_file_commit(&f);
  ln_new_file_discard(&f);
  return status;
}

ln_status ln_npz_write(const char *path, const ln_tensor_table *t) {
  int64_t *order;
  if (ln_table_order(path, t, &order) != LN_OK) return LN_FAILED;
  ln_status status = LN_FAILED;
  ln_zip_entry *entries = ln_alloc_zero((size_t)t->count * sizeof *entries);
  if (entries != NULL) {
    status = write_file(path, entries, t, order);
    for (int64_t i = 0; i < t->count; i++) ln_free(entries[i].name);
  }
  ln_free(entries);
  ln_free(order);
  return status;
}
