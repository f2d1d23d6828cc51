/* group_shapes.c - infer: any batch, small inputs, huge ones, and the same
 * answer each time. */
#include <math.h>
#include <string.h>

#include "check/trial.h"
#include "check/watch.h"

static ln_status ask(ln_trial *t, const ln_shape *x, ln_inference *r) {
  ln_watch_enter("infer");
  const ln_status s = ln_instance_infer(t->instance, x, t->n_x, 0, r);
  ln_watch_leave();
  return s;
}

static void with_batch(const ln_trial *t, int64_t batch, ln_shape *x) {
  memcpy(x, t->sample->x, sizeof t->sample->x);
  for (int k = 0; k < t->n_x; k++)
    if (x[k].rank) x[k].dim[0] = batch;
}

static bool same_answer(const ln_inference *a, const ln_inference *b) {
  bool same = a->n_y == b->n_y && a->saved == b->saved &&
              a->workspace == b->workspace && a->scratch == b->scratch &&
              a->partial == b->partial && a->shared == b->shared &&
              a->flops == b->flops && a->kernel == b->kernel;
  for (int k = 0; same && k < a->n_y; k++)
    same = ln_shape_equal(&a->y[k], &b->y[k]);
  return same;
}

/* Asked again, and again after another batch. */
static void check_repeat(ln_checking *c, ln_trial *t) {
  ln_shape x[LN_MAX_PORTS];
  ln_inference other = { 0 }, again = { 0 };
  const int64_t before = t->instance->n_parameters;
  if (t->sample->x[0].rank == 0) return;
  with_batch(t, t->sample->x[0].dim[0] + 3, x);
  if (!ask(t, x, &other)) ln_inference_free(&other);
  if (ask(t, t->sample->x, &again)) {
    ln_report(c, "shapes.repeat", "the shapes accepted before are refused: %s",
              ln_error());
    return;
  }
  if (!same_answer(&t->inference, &again))
    ln_report(c, "shapes.repeat",
              "infer answers otherwise after another batch");
  if (t->instance->n_parameters != before)
    ln_report(c, "shapes.parameters", "another batch changes the weights");
  ln_inference_free(&again);
}

static bool follows_batch(const ln_trial *t) {
  const ln_shape *x = &t->sample->x[0], *y = &t->inference.y[0];
  return x->rank > 0 && y->rank > 0 && x->dim[0] == y->dim[0];
}

static void check_y_batch(ln_checking *c, const ln_trial *t, int64_t batch,
                          const ln_inference *r) {
  char text[200];
  for (int k = 0; k < r->n_y; k++)
    if (follows_batch(t) && r->y[k].rank && r->y[k].dim[0] != batch)
      ln_report(c, "shapes.batch", "a batch of %" PRId64 " gives y of shape %s",
                batch, ln_shape_text(&r->y[k], text));
}

static void run_batch(ln_checking *c, const ln_trial *t, int64_t batch) {
  ln_sample s;
  ln_trial other;
  memcpy(&s, t->sample, sizeof s); /* its options still point to the first */
  with_batch(t, batch, s.x);
  if (!ln_trial_open(&other, c, &s, NULL)) return;
  ln_trial_fill(&other, c->seed);
  const ln_way way = { .fill = 0x42424242 };
  if (ln_trial_forward(&other, &way) && ln_trial_has_backward(&other))
    ln_trial_backward(&other, &way);
  for (int k = 0; batch == 0 && !other.refused && k < other.n_w; k++)
    for (int64_t i = 0; ln_trial_has_backward(&other) && i < other.dw[k].count;
         i++)
      if (other.dw[k].at[i] != 0) {
        ln_report_values(c, "shapes.batch", 0, (double)other.dw[k].at[i],
                         "batch 0 gives the weight %s a gradient",
                         ln_instance_weight(other.instance, k)->name);
        break;
      }
  ln_trial_close(&other);
}

static void check_batches(ln_checking *c, ln_trial *t) {
  static const int64_t batches[] = { 0, 1, 5 };
  for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
    ln_shape x[LN_MAX_PORTS];
    ln_inference r = { 0 };
    with_batch(t, batches[i], x);
    if (ask(t, x, &r)) {
      if (batches[i] == 5)
        ln_report(c, "shapes.batch", "a batch of 5 is refused: %s", ln_error());
      continue;
    }
    check_y_batch(c, t, batches[i], &r);
    ln_inference_free(&r);
    run_batch(c, t, batches[i]);
  }
}

/* What the line of outputs tells of y, infer must not change. */
static void check_line(ln_checking *c, ln_trial *t) {
  const ln_signature *out = &c->known->outputs;
  char expected[200], got[200];
  ln_bindings b;
  if (ln_signature_match(&c->known->inputs, t->sample->x, t->n_x,
                         t->instance->self, &b))
    return;
  for (int k = 0; k < t->n_y; k++) {
    ln_shape y;
    ln_signature_output(out, k, t->instance->self, &b, &y);
    const ln_shape *own = &t->inference.y[k];
    bool same = y.rank < 0 || y.rank == own->rank;
    for (int d = 0; same && d < y.rank; d++)
      same = y.dim[d] < 0 || y.dim[d] == own->dim[d];
    if (!same)
      ln_report(c,
                own->rank && own->dim[0] != y.dim[0] ? "shapes.batch"
                                                     : "shapes.output",
                "y is %s, but outputs tell %s (-1: open)",
                ln_shape_text(own, got), ln_shape_text(&y, expected));
  }
}

/* ---- small and large ---- */

static void check_small(ln_checking *c, ln_trial *t) {
  ln_shape x[LN_MAX_PORTS];
  ln_inference r = { 0 };
  const ln_shape *of = &t->sample->x[0];
  for (int32_t d = 1; d < of->rank; d++)
    for (int64_t size = 0; size <= 2; size++) {
      memcpy(x, t->sample->x, sizeof x);
      for (int k = 0; k < t->n_x; k++)
        if (x[k].rank == of->rank) x[k].dim[d] = size;
      if (ask(t, x, &r)) {
        const char *e = ln_error();
        if (strstr(e, "left no sentence") || strstr(e, "the layer left "))
          ln_report(c, "shapes.small", "dim %d of x is %" PRId64 ": %s", d + 1,
                    size, e);
      } else {
        ln_inference_free(&r);
      }
    }
}

/* One dim so large that a 32-bit product overflows. Nothing is computed. */
static void check_large(ln_checking *c, ln_trial *t) {
  ln_shape x[LN_MAX_PORTS];
  ln_inference r = { 0 };
  const double small = t->inference.flops;
  const ln_shape *of = &t->sample->x[0];
  if (of->rank < 1 || of->dim[0] < 1) return;
  const int64_t times = (int64_t)1 << 30;
  with_batch(t, of->dim[0] * times, x);
  if (ask(t, x, &r)) {
    if (strstr(ln_error(), "a negative number") ||
        strstr(ln_error(), "the layer left "))
      ln_report(c, "shapes.large", "a batch of %" PRId64 ": %s",
                of->dim[0] * times, ln_error());
    return;
  }
  const ln_shape *y = &r.y[0], *y0 = &t->inference.y[0];
  int64_t count, count0;
  if (follows_batch(t) && !ln_shape_count(y, &count) &&
      !ln_shape_count(y0, &count0) && count != count0 * times)
    ln_report_values(c, "shapes.large", (double)count0 * (double)times,
                     (double)count, "y of a huge batch has a wrong size");
  if (small > 0 && fabs(r.flops / (small * (double)times) - 1) > 0.5 &&
      r.flops < small * 1e6)
    ln_report_values(c, "shapes.large", small * (double)times, r.flops,
                     "flops of a huge batch");
  if (r.saved < t->inference.saved && r.kernel == t->inference.kernel)
    ln_report_values(c, "shapes.large", (double)t->inference.saved,
                     (double)r.saved, "the saved memory of a huge batch");
  if (r.workspace < t->inference.workspace && r.kernel == t->inference.kernel)
    ln_report_values(c, "shapes.large", (double)t->inference.workspace,
                     (double)r.workspace, "the workspace of a huge batch");
  ln_inference_free(&r);
}

void ln_group_shapes(ln_checking *c) {
  ln_sample s;
  ln_trial t;
  for (int i = 0; i < c->samples; i++) {
    if (!ln_trial_draw(&t, c, &s, i, i % 2 ? "textbook" : NULL)) continue;
    check_line(c, &t);
    check_repeat(c, &t);
    check_batches(c, &t);
    check_small(c, &t);
    check_large(c, &t);
    ln_trial_close(&t);
  }
}
