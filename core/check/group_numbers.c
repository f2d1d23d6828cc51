/* group_numbers.c - is backward the derivative of forward?
 *
 * A loss is the sum of y times random numbers u, so dy = u. For a small step h
 * along a direction v, (L(x + h v) - L(x - h v)) / 2h must be the sum of dx
 * times v. Everything is float32, so a difference counts only where three steps
 * of different size agree with each other and not with dx: what kinks and
 * rounding do to one, they do not do to all. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/threads.h"
#include "check/pieces.h"
#include "check/trial.h"

typedef struct slope {
  double value, noise;
} slope;

/* The terms of the difference, so that what does not change cancels. Even
 * then half a unit in its last place may have been lost. */
static slope difference(const ln_trial *t, const ln_numbers *above, double h) {
  double sum = 0, noise = 0;
  for (int k = 0; k < t->n_y; k++)
    for (int64_t i = 0; i < t->y[k].count; i++) {
      const double up = above[k].at[i], down = t->y[k].at[i];
      const double u = t->dy[k].at[i];
      const double largest = fabs(up) > fabs(down) ? fabs(up) : fabs(down);
      const double unsure = (up == down ? 6e-8 : 1e-6) * largest * u;
      sum += (up - down) * u;
      noise += unsure * unsure;
    }
  return (slope){ sum / (2 * h), sqrt(noise) / (2 * h) };
}

static void move(ln_numbers *n, const float *from, const double *along,
                 double h) {
  for (int64_t i = 0; i < n->count; i++)
    n->at[i] = (float)((double)from[i] + h * along[i]);
}

/* A gradient that is put to the test. */
typedef struct question {
  ln_trial *trial;
  const ln_way *way;
  ln_numbers *numbers; /* that forward reads */
  const ln_numbers *gradient;
  double h;
  const char *check, *what;
} question;

static bool slope_along(const question *q, const double *along, double h,
                        slope *out) {
  ln_trial *t = q->trial;
  ln_numbers start = ln_numbers_copy(q->numbers);
  ln_numbers above[LN_MOST_TENSORS] = { 0 };
  move(q->numbers, start.at, along, h);
  bool good = ln_trial_forward(t, q->way);
  for (int k = 0; k < t->n_y; k++) above[k] = ln_numbers_copy(&t->y[k]);
  move(q->numbers, start.at, along, -h);
  good = good && ln_trial_forward(t, q->way);
  if (good) *out = difference(t, above, h);
  move(q->numbers, start.at, along, 0);
  for (int k = 0; k < t->n_y; k++) ln_numbers_free(&above[k]);
  ln_numbers_free(&start);
  return good && isfinite(out->value);
}

static double analytic(const ln_numbers *gradient, const double *along,
                       double *size) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < gradient->count; i++) {
    const double term = along[i] != 0 ? gradient->at[i] * along[i] : 0;
    sum += term;
    squares += term * term;
  }
  *size = sqrt(squares);
  return sum;
}

/* Do smaller steps come to another value, or drown in rounding? Then nothing
 * can be said. */
static bool is_doubtful(const question *q, const double *along, double got,
                        const slope *fine, double doubt) {
  slope finest;
  if (!slope_along(q, along, q->h / 8, &finest)) return true;
  if (!isfinite(got)) return false;
  const double unsure = doubt + fabs(finest.value - fine->value);
  return unsure + 4 * finest.noise > 0.2 * fabs(got - finest.value);
}

/* Roundings of all elements that move come together. */
static double floor_of(const question *q, int64_t element) {
  const double one = ln_trial_gradient_floor(q->trial, q->gradient);
  return element >= 0 ? one : one * sqrt((double)q->gradient->count);
}

/* Along one direction; `element`: the only one that moves, -1: all do. */
static void compare(const question *q, const double *along, int64_t element) {
  slope coarse, fine;
  double size;
  const double got = analytic(q->gradient, along, &size);
  if (!slope_along(q, along, q->h, &coarse) ||
      !slope_along(q, along, q->h / 2, &fine))
    return;
  const double doubt = fabs(coarse.value - fine.value);
  const double allowed = 3e-3 * fmax(fabs(fine.value), size) + 4 * doubt +
                         4 * (coarse.noise + fine.noise) + 1e-6 +
                         floor_of(q, element);
  if (fabs(got - fine.value) <= allowed ||
      is_doubtful(q, along, got, &fine, doubt))
    return;
  if (element >= 0)
    ln_report_values(q->trial->checking, q->check, fine.value, got,
                     "element %" PRId64 " (from 0) of the gradient of %s%s",
                     element, q->what,
                     q->way->evaluation ? ", in evaluation" : "");
  else
    ln_report_values(q->trial->checking, q->check, fine.value, got,
                     "the gradient of %s along a random direction%s", q->what,
                     q->way->evaluation ? ", in evaluation" : "");
}

static void check_gradient(const question *q, ln_dice *d) {
  enum { ELEMENTS = 6, DIRECTIONS = 2 };
  const int64_t count = q->numbers->count;
  double *along = calloc((size_t)count + 1, sizeof *along);
  for (int i = 0; count && i < ELEMENTS; i++) {
    const int64_t e =
        count <= ELEMENTS ? i % count : ln_dice_between(d, 0, count - 1);
    along[e] = 1;
    compare(q, along, e);
    along[e] = 0;
  }
  for (int i = 0; count && i < DIRECTIONS; i++) {
    for (int64_t e = 0; e < count; e++)
      along[e] = ln_dice_between(d, 0, 1) ? 1 : -1;
    compare(q, along, -1);
  }
  free(along);
}

static double step_of(const ln_trial *t, const ln_numbers *n) {
  if (!(t->checking->known->layer.traits & LN_NONSMOOTH)) return 1e-2;
  return ln_trial_gap(n->count) / 4.5;
}

static void check_gradients(ln_trial *t, uint64_t seed, bool training) {
  const ln_way way = { .fill = 0x3F9DF3B6, .evaluation = !training };
  ln_dice d = { seed };
  if (!ln_trial_forward(t, &way) || !ln_trial_backward(t, &way)) return;
  for (int k = 0; k < t->n_x; k++) {
    const question q = { t,
                         &way,
                         &t->x[k],
                         &t->dx[k],
                         step_of(t, &t->x[k]),
                         "numbers.gradient",
                         k ? "a later x" : "x" };
    if (ln_trial_gives_dx(t, k)) check_gradient(&q, &d);
  }
  for (int k = 0; k < t->n_w; k++) {
    const question q = { t,
                         &way,
                         &t->w[k],
                         &t->dw[k],
                         1e-2,
                         "numbers.weights",
                         ln_instance_weight(t->instance, k)->name };
    check_gradient(&q, &d);
  }
}

/* ---- linear layers ---- */

/* <J v, u> by two forwards, which for a linear layer needs no small step. */
static void check_adjoint(ln_checking *c, ln_trial *t, uint64_t seed) {
  const ln_way way = { 0 };
  ln_numbers at_x[LN_MOST_TENSORS] = { 0 };
  ln_dice d = { seed + 1 };
  double forward = 0, backward = 0, size = 0;
  if (!(c->known->layer.traits & LN_LINEAR)) return;
  if (!ln_trial_forward(t, &way) || !ln_trial_backward(t, &way)) return;
  for (int k = 0; k < t->n_y; k++) at_x[k] = ln_numbers_copy(&t->y[k]);
  for (int k = 0; k < t->n_x; k++)
    for (int64_t i = 0; i < t->x[k].count; i++) {
      const float from = t->x[k].at[i];
      t->x[k].at[i] += (float)(8 * ln_dice_normal(&d));
      const double v = (double)t->x[k].at[i] - from;
      backward += v * t->dx[k].at[i];
      size += v * v * t->dx[k].at[i] * t->dx[k].at[i];
    }
  if (ln_trial_forward(t, &way))
    for (int k = 0; k < t->n_y; k++)
      for (int64_t i = 0; i < t->y[k].count; i++) {
        const double term =
            ((double)t->y[k].at[i] - at_x[k].at[i]) * t->dy[k].at[i];
        forward += term;
        size += term * term;
      }
  if (!(fabs(forward - backward) <= 2e-5 * sqrt(size) + 1e-6))
    ln_report_values(c, "numbers.linear", forward, backward,
                     "<J v, u> and <v, J' u> differ");
  for (int k = 0; k < t->n_y; k++) ln_numbers_free(&at_x[k]);
}

/* ---- which gradients are wanted; twice ---- */

static void same_gradients(ln_checking *c, const char *check, const char *what,
                           const ln_numbers *a, const ln_numbers *b, int n) {
  for (int k = 0; k < n; k++)
    if (ln_numbers_differ(&a[k], &b[k]) >= 0) {
      const int64_t i = ln_numbers_differ(&a[k], &b[k]);
      ln_report_values(c, check, (double)a[k].at[i], (double)b[k].at[i], "%s",
                       what);
    }
}

static void check_wanted(ln_checking *c, ln_trial *t) {
  const ln_way all = { 0 }, no_dw = { .without_dw = true },
               no_dx = { .without_dx = true };
  ln_numbers dx[LN_MOST_TENSORS] = { 0 }, dw[LN_MOST_TENSORS] = { 0 };
  if (!ln_trial_forward(t, &all) || !ln_trial_backward(t, &all)) return;
  for (int k = 0; k < t->n_x; k++) dx[k] = ln_numbers_copy(&t->dx[k]);
  for (int k = 0; k < t->n_w; k++) dw[k] = ln_numbers_copy(&t->dw[k]);
  if (ln_trial_backward(t, &all)) {
    same_gradients(c, "numbers.again", "dx of a second backward", dx, t->dx,
                   t->n_x);
    same_gradients(c, "numbers.again", "dw of a second backward", dw, t->dw,
                   t->n_w);
  }
  if (t->n_w && ln_trial_backward(t, &no_dw))
    same_gradients(c, "numbers.wanted", "dx where no dw is wanted", dx, t->dx,
                   t->n_x);
  if (t->n_w && ln_trial_backward(t, &no_dx))
    same_gradients(c, "numbers.wanted", "dw where no dx is wanted", dw, t->dw,
                   t->n_w);
  for (int k = 0; k < LN_MOST_TENSORS; k++) {
    ln_numbers_free(&dx[k]);
    ln_numbers_free(&dw[k]);
  }
}

/* ---- special numbers ---- */

static bool has_nan(const ln_numbers *n) {
  for (int64_t i = 0; i < n->count; i++)
    if (isnan(n->at[i])) return true;
  return false;
}

static bool results_have_nan(const ln_trial *t, bool backward) {
  bool found = false;
  for (int k = 0; k < t->n_y; k++) found = found || has_nan(&t->y[k]);
  for (int k = 0; backward && k < t->n_x; k++)
    found = found || (ln_trial_gives_dx(t, k) && has_nan(&t->dx[k]));
  for (int k = 0; backward && k < t->n_w; k++)
    found = found || has_nan(&t->dw[k]);
  return found;
}

static int n_free_inputs(const ln_trial *t) {
  const bool loss = t->checking->known->layer.kind == LN_LOSS;
  return loss ? t->n_x - 1 : t->n_x;
}

static float special(int kind, int64_t i) {
  static const float big[] = { 1000, -1000, 700, -3, 0 };
  switch (kind) {
  case 0: return 0;
  case 1: return 1;
  case 2: return 1e-30f;
  default: return big[i % 5];
  }
}

static void check_finite(ln_checking *c, ln_trial *t) {
  static const char *const names[] = { "zeros", "ones", "1e-30",
                                       "numbers up to 1000" };
  const ln_way way = { 0 };
  ln_numbers keep[LN_MOST_TENSORS] = { 0 };
  for (int k = 0; k < t->n_x; k++) keep[k] = ln_numbers_copy(&t->x[k]);
  for (int kind = 0; kind < 4; kind++) {
    for (int k = 0; k < n_free_inputs(t); k++)
      for (int64_t i = 0; i < t->x[k].count; i++)
        t->x[k].at[i] = special(kind, i);
    if (!ln_trial_forward(t, &way)) continue;
    const bool back = ln_trial_has_backward(t) && ln_trial_backward(t, &way);
    if (results_have_nan(t, back))
      ln_report(c, "numbers.finite", "%s in x give a NaN in %s", names[kind],
                results_have_nan(t, false) ? "y" : "a gradient");
  }
  for (int k = 0; k < t->n_x; k++) {
    memcpy(t->x[k].at, keep[k].at, (size_t)t->x[k].count * sizeof(float));
    ln_numbers_free(&keep[k]);
  }
}

/* Only where some y moves with the element: others may be left unread. */
static void check_nan(ln_checking *c, ln_trial *t, uint64_t seed) {
  const ln_way way = { .evaluation = true };
  ln_dice d = { seed + 2 };
  if (!n_free_inputs(t) || !t->x[0].count) return;
  for (int tries = 0; tries < 4; tries++) {
    const int64_t e = ln_dice_between(&d, 0, t->x[0].count - 1);
    const float before = t->x[0].at[e];
    t->x[0].at[e] = 3;
    bool moves = false;
    ln_numbers y = { 0 };
    if (ln_trial_forward(t, &way)) y = ln_numbers_copy(&t->y[0]);
    t->x[0].at[e] = 4;
    if (y.at && ln_trial_forward(t, &way))
      moves = ln_numbers_differ(&y, &t->y[0]) >= 0;
    t->x[0].at[e] = NAN;
    if (moves && ln_trial_forward(t, &way) && !results_have_nan(t, false))
      ln_report(c, "numbers.nan",
                "element %" PRId64 " (from 0) of x is NaN, and no y is", e);
    t->x[0].at[e] = before;
    ln_numbers_free(&y);
  }
}

void ln_group_numbers(ln_checking *c) {
  ln_sample s;
  ln_trial t;
  ln_pieces_relax(true);
  const char *method;
  ln_set_num_threads(1);
  for (int m = 0; (method = ln_trial_method(c, m)); m++)
    for (int i = 0; i < 3 * c->samples; i++) {
      if (!ln_trial_draw(&t, c, &s, i, method)) continue;
      const uint64_t seed = c->seed * 31u + (uint64_t)i;
      if (ln_trial_has_backward(&t)) {
        check_gradients(&t, seed, i % 3 != 2);
        check_adjoint(c, &t, seed);
        ln_trial_fill(&t, seed);
        check_wanted(c, &t);
      }
      check_finite(c, &t);
      check_nan(c, &t, seed);
      ln_trial_close(&t);
    }
}
