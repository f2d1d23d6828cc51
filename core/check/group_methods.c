/* group_methods.c - every method against the textbook, passes in parts and
 * slices against the whole, an activation or batch norm in passing against one
 * after, and the instructions of a row against its label. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "check/pieces.h"
#include "check/stepping.h"
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

/* ---- a ReLU in passing ---- */

static void relu(ln_numbers *n) {
  for (int64_t i = 0; i < n->count; i++)
    if (n->at[i] <= 0) n->at[i] = 0;
}

/* Backward is to be as if there had been no ReLU. */
static void check_backward(ln_checking *c, ln_trial *own, const ln_way *plain,
                           const ln_way *passing) {
  ln_numbers dx[LN_MOST_TENSORS] = { 0 };
  if (!ln_trial_has_backward(own) || !ln_trial_backward(own, plain)) return;
  for (int k = 0; k < own->n_x; k++) dx[k] = ln_numbers_copy(&own->dx[k]);
  if (ln_trial_forward(own, passing) && ln_trial_backward(own, plain))
    for (int k = 0; k < own->n_x; k++)
      compare(c, "methods.activation", "dx after a relu in passing", &dx[k],
              &own->dx[k], 0);
  for (int k = 0; k < own->n_x; k++) ln_numbers_free(&dx[k]);
}

static void check_relu(ln_checking *c, ln_trial *own, bool training) {
  const ln_way plain = { .evaluation = !training };
  const ln_way passing = { .activation = LN_IS_RELU, .evaluation = !training };
  if (!ln_trial_forward(own, &plain)) return;
  ln_numbers y = ln_numbers_copy(&own->y[0]);
  relu(&y);
  if (ln_trial_forward(own, &passing))
    compare(c, "methods.activation", "y with a relu in passing", &y, own->y, 0);
  ln_numbers_free(&y);
  if (ln_trial_forward(own, &plain)) check_backward(c, own, &plain, &passing);
}

/* The ReLU of a NaN is a NaN. */
static void check_relu_of_nan(ln_checking *c, ln_trial *own) {
  if (!own->x[0].count) return;
  const float before = own->x[0].at[0];
  own->x[0].at[0] = NAN;
  check_relu(c, own, true);
  own->x[0].at[0] = before;
}

/* ---- a batch norm of evaluation in passing ---- */

/* Other numbers for each channel; mean[C], scale[C], shift[C]. */
static float *new_affine(int64_t C) {
  float *affine = ln_alloc((size_t)(3 * C + 1) * sizeof *affine);
  for (int64_t i = 0; affine && i < 3 * C; i++)
    affine[i] = 0.25f * (float)(i * 7 % 11) - 1;
  return affine;
}

static void check_affine(ln_checking *c, ln_trial *own, int32_t activation) {
  const ln_way plain = { .evaluation = true };
  ln_way passing = { .evaluation = true, .activation = activation };
  float *affine = new_affine(own->y[0].shape.dim[1]);
  passing.affine = affine;
  if (affine && ln_trial_forward(own, &plain)) {
    ln_numbers y = ln_numbers_copy(&own->y[0]);
    ln_numbers_apply_affine(&y, affine);
    if (activation == LN_IS_RELU) relu(&y);
    if (ln_trial_forward(own, &passing))
      compare(c, "methods.activation", "y with a batch norm in passing", &y,
              own->y, TOLERANCE);
    ln_numbers_free(&y);
  }
  ln_free(affine);
}

static bool accepts(const ln_trial *own, int32_t is) {
  const ln_kernel *k = own->inference.kernel;
  return k && (k->activations & LN_ACCEPTS(is));
}

static void check_activation(ln_checking *c, ln_trial *own) {
  if (accepts(own, LN_IS_RELU)) {
    check_relu(c, own, true);
    check_relu(c, own, false);
    check_relu_of_nan(c, own);
  }
  if (accepts(own, LN_IS_CHANNEL_AFFINE) && own->y[0].shape.rank > 1 &&
      !ln_inference_in_parts(&own->inference)) {
    check_affine(c, own, LN_IS_OPAQUE);
    if (accepts(own, LN_IS_RELU)) check_affine(c, own, LN_IS_RELU);
  }
}

/* ---- instruction sets ---- */

/* What a row may need: rows for AVX-512 may use all below it, too. */
static uint64_t allowed(uint64_t isa) {
  return isa & LN_CPU_AVX512 ? isa | LN_CPU_AVX2_FMA : isa;
}

static const char *set_of(uint64_t bits) {
  return bits & LN_CPU_AVX512 ? "AVX-512" : "AVX";
}

static void check_isa(ln_checking *c, ln_trial *own) {
  const ln_way way = { .step_by_step = true };
  const ln_kernel *k = own->inference.kernel;
  const uint64_t label = k ? k->isa : 0;
  const uint64_t all = LN_CPU_AVX512 | LN_CPU_AVX2_FMA;
  if ((allowed(label) & all) == all) return; /* nothing is beyond it */
  if (!ln_steps_watch(c->known->library->handle)) return;
  if (ln_trial_forward(own, &way) && ln_trial_has_backward(own))
    ln_trial_backward(own, &way);
  const uint64_t beyond = ln_steps_needed() & ~allowed(label);
  if (beyond && k)
    ln_report(c, "methods.isa", "it needs %s, its isa is 0x%" PRIx64,
              set_of(beyond), label);
  else if (beyond)
    ln_remark(c, "methods.isa", "the textbook runs on processors with %s only",
              set_of(beyond));
}

/* ---- all ---- */

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
  for (int64_t items = 1; items <= 3; items++)
    if (ln_trial_slice(own, items)) {
      compare_run(c, parts ? "methods.parts" : "methods.per_sample", &book,
                  own);
      check_activation(c, own);
    }
  ln_trial_close(&book);
}

void ln_group_methods(ln_checking *c) {
  ln_sample s;
  ln_trial t;
  ln_pieces_relax(true);
  const char *method;
  ln_set_num_threads(1);
  for (int m = 0; (method = ln_trial_method(c, m)); m++)
    for (int i = 0; i < 2 * c->samples; i++) {
      if (!ln_trial_draw(&t, c, &s, i, method)) continue;
      if (i == 0) check_isa(c, &t);
      if (t.inference.kernel)
        check_sample(c, &s, &t, method, c->seed * 17u + (uint64_t)i);
      ln_trial_close(&t);
    }
}
