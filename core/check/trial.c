/* trial.c - making a trial, and comparing its numbers; see trial.h. The
 * passes are in pass.c. */
#include "check/trial.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "check/pieces.h"
#include "check/watch.h"
#include "tensor/tensor.h"

/* ---- numbers ---- */

static ln_numbers new_numbers(const ln_shape *shape) {
  ln_numbers n = { .shape = *shape, .count = ln_count(shape) };
  n.at = calloc((size_t)n.count + 1, sizeof(float));
  return n;
}

ln_numbers ln_numbers_copy(const ln_numbers *from) {
  ln_numbers n = new_numbers(&from->shape);
  memcpy(n.at, from->at, (size_t)n.count * sizeof(float));
  return n;
}

void ln_numbers_apply_affine(ln_numbers *n, const float *affine) {
  const int64_t N = n->shape.dim[0], C = n->shape.dim[1];
  const int64_t plane = n->count ? n->count / N / C : 0;
  for (int64_t i = 0; i < n->count; i++) {
    const float *of = affine + i / plane % C;
    n->at[i] = (n->at[i] - of[0]) * of[C] + of[2 * C];
  }
}

void ln_numbers_free(ln_numbers *n) {
  free(n->at);
  *n = (ln_numbers){ 0 };
}

int64_t ln_numbers_differ(const ln_numbers *a, const ln_numbers *b) {
  for (int64_t i = 0; i < a->count; i++)
    if (memcmp(&a->at[i], &b->at[i], sizeof(float))) return i;
  return -1;
}

static double root_mean_square(const ln_numbers *n) {
  double sum = 0;
  for (int64_t i = 0; i < n->count; i++)
    if (isfinite(n->at[i])) sum += (double)n->at[i] * n->at[i];
  return n->count ? sqrt(sum / (double)n->count) : 0;
}

int64_t ln_numbers_apart(const ln_numbers *a, const ln_numbers *b,
                         double tolerance, double floor) {
  const double size = root_mean_square(a);
  for (int64_t i = 0; i < a->count; i++) {
    const double u = a->at[i], v = b->at[i];
    if (isnan(u) && isnan(v)) continue;
    if (u == v) continue;
    const double allowed = tolerance * (fabs(u) + size);
    if (!(fabs(u - v) <= (allowed > floor ? allowed : floor))) return i;
  }
  return -1;
}

double ln_numbers_largest(const ln_numbers *numbers, int n) {
  double largest = 0;
  for (int k = 0; k < n; k++)
    for (int64_t i = 0; i < numbers[k].count; i++)
      largest = fmax(largest, fabs((double)numbers[k].at[i]));
  return largest;
}

double ln_trial_gradient_floor(const ln_trial *t, const ln_numbers *gradient) {
  const double dy = ln_numbers_largest(t->dy, t->n_y);
  return ln_numbers_largest(gradient, 1) < 1e-3 * dy ? 1e-3 * dy : 1e-5 * dy;
}

/* ---- opening ---- */

const char *ln_trial_method(ln_checking *c, int index) {
  const ln_known_layer *k = c->known;
  c->row = index <= k->n_kernels ? index : 0;
  if (index == 0) return "textbook";
  return index <= k->n_kernels ? k->kernels[index - 1].method : NULL;
}

/* Sentences of the host that tell of a slip of the layer, not of the user. */
static void report_slips(ln_checking *c) {
  const char *e = ln_error();
  if (strstr(e, "left no sentence"))
    ln_report(c, "options.sentence", "a refusal without a sentence: %s", e);
  else if (strstr(e, "the layer left ") || strstr(e, "a negative number of"))
    ln_report(c, "shapes.output", "%s", e);
  else if (strstr(e, "two parameters are called") ||
           strstr(e, "without a plain name") || strstr(e, "an unknown init") ||
           strstr(e, "an unknown role") || strstr(e, "is drawn by its fan_in"))
    ln_report(c, "shapes.parameters", "%s", e);
}

static bool fits(const ln_shape *s) {
  int64_t count;
  return !ln_shape_count(s, &count) && ln_piece_fits(count * 4);
}

static bool all_fit(const ln_trial *t) {
  const ln_inference *r = &t->inference;
  bool good = ln_piece_fits(r->saved) && ln_piece_fits(r->workspace) &&
              ln_piece_fits(8 * r->scratch) && ln_piece_fits(8 * r->partial) &&
              ln_piece_fits(r->shared) && r->n_y <= LN_MOST_TENSORS &&
              t->instance->n_weights <= LN_MOST_TENSORS &&
              t->instance->n_states <= LN_MOST_TENSORS;
  for (int i = 0; i < t->n_x; i++) good = good && fits(&t->sample->x[i]);
  for (int i = 0; i < r->n_y; i++) good = good && fits(&r->y[i]);
  for (int64_t i = 0; i < t->instance->n_parameters; i++)
    good = good && fits(&t->instance->parameters[i].value->shape);
  if (!good) ln_set_error("too large for this check");
  return good;
}

static void make_numbers(ln_trial *t) {
  const ln_instance *i = t->instance;
  t->n_y = t->inference.n_y;
  t->n_w = (int)i->n_weights;
  t->n_state = (int)i->n_states;
  for (int k = 0; k < t->n_x; k++) {
    t->x[k] = new_numbers(&t->sample->x[k]);
    t->dx[k] = new_numbers(&t->sample->x[k]);
  }
  for (int k = 0; k < t->n_y; k++) {
    t->y[k] = new_numbers(&t->inference.y[k]);
    t->dy[k] = new_numbers(&t->inference.y[k]);
  }
  for (int k = 0; k < t->n_w; k++) {
    const ln_shape *shape = &ln_instance_weight(i, k)->value->shape;
    t->w[k] = new_numbers(shape);
    t->dw[k] = new_numbers(shape);
  }
  for (int k = 0; k < t->n_state; k++) {
    const ln_shape *shape = &ln_instance_state(i, k)->value->shape;
    t->state[k] = new_numbers(shape);
    t->after[k] = new_numbers(shape);
  }
}

static size_t padded(int64_t bytes) {
  return ((size_t)bytes + 63) & ~(size_t)63;
}

static void make_memory(ln_trial *t) {
  const ln_inference *r = &t->inference;
  free(t->saved);
  free(t->partial);
  free(t->shared);
  t->saved = calloc(LN_MOST_SLICES, padded(r->saved) + 64);
  t->partial = calloc(LN_MOST_SLICES, padded(r->partial) + 64);
  t->shared = calloc(1, padded(r->shared) + 64);
}

static bool infer(ln_trial *t, int64_t items) {
  ln_inference_free(&t->inference);
  ln_watch_enter("infer");
  const ln_status s = ln_instance_infer(t->instance, t->sample->x, t->n_x,
                                        items, &t->inference);
  ln_watch_leave();
  return s == LN_OK;
}

static bool make_instance(ln_trial *t, const char *method) {
  const ln_sample *s = t->sample;
  ln_watch_enter("create");
  ln_status status = ln_instance_new(t->checking->word, NULL, s->options,
                                     s->n_options, &t->instance);
  ln_watch_leave();
  if (status) t->instance = NULL;
  if (status || !method) return status == LN_OK;
  const ln_checking *c = t->checking;
  if (c->row > 0) t->instance->host->cpu &= c->known->kernels[c->row - 1].isa;
  return ln_instance_set_method(t->instance, method) == LN_OK;
}

void ln_trial_describe(const ln_trial *t, const char *method) {
  ln_checking *c = t->checking;
  ln_sample_text(c->known, t->sample, c->where, sizeof c->where - 60);
  const size_t n = strlen(c->where);
  if (method && strcmp(method, "textbook"))
    snprintf(c->where + n, sizeof c->where - n, ", method \"%.40s\"", method);
}

bool ln_trial_open(ln_trial *t, ln_checking *c, const ln_sample *s,
                   const char *method) {
  *t = (ln_trial){ .checking = c, .sample = s, .n_x = s->n_x, .step = 1 };
  ln_trial_describe(t, method);
  if (!make_instance(t, method) || !infer(t, 0) || !all_fit(t)) {
    report_slips(c);
    ln_trial_close(t);
    return false;
  }
  make_numbers(t);
  make_memory(t);
  return true;
}

void ln_trial_close(ln_trial *t) {
  ln_inference_free(&t->inference);
  if (t->instance) {
    ln_watch_enter("destroy");
    ln_instance_release(t->instance);
    ln_watch_leave();
  }
  for (int k = 0; k < LN_MOST_TENSORS; k++) {
    ln_numbers *all[] = { &t->x[k],  &t->y[k],  &t->w[k],     &t->dx[k],
                          &t->dy[k], &t->dw[k], &t->state[k], &t->after[k] };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
      ln_numbers_free(all[i]);
  }
  free(t->saved);
  free(t->partial);
  free(t->shared);
  *t = (ln_trial){ 0 };
}

bool ln_trial_slice(ln_trial *t, int64_t items) {
  const int64_t batch = t->x[0].shape.rank ? t->x[0].shape.dim[0] : 0;
  if (items > 0 && (!batch || (batch + items - 1) / items > LN_MOST_SLICES))
    return false;
  if (!infer(t, items)) return false;
  const bool fit = all_fit(t);
  if (!fit && !infer(t, 0)) return false;
  t->items = fit && t->inference.per_sample && items < batch ? items : 0;
  make_memory(t);
  return items == 0 || t->items > 0;
}

/* ---- drawing ---- */

enum { TRIES = 48 };

bool ln_trial_draw(ln_trial *t, ln_checking *c, ln_sample *s, int number,
                   const char *method) {
  for (int i = 0; i < TRIES; i++) {
    const uint64_t seed =
        c->seed * 1000003u + (uint64_t)number * 101u + (uint64_t)i;
    ln_sample_draw(c->known, seed, (double)i / TRIES, s);
    if (ln_trial_open(t, c, s, method)) {
      ln_trial_fill(t, seed);
      return true;
    }
  }
  return false;
}

/* ---- filling ---- */

double ln_trial_gap(int64_t count) {
  return count > 100 ? 4.0 / (double)count : 0.04;
}

/* Different numbers, no two near each other: so that a small step crosses no
 * kink. `offset` from 0 to 1 shifts them between those of other inputs. */
static void fill_spaced(ln_dice *d, ln_numbers *n, double offset) {
  const double gap = ln_trial_gap(n->count);
  for (int64_t i = 0; i < n->count; i++)
    n->at[i] = (float)(((double)i + offset - (double)(n->count / 2)) * gap);
  for (int64_t i = n->count - 1; i > 0; i--) {
    const int64_t k = ln_dice_between(d, 0, i);
    const float v = n->at[i];
    n->at[i] = n->at[k];
    n->at[k] = v;
  }
}

static void fill_normal(ln_dice *d, ln_numbers *n) {
  for (int64_t i = 0; i < n->count; i++) n->at[i] = (float)ln_dice_normal(d);
}

static void fill_values(ln_dice *d, const ln_trial *t, ln_numbers *n,
                        double offset) {
  if (t->checking->known->layer.traits & LN_NONSMOOTH)
    fill_spaced(d, n, offset);
  else
    fill_normal(d, n);
}

/* Inputs keep away from 0 and from their neighbours. */
static double offset_of(const ln_trial *t, int k) {
  if (t->n_x == 1) return 0.5;
  return k % 2 ? 0.75 : 0.25;
}

/* The target of a loss: class ids where it lacks a dim of the scores. */
static void fill_target(ln_dice *d, const ln_trial *t, ln_numbers *target) {
  const ln_shape *scores = &t->x[0].shape;
  if (target->shape.rank >= scores->rank || scores->rank < 2) {
    fill_values(d, t, target, 0.75);
    return;
  }
  for (int64_t i = 0; i < target->count; i++)
    target->at[i] = (float)ln_dice_between(d, 0, scores->dim[1] - 1);
}

static void fill_parameter(ln_dice *d, const ln_tensor *from, ln_numbers *to,
                           bool weight) {
  for (int64_t i = 0; i < to->count; i++)
    to->at[i] = from->data[i] + (float)(weight ? 0.25 * ln_dice_normal(d)
                                               : 0.3 * ln_dice_real(d));
}

void ln_trial_fill(ln_trial *t, uint64_t seed) {
  ln_dice d = { seed ^ 0x5EED5EEDu };
  const ln_layer *l = &t->checking->known->layer;
  for (int k = 0; k < t->n_x; k++) {
    if (l->kind == LN_LOSS && k == t->n_x - 1)
      fill_target(&d, t, &t->x[k]);
    else
      fill_values(&d, t, &t->x[k], offset_of(t, k));
  }
  for (int k = 0; k < t->n_w; k++)
    fill_parameter(&d, ln_instance_weight(t->instance, k)->value, &t->w[k],
                   true);
  for (int k = 0; k < t->n_state; k++)
    fill_parameter(&d, ln_instance_state(t->instance, k)->value, &t->state[k],
                   false);
  for (int k = 0; k < t->n_y; k++) fill_normal(&d, &t->dy[k]);
}

static void copy_all(ln_numbers *to, const ln_numbers *from) {
  for (int k = 0; k < LN_MOST_TENSORS; k++)
    if (from[k].count && to[k].count == from[k].count)
      memcpy(to[k].at, from[k].at, (size_t)from[k].count * sizeof(float));
}

void ln_trial_copy(ln_trial *to, const ln_trial *from) {
  copy_all(to->x, from->x);
  copy_all(to->w, from->w);
  copy_all(to->dy, from->dy);
  copy_all(to->state, from->state);
  to->step = from->step;
  to->instance->random_user = from->instance->random_user;
}
