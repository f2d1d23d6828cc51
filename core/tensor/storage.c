/* storage.c - see storage.h.
 *
 * Sizes are rounded up to classes, four to each doubling, so at most a fifth
 * of a storage lies idle. Each class has a list of storages not in use.
 *
 * Invariant: a storage is either alive (counted in bytes_alive, on no list)
 * or kept (counted in bytes_kept, on the list of its class). */
#include "tensor/storage.h"
#include "base/guard.h"
#include "base/memory.h"

#include <pthread.h>

enum {
  GUARDED = -1,              /* in place of a class: not of the pool */
  SMALLEST = 256,            /* bytes of class 0 */
  CLASSES = 4 * 54,          /* up to 2^62 bytes */
  HEADER = 64,               /* the struct lies in front of its numbers */
  ALWAYS_KEPT = 64 * 1 << 20 /* bytes */
};
_Static_assert(sizeof(ln_storage) <= HEADER, "the numbers begin at 64 bytes");

static struct {
  pthread_mutex_t lock;
  ln_storage *kept[CLASSES];
  int64_t bytes_alive, bytes_made, bytes_kept;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Class 4d + q holds (4 + q) / 4 * 2^d times the smallest size. */
static int64_t bytes_of_class(int class) {
  return (int64_t)(4 + class % 4) * (SMALLEST / 4) << (class / 4);
}

static int class_of_bytes(int64_t bytes) {
  if (bytes <= SMALLEST) return 0;
  int doublings = 63 - __builtin_clzll((uint64_t)bytes / SMALLEST);
  int class = 4 * doublings;
  while (bytes_of_class(class) < bytes) class ++;
  return class;
}

/* ---- the lock, which a fork must not leave closed in the child ----------- */

static void lock_pool(void) {
  pthread_mutex_lock(&pool.lock);
}

static void unlock_pool(void) {
  pthread_mutex_unlock(&pool.lock);
}

static void follow_forks(void) {
  pthread_atfork(lock_pool, unlock_pool, unlock_pool);
}

/* ---- lending ------------------------------------------------------------- */

static ln_storage *take_kept(int class) {
  ln_storage *s = pool.kept[class];
  if (!s) return NULL;
  pool.kept[class] = s->next;
  pool.bytes_kept -= bytes_of_class(class);
  return s;
}

static ln_storage *allocate(int class) {
  ln_storage *s = ln_alloc((size_t)(HEADER + bytes_of_class(class)));
  if (!s) return NULL;
  *s = (ln_storage){ .data = (float *)(void *)((char *)s + HEADER),
                     .size_class = class };
  return s;
}

static ln_storage *allocate_guarded(int64_t bytes) {
  ln_storage *s = ln_alloc(sizeof *s);
  float *data = s ? ln_guarded_new(bytes) : NULL;
  if (!data) {
    ln_free(s);
    return NULL;
  }
  *s = (ln_storage){ .data = data, .size_class = GUARDED };
  return s;
}

/* Counts the bytes as well: as alive, with the pool locked but once. */
static ln_storage *take_or_allocate(int64_t bytes) {
  const bool guarded = ln_is_guarded();
  const int class = class_of_bytes(bytes);
  lock_pool();
  ln_storage *s = guarded ? NULL : take_kept(class);
  pool.bytes_alive += bytes;
  pool.bytes_made += bytes;
  unlock_pool();
  if (!s) s = guarded ? allocate_guarded(bytes) : allocate(class);
  if (s) return s;
  lock_pool();
  pool.bytes_alive -= bytes;
  pool.bytes_made -= bytes;
  unlock_pool();
  return NULL;
}

ln_status ln_storage_new(int64_t count, ln_storage **out) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, follow_forks);
  int64_t bytes = count * (int64_t)sizeof(float);
  ln_storage *s = take_or_allocate(bytes);
  if (!s) return LN_FAILED;
  s->bytes = bytes;
  s->references = 1;
  s->version = 0;
  s->zero_version = UINT64_MAX; /* not known to be 0 at any */
  *out = s;
  return LN_OK;
}

void ln_storage_retain(ln_storage *s) {
  __atomic_add_fetch(&s->references, 1, __ATOMIC_RELAXED);
}

/* ---- taking back --------------------------------------------------------- */

static void free_kept(void) {
  for (int class = 0; class < CLASSES; class ++)
    for (ln_storage *s; (s = take_kept(class));) ln_free(s);
}

static bool fits(int64_t bytes) {
  int64_t most = pool.bytes_alive / 2;
  if (most < ALWAYS_KEPT) most = ALWAYS_KEPT;
  return pool.bytes_kept + bytes <= most;
}

/* A full pool is emptied first: what lies there was of other sizes than those
 * that come back now. Where even that makes no room, s itself is freed. */
static void keep(ln_storage *s) {
  int64_t bytes = bytes_of_class(s->size_class);
  if (!fits(bytes)) free_kept();
  if (!fits(bytes)) {
    ln_free(s);
    return;
  }
  s->next = pool.kept[s->size_class];
  pool.kept[s->size_class] = s;
  pool.bytes_kept += bytes;
}

static void free_guarded(ln_storage *s) {
  ln_guarded_free(s->data, s->bytes);
  ln_free(s);
}

void ln_storage_release(ln_storage *s) {
  if (__atomic_sub_fetch(&s->references, 1, __ATOMIC_ACQ_REL) > 0) return;
  lock_pool();
  pool.bytes_alive -= s->bytes;
  if (s->size_class == GUARDED)
    free_guarded(s);
  else
    keep(s);
  unlock_pool();
}

__attribute__((destructor)) void ln_storage_pool_clear(void) {
  lock_pool();
  free_kept();
  unlock_pool();
}

static int64_t read_count(const int64_t *count) {
  lock_pool();
  int64_t bytes = *count;
  unlock_pool();
  return bytes;
}

int64_t ln_storage_bytes_kept(void) {
  return read_count(&pool.bytes_kept);
}

int64_t ln_tensor_bytes_alive(void) {
  return read_count(&pool.bytes_alive);
}

int64_t ln_tensor_bytes_made(void) {
  return read_count(&pool.bytes_made);
}
