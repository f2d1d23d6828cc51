/* activity.c - see activity.h. The texts are put together by hand: a signal
 * handler may call next to nothing. */
#include "host/activity.h"

#include <sched.h>
#include <stdatomic.h>

ln_station ln_stations[LN_MAX_THREADS];

/* Only its own thread writes to a station, so no addition need be atomic. */
static void count_one(ln_station *station, memory_order order) {
  uint64_t count = atomic_load_explicit(&station->count, memory_order_relaxed);
  atomic_store_explicit(&station->count, count + 1, order);
}

void ln_activity_begin(ln_activity *a) {
  ln_station *station = &ln_stations[ln_thread_slot()];
  a->thread = pthread_self();
  a->before = atomic_load_explicit(&station->now, memory_order_relaxed);
  atomic_store_explicit(&station->now, a, memory_order_release);
  count_one(station, memory_order_relaxed);
}

/* In one order for all threads: either the watcher sees the new count, or this
 * thread sees that it is held. */
void ln_activity_end(const ln_activity *a) {
  ln_station *station = &ln_stations[ln_thread_slot()];
  count_one(station, memory_order_seq_cst);
  while (atomic_load(&station->held)) sched_yield();
  atomic_store_explicit(&station->now, a->before, memory_order_release);
}

/* ---- texts ---- */

typedef struct writing {
  char *to;
  size_t length, room;
} writing;

static void add(writing *w, const char *text) {
  for (; text && *text && w->length < w->room; text++)
    w->to[w->length++] = *text;
}

static void add_number(writing *w, uint64_t n) {
  char digits[21];
  size_t at = sizeof digits;
  digits[--at] = 0;
  do digits[--at] = (char)('0' + n % 10);
  while (n /= 10);
  add(w, &digits[at]);
}

static void add_shape(writing *w, const ln_shape *s) {
  add(w, " (");
  for (int32_t d = 0; d < s->rank && d < LN_MAX_DIMS; d++) {
    if (d) add(w, ",");
    add_number(w, (uint64_t)s->dim[d]);
  }
  add(w, ")");
}

/* ---- tensors of a call ---- */

typedef struct group {
  const char *name;
  const ln_tensor *const *tensors;
  int32_t n;
} group;

enum { GROUPS = 7 };

static void groups_of(const ln_call *c, group *g) {
  g[0] = (group){ "x", c->x, c->n_x };
  g[1] = (group){ "w", c->w, c->n_w };
  g[2] = (group){ "state", c->state, c->n_state };
  g[3] = (group){ "y", c->y, c->n_y };
  g[4] = (group){ "dy", c->dy, c->n_y };
  g[5] = (group){ "dx", c->dx, c->n_x };
  g[6] = (group){ "dw", c->dw, c->n_w };
}

static const ln_tensor *tensor_of(const group *g, int32_t i) {
  return g->tensors ? g->tensors[i] : NULL;
}

/* "x[0] (2,3)": counted from 0, as in ln_x(call, 0). */
static void add_name(writing *w, const group *g, int32_t i) {
  add(w, g->name);
  add(w, "[");
  add_number(w, (uint64_t)i);
  add(w, "]");
}

static void add_tensors(writing *w, const ln_call *c) {
  group g[GROUPS];
  groups_of(c, g);
  for (int k = 0; k < GROUPS; k++)
    for (int32_t i = 0; i < g[k].n; i++) {
      const ln_tensor *t = tensor_of(&g[k], i);
      if (!t) continue;
      add(w, "  ");
      add_name(w, &g[k], i);
      add_shape(w, &t->shape);
    }
}

/* The tensor that an address is nearest to, within a page or two. */
typedef struct nearest {
  const group *group;
  int32_t index;
  uint64_t distance;
  bool behind;
} nearest;

static void look_at(nearest *best, const group *g, int32_t i,
                    uintptr_t address) {
  const ln_tensor *t = tensor_of(g, i);
  if (!t || !t->data) return;
  uintptr_t begin = (uintptr_t)t->data;
  uintptr_t end = begin + (uintptr_t)t->count * sizeof(float);
  uint64_t distance = address >= end    ? address - end
                      : address < begin ? begin - address
                                        : 0;
  if (distance < best->distance)
    *best = (nearest){ g, i, distance, address >= end };
}

static void add_place(writing *w, const ln_call *c, const void *address) {
  group g[GROUPS];
  nearest best = { NULL, 0, 2 * 4096, false };
  groups_of(c, g);
  for (int k = 0; k < GROUPS; k++)
    for (int32_t i = 0; i < g[k].n; i++)
      look_at(&best, &g[k], i, (uintptr_t)address);
  if (!best.group) return;
  add(w, "\n  it touched ");
  add_number(w, best.distance);
  add(w, best.behind     ? " bytes behind the end of "
         : best.distance ? " bytes before the beginning of "
                         : " bytes outside of ");
  add_name(w, best.group, best.index);
}

size_t ln_activity_text(const ln_activity *a, const void *address, char *buffer,
                        size_t room) {
  writing w = { buffer, 0, room };
  const ln_library *library = a->instance->known->library;
  add(&w, "in plugin ");
  add(&w, library->plugin.name);
  add(&w, " ");
  add(&w, library->plugin.version);
  add(&w, " (");
  add(&w, library->path);
  add(&w, ")\n  ");
  add(&w, a->label);
  add(&w, ", ");
  add(&w, a->pass);
  if (a->call) {
    add(&w, ", step ");
    add_number(&w, a->call->step);
    add(&w, "\n");
    add_tensors(&w, a->call);
  }
  if (a->call && address) add_place(&w, a->call, address);
  add(&w, "\n");
  return w.length;
}
