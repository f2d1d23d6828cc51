/* pass.c - the passes of a trial, in guarded memory: what a call may read is
 * laid out for it, what it has written is looked at and kept, and then the
 * memory is closed. */
#include <stdio.h>
#include <string.h>

#include "base/threads.h"
#include "check/pieces.h"
#include "check/stepping.h"
#include "check/trial.h"
#include "check/watch.h"
#include "host/activity.h"
#include "host/running.h"
#include "tensor/tensor.h"

enum { MOST_PIECES = 7 * LN_MOST_TENSORS + 8 };

/* One call: its tensors, their memory, and where results go afterwards. */
typedef struct frame {
  ln_running running;
  ln_activity activity;
  ln_tensor tensors[MOST_PIECES];
  const ln_tensor *pointers[MOST_PIECES];
  ln_piece *pieces[MOST_PIECES];
  void *home[MOST_PIECES]; /* NULL: only read */
  int n_tensors, n_pieces;
  ln_status status;
} frame;

typedef struct pass {
  ln_trial *trial;
  const ln_way *way;
  const char *name;
  ln_pass function;
  bool backward, whole, reduce, weights; /* weights: gives dw */
  bool gives_dx, writes_y;
  int n;
  ln_piece *calls[LN_MOST_SLICES];
  ln_status status[LN_MOST_SLICES];
  frame *frames[LN_MOST_SLICES]; /* guarded, too */
} pass;

/* ---- laying out ---- */

static ln_piece *add_piece(frame *f, const pass *p, const char *name,
                           int64_t bytes, bool floats, const void *from,
                           void *home) {
  ln_piece *piece = ln_piece_take(name, bytes, floats, p->way->left,
                                  floats ? p->way->fill : p->way->garbage);
  if (from && bytes) memcpy(piece->data, from, (size_t)bytes);
  f->pieces[f->n_pieces] = piece;
  f->home[f->n_pieces++] = home;
  if (from && !home) ln_piece_set(piece, LN_PIECE_SEALED);
  return piece;
}

static void add_tensor(frame *f, const ln_shape *shape, float *data) {
  ln_tensor *t = &f->tensors[f->n_tensors];
  *t = ln_tensor_borrow(shape, data);
  f->pointers[f->n_tensors++] = t;
}

typedef struct stretch {
  ln_shape shape;
  float *at;
} stretch;

/* The part of the numbers that belongs to slice s. */
static stretch part_of(const pass *p, const ln_numbers *n, int s) {
  stretch part = { n->shape, n->at };
  const int64_t items = p->trial->items;
  if (p->whole || !items || !n->shape.rank) return part;
  const int64_t batch = n->shape.dim[0], first = s * items;
  const int64_t here = first + items > batch ? batch - first : items;
  part.shape.dim[0] = here < 0 ? 0 : here;
  part.at += batch ? first * (n->count / batch) : 0;
  return part;
}

static const char *numbered(char *room, const char *name, int k, int n) {
  if (n == 1)
    snprintf(room, 32, "%s", name);
  else
    snprintf(room, 32, "%s %d", name, k + 1);
  return room;
}

static const char *of_parameter(char *room, const char *letter,
                                const ln_parameter *w) {
  snprintf(room, 32, "%s (%.20s)", letter, w->name);
  return room;
}

typedef enum access { READ, WRITE } access;

static ln_piece *add_numbers(frame *f, const pass *p, const char *name,
                             const ln_numbers *n, int s, access how) {
  stretch part = part_of(p, n, s);
  if (p->reduce) {
    add_tensor(f, &part.shape, NULL);
    return NULL;
  }
  const int64_t bytes = ln_count(&part.shape) * 4;
  ln_piece *piece =
      add_piece(f, p, name, bytes, true, how == READ ? part.at : NULL,
                how == WRITE ? part.at : NULL);
  add_tensor(f, &part.shape, (float *)(void *)piece->data);
  return piece;
}

static const ln_tensor *const *here(const frame *f) {
  return &f->pointers[f->n_tensors];
}

static void add_nothing(frame *f) {
  f->pointers[f->n_tensors++] = NULL;
}

/* Another tensor's memory, to be written: y over x, dx over dy. */
static void add_over(frame *f, const pass *p, int below, const ln_numbers *n,
                     int s) {
  stretch part = part_of(p, n, s);
  ln_piece *piece = f->pieces[below];
  ln_piece_set(piece, LN_PIECE_OPEN);
  f->home[below] = part.at;
  add_tensor(f, &part.shape, (float *)(void *)piece->data);
}

static void add_inputs(frame *f, const pass *p, int s) {
  ln_trial *t = p->trial;
  char name[32];
  const bool forgotten = p->backward && p->way->withhold &&
                         (t->checking->known->layer.traits & LN_FORGETS_X) &&
                         !p->reduce;
  f->running.call.x = here(f);
  for (int k = 0; k < t->n_x; k++) {
    ln_piece *piece =
        add_numbers(f, p, numbered(name, "x", k, t->n_x), &t->x[k], s, READ);
    if (forgotten && piece) ln_piece_set(piece, LN_PIECE_WITHHELD);
  }
}

static void add_outputs(frame *f, const pass *p, int s) {
  ln_trial *t = p->trial;
  char name[32];
  const bool forgotten = p->backward && p->way->withhold &&
                         (t->checking->known->layer.traits & LN_FORGETS_Y) &&
                         !p->reduce;
  const access how = p->writes_y ? WRITE : READ;
  f->running.call.y = here(f);
  for (int k = 0; k < t->n_y; k++) {
    if (p->way->in_place && p->writes_y && k == 0) {
      add_over(f, p, 0, &t->y[0], s); /* the first piece is x's */
      continue;
    }
    ln_piece *piece =
        add_numbers(f, p, numbered(name, "y", k, t->n_y), &t->y[k], s, how);
    if (forgotten && piece) ln_piece_set(piece, LN_PIECE_WITHHELD);
  }
}

static void add_parameters(frame *f, const pass *p) {
  ln_trial *t = p->trial;
  const ln_instance *i = t->instance;
  char name[32];
  f->running.call.w = here(f);
  for (int k = 0; k < t->n_w; k++) {
    const ln_piece *piece =
        add_piece(f, p, of_parameter(name, "w", ln_instance_weight(i, k)),
                  t->w[k].count * 4, true, t->w[k].at, NULL);
    add_tensor(f, &t->w[k].shape, (float *)(void *)piece->data);
  }
  f->running.call.state = here(f);
  for (int k = 0; k < t->n_state; k++) {
    void *home = p->backward ? NULL : t->after[k].at;
    const ln_piece *piece =
        add_piece(f, p, of_parameter(name, "state", ln_instance_state(i, k)),
                  t->after[k].count * 4, true, t->after[k].at, home);
    add_tensor(f, &t->state[k].shape, (float *)(void *)piece->data);
  }
}

bool ln_trial_gives_dx(const ln_trial *t, int i) {
  return t->checking->known->layer.kind != LN_LOSS || i < t->n_x - 1;
}

static void add_gradients(frame *f, const pass *p, int s) {
  ln_trial *t = p->trial;
  char name[32];
  f->running.call.dy = here(f);
  const int first_dy = f->n_pieces;
  for (int k = 0; k < t->n_y; k++)
    add_numbers(f, p, numbered(name, "dy", k, t->n_y), &t->dy[k], s, READ);
  f->running.call.dx = here(f);
  for (int k = 0; k < t->n_x; k++) {
    if (!p->gives_dx || !ln_trial_gives_dx(t, k))
      add_nothing(f);
    else if (p->way->in_place && k == 0)
      add_over(f, p, first_dy, &t->dx[0], s);
    else
      add_numbers(f, p, numbered(name, "dx", k, t->n_x), &t->dx[k], s, WRITE);
  }
}

/* Gradients of weights: of each slice apart, added up later. */
static void add_weight_gradients(frame *f, const pass *p, int s) {
  ln_trial *t = p->trial;
  char name[32];
  f->running.call.dw = here(f);
  for (int k = 0; k < t->n_w; k++) {
    if (!p->weights) {
      add_nothing(f);
      continue;
    }
    const ln_piece *piece = add_piece(
        f, p, of_parameter(name, "dw", ln_instance_weight(t->instance, k)),
        t->dw[k].count * 4, true, NULL, NULL);
    add_tensor(f, &t->dw[k].shape, (float *)(void *)piece->data);
    f->home[f->n_pieces - 1] = s == 0 ? t->dw[k].at : NULL;
  }
}

static int64_t padded(int64_t bytes) {
  return (bytes + 63) & ~(int64_t)63;
}

static void add_memory(frame *f, const pass *p, int s) {
  ln_trial *t = p->trial;
  const ln_inference *r = &t->inference;
  ln_running *run = &f->running;
  char *saved = t->saved + s * padded(r->saved);
  run->call.saved = add_piece(f, p, "the saved memory", r->saved, false,
                              p->backward ? saved : NULL, saved)
                        ->data;
  run->call.workspace =
      add_piece(f, p, "the workspace", r->workspace, false, NULL, NULL)->data;
  if (!r->scratch) return;
  run->scratch_bytes = padded(r->scratch);
  const int64_t bytes = ln_num_threads() == 1
                            ? r->scratch
                            : run->scratch_bytes * ln_num_threads();
  run->scratch =
      add_piece(f, p, "the scratch memory", bytes, false, NULL, NULL)->data;
}

static bool is_partial(const pass *p) {
  return strstr(p->name, "_partial") != NULL;
}

static int n_slices(const ln_trial *t) {
  const int64_t batch = t->x[0].shape.dim[0];
  return t->items ? (int)((batch + t->items - 1) / t->items) : 1;
}

static void add_parts(frame *f, const pass *p, int s) {
  ln_trial *t = p->trial;
  ln_call *c = &f->running.call;
  const int64_t stride = padded(t->inference.partial);
  const bool none = !p->backward && p->way->evaluation;
  char *own = t->partial + s * stride;
  c->partial_bytes = stride;
  if (p->reduce) {
    c->n_partials = none ? 0 : n_slices(t);
    c->partial = add_piece(f, p, "the partial results", c->n_partials * stride,
                           false, t->partial, NULL)
                     ->data;
  } else if (is_partial(p)) {
    c->partial = add_piece(f, p, "the partial result", t->inference.partial,
                           false, NULL, own)
                     ->data;
  }
  const bool fresh = p->reduce && !p->backward;
  c->shared = add_piece(f, p, "the shared memory", t->inference.shared, false,
                        fresh ? NULL : t->shared, p->reduce ? t->shared : NULL)
                  ->data;
}

/* mean[C], scale[C], shift[C] of a layer behind. */
static void add_affine(frame *f, const pass *p) {
  const int64_t C = p->trial->y[0].shape.dim[1];
  f->running.call.shared = add_piece(f, p, "the shared memory", 3 * C * 4, true,
                                     p->way->affine, NULL)
                               ->data;
}

static frame *new_frame(pass *p, int s) {
  p->calls[s] =
      ln_piece_take("the call", (int64_t)sizeof(frame), false, false, 0);
  p->frames[s] = (frame *)(void *)p->calls[s]->data;
  return p->frames[s];
}

static void lay_out(frame *f, const pass *p, int s) {
  ln_trial *t = p->trial;
  f->n_tensors = f->n_pieces = 0;
  f->activity = (ln_activity){ .instance = t->instance,
                               .label = t->checking->word,
                               .pass = p->name };
  f->running = (ln_running){ .instance = t->instance,
                             .inference = &t->inference,
                             .activity = &f->activity };
  f->running.call = (ln_call){
    .struct_size = sizeof(ln_call),
    .training = !p->way->evaluation,
    .host = p->way->host ? p->way->host : t->instance->host,
    .step = t->step,
    .first_item = p->whole ? 0 : s * t->items,
    .batch_items = t->x[0].shape.rank ? t->x[0].shape.dim[0] : 1,
    .n_x = t->n_x,
    .n_y = t->n_y,
    .n_w = t->n_w,
    .n_state = t->n_state,
    .activation = p->way->activation,
  };
  add_inputs(f, p, s);
  add_outputs(f, p, s);
  add_parameters(f, p);
  if (p->backward) {
    add_gradients(f, p, s);
    add_weight_gradients(f, p, s);
  }
  add_memory(f, p, s);
  if (ln_inference_in_parts(&t->inference))
    add_parts(f, p, s);
  else if (p->way->affine)
    add_affine(f, p);
}

/* ---- running ---- */

static void run_one(void *arg, int64_t index, int slot) {
  (void)slot;
  const pass *p = arg;
  frame *f = p->frames[index];
  ln_activity_begin(&f->activity);
  if (p->way->step_by_step) ln_steps_begin();
  f->status = p->function(p->trial->instance->self, &f->running.call);
  if (p->way->step_by_step) ln_steps_end();
  ln_activity_end(&f->activity);
}

static void run_in_turn(void *arg) {
  const pass *p = arg;
  for (int s = 0; s < p->n; s++) run_one(arg, s, 0);
}

static void add_up(float *to, const float *from, int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i] += from[i];
}

static void keep_weights(const frame *f, const pass *p) {
  ln_trial *t = p->trial;
  for (int k = 0; k < t->n_w; k++)
    add_up(t->dw[k].at, f->running.call.dw[k]->data, t->dw[k].count);
}

static void look_around(const ln_piece *piece, const pass *p) {
  int64_t offset;
  if (ln_piece_is_intact(piece, &offset)) return;
  const int64_t unit = piece->floats ? 4 : 1;
  const bool before = offset < 0;
  const int64_t far =
      before ? (-offset + unit - 1) / unit : (offset - piece->bytes) / unit + 1;
  ln_report(p->trial->checking, "memory.canary",
            "%s: writes %s %s, %" PRId64 " %s away", p->name,
            before ? "before" : "behind", piece->name, far,
            piece->floats ? "floats" : "bytes");
}

static void take_results(pass *p, int s) {
  frame *f = p->frames[s];
  p->status[s] = f->status;
  for (int k = 0; k < f->n_pieces; k++)
    if (f->pieces[k]->state == LN_PIECE_OPEN ||
        f->pieces[k]->state == LN_PIECE_SEALED) {
      look_around(f->pieces[k], p);
      if (f->home[k] && f->pieces[k]->bytes)
        memcpy(f->home[k], f->pieces[k]->data, (size_t)f->pieces[k]->bytes);
    }
  if (p->weights && s > 0) keep_weights(f, p);
  for (int k = 0; k < f->n_pieces; k++)
    ln_piece_set(f->pieces[k], LN_PIECE_RETIRED);
  ln_piece_set(p->calls[s], LN_PIECE_RETIRED);
}

static bool succeeded(const pass *p) {
  ln_trial *t = p->trial;
  t->refused = false;
  for (int s = 0; s < p->n; s++) {
    if (!p->status[s]) continue;
    t->refused = true;
    ln_instance_failed(t->instance, p->status[s]);
    if (!p->way->cancelled && strstr(ln_error(), "left no sentence"))
      ln_report(t->checking, "behaviour.failure", "%s: %s", p->name,
                ln_error());
  }
  return !t->refused;
}

static bool run(pass *p) {
  const ln_trial *t = p->trial;
  const int mark = ln_pieces_mark();
  p->n = p->whole ? 1 : n_slices(t);
  for (int s = 0; s < p->n; s++) lay_out(new_frame(p, s), p, s);
  ln_watch_enter(p->name);
  if (p->way->together && p->n > 1)
    ln_parallel(p->n, run_one, p);
  else if (p->n > 1)
    ln_serially(run_in_turn, p);
  else
    run_one(p, 0, 0);
  ln_watch_leave();
  for (int s = 0; s < p->n; s++) take_results(p, s);
  ln_pieces_return(mark);
  return succeeded(p);
}

/* ---- the passes ---- */

static void touch_weights(const ln_trial *t) {
  for (int k = 0; k < t->n_w; k++)
    ln_tensor_touch(ln_instance_weight(t->instance, k)->value);
}

bool ln_trial_forward(ln_trial *t, const ln_way *way) {
  const ln_inference *r = &t->inference;
  const ln_kernel *k = r->kernel;
  const bool parts = ln_inference_in_parts(r);
  touch_weights(t); /* packed forms are of other weights */
  pass partial = { .trial = t,
                   .way = way,
                   .name = "forward_partial",
                   .function = parts ? k->forward_partial : NULL };
  pass reduce = { .trial = t,
                  .way = way,
                  .name = "forward_reduce",
                  .function = parts ? k->forward_reduce : NULL,
                  .whole = true,
                  .reduce = true };
  pass forward = { .trial = t,
                   .way = way,
                   .name = "forward",
                   .function = ln_inference_forward(t->instance, r),
                   .writes_y = true };
  for (int i = 0; i < t->n_state; i++)
    memcpy(t->after[i].at, t->state[i].at, (size_t)t->state[i].count * 4);
  if (parts && !way->evaluation && !run(&partial)) return false;
  if (parts && !run(&reduce)) return false;
  return run(&forward);
}

bool ln_trial_has_backward(const ln_trial *t) {
  return ln_inference_backward(t->instance, &t->inference) != NULL;
}

static bool gives_any_dx(const ln_trial *t, const ln_way *way) {
  return !way->without_dx && (t->n_x > 1 || ln_trial_gives_dx(t, 0));
}

bool ln_trial_backward(ln_trial *t, const ln_way *way) {
  const ln_inference *r = &t->inference;
  const ln_kernel *k = r->kernel;
  const bool parts = ln_inference_in_parts(r);
  const ln_pass own = ln_inference_backward_weights(t->instance, r);
  const bool dw = t->n_w > 0 && !way->without_dw;
  const bool dx = gives_any_dx(t, way);
  pass partial = { .trial = t,
                   .way = way,
                   .name = "backward_partial",
                   .function = parts ? k->backward_partial : NULL,
                   .backward = true };
  pass reduce = { .trial = t,
                  .way = way,
                  .name = "backward_reduce",
                  .function = parts ? k->backward_reduce : NULL,
                  .backward = true,
                  .whole = true,
                  .reduce = true,
                  .weights = dw };
  pass backward = { .trial = t,
                    .way = way,
                    .name = "backward",
                    .function = ln_inference_backward(t->instance, r),
                    .backward = true,
                    .gives_dx = dx,
                    .weights = dw && !own && !parts };
  pass weights = { .trial = t,
                   .way = way,
                   .name = "backward_weights",
                   .function = own,
                   .backward = true,
                   .whole = true,
                   .weights = dw };
  if (parts && !(run(&partial) && run(&reduce))) return false;
  if ((dx || backward.weights) && !run(&backward)) return false;
  return !(own && dw) || run(&weights);
}
