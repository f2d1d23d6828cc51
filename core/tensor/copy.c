/* copy.c - writing into tensors: copies and constants. */
#include "base/threads.h"
#include "tensor/walk.h"

#include <math.h>
#include <string.h>

typedef struct copying {
  float *to;
  const float *from;
} copying;

static void copy_row(void *arg, int64_t n, const int64_t *at,
                     const int64_t *step) {
  const copying *c = arg;
  float *to = c->to + at[0];
  const float *from = c->from + at[1];
  if (ln_is_cancelled()) return;
  if (step[0] == 1 && step[1] == 1)
    memcpy(to, from, (size_t)n * sizeof(float));
  else
    for (int64_t i = 0; i < n; i++) to[i * step[0]] = from[i * step[1]];
}

/* u is broadcast to t's shape, and shares no memory with it. Where Ctrl-C is
 * pressed meanwhile, rows are left out. */
static ln_status copy_apart(ln_tensor *t, const ln_tensor *u) {
  ln_clear_cancel();
  ln_walk walk = ln_walk_together(&t->shape, (const ln_tensor *[]){ t, u }, 2);
  ln_walk_rows(&walk, copy_row, &(copying){ t->data, u->data });
  if (!ln_is_cancelled()) return LN_OK;
  ln_set_error("interrupted");
  return LN_CANCELLED;
}

static ln_status check_shapes(const ln_tensor *t, const ln_tensor *u) {
  ln_shape both;
  char text_t[200], text_u[200];
  if (ln_broadcast("copy", &t->shape, &u->shape, &both) != LN_OK)
    return LN_FAILED;
  if (ln_shape_equal(&both, &t->shape)) return LN_OK;
  return ln_set_error("copy: shape %s is larger than the tensor %s that it is "
                      "copied into",
                      ln_shape_text(&u->shape, text_u),
                      ln_shape_text(&t->shape, text_t));
}

ln_status ln_tensor_copy(ln_tensor *t, const ln_tensor *u) {
  ln_tensor *apart = NULL;
  if (check_shapes(t, u) != LN_OK) return LN_FAILED;
  if (ln_tensor_same_storage(t, u)) {
    ln_status cloned = ln_tensor_clone(u, &apart);
    if (cloned != LN_OK) return cloned;
    u = apart;
  }
  ln_status status = copy_apart(t, u);
  ln_tensor_touch(t);
  ln_tensor_release(apart);
  return status;
}

ln_status ln_tensor_clone(const ln_tensor *t, ln_tensor **out) {
  ln_tensor *made;
  if (ln_tensor_new(&t->shape, &made) != LN_OK) return LN_FAILED;
  ln_status status = copy_apart(made, t);
  if (status == LN_OK)
    *out = made;
  else
    ln_tensor_release(made);
  return status;
}

ln_status ln_tensor_dense(ln_tensor *t, ln_tensor **out) {
  if (!ln_tensor_is_dense(t)) return ln_tensor_clone(t, out);
  *out = ln_tensor_retain(t);
  return LN_OK;
}

typedef struct filling {
  float *to, value;
} filling;

static void fill_row(void *arg, int64_t n, const int64_t *at,
                     const int64_t *step) {
  const filling *f = arg;
  for (int64_t i = 0; i < n; i++) f->to[at[0] + i * step[0]] = f->value;
}

static bool is_whole_storage(const ln_tensor *t) {
  const ln_storage *s = ln_full(t)->storage;
  return ln_full(t)->dense && t->count * (int64_t)sizeof(float) == s->bytes;
}

/* Zeros for a whole storage, as after each step for all gradients: threads
 * share what is larger than their caches. */
enum { ZERO_GRAIN = 256 << 10 }; /* floats of a task */

static void zero_part(void *arg, int64_t index, int slot) {
  (void)slot;
  const ln_tensor *t = arg;
  const int64_t begin = index * ZERO_GRAIN, left = t->count - begin;
  const int64_t n = left < ZERO_GRAIN ? left : ZERO_GRAIN;
  memset(t->data + begin, 0, (size_t)n * sizeof(float));
}

static void zero_all(ln_tensor *t) {
  ln_parallel_all((t->count + ZERO_GRAIN - 1) / ZERO_GRAIN, zero_part, t);
}

ln_status ln_tensor_fill(ln_tensor *t, float value) {
  bool zeros = value == 0 && !signbit(value);
  if (zeros && ln_tensor_known_zero(t)) return LN_OK;
  if (zeros && is_whole_storage(t)) {
    zero_all(t);
  } else {
    ln_walk walk = ln_walk_together(&t->shape, (const ln_tensor *[]){ t }, 1);
    ln_walk_rows(&walk, fill_row, &(filling){ t->data, value });
  }
  ln_tensor_touch(t);
  if (zeros && is_whole_storage(t))
    ln_full(t)->storage->zero_version = ln_tensor_version(t);
  return LN_OK;
}
