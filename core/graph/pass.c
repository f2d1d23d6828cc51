/* pass.c - running a plan: steps, slices and the calls of the layers. */
#include "graph/pass.h"

#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "host/activity.h"
#include "tensor/tensor.h"

#define GRAIN 16384 /* floats added by one task */

/* ---- addresses ---- */

static char *buffer_at(const ln_plan *p, int64_t index, int slot) {
  if (index < 0) return p->arena; /* nothing is asked of it */
  const ln_buffer *b = &p->buffers[index];
  return (b->local ? p->local + slot * p->local_bytes : p->arena) + b->offset;
}

static float *tensor_data(const ln_pass_run *run, const ln_place *place,
                          bool gradient) {
  if (place->is_output)
    return gradient ? run->dy[place->index]->data : run->y[place->index]->data;
  return gradient ? run->dx[place->index]->data : run->x[place->index]->data;
}

float *ln_run_address(const ln_pass_run *run, int64_t value, bool gradient,
                      int64_t first, int slot) {
  const ln_plan_value *v = &run->plan->values[value];
  const ln_place *place = gradient ? &v->dy : &v->y;
  switch (place->where) {
  case LN_IN_TENSOR: return tensor_data(run, place, gradient) + first * v->item;
  case LN_IN_SLOT: return (float *)buffer_at(run->plan, place->index, slot);
  case LN_IN_ARENA:
    return (float *)buffer_at(run->plan, place->index, slot) + first * v->item;
  default: return (float *)run->plan->arena;
  }
}

/* ---- one call of one layer ---- */

/* A slice of a step: items [first, first + items) of the batch. */
typedef struct slice {
  int64_t index, first, items;
  int slot;
} slice;

typedef struct framing {
  const ln_pass_run *run;
  ln_pass_kind kind;
  const slice *slice;
  ln_frame *frame;
  int64_t n; /* tensors used so far */
} framing;

/* The list that begins with the next tensor. */
static const ln_tensor *const *next_list(const framing *f) {
  return &f->frame->pointers[f->n];
}

static ln_tensor *add_borrowed(framing *f, const ln_shape *shape, int64_t count,
                               float *data) {
  ln_tensor *t = &f->frame->tensors[f->n];
  *t = (ln_tensor){ .struct_size = (uint32_t)sizeof *t,
                    .shape = *shape,
                    .count = count,
                    .data = data };
  f->frame->pointers[f->n++] = t;
  return t;
}

static void add_tensor(framing *f, const ln_tensor *t) {
  f->frame->pointers[f->n++] = t;
}

static bool is_reduce(ln_pass_kind kind) {
  return kind == LN_FORWARD_REDUCE || kind == LN_BACKWARD_REDUCE;
}

static bool is_whole(ln_pass_kind kind) {
  return is_reduce(kind) || kind == LN_BACKWARD_WEIGHTS;
}

/* The slice of a value, or of something of its shape; or all of it. */
static void add_slice(framing *f, int64_t value, float *data) {
  const ln_plan_value *v = &f->run->plan->values[value];
  ln_tensor *t = add_borrowed(f, &v->shape, v->count, data);
  if (f->run->step->slices == 1 || is_whole(f->kind)) return;
  t->shape.dim[0] = f->slice->items;
  t->count = f->slice->items * v->item;
}

static void add_value(framing *f, int64_t value, bool gradient) {
  const slice *at = f->slice;
  add_slice(f, value,
            is_reduce(f->kind)
                ? NULL
                : ln_run_address(f->run, value, gradient, at->first, at->slot));
}

static const ln_tensor *const *add_inputs(framing *f, const ln_node *node) {
  const ln_tensor *const *at = next_list(f);
  for (int64_t k = 0; k < node->n_inputs; k++)
    add_value(f, node->inputs[k], false);
  return at;
}

static const ln_tensor *const *add_outputs(framing *f, const ln_node *node,
                                           bool gradient) {
  const ln_tensor *const *at = next_list(f);
  for (int k = 0; k < node->n_outputs; k++)
    add_value(f, node->first_output + k, gradient);
  return at;
}

/* The extra buffer for what is to be added to the gradient of input k. */
static float *extra_address(const ln_pass_run *run, int64_t node, int64_t k,
                            const slice *s) {
  int64_t index = run->plan->nodes[node].dx_extra[k];
  float *base = (float *)buffer_at(run->plan, index, s->slot);
  if (index < 0 || run->plan->buffers[index].local) return base;
  int64_t value = run->net->nodes[node].inputs[k];
  return base + s->first * run->plan->values[value].item;
}

/* Where the gradient of input k goes: its place, or the extra buffer. */
static const ln_tensor *const *add_dx(framing *f, int64_t node) {
  const ln_pass_run *run = f->run;
  const ln_node *nd = &run->net->nodes[node];
  const ln_plan_node *n = &run->plan->nodes[node];
  const ln_tensor *const *at = next_list(f);
  for (int64_t k = 0; k < nd->n_inputs; k++) {
    int64_t v = nd->inputs[k];
    if (n->dx[k] == LN_GIVES_NOTHING || f->kind != LN_BACKWARD)
      add_tensor(f, NULL);
    else if (n->dx_extra[k] < 0)
      add_value(f, v, true);
    else
      add_slice(f, v, extra_address(run, node, k, f->slice));
  }
  return at;
}

static int64_t stride_of(const ln_tensor *w) {
  return ln_padded_bytes(w->count * (int64_t)sizeof(float));
}

/* Gradients that are still 0 need no adding: the first slice writes its own
 * straight into them. */
static bool writes_first_slice(const ln_pass_run *run, int64_t node,
                               const ln_parameter *w) {
  return run->plan->nodes[node].sole_use && ln_tensor_known_zero(w->grad);
}

/* Where slice number `index` leaves its gradient of weight k. */
static float *gradient_address(const ln_pass_run *run, int64_t node, int64_t k,
                               int64_t index) {
  const ln_parameter *w = ln_instance_weight(run->net->nodes[node].instance, k);
  if (index == 0 && writes_first_slice(run, node, w)) return w->grad->data;
  char *base = buffer_at(run->plan, run->plan->nodes[node].dw[k], 0);
  return (float *)(base + index * stride_of(w->value));
}

static void add_gradient(framing *f, const ln_tensor *w, float *data) {
  add_borrowed(f, &w->shape, w->count, data);
}

static const ln_tensor *const *add_dw(framing *f, int64_t node, bool wanted) {
  const ln_instance *i = f->run->net->nodes[node].instance;
  const ln_tensor *const *at = next_list(f);
  int64_t index = is_whole(f->kind) ? 0 : f->slice->index;
  for (int64_t k = 0; k < i->n_weights; k++)
    if (wanted && f->run->plan->nodes[node].dw[k] >= 0)
      add_gradient(f, ln_instance_weight(i, k)->value,
                   gradient_address(f->run, node, k, index));
    else
      add_tensor(f, NULL);
  return at;
}

static const ln_tensor *const *add_role(framing *f, const ln_instance *i,
                                        int32_t role) {
  const ln_tensor *const *at = next_list(f);
  for (int64_t k = 0; k < i->n_parameters; k++)
    if (i->parameters[k].role == role) add_tensor(f, i->parameters[k].value);
  return at;
}

static void *piece(const ln_plan *p, int64_t index, const slice *s,
                   int64_t bytes) {
  char *base = buffer_at(p, index, s->slot);
  bool by_slice = index >= 0 && !p->buffers[index].local;
  return base + (by_slice ? s->index * ln_padded_bytes(bytes) : 0);
}

static bool is_forward(ln_pass_kind kind) {
  return kind <= LN_FORWARD_REDUCE;
}

static void fill_parts(ln_call *c, const framing *f, int64_t node) {
  const ln_plan *p = f->run->plan;
  const ln_plan_node *n = &p->nodes[node];
  bool forward = is_forward(f->kind);
  c->shared = buffer_at(p, n->shared, 0);
  c->partial = piece(p, n->partial[!forward], f->slice, n->inference.partial);
  c->partial_bytes = ln_padded_bytes(n->inference.partial);
  if (is_reduce(f->kind) && (!forward || c->training))
    c->n_partials = p->steps[n->step].slices;
}

static void fill_memory(ln_running *r, const framing *f, int64_t node) {
  const ln_pass_run *run = f->run;
  const slice *s = f->slice;
  const ln_plan_node *n = &run->plan->nodes[node];
  int pass = !is_forward(f->kind);
  r->call.saved = piece(run->plan, n->saved, s, n->inference.saved);
  r->call.workspace =
      piece(run->plan, n->workspace[pass], s, n->inference.workspace);
  if (n->scratch[pass] >= 0) {
    r->scratch = buffer_at(run->plan, n->scratch[pass], 0);
    r->scratch_bytes = run->plan->local_bytes;
  }
  if (ln_inference_in_parts(&n->inference)) fill_parts(&r->call, f, node);
  if (n->affine >= 0)
    r->call.shared =
        buffer_at(run->plan, run->plan->nodes[n->affine].shared, 0);
}

/* Which function writes dw? */
static ln_pass_kind weights_kind(const ln_node *nd, const ln_plan_node *n) {
  if (n->in_parts) return LN_BACKWARD_REDUCE;
  bool own = ln_inference_backward_weights(nd->instance, &n->inference) != NULL;
  return own ? LN_BACKWARD_WEIGHTS : LN_BACKWARD;
}

static void fill_tensors(ln_running *r, framing *f, int64_t node) {
  const ln_pass_run *run = f->run;
  const ln_node *nd = &run->net->nodes[node];
  const ln_plan_node *n = &run->plan->nodes[node];
  const ln_instance *i = nd->instance;
  ln_call *c = &r->call;
  c->n_x = (int32_t)nd->n_inputs;
  c->n_y = nd->n_outputs;
  c->n_w = (int32_t)i->n_weights;
  c->n_state = (int32_t)i->n_states;
  c->x = add_inputs(f, nd);
  c->y = add_outputs(f, nd, false);
  c->w = add_role(f, i, LN_WEIGHT);
  c->state = add_role(f, i, LN_STATE);
  if (is_forward(f->kind)) return;
  c->dy = add_outputs(f, nd, true);
  c->dx = add_dx(f, node);
  c->dw = add_dw(f, node, f->kind == weights_kind(nd, n));
}

static ln_pass function_of(const ln_pass_run *run, int64_t node,
                           ln_pass_kind kind) {
  const ln_instance *i = run->net->nodes[node].instance;
  const ln_inference *r = &run->plan->nodes[node].inference;
  switch (kind) {
  case LN_FORWARD: return ln_inference_forward(i, r);
  case LN_FORWARD_PARTIAL: return r->kernel->forward_partial;
  case LN_FORWARD_REDUCE: return r->kernel->forward_reduce;
  case LN_BACKWARD: return ln_inference_backward(i, r);
  case LN_BACKWARD_PARTIAL: return r->kernel->backward_partial;
  case LN_BACKWARD_REDUCE: return r->kernel->backward_reduce;
  case LN_BACKWARD_WEIGHTS: return ln_inference_backward_weights(i, r);
  }
  return NULL;
}

static bool trains(const ln_pass_run *run, int64_t node) {
  return !run->predict && run->net->nodes[node].instance->training;
}

static const char *const pass_names[] = {
  [LN_FORWARD] = "forward",
  [LN_FORWARD_PARTIAL] = "forward_partial",
  [LN_FORWARD_REDUCE] = "forward_reduce",
  [LN_BACKWARD] = "backward",
  [LN_BACKWARD_PARTIAL] = "backward_partial",
  [LN_BACKWARD_REDUCE] = "backward_reduce",
  [LN_BACKWARD_WEIGHTS] = "backward_weights",
};

/* Runs the function while others can see which it is, see activity.h. */
static ln_status run_announced(ln_running *r, const char *label,
                               ln_pass_kind kind, ln_pass function) {
  ln_activity activity = { .instance = r->instance,
                           .label = label,
                           .pass = pass_names[kind],
                           .call = &r->call };
  r->activity = &activity;
  ln_activity_begin(&activity);
  ln_status status = function(r->instance->self, &r->call);
  ln_activity_end(&activity);
  return status;
}

static ln_status call_layer(const ln_pass_run *run, int64_t node,
                            ln_pass_kind kind, const slice *s) {
  const ln_node *nd = &run->net->nodes[node];
  ln_instance *i = nd->instance;
  framing f = { run, kind, s, &run->plan->frames[s->slot], 0 };
  ln_running r = { .instance = i,
                   .inference = &run->plan->nodes[node].inference };
  r.call = (ln_call){ .struct_size = sizeof(ln_call),
                      .training = trains(run, node),
                      .host = i->host,
                      .step = run->predict ? i->step : run->net->steps[node],
                      .first_item = s->first,
                      .batch_items = run->plan->items,
                      .activation = run->plan->nodes[node].activation };
  fill_tensors(&r, &f, node);
  fill_memory(&r, &f, node);
  return run_announced(&r, nd->label, kind, function_of(run, node, kind));
}

/* ---- gradients that meet ---- */

static void add_extra(const ln_pass_run *run, int64_t node, const slice *s) {
  const ln_node *nd = &run->net->nodes[node];
  const ln_plan_node *n = &run->plan->nodes[node];
  for (int64_t k = 0; k < nd->n_inputs; k++) {
    if (n->dx_extra[k] < 0) continue;
    const ln_plan_value *v = &run->plan->values[nd->inputs[k]];
    int64_t count = run->step->slices > 1 ? s->items * v->item : v->count;
    ln_add_floats(ln_run_address(run, nd->inputs[k], true, s->first, s->slot),
                  extra_address(run, node, k, s), count);
  }
}

/* Adds the gradients of all slices to that of a weight, in order of slices. */
typedef struct summing {
  const ln_pass_run *run;
  float *grad;
  int64_t node, weight, count;
  int64_t first, slices; /* first: 1 where slice 0 is there already */
} summing;

static void sum_chunk(void *arg, int64_t index, int slot) {
  (void)slot;
  const summing *s = arg;
  int64_t begin = index * GRAIN;
  int64_t n = s->count - begin < GRAIN ? s->count - begin : GRAIN;
  for (int64_t k = s->first; k < s->slices; k++)
    ln_add_floats(s->grad + begin,
                  gradient_address(s->run, s->node, s->weight, k) + begin, n);
}

static void sum_weights(const ln_pass_run *run, int64_t node) {
  const ln_instance *i = run->net->nodes[node].instance;
  const ln_plan_node *n = &run->plan->nodes[node];
  bool once = weights_kind(&run->net->nodes[node], n) != LN_BACKWARD;
  for (int64_t k = 0; k < i->n_weights; k++) {
    if (n->dw[k] < 0) continue;
    const ln_parameter *w = ln_instance_weight(i, k);
    summing s = { run,
                  w->grad->data,
                  node,
                  k,
                  w->value->count,
                  writes_first_slice(run, node, w),
                  once ? 1 : run->step->slices };
    if (s.first < s.slices)
      ln_parallel((s.count + GRAIN - 1) / GRAIN, sum_chunk, &s);
    ln_tensor_touch(w->grad);
  }
}

/* After a failure: what slices have written straight into gradients that were
 * 0 goes, so that nothing is half added. */
static void forget_first_slices(const ln_pass_run *run) {
  for (int64_t node = 0; node < run->plan->n_nodes; node++) {
    const ln_instance *i = run->net->nodes[node].instance;
    for (int64_t k = 0; k < i->n_weights; k++) {
      ln_tensor *grad = ln_instance_weight(i, k)->grad;
      if (run->plan->nodes[node].dw[k] < 0 || !ln_tensor_known_zero(grad))
        continue;
      ln_tensor_touch(grad);
      ln_tensor_fill(grad, 0);
    }
  }
}

/* ---- steps ---- */

static bool runs(const ln_pass_run *run, int64_t node) {
  const ln_plan_node *n = &run->plan->nodes[node];
  if (n->skipped) return false;
  return run->kind == LN_FORWARD ? !n->absorbed : n->backward;
}

/* Backward has something to do beyond what other functions do. */
static bool calls_backward(const ln_pass_run *run, int64_t node) {
  const ln_node *nd = &run->net->nodes[node];
  const ln_plan_node *n = &run->plan->nodes[node];
  bool wanted = n->wants_weights && weights_kind(nd, n) == LN_BACKWARD;
  for (int64_t k = 0; k < nd->n_inputs; k++)
    wanted |= n->dx[k] != LN_GIVES_NOTHING;
  return wanted;
}

static ln_status run_node(const ln_pass_run *run, int64_t node,
                          const slice *s) {
  if (!runs(run, node)) return LN_OK;
  if (run->kind == LN_BACKWARD && !calls_backward(run, node)) return LN_OK;
  ln_status status = call_layer(run, node, run->kind, s);
  if (!status && run->kind == LN_BACKWARD) add_extra(run, node, s);
  return status;
}

/* The partial results that close the step in this direction; -1: none. */
static int64_t closing_node(const ln_pass_run *run, const ln_plan_step *step) {
  int64_t node = run->kind == LN_FORWARD ? step->closes : step->opens;
  if (node < 0) return -1;
  bool wanted = run->kind == LN_FORWARD ? trains(run, node)
                                        : run->plan->nodes[node].backward;
  return wanted ? node : -1;
}

static ln_status failed(const ln_pass_run *run, int64_t node,
                        ln_status status) {
  const ln_node *nd = &run->net->nodes[node];
  status = ln_instance_failed(nd->instance, status);
  if (status != LN_CANCELLED) ln_prefix_error("%s: ", nd->label);
  return status;
}

/* All nodes of a step, then the partial results that close it. Tells at which
 * node it failed. */
static ln_status run_nodes(const ln_pass_run *run, const slice *s,
                           int64_t *node) {
  const ln_plan_step *step = run->step;
  bool forward = run->kind == LN_FORWARD;
  int64_t first = forward ? step->first : step->back_first;
  int64_t last = forward ? step->last : step->back_last;
  for (int64_t k = 0; k <= last - first; k++) {
    *node = forward ? first + k : last - k;
    ln_status status = run_node(run, *node, s);
    if (status) return status;
  }
  *node = closing_node(run, step);
  if (*node < 0) return LN_OK;
  return call_layer(run, *node,
                    forward ? LN_FORWARD_PARTIAL : LN_BACKWARD_PARTIAL, s);
}

static void run_slice(void *arg, int64_t index, int slot) {
  const ln_pass_run *run = arg;
  const ln_plan_step *step = run->step;
  int64_t first = index * step->items, left = run->plan->items - first;
  slice s = { index, first, left < step->items ? left : step->items, slot };
  run->plan->statuses[index] =
      run_nodes(run, &s, &run->plan->failed_nodes[index]);
}

/* The failure of the first slice; the sentences of later ones are taken, too,
 * so that none surfaces in another error. */
static ln_status first_failure(const ln_pass_run *run) {
  ln_status status = LN_OK;
  for (int64_t k = run->step->slices - 1; k >= 0; k--)
    if (run->plan->statuses[k])
      status = failed(run, run->plan->failed_nodes[k], run->plan->statuses[k]);
  return status;
}

static void run_all_slices(void *arg) {
  const ln_pass_run *run = arg;
  for (int64_t k = 0; k < run->step->slices; k++)
    run_slice(arg, k, ln_thread_slot());
}

static ln_status run_step(ln_pass_run *run, const ln_plan_step *step,
                          ln_pass_kind kind) {
  if (ln_num_threads() > run->plan->slots)
    return ln_set_error("the number of threads was changed in the midst of a "
                        "pass");
  run->step = step;
  run->kind = kind;
  bool complete = true;
  for (int64_t k = 0; k < step->slices; k++) run->plan->statuses[k] = LN_OK;
  if (!step->parallel)
    ln_serially(run_all_slices, run);
  else if (step->slices == 1)
    run_all_slices(run);
  else
    complete = ln_parallel(step->slices, run_slice, run);
  ln_status status = first_failure(run);
  if (status) return status;
  if (!complete || ln_is_cancelled()) {
    ln_set_error("interrupted");
    return LN_CANCELLED;
  }
  return LN_OK;
}

/* What is called once, on the whole batch. */
static ln_status run_whole(const ln_pass_run *run, int64_t node,
                           ln_pass_kind kind) {
  slice whole = { 0, 0, run->plan->items, ln_thread_slot() };
  ln_status s = call_layer(run, node, kind, &whole);
  return s ? failed(run, node, s) : LN_OK;
}

/* ---- forward ---- */

static void count_step(ln_pass_run *run, int64_t node) {
  if (run->predict || run->replay) return;
  ln_instance *i = run->net->nodes[node].instance;
  run->net->steps[node] = i->step++;
}

/* The layer in parts, itself or one behind it, whose reduce the forward of a
 * node needs; -1: none. */
static int64_t reduced_for(const ln_plan_node *n, int64_t node) {
  if (n->absorbed) return -1;
  if (n->affine >= 0) return n->affine;
  return ln_inference_in_parts(&n->inference) ? node : -1;
}

/* Before a step. */
static ln_status reduce_forward(ln_pass_run *run, const ln_plan_step *step) {
  run->step = step;
  for (int64_t i = step->first; i <= step->last; i++) {
    int64_t reduced = reduced_for(&run->plan->nodes[i], i);
    ln_status s =
        reduced < 0 ? LN_OK : run_whole(run, reduced, LN_FORWARD_REDUCE);
    if (s) return s;
  }
  return LN_OK;
}

/* The layer whose partial results close a step begins there. */
static void count_steps(ln_pass_run *run, const ln_plan_step *step) {
  for (int64_t i = step->back_first; i <= step->back_last; i++)
    count_step(run, i);
}

ln_status ln_run_forward(ln_pass_run *run,
                         ln_status (*look)(void *arg, int64_t node),
                         void *arg) {
  for (int64_t k = 0; k < run->plan->n_steps; k++) {
    const ln_plan_step *step = &run->plan->steps[k];
    count_steps(run, step);
    ln_status s = reduce_forward(run, step);
    if (!s) s = run_step(run, step, LN_FORWARD);
    if (!s && look && step->first <= step->last) s = look(arg, step->first);
    if (s) return s;
  }
  return LN_OK;
}

/* ---- backward ---- */

static void copy_floats(float *to, const float *from, int64_t n) {
  if (n) memcpy(to, from, (size_t)n * sizeof *to);
}

/* Gradients that begin with the user's dy, or with zeros. */
static void fill_first(const ln_pass_run *run) {
  const ln_plan *p = run->plan;
  for (int64_t v = 0; v < p->n_values; v++) {
    const ln_plan_value *value = &p->values[v];
    if (!value->starts_filled || value->dy.where == LN_NOWHERE) continue;
    int64_t n = value->count;
    float *dy = ln_run_address(run, v, true, 0, 0);
    if (n) memset(dy, 0, (size_t)n * sizeof *dy);
    for (int64_t i = 0; i < p->n_outputs; i++)
      if (run->net->outputs[i] == v) ln_add_floats(dy, run->dy[i]->data, n);
  }
}

/* After a step: partial gradients are reduced, weights' own passes run, and
 * the gradients of slices added up. */
static ln_status finish_weights(ln_pass_run *run, const ln_plan_step *step) {
  if (closing_node(run, step) >= 0) {
    ln_status s = run_whole(run, step->opens, LN_BACKWARD_REDUCE);
    if (s) return s;
    sum_weights(run, step->opens);
  }
  for (int64_t i = step->back_last; i >= step->back_first; i--) {
    const ln_plan_node *n = &run->plan->nodes[i];
    if (!n->backward || n->skipped || n->in_parts || !n->wants_weights)
      continue;
    bool own = weights_kind(&run->net->nodes[i], n) == LN_BACKWARD_WEIGHTS;
    ln_status s = own ? run_whole(run, i, LN_BACKWARD_WEIGHTS) : LN_OK;
    if (s) return s;
    sum_weights(run, i);
  }
  return LN_OK;
}

/* Shows a tap the gradient that has now arrived, and takes it back. */
static ln_status show_tap(const ln_pass_run *run, ln_tap *tap) {
  const ln_plan_value *v = &run->plan->values[tap->value];
  if (!v->has_grad || v->dy.where == LN_NOWHERE) return LN_OK;
  int64_t n = v->count;
  float *dy = ln_run_address(run, tap->value, true, 0, 0);
  ln_tensor *copy;
  if (ln_tensor_new(&v->shape, &copy)) return LN_FAILED;
  copy_floats(copy->data, dy, n);
  ln_tensor_release(tap->gradient);
  tap->gradient = copy;
  if (!tap->hook) return LN_OK;
  ln_tensor_retain(copy); /* the function may remove its tap */
  ln_status s = tap->hook(tap->arg, copy);
  if (!s) copy_floats(dy, copy->data, n);
  ln_tensor_release(copy);
  return s;
}

static ln_status show_taps(const ln_pass_run *run, const ln_plan_step *step) {
  for (ln_tap *t = run->net->taps, *next; t; t = next) {
    next = t->next;
    int64_t node = run->net->values[t->value].node;
    if (node < step->back_first || node > step->back_last) continue;
    ln_status s = show_tap(run, t);
    if (s) return s;
  }
  return LN_OK;
}

static ln_status run_down(ln_pass_run *run, const ln_plan_step *step,
                          ln_status (*look)(void *arg, int64_t node),
                          void *arg) {
  ln_status s = show_taps(run, step);
  if (!s) s = run_step(run, step, LN_BACKWARD);
  if (!s) s = finish_weights(run, step);
  if (!s && look && step->back_first <= step->back_last)
    s = look(arg, step->back_first);
  return s;
}

ln_status ln_run_backward(ln_pass_run *run,
                          ln_status (*look)(void *arg, int64_t node),
                          void *arg) {
  ln_status s = LN_OK;
  fill_first(run);
  for (int64_t k = run->plan->n_steps - 1; k >= 0 && !s; k--)
    s = run_down(run, &run->plan->steps[k], look, arg);
  if (s) forget_first_slices(run);
  return s;
}
