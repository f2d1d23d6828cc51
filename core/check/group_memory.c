/* group_memory.c - what a layer does to memory: guards on both sides, two
 * fillings of everything to be written, what is kept, and what leaks. */
#include <stdlib.h>
#include <string.h>

#include "base/threads.h"
#include "check/imports.h"
#include "check/pieces.h"
#include "check/trial.h"
#include "check/watch.h"

/* Two patterns that no sum leaves alone: a NaN with a mark, and 48.6. */
enum { FILL_A = 0x7FC0DEAD, FILL_B = 0x42424242 };

static bool run_both(ln_trial *t, const ln_way *way) {
  return ln_trial_forward(t, way) &&
         (!ln_trial_has_backward(t) || ln_trial_backward(t, way));
}

/* ---- two fillings ---- */

typedef struct results {
  ln_numbers y[LN_MOST_TENSORS], dx[LN_MOST_TENSORS], dw[LN_MOST_TENSORS],
      after[LN_MOST_TENSORS];
} results;

static void keep(const ln_numbers *from, int n, ln_numbers *to) {
  for (int k = 0; k < n; k++) to[k] = ln_numbers_copy(&from[k]);
}

static void keep_results(const ln_trial *t, results *r) {
  *r = (results){ 0 };
  keep(t->y, t->n_y, r->y);
  keep(t->dx, t->n_x, r->dx);
  keep(t->dw, t->n_w, r->dw);
  keep(t->after, t->n_state, r->after);
}

static void drop_results(results *r) {
  for (int k = 0; k < LN_MOST_TENSORS; k++) {
    ln_numbers_free(&r->y[k]);
    ln_numbers_free(&r->dx[k]);
    ln_numbers_free(&r->dw[k]);
    ln_numbers_free(&r->after[k]);
  }
}

static bool holds(const ln_numbers *n, int64_t i, uint32_t fill) {
  return !memcmp(&n->at[i], &fill, sizeof fill);
}

typedef void compare_two(ln_checking *, const char *what, const ln_numbers *,
                         const ln_numbers *);

static void compare_fillings(ln_checking *c, const char *what,
                             const ln_numbers *a, const ln_numbers *b) {
  const int64_t i = ln_numbers_differ(a, b);
  if (i < 0) return;
  if (holds(a, i, FILL_A) && holds(b, i, FILL_B))
    ln_report(c, "memory.unwritten",
              "element %" PRId64 " (from 0) of %s, of %" PRId64
              ", is never written",
              i, what, a->count);
  else
    ln_report(c, "memory.accumulate",
              "element %" PRId64 " (from 0) of %s depends on what stood in "
              "its memory before",
              i, what);
}

static void compare_garbage(ln_checking *c, const char *what,
                            const ln_numbers *a, const ln_numbers *b) {
  const int64_t i = ln_numbers_differ(a, b);
  if (i >= 0)
    ln_report(c, "memory.garbage",
              "element %" PRId64 " (from 0) of %s depends on what stood in "
              "the workspace, saved or scratch memory before",
              i, what);
}

static void compare_results(ln_checking *c, const ln_trial *t, results *a,
                            results *b, compare_two *compare) {
  for (int k = 0; k < t->n_y; k++) compare(c, "y", &a->y[k], &b->y[k]);
  for (int k = 0; k < t->n_state; k++)
    compare(c, "the state", &a->after[k], &b->after[k]);
  if (!ln_trial_has_backward(t)) return;
  for (int k = 0; k < t->n_x; k++)
    if (ln_trial_gives_dx(t, k)) compare(c, "dx", &a->dx[k], &b->dx[k]);
  for (int k = 0; k < t->n_w; k++) compare(c, "dw", &a->dw[k], &b->dw[k]);
}

static void compare_runs(ln_checking *c, ln_trial *t, const ln_way *one,
                         const ln_way *two, compare_two *compare) {
  results a, b;
  if (!run_both(t, one)) return;
  keep_results(t, &a);
  if (run_both(t, two)) {
    keep_results(t, &b);
    compare_results(c, t, &a, &b, compare);
    drop_results(&b);
  }
  drop_results(&a);
}

/* Everything to be written begins with one pattern, then with the other; the
 * guards stand behind, then in front. */
static void fill_twice(ln_checking *c, ln_trial *t, bool training) {
  const ln_way one = { .fill = FILL_A, .evaluation = !training };
  const ln_way two = { .fill = FILL_B, .left = true, .evaluation = !training };
  const ln_way more = { .fill = FILL_B,
                        .garbage = FILL_A,
                        .evaluation = !training };
  compare_runs(c, t, &one, &two, compare_fillings);
  compare_runs(c, t, &two, &more, compare_garbage);
}

/* ---- the heap ---- */

static void fill_heap_twice(ln_checking *c, const ln_sample *s,
                            const char *method) {
  static const int bytes[] = { 0xA5, 0x3C };
  results r[2] = { 0 };
  ln_trial t[2] = { 0 };
  bool ran[2] = { false, false };
  for (int i = 0; i < 2; i++) {
    ln_fill_heap(bytes[i]);
    if (!ln_trial_open(&t[i], c, s, method)) break;
    ln_trial_fill(&t[i], c->seed);
    if (i) ln_trial_copy(&t[1], &t[0]);
    ran[i] = run_both(&t[i], &(ln_way){ .fill = FILL_B });
    keep_results(&t[i], &r[i]);
  }
  ln_fill_heap(0);
  bool same = true;
  for (int k = 0; ran[0] && ran[1] && k < LN_MOST_TENSORS; k++)
    same = same && ln_numbers_differ(&r[0].y[k], &r[1].y[k]) < 0 &&
           ln_numbers_differ(&r[0].dx[k], &r[1].dx[k]) < 0 &&
           ln_numbers_differ(&r[0].dw[k], &r[1].dw[k]) < 0;
  if (!same)
    ln_report(c, "memory.heap",
              "the numbers depend on what malloc's memory held before");
  for (int i = 0; i < 2; i++)
    if (t[i].instance) drop_results(&r[i]), ln_trial_close(&t[i]);
}

static void count_heap_calls(ln_checking *c, ln_trial *t) {
  const int64_t before = ln_heap_calls();
  if (!run_both(t, &(ln_way){ 0 })) return;
  const int64_t calls = ln_heap_calls() - before;
  if (calls > 0)
    ln_report(c, "memory.allocates",
              "a forward and a backward ask for memory %" PRId64 " times",
              calls);
}

/* The first steps may fill caches; later ones must not grow. */
static void look_for_leaks(ln_checking *c, ln_trial *t) {
  enum { STEPS = 60 };
  for (int i = 0; i < 5; i++)
    if (!run_both(t, &(ln_way){ 0 })) return;
  const int64_t before = ln_heap_bytes();
  for (int i = 0; i < STEPS; i++) run_both(t, &(ln_way){ 0 });
  const int64_t grown = ln_heap_bytes() - before;
  if (grown >= STEPS)
    ln_report_values(c, "memory.leak", 0, (double)grown,
                     "the heap has grown by %" PRId64 " bytes in %d steps",
                     grown, STEPS);
}

static void look_for_lost_instances(ln_checking *c, const ln_sample *s) {
  enum { TIMES = 40 };
  ln_trial t;
  for (int i = 0; i < 3; i++)
    if (ln_trial_open(&t, c, s, NULL)) ln_trial_close(&t);
  const int64_t before = ln_heap_bytes();
  for (int i = 0; i < TIMES; i++)
    if (ln_trial_open(&t, c, s, NULL)) ln_trial_close(&t);
  const int64_t grown = ln_heap_bytes() - before;
  if (grown >= TIMES)
    ln_report_values(c, "memory.destroy", 0, (double)grown,
                     "%d instances made and released leave %" PRId64 " bytes",
                     TIMES, grown);
}

/* ---- memory refused ---- */

static int allocations_left;

static void *refusing_alloc(const ln_host *host, size_t bytes) {
  if (allocations_left-- <= 0) return NULL;
  return ((ln_instance *)host->private_)->host->alloc(host, bytes);
}

/* A second create, on a copy of the struct, with a host that has no memory
 * from the n-th request on. */
static void refuse_memory(ln_checking *c, ln_trial *t) {
  const ln_layer *l = &c->known->layer;
  if (!l->create) return;
  for (int n = 0; n < 4; n++) {
    ln_host host = *t->instance->host;
    host.alloc = refusing_alloc;
    allocations_left = n;
    void *self = calloc(1, l->self_size + 1);
    ln_kept_texts texts = { 0 };
    if (!ln_options_parse(c->known->options, c->known->n_options, l->name, NULL,
                          t->sample->options, t->sample->n_options, self,
                          &texts)) {
      ln_watch_enter("create without memory");
      const ln_status s = l->create(self, &host);
      ln_watch_leave();
      if (s && !t->instance->failure.length)
        ln_report(c, "memory.refused", "create fails without a sentence");
      ln_text_free(&t->instance->failure);
      t->instance->failure = (ln_text){ 0 };
      if (!s && l->destroy) l->destroy(self);
    }
    ln_kept_texts_free(&texts);
    free(self);
  }
}

void ln_group_memory(ln_checking *c) {
  ln_sample s;
  ln_trial t;
  ln_set_num_threads(1);
  ln_count_heap_calls(c->known->library->handle);
  const char *method;
  for (int m = 0; (method = ln_trial_method(c, m)); m++)
    for (int i = 0; i < c->samples; i++) {
      if (!ln_trial_draw(&t, c, &s, i, method)) continue;
      fill_twice(c, &t, true);
      fill_twice(c, &t, false);
      if (ln_trial_slice(&t, 1)) fill_twice(c, &t, true);
      ln_trial_slice(&t, 0);
      if (i == 0) {
        ln_pieces_relax(true); /* many steps, and only the heap is looked at */
        count_heap_calls(c, &t);
        look_for_leaks(c, &t);
        ln_pieces_relax(false);
        fill_heap_twice(c, &s, method);
        look_for_lost_instances(c, &s);
        refuse_memory(c, &t);
      }
      ln_trial_close(&t);
    }
}
