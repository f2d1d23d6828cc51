/* arena.c - packing by lifetime: large buffers first, each to the lowest
 * place where it meets no buffer that lives at the same time. */
#include "graph/arena.h"

#include <stdlib.h>

#include "base/guard.h"
#include "base/memory.h"

/* Larger first; equal ones in their own order, so packing is reproducible. */
static int by_size(const void *a, const void *b) {
  const ln_buffer *x = *(ln_buffer *const *)a, *y = *(ln_buffer *const *)b;
  if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
  return x < y ? -1 : x > y;
}

static bool meet(const ln_buffer *a, const ln_buffer *b) {
  return a->first <= b->last && b->first <= a->last;
}

/* The lowest gap beside the buffers already placed (`placed` is by offset). */
static int64_t lowest_place(ln_buffer **placed, int64_t n, const ln_buffer *b) {
  int64_t at = 0;
  for (int64_t i = 0; i < n; i++) {
    if (!meet(placed[i], b)) continue;
    if (placed[i]->offset >= at + ln_padded_bytes(b->bytes)) break;
    int64_t end = placed[i]->offset + ln_padded_bytes(placed[i]->bytes);
    if (end > at) at = end;
  }
  return at;
}

/* Behind all that lie as low. */
static void insert(ln_buffer **placed, int64_t n, ln_buffer *b) {
  for (; n > 0 && placed[n - 1]->offset > b->offset; n--)
    placed[n] = placed[n - 1];
  placed[n] = b;
}

static int64_t collect(ln_buffer *buffers, int64_t n, bool local,
                       ln_buffer **out) {
  int64_t count = 0;
  for (int64_t i = 0; i < n; i++)
    if (buffers[i].local == local && buffers[i].bytes > 0)
      out[count++] = &buffers[i];
  return count;
}

ln_status ln_arena_pack(ln_buffer *buffers, int64_t n, bool local,
                        int64_t *total) {
  *total = 0;
  size_t room = (size_t)(n ? n : 1) * sizeof(ln_buffer *);
  ln_buffer **order = ln_alloc(room), **placed = ln_alloc(room);
  if (!order || !placed) {
    ln_free(order);
    ln_free(placed);
    return LN_FAILED;
  }
  int64_t count = collect(buffers, n, local, order);
  qsort(order, (size_t)count, sizeof *order, by_size);
  for (int64_t i = 0; i < count; i++) {
    order[i]->offset = lowest_place(placed, i, order[i]);
    insert(placed, i, order[i]);
    int64_t end = order[i]->offset + ln_padded_bytes(order[i]->bytes);
    if (end > *total) *total = end;
  }
  ln_free(order);
  ln_free(placed);
  return LN_OK;
}

/* ---- guarded ---- */

static int64_t guarded_bytes(const ln_buffer *b) {
  return b->any_float ? b->bytes : ln_padded_bytes(b->bytes);
}

void ln_arena_spread(ln_buffer *buffers, int64_t n, bool local,
                     int64_t *total) {
  int64_t at = ln_page_bytes();
  for (int64_t i = 0; i < n; i++) {
    ln_buffer *b = &buffers[i];
    if (b->local != local || b->bytes <= 0) continue;
    at += ln_whole_pages(guarded_bytes(b));
    b->offset = at - guarded_bytes(b);
    at += ln_page_bytes();
  }
  *total = at;
}

void ln_arena_close(char *arena, const ln_buffer *buffers, int64_t n,
                    bool local) {
  ln_pages_allow(arena, ln_page_bytes(), LN_PAGES_NOTHING);
  for (int64_t i = 0; i < n; i++) {
    const ln_buffer *b = &buffers[i];
    if (b->local == local && b->bytes > 0)
      ln_pages_allow(arena + b->offset + guarded_bytes(b), ln_page_bytes(),
                     LN_PAGES_NOTHING);
  }
}
