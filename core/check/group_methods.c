/* group_methods.c - every method against the textbook, passes in parts against
 * the whole, and an activation in passing against one after. */
#include <string.h>

#include "base/threads.h"
#include "check/pieces.h"
#include "check/trial.h"

/* Methods may add up in another order. */
#define TOLERANCE 2e-4

static void compare(ln_checking *c, const char *check, const char *what,
                    const ln_numbers *a, const ln_numbers *b, double floor) {
  const int64_t i = ln_numbers_apart(a, b, TOLERANCE, floor);
  if (i >= 0)
    ln_report_values(c, check, (double)a->at[i], (double)b->at[i],
                     "element %" PRId64 " (from 0) of %s", i, what);
}

static void compare_all(ln_checking *c, const char *check, const ln_trial *a,
                        const ln_trial *b, bool backward) {
  const double floor = 1e-4 * ln_numbers_largest(a->x, a->n_x);
  for (int k = 0; k < a->n_y; k++)
    compare(c, check, "y", &a->y[k], &b->y[k], floor);
  for (int k = 0; k < a->n_state; k++)
    compare(c, check, "the state", &a->after[k], &b->after[k], floor);
  for (int k = 0; backward && k < a->n_x; k++)
    if (ln_trial_gives_dx(a, k))
      compare(c, check, "dx", &a->dx[k], &b->dx[k],
              ln_trial_gradient_floor(a, &b->dx[k]));
  for (int k = 0; backward && k < a->n_w; k++)
    compare(c, check, "dw", &a->dw[k], &b->dw[k],
            ln_trial_gradient_floor(a, &b->dw[k]));
}

static bool run(ln_trial *t, const ln_way *way, bool *backward) {
  if (!ln_trial_forward(t, way)) return false;
  *backward = ln_trial_has_backward(t) && ln_trial_backward(t, way);
  return true;
}

static void compare_run(ln_checking *c, const char *check, ln_trial *book,
                        ln_trial *own) {
  for (int training = 1; training >= 0; training--) {
    const ln_way way = { .evaluation = !training };
    bool back_book, back_own;
    const bool ran_book = run(book, &way, &back_book);
    const bool ran_own = run(own, &way, &back_own);
    if (ran_book != ran_own)
      ln_report(c, check, "%s refuses what the other accepts: %s",
                ran_own ? "the textbook" : "the method", ln_error());
    if (ran_book && ran_own)
      compare_all(c, check, book, own, back_book && back_own);
  }
}

static void relu(ln_numbers *n) {
  for (int64_t i = 0; i < n->count; i++)
    if (n->at[i] <= 0) n->at[i] = 0;
}

static void check_activation(ln_checking *c, ln_trial *own) {
  const ln_kernel *k = own->inference.kernel;
  if (!k || !(k->activations & LN_ACCEPTS(LN_IS_RELU))) return;
  const ln_way plain = { 0 }, passing = { .activation = LN_IS_RELU };
  if (!ln_trial_forward(own, &plain)) return;
  ln_numbers y = ln_numbers_copy(&own->y[0]);
  relu(&y);
  if (ln_trial_forward(own, &passing))
    compare(c, "methods.activation", "y with a relu in passing", &y, own->y, 0);
  ln_numbers_free(&y);
}

static void check_sample(ln_checking *c, const ln_sample *s, ln_trial *own,
                         const char *method, uint64_t seed) {
  ln_trial book;
  if (!ln_trial_open(&book, c, s, "textbook")) return;
  ln_trial_fill(&book, seed);
  ln_trial_copy(own, &book);
  ln_trial_describe(own, method);
  const bool parts = ln_inference_in_parts(&own->inference);
  compare_run(c, parts ? "methods.parts" : "methods.textbook", &book, own);
  check_activation(c, own);
  for (int64_t items = 1; items <= 2; items++)
    if (ln_trial_slice(own, items))
      compare_run(c, parts ? "methods.parts" : "promises.per_sample", &book,
                  own);
  ln_trial_close(&book);
}

void ln_group_methods(ln_checking *c) {
  ln_sample s;
  ln_trial t;
  ln_pieces_relax(true);
  const char *method;
  ln_set_num_threads(1);
  for (int m = 1; (method = ln_trial_method(c, m)); m++)
    for (int i = 0; i < 2 * c->samples; i++) {
      if (!ln_trial_draw(&t, c, &s, i, method)) continue;
      if (t.inference.kernel)
        check_sample(c, &s, &t, method, c->seed * 17u + (uint64_t)i);
      ln_trial_close(&t);
    }
}
