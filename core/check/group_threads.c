/* group_threads.c - the same bits, whatever runs beside: again, on more
 * threads, with pieces in another order, with another instance in between. */
#include <stdlib.h>
#include <string.h>

#include "base/threads.h"
#include "check/pieces.h"
#include "check/static_memory.h"
#include "check/trial.h"
#include "host/running.h"

typedef struct results {
  ln_numbers y[LN_MOST_TENSORS], dx[LN_MOST_TENSORS], dw[LN_MOST_TENSORS];
  bool good;
} results;

static results run(ln_trial *t, const ln_way *way) {
  results r = { 0 };
  r.good = ln_trial_forward(t, way) &&
           (!ln_trial_has_backward(t) || ln_trial_backward(t, way));
  for (int k = 0; k < t->n_y; k++) r.y[k] = ln_numbers_copy(&t->y[k]);
  for (int k = 0; k < t->n_x; k++) r.dx[k] = ln_numbers_copy(&t->dx[k]);
  for (int k = 0; k < t->n_w; k++) r.dw[k] = ln_numbers_copy(&t->dw[k]);
  return r;
}

static void drop(results *r) {
  for (int k = 0; k < LN_MOST_TENSORS; k++) {
    ln_numbers_free(&r->y[k]);
    ln_numbers_free(&r->dx[k]);
    ln_numbers_free(&r->dw[k]);
  }
}

static void compare(ln_checking *c, const char *check, const char *how,
                    const char *what, const ln_numbers *a,
                    const ln_numbers *b) {
  for (int k = 0; k < LN_MOST_TENSORS; k++) {
    const int64_t i = ln_numbers_differ(&a[k], &b[k]);
    if (i >= 0)
      ln_report_values(c, check, (double)a[k].at[i], (double)b[k].at[i],
                       "element %" PRId64 " (from 0) of %s differs %s", i, what,
                       how);
  }
}

static void compare_all(ln_checking *c, const char *check, const char *how,
                        const results *a, const results *b) {
  if (!a->good || !b->good) return;
  compare(c, check, how, "y", a->y, b->y);
  compare(c, check, how, "dx", a->dx, b->dx);
  compare(c, check, how, "dw", a->dw, b->dw);
}

/* Does a pass write where no pass may? */
static void check_hidden_state(ln_checking *c, ln_trial *t) {
  const size_t size = c->known->layer.self_size;
  void *self = malloc(size + 1);
  memcpy(self, t->instance->self, size);
  ln_statics_keep(c->known->library->handle);
  results r = run(t, &(ln_way){ 0 });
  const int64_t changed = ln_statics_changed();
  if (changed)
    ln_report(c, "threads.static",
              "a forward and a backward change %" PRId64
              " bytes of static memory",
              changed);
  if (memcmp(self, t->instance->self, size))
    ln_report(c, "threads.self", "a forward and a backward change the struct");
  free(self);
  drop(&r);
}

static void check_again(ln_checking *c, ln_trial *t, const results *first) {
  results again = run(t, &(ln_way){ .left = true });
  compare_all(c, "threads.again", "the second time", first, &again);
  drop(&again);
}

/* ---- pieces in another order ---- */

/* Runs the pieces from the last to the first, each with scratch memory full
 * of garbage. */
static ln_status backwards(const ln_call *call, int64_t n, int64_t grain,
                           ln_body body, void *arg) {
  const ln_running *r = (const ln_running *)call;
  if (n <= 0) return LN_OK;
  if (grain < 1) grain = 1;
  for (int64_t index = (n - 1) / grain; index >= 0; index--) {
    const int64_t begin = index * grain, end = begin + grain;
    ln_chunk chunk = { (uint32_t)sizeof chunk, 0,     begin,
                       end < n ? end : n,      index, NULL };
    if (r->scratch_bytes) {
      chunk.scratch = r->scratch;
      memset(r->scratch, 0x42, (size_t)r->inference->scratch);
    }
    body(arg, &chunk);
  }
  return LN_OK;
}

static void check_order(ln_checking *c, ln_trial *t, const results *first) {
  ln_host *host = t->instance->host;
  ln_status (*before)(const ln_call *, int64_t, int64_t, ln_body, void *) =
      host->parallel_for;
  host->parallel_for = backwards;
  results other = run(t, &(ln_way){ 0 });
  host->parallel_for = before;
  compare_all(c, "threads.order", "where pieces run in another order", first,
              &other);
  drop(&other);
}

/* ---- threads ---- */

static void check_threads(ln_checking *c, ln_trial *t) {
  static const int numbers[] = { 2, 3, 7 };
  const ln_way way = { .together = true };
  ln_set_num_threads(1);
  const bool slices = ln_trial_slice(t, 1);
  if (!slices) ln_trial_slice(t, 0);
  results one = run(t, &way);
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    ln_set_num_threads(numbers[i]);
    results more = run(t, &way);
    compare_all(c, "threads.number", "on several threads", &one, &more);
    drop(&more);
  }
  ln_set_num_threads(1);
  drop(&one);
}

/* ---- another instance in between ---- */

static void check_instances(ln_checking *c, ln_trial *t, const results *first,
                            int number, const char *method) {
  const ln_way way = { 0 };
  ln_sample s;
  ln_trial other;
  for (int near = 0; near < 2; near++) {
    if (near ? !ln_trial_open(&other, c, t->sample, method)
             : !ln_trial_draw(&other, c, &s, number + 1000, method))
      continue;
    ln_trial_fill(&other, c->seed + 77);
    ln_trial_describe(t, method);
    results mixed = { 0 };
    mixed.good = ln_trial_forward(t, &way) && ln_trial_forward(&other, &way);
    if (mixed.good && ln_trial_has_backward(t)) {
      ln_trial_backward(&other, &way);
      mixed.good = ln_trial_backward(t, &way);
    }
    for (int k = 0; k < t->n_y; k++) mixed.y[k] = ln_numbers_copy(&t->y[k]);
    for (int k = 0; k < t->n_x; k++) mixed.dx[k] = ln_numbers_copy(&t->dx[k]);
    for (int k = 0; k < t->n_w; k++) mixed.dw[k] = ln_numbers_copy(&t->dw[k]);
    compare_all(c, "threads.instances", "after another instance ran", first,
                &mixed);
    drop(&mixed);
    ln_trial_close(&other);
  }
}

void ln_group_threads(ln_checking *c) {
  ln_sample s;
  ln_trial t;
  ln_pieces_relax(true);
  const char *method;
  for (int m = 0; (method = ln_trial_method(c, m)); m++)
    for (int i = 0; i < c->samples; i++) {
      ln_set_num_threads(1);
      if (!ln_trial_draw(&t, c, &s, i, method)) continue;
      results first = run(&t, &(ln_way){ 0 });
      check_hidden_state(c, &t);
      check_again(c, &t, &first);
      check_order(c, &t, &first);
      check_instances(c, &t, &first, i, method);
      if (i < 4 || c->level > 3) check_threads(c, &t);
      drop(&first);
      ln_trial_close(&t);
    }
}
