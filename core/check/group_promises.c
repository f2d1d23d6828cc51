/* group_promises.c - is what the traits promise true? */
#include <string.h>

#include "base/threads.h"
#include "check/pieces.h"
#include "check/trial.h"

static bool has(const ln_checking *c, uint32_t trait) {
  return (c->known->layer.traits & trait) != 0;
}

static void compare(ln_checking *c, const char *check, const char *what,
                    const ln_numbers *a, const ln_numbers *b, int n,
                    double tolerance) {
  for (int k = 0; k < n; k++) {
    const int64_t i = ln_numbers_apart(&a[k], &b[k], tolerance, 10 * tolerance);
    if (i >= 0)
      ln_report_values(c, check, (double)a[k].at[i], (double)b[k].at[i],
                       "element %" PRId64 " (from 0) of %s", i, what);
  }
}

/* ---- per sample ---- */

static void check_slices(ln_checking *c, ln_trial *whole, ln_trial *sliced) {
  for (int training = 1; training >= 0; training--) {
    const ln_way way = { .evaluation = !training };
    if (!ln_trial_forward(whole, &way) || !ln_trial_forward(sliced, &way))
      return;
    compare(c, "promises.per_sample", "y, in slices of the batch", whole->y,
            sliced->y, whole->n_y, 1e-5);
    if (!ln_trial_has_backward(whole) || !ln_trial_backward(whole, &way) ||
        !ln_trial_backward(sliced, &way))
      continue;
    compare(c, "promises.per_sample", "dx, in slices of the batch", whole->dx,
            sliced->dx, whole->n_x, 1e-5);
    compare(c, "promises.per_sample", "dw, added up over slices", whole->dw,
            sliced->dw, whole->n_w, 1e-4);
  }
}

static void check_per_sample(ln_checking *c, const ln_sample *s, ln_trial *t) {
  ln_trial sliced;
  if (!has(c, LN_PER_SAMPLE)) return;
  for (int64_t items = 1; items <= 2; items++) {
    if (!ln_trial_open(&sliced, c, s, "textbook")) return;
    ln_trial_fill(&sliced, c->seed);
    ln_trial_copy(&sliced, t);
    if (ln_trial_slice(&sliced, items)) check_slices(c, t, &sliced);
    ln_trial_close(&sliced);
  }
}

/* ---- in place; forgets ---- */

static bool same_size(const ln_numbers *a, const ln_numbers *b) {
  return a->count == b->count;
}

static void check_in_place(ln_checking *c, ln_trial *t) {
  const ln_way apart = { 0 }, over = { .in_place = true };
  if (!has(c, LN_IN_PLACE) || !same_size(&t->x[0], &t->y[0])) return;
  if (!ln_trial_forward(t, &apart)) return;
  ln_numbers y = ln_numbers_copy(&t->y[0]);
  if (ln_trial_forward(t, &over))
    compare(c, "promises.in_place", "y, written over x", &y, t->y, 1, 0);
  ln_numbers_free(&y);
  if (!ln_trial_has_backward(t) || !ln_trial_forward(t, &apart) ||
      !ln_trial_backward(t, &apart))
    return;
  ln_numbers dx = ln_numbers_copy(&t->dx[0]);
  if (ln_trial_backward(t, &over))
    compare(c, "promises.in_place", "dx, written over dy", &dx, t->dx, 1, 0);
  ln_numbers_free(&dx);
}

/* The guards report a look at what is withheld. */
static void check_forgets(ln_checking *c, ln_trial *t) {
  const ln_way plain = { 0 }, withhold = { .withhold = true };
  if (!has(c, LN_FORGETS_X | LN_FORGETS_Y) || !ln_trial_has_backward(t)) return;
  if (ln_trial_forward(t, &plain)) ln_trial_backward(t, &withhold);
}

/* ---- random numbers, evaluation ---- */

static bool differ(const ln_numbers *a, const ln_numbers *b, int n) {
  for (int k = 0; k < n; k++)
    if (ln_numbers_differ(&a[k], &b[k]) >= 0) return true;
  return false;
}

/* y at this step, then at another one: do they differ? */
static bool changes_with_step(ln_trial *t, const ln_way *way) {
  ln_numbers y[LN_MOST_TENSORS] = { 0 };
  if (!ln_trial_forward(t, way)) return false;
  for (int k = 0; k < t->n_y; k++) y[k] = ln_numbers_copy(&t->y[k]);
  t->step += 1;
  const bool changed = ln_trial_forward(t, way) && differ(y, t->y, t->n_y);
  t->step -= 1;
  for (int k = 0; k < t->n_y; k++) ln_numbers_free(&y[k]);
  return changed;
}

static void check_random(ln_checking *c, ln_trial *t, bool *drew) {
  const ln_way training = { 0 }, evaluation = { .evaluation = true };
  if (changes_with_step(t, &training)) {
    *drew = true;
    if (!has(c, LN_RANDOM))
      ln_report(c, "promises.random",
                "y changes from step to step, but LN_RANDOM is not declared");
  }
  if (changes_with_step(t, &evaluation))
    ln_report(c, "promises.evaluation",
              "y changes from step to step in evaluation");
  if (ln_trial_forward(t, &evaluation) &&
      differ(t->state, t->after, t->n_state))
    ln_report(c, "promises.evaluation", "evaluation changes the state");
}

/* ---- reshapes; is ---- */

static void check_reshapes(ln_checking *c, ln_trial *t) {
  const ln_way way = { 0 };
  if (!has(c, LN_RESHAPES)) return;
  if (!same_size(&t->x[0], &t->y[0])) {
    ln_report(c, "promises.reshapes", "y has another number of elements");
    return;
  }
  if (ln_trial_forward(t, &way))
    compare(c, "promises.reshapes", "y", t->x, t->y, 1, 0);
  if (ln_trial_has_backward(t) && ln_trial_backward(t, &way))
    compare(c, "promises.reshapes", "dx", t->dy, t->dx, 1, 0);
}

static void check_relu(ln_checking *c, ln_trial *t) {
  const ln_way way = { 0 };
  if (t->x[0].count) t->x[0].at[0] = 0; /* the kink itself */
  if (!ln_trial_forward(t, &way)) return;
  ln_numbers y = ln_numbers_copy(&t->x[0]), dx = ln_numbers_copy(&t->dy[0]);
  for (int64_t i = 0; i < y.count; i++)
    if (y.at[i] <= 0) y.at[i] = dx.at[i] = 0;
  compare(c, "promises.meaning", "y of a relu", &y, t->y, 1, 0);
  if (ln_trial_has_backward(t) && ln_trial_backward(t, &way))
    compare(c, "promises.meaning", "dx of a relu", &dx, t->dx, 1, 0);
  ln_numbers_free(&y);
  ln_numbers_free(&dx);
}

/* What its reduce leaves, applied to x, is y. */
static void check_affine(ln_checking *c, ln_trial *t) {
  const ln_way way = { .evaluation = true };
  const int64_t C = t->x[0].shape.dim[1];
  if (!ln_inference_in_parts(&t->inference)) return;
  if (t->inference.shared < 3 * C * (int64_t)sizeof(float)) {
    ln_report(c, "promises.meaning",
              "it is affine by channel, but has no room for mean[C], scale[C], "
              "shift[C] in %" PRId64
              " bytes of shared memory, with C = %" PRId64,
              t->inference.shared, C);
    return;
  }
  if (!ln_trial_forward(t, &way)) return;
  ln_numbers y = ln_numbers_copy(&t->x[0]);
  ln_numbers_apply_affine(&y, (const float *)(const void *)t->shared);
  compare(c, "promises.meaning", "y of what is affine by channel", &y, t->y, 1,
          1e-6);
  ln_numbers_free(&y);
}

static void check_meaning(ln_checking *c, ln_trial *t) {
  const int32_t is = c->known->layer.is;
  if (is == LN_IS_OPAQUE || !same_size(&t->x[0], &t->y[0])) return;
  if (is == LN_IS_RELU) check_relu(c, t);
  if (is == LN_IS_CHANNEL_AFFINE && t->x[0].shape.rank > 1) check_affine(c, t);
}

void ln_group_promises(ln_checking *c) {
  ln_sample s;
  ln_trial t;
  ln_pieces_relax(true);
  bool drew = false;
  int ran = 0;
  ln_set_num_threads(1);
  const char *method;
  for (int m = 0; (method = ln_trial_method(c, m)); m++)
    for (int i = 0; i < c->samples; i++) {
      if (!ln_trial_draw(&t, c, &s, i, method)) continue;
      ran++;
      if (m == 0) check_per_sample(c, &s, &t);
      ln_trial_describe(&t, method);
      check_in_place(c, &t);
      check_forgets(c, &t);
      check_random(c, &t, &drew);
      check_reshapes(c, &t);
      check_meaning(c, &t);
      ln_trial_close(&t);
    }
  if (ran >= 4 && has(c, LN_RANDOM) && !drew)
    ln_report(c, "promises.random",
              "LN_RANDOM is declared, but y never changes from step to step");
}
