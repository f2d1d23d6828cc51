/* group_cost.c - the cost that infer declares: does it grow with the batch,
 * and does it fit the number of products that a linear layer computes? */
#include <math.h>
#include <string.h>

#include "base/threads.h"
#include "check/pieces.h"
#include "check/trial.h"
#include "check/watch.h"

static bool flops_of_batch(ln_trial *t, int64_t batch, double *forward,
                           double *backward) {
  ln_shape x[LN_MAX_PORTS];
  ln_inference r = { 0 };
  memcpy(x, t->sample->x, sizeof x);
  for (int k = 0; k < t->n_x; k++)
    if (x[k].rank) x[k].dim[0] = batch;
  ln_watch_enter("infer");
  const ln_status s = ln_instance_infer(t->instance, x, t->n_x, 0, &r);
  ln_watch_leave();
  if (s) return false;
  *forward = r.flops;
  *backward = r.flops_backward;
  ln_inference_free(&r);
  return true;
}

static void check_scaling(ln_checking *c, ln_trial *t) {
  double f4, b4, f8, b8;
  if (t->sample->x[0].rank < 2) return;
  if (!flops_of_batch(t, 4, &f4, &b4) || !flops_of_batch(t, 8, &f8, &b8))
    return;
  if (!(f4 >= 0) || !isfinite(f4) || !(b4 >= 0))
    ln_report(c, "cost.flops", "flops are %g forward, %g backward", f4, b4);
  const bool exact = (c->known->layer.traits & LN_LINEAR) && t->n_w;
  if (exact && f4 > 100 && (b4 < 1.5 * f4 || b4 > 8 * f4))
    ln_report_values(c, "cost.flops", 2 * f4, b4,
                     "flops_backward, where forward has %g", f4);
  if (f4 > 0 && fabs(f8 / f4 - 2) > 0.5)
    ln_report_values(c, "cost.flops", 2 * f4, f8,
                     "flops of a batch of 8, after %g for 4", f4);
  if (b4 > 8 && fabs(b8 / b4 - 2) > 0.5)
    ln_report_values(c, "cost.flops", 2 * b4, b8,
                     "flops_backward of a batch of 8, after %g for 4", b4);
}

/* How many elements of y change with element e of x. */
static int64_t reach_of(ln_trial *t, const ln_numbers *y, int64_t e) {
  const ln_way way = { .evaluation = true };
  int64_t n = 0;
  const float before = t->x[0].at[e];
  t->x[0].at[e] = before + 8;
  if (ln_trial_forward(t, &way))
    for (int64_t i = 0; i < y->count; i++) n += y->at[i] != t->y[0].at[i];
  t->x[0].at[e] = before;
  return n;
}

/* The products of a linear layer: over all x, how many y each one reaches.
 * Counted for the first item of the batch. */
static double count_products(ln_trial *t) {
  const ln_way way = { .evaluation = true };
  const int64_t items = t->x[0].shape.dim[0];
  double n = 0;
  if (!items || !ln_trial_forward(t, &way)) return 0;
  ln_numbers y = ln_numbers_copy(&t->y[0]);
  for (int64_t e = 0; e < t->x[0].count / items; e++)
    n += (double)reach_of(t, &y, e);
  ln_numbers_free(&y);
  return n * (double)items;
}

/* Zeros around an image are multiplied, too, and not counted. */
static bool has_zeros_around(const ln_trial *t) {
  const int dims = t->inference.window_dims;
  const ln_shape *x = &t->x[0].shape, *y = &t->y[0].shape;
  for (int a = 0; a < dims; a++) {
    const ln_axis *w = &t->inference.window[a];
    const int64_t last = (y->dim[y->rank - dims + a] - 1) * w->stride +
                         w->dilation * (w->kernel - 1) - w->pad_before;
    if (w->pad_before || last >= x->dim[x->rank - dims + a]) return true;
  }
  return false;
}

/* A linear layer with weights multiplies and adds for each product; others
 * share sums, and functions such as exp cost more. */
static void check_products(ln_checking *c, ln_trial *t) {
  const bool linear = (c->known->layer.traits & LN_LINEAR) != 0;
  const bool exact = linear && t->n_w > 0;
  const int64_t items = t->x[0].shape.dim[0];
  const double flops = t->inference.flops;
  if (t->n_x != 1 || !items || t->x[0].count / items > 400) return;
  if (flops == 0 && exact)
    ln_remark(c, "cost.flops", "infer declares no flops");
  if (flops == 0 || has_zeros_around(t)) return;
  const double products = count_products(t);
  const double low =
      exact ? 1.4 * products
            : 0.3 * fmin((double)t->x[0].count, (double)t->y[0].count);
  const bool tight =
      exact && (t->inference.window_dims || t->x[0].shape.rank == 2);
  const double high = (tight ? 5 : linear ? 60 : 300) * products;
  if (products <= 0) return;
  if (flops < low || flops > high)
    ln_report_values(c, "cost.flops", 2 * products, flops,
                     "flops, where x reaches y over %g products (a "
                     "multiply-add counts as 2)",
                     products);
}

/* ---- the window ---- */

/* Does y look at x where the window says, and everywhere there? An element of x
 * must reach all outputs whose window covers it, and no others, along each
 * axis. */
enum { MOST_PLACES = 512, MOST_AXES = 3 };

typedef struct reach {
  int axes;
  int64_t from[MOST_AXES], outputs[MOST_AXES]; /* place in x; places of y */
  bool touched[MOST_AXES][MOST_PLACES];
} reach;

static bool covers(const ln_axis *a, int64_t out, int64_t at) {
  const int64_t from = at + a->pad_before - out * a->stride;
  return from >= 0 && from % a->dilation == 0 && from / a->dilation < a->kernel;
}

/* Where x[e] lies, and how many places y has. false: too many. */
static bool locate(const ln_trial *t, int64_t e, reach *r) {
  const ln_shape *x = &t->x[0].shape, *y = &t->y[0].shape;
  *r = (reach){ .axes = t->inference.window_dims };
  for (int a = r->axes - 1; a >= 0; a--) {
    const int64_t size = x->dim[x->rank - r->axes + a];
    r->from[a] = e % size;
    e /= size;
    r->outputs[a] = y->dim[y->rank - r->axes + a];
    if (r->outputs[a] > MOST_PLACES) return false;
  }
  return true;
}

/* Notes which places of y differ from before. */
static void note_changes(const ln_trial *t, const ln_numbers *before,
                         reach *r) {
  for (int64_t i = 0; i < before->count; i++) {
    if (before->at[i] == t->y[0].at[i]) continue;
    int64_t rest = i;
    for (int a = r->axes - 1; a >= 0; a--) {
      r->touched[a][rest % r->outputs[a]] = true;
      rest /= r->outputs[a];
    }
  }
}

/* Along every axis some window covers the element. */
static bool is_covered(const ln_trial *t, const reach *r) {
  for (int a = 0; a < r->axes; a++) {
    bool found = false;
    for (int64_t o = 0; o < r->outputs[a]; o++)
      found = found || covers(&t->inference.window[a], o, r->from[a]);
    if (!found) return false;
  }
  return true;
}

static void check_reach(ln_checking *c, const ln_trial *t, const reach *r) {
  const bool covered = is_covered(t, r);
  for (int a = 0; a < r->axes; a++)
    for (int64_t o = 0; o < r->outputs[a]; o++) {
      const bool wanted =
          covered && covers(&t->inference.window[a], o, r->from[a]);
      if (r->touched[a][o] != wanted)
        ln_report(c, "cost.window",
                  "y at place %" PRId64 " (from 0) of dim %d from the end %s "
                  "x at %" PRId64 ", which its window %s",
                  o, r->axes - a, wanted ? "does not read" : "reads",
                  r->from[a], wanted ? "covers" : "does not cover");
    }
}

/* Moved up and down, so that no maximum and no bend hides it. */
static void check_element(ln_checking *c, ln_trial *t, const ln_numbers *y,
                          int64_t e) {
  const ln_way way = { .evaluation = true };
  const float before = t->x[0].at[e];
  reach r;
  if (!locate(t, e, &r)) return;
  for (int sign = -1; sign <= 1; sign += 2) {
    t->x[0].at[e] = (float)sign * 50;
    if (ln_trial_forward(t, &way)) note_changes(t, y, &r);
  }
  t->x[0].at[e] = before;
  check_reach(c, t, &r);
}

static void check_window(ln_checking *c, ln_trial *t, uint64_t seed) {
  enum { ELEMENTS = 8 };
  const ln_way way = { .evaluation = true };
  ln_dice d = { seed };
  if (!t->inference.window_dims || !t->x[0].count || !t->y[0].count ||
      !ln_trial_forward(t, &way))
    return;
  ln_numbers y = ln_numbers_copy(&t->y[0]);
  for (int i = 0; i < ELEMENTS; i++)
    check_element(c, t, &y, ln_dice_between(&d, 0, t->x[0].count - 1));
  ln_numbers_free(&y);
}

void ln_group_cost(ln_checking *c) {
  ln_sample s;
  ln_trial t;
  ln_pieces_relax(true);
  ln_set_num_threads(1);
  for (int i = 0; i < 3 * c->samples; i++) {
    if (!ln_trial_draw(&t, c, &s, i, "textbook")) continue;
    check_scaling(c, &t);
    if (i < c->samples) check_products(c, &t);
    check_window(c, &t, c->seed + (uint64_t)i);
    ln_trial_close(&t);
  }
}
