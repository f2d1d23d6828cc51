/* group_session.c - what a session does beyond one call: checkpoints, older
 * hosts, new copies of a file. */
#include <stdlib.h>
#include <string.h>

#include "base/threads.h"
#include "check/pieces.h"
#include "check/trial.h"
#include "check/watch.h"

/* ---- nothing but options, weights, state and step ---- */

static void step_on(ln_trial *t) {
  for (int k = 0; k < t->n_state; k++)
    memcpy(t->state[k].at, t->after[k].at, (size_t)t->state[k].count * 4);
  t->step++;
}

static bool pass(ln_trial *t) {
  const ln_way way = { 0 };
  return ln_trial_forward(t, &way) &&
         (!ln_trial_has_backward(t) || ln_trial_backward(t, &way));
}

static void compare(ln_checking *c, const char *what, const ln_numbers *a,
                    const ln_numbers *b, int n) {
  for (int k = 0; k < n; k++) {
    const int64_t i = ln_numbers_differ(&a[k], &b[k]);
    if (i >= 0)
      ln_report_values(c, "session.restored", (double)a[k].at[i],
                       (double)b[k].at[i],
                       "element %" PRId64 " (from 0) of %s, in an instance "
                       "restored after three steps",
                       i, what);
  }
}

/* Three steps, then a new instance with all that a checkpoint holds: does it
 * go on as the first one does? */
static void check_restored(ln_checking *c, const ln_sample *s, ln_trial *t,
                           const char *method) {
  ln_trial fresh;
  for (int i = 0; i < 3; i++) {
    if (!pass(t)) return;
    step_on(t);
  }
  if (!ln_trial_open(&fresh, c, s, method)) return;
  ln_trial_copy(&fresh, t);
  if (pass(&fresh) && pass(t)) {
    compare(c, "y", t->y, fresh.y, t->n_y);
    compare(c, "dx", t->dx, fresh.dx, t->n_x);
    compare(c, "dw", t->dw, fresh.dw, t->n_w);
    compare(c, "the state", t->after, fresh.after, t->n_state);
  }
  ln_trial_close(&fresh);
}

/* ---- a host with the smallest table ---- */

/* The size of the table of services in 1.0, for ever. */
#define TABLE_1_0 (offsetof(ln_host, packed) + sizeof(((ln_host *)0)->packed))

/* create with a table that ends at a guard, where a newer service would be. */
static void check_small_host(ln_checking *c, ln_trial *t) {
  const ln_layer *l = &c->known->layer;
  ln_host small = *t->instance->host;
  if (!l->create) return;
  small.struct_size = (uint32_t)TABLE_1_0;
  small.abi_minor = 0;
  ln_piece *piece = ln_piece_take("the table of services", (int64_t)TABLE_1_0,
                                  true, false, 0);
  memcpy(piece->data, &small, TABLE_1_0);
  ln_piece_set(piece, LN_PIECE_SEALED);
  void *self = calloc(1, l->self_size + 1);
  ln_kept_texts texts = { 0 };
  if (!ln_options_parse(c->known->options, c->known->n_options, l->name, NULL,
                        t->sample->options, t->sample->n_options, self,
                        &texts)) {
    ln_watch_enter("create");
    const ln_status s = l->create(self, (const ln_host *)(void *)piece->data);
    if (!s && l->destroy) l->destroy(self);
    ln_watch_leave();
  }
  ln_kept_texts_free(&texts);
  free(self);
}

/* The passes see the small table, too. */
static ln_host *small_table(const ln_trial *t) {
  ln_piece *piece = ln_piece_take("the table of services", (int64_t)TABLE_1_0,
                                  true, false, 0);
  ln_host small = *t->instance->host;
  small.struct_size = (uint32_t)TABLE_1_0;
  memcpy(piece->data, &small, TABLE_1_0);
  ln_piece_set(piece, LN_PIECE_SEALED);
  return (ln_host *)(void *)piece->data;
}

static void run_with_small_host(ln_trial *t) {
  ln_way way = { .host = small_table(t) };
  if (!ln_trial_forward(t, &way) || !ln_trial_has_backward(t)) return;
  way.host = small_table(t);
  ln_trial_backward(t, &way);
}

/* ---- a new copy of the file ---- */

static const ln_known_layer *layer_of(const ln_library *lib, const char *word) {
  for (int64_t i = 0; i < lib->n_layers; i++)
    if (!strcmp(lib->layers[i].layer.name, word)) return &lib->layers[i];
  return NULL;
}

/* While an instance has a forward behind it, the file is loaded anew, and an
 * instance of the copy runs; then the first one goes on. */
static void check_reload(ln_checking *c, const ln_sample *s, ln_trial *t) {
  const ln_way way = { 0 };
  ln_library *lib = NULL;
  if (!pass(t)) return;
  ln_numbers y = ln_numbers_copy(&t->y[0]), dx = ln_numbers_copy(&t->dx[0]);
  const bool ran = ln_trial_forward(t, &way);
  ln_watch_enter("loading a copy");
  if (ran && ln_library_open_copy(c->path, c->path, &lib))
    ln_report(c, "session.reload", "a copy is refused: %s", ln_error());
  ln_watch_leave();
  const ln_known_layer *known = lib ? layer_of(lib, c->word) : NULL;
  ln_trial other;
  if (known && ln_trial_open(&other, c, s, "textbook")) {
    other.instance->known = known;
    ln_trial_copy(&other, t);
    if (pass(&other) && ln_numbers_apart(&y, &other.y[0], 1e-5, 0) >= 0)
      ln_report(c, "session.reload", "a copy computes another y");
    ln_trial_close(&other);
  }
  if (known && ln_trial_has_backward(t) && ln_trial_backward(t, &way) &&
      ln_numbers_differ(&dx, &t->dx[0]) >= 0)
    ln_report(c, "session.reload",
              "dx of the first instance changes when a copy is loaded");
  ln_numbers_free(&y);
  ln_numbers_free(&dx);
}

void ln_group_session(ln_checking *c) {
  ln_sample s;
  ln_trial t;
  ln_pieces_relax(true);
  ln_set_num_threads(1);
  const char *method;
  for (int m = 0; (method = ln_trial_method(c, m)); m++)
    for (int i = 0; i < c->samples; i++) {
      if (!ln_trial_draw(&t, c, &s, i, method)) continue;
      if (i == 0) {
        check_small_host(c, &t);
        run_with_small_host(&t);
        if (m == 0) check_reload(c, &s, &t);
      }
      check_restored(c, &s, &t, method);
      ln_trial_close(&t);
    }
}
