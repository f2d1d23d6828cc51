/* tensor.c - the life of a tensor: made, shared, given back.
 *
 * The small structs of dead tensors are kept on a list and used again. */
#include "tensor/storage.h"
#include "base/memory.h"

#include <pthread.h>
#include <string.h>

enum { MOST_KEPT = 1024 };

static struct {
  pthread_mutex_t lock;
  ln_full_tensor *first; /* linked by `next` */
  int count;
} kept = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void lock_kept(void) {
  pthread_mutex_lock(&kept.lock);
}

static void unlock_kept(void) {
  pthread_mutex_unlock(&kept.lock);
}

static void follow_forks(void) {
  pthread_atfork(lock_kept, unlock_kept, unlock_kept);
}

static ln_full_tensor *new_struct(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, follow_forks);
  lock_kept();
  ln_full_tensor *t = kept.first;
  if (t) {
    kept.first = t->next;
    kept.count--;
  }
  unlock_kept();
  return t ? t : ln_alloc(sizeof(ln_full_tensor));
}

static void give_back_struct(ln_full_tensor *t) {
  lock_kept();
  bool keep = kept.count < MOST_KEPT;
  if (keep) {
    t->next = kept.first;
    kept.first = t;
    kept.count++;
  }
  unlock_kept();
  if (!keep) ln_free(t);
}

__attribute__((destructor)) static void free_kept_structs(void) {
  while (kept.first) {
    ln_full_tensor *t = kept.first;
    kept.first = t->next;
    ln_free(t);
  }
  kept.count = 0;
}

/* ---- making -------------------------------------------------------------- */

ln_shape ln_plain_shape(const ln_shape *shape) {
  ln_shape plain = { .rank = shape->rank };
  for (int32_t i = 0; i < shape->rank; i++) plain.dim[i] = shape->dim[i];
  return plain;
}

ln_tensor ln_tensor_borrow(const ln_shape *shape, float *data) {
  return (ln_tensor){ .struct_size = (uint32_t)sizeof(ln_tensor),
                      .shape = ln_plain_shape(shape),
                      .count = ln_count(shape),
                      .data = data };
}

/* Sizes of 1 can have any stride. */
static bool is_dense(const ln_tensor *t, const int64_t *stride) {
  int64_t row[LN_MAX_DIMS];
  if (t->count == 0) return true;
  ln_row_strides(&t->shape, row);
  for (int32_t i = 0; i < t->shape.rank; i++)
    if (t->shape.dim[i] > 1 && stride[i] != row[i]) return false;
  return true;
}

/* Takes over the caller's reference to the storage. */
static ln_status make(const ln_shape *shape, const int64_t *stride,
                      ln_storage *storage, float *data, ln_tensor **out) {
  ln_full_tensor *t = new_struct();
  if (!t) {
    ln_storage_release(storage);
    return LN_FAILED;
  }
  *t = (ln_full_tensor){ .view = ln_tensor_borrow(shape, data),
                         .references = 1,
                         .storage = storage };
  for (int32_t i = 0; i < shape->rank; i++) t->stride[i] = stride[i];
  t->dense = is_dense(&t->view, t->stride);
  *out = &t->view;
  return LN_OK;
}

ln_status ln_tensor_new(const ln_shape *shape, ln_tensor **out) {
  int64_t count, stride[LN_MAX_DIMS];
  ln_storage *storage;
  if (ln_shape_count(shape, &count) != LN_OK) return LN_FAILED;
  if (ln_storage_new(count, &storage) != LN_OK) return LN_FAILED;
  ln_row_strides(shape, stride);
  return make(shape, stride, storage, storage->data, out);
}

ln_status ln_tensor_full(const ln_shape *shape, float value, ln_tensor **out) {
  ln_tensor *t;
  if (ln_tensor_new(shape, &t) != LN_OK) return LN_FAILED;
  for (int64_t i = 0; i < t->count; i++) t->data[i] = value;
  *out = t;
  return LN_OK;
}

ln_status ln_tensor_part(const ln_tensor *t, const ln_shape *shape,
                         const int64_t *stride, int64_t offset,
                         ln_tensor **out) {
  ln_storage *storage = ln_full(t)->storage;
  ln_storage_retain(storage);
  return make(shape, stride, storage, t->data + offset, out);
}

/* ---- sharing ------------------------------------------------------------- */

ln_tensor *ln_tensor_retain(ln_tensor *t) {
  __atomic_add_fetch(&ln_full(t)->references, 1, __ATOMIC_RELAXED);
  return t;
}

void ln_tensor_release(ln_tensor *t) {
  if (!t) return;
  ln_full_tensor *full = ln_full(t);
  if (__atomic_sub_fetch(&full->references, 1, __ATOMIC_ACQ_REL) > 0) return;
  ln_storage_release(full->storage);
  give_back_struct(full);
}

bool ln_tensor_is_dense(const ln_tensor *t) {
  return ln_full(t)->dense;
}

uint64_t ln_tensor_version(const ln_tensor *t) {
  return ln_full(t)->storage->version;
}

void ln_tensor_touch(ln_tensor *t) {
  ln_full(t)->storage->version++;
}

bool ln_tensor_same_storage(const ln_tensor *a, const ln_tensor *b) {
  return ln_full(a)->storage == ln_full(b)->storage;
}
