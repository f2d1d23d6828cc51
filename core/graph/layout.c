/* layout.c - where each number of a plan lies: lifetimes first, then places
 * in the arenas, then the memory itself. */
#include <string.h>

#include "base/guard.h"
#include "base/memory.h"
#include "graph/net.h"

/* A buffer before it is known whether it can be local to a slot. */
typedef struct draft {
  int64_t whole_bytes, slice_bytes;
  int64_t first, last;
  bool shared;   /* must be seen by the whole batch */
  bool per_slot; /* must be one for each slot */
  bool tensor;   /* a layer's x, y, ...: may begin at any float */
} draft;

typedef struct layout {
  ln_plan *plan;
  const ln_net *net;
  draft *drafts;
  int64_t n_drafts;
  int64_t *y_draft, *dy_draft; /* of each value that is a root; -1 */
} layout;

static int64_t new_draft(layout *l, draft d) {
  if (d.whole_bytes <= 0) return -1;
  l->drafts[l->n_drafts] = d;
  return l->n_drafts++;
}

static void live_at(layout *l, int64_t index, int64_t time) {
  if (index < 0) return;
  draft *d = &l->drafts[index];
  if (time < d->first) d->first = time;
  if (time > d->last) d->last = time;
}

static ln_plan_step *step_of(const ln_plan *p, int64_t node) {
  return &p->steps[p->nodes[node].step];
}

/* ---- activations ---- */

static int64_t bytes_of(const ln_plan_value *v) {
  return ln_count(&v->shape) * (int64_t)sizeof(float);
}

static int64_t input_index(const ln_net *net, int64_t value) {
  return net->values[value].input;
}

static int64_t output_index(const ln_net *net, int64_t value) {
  for (int64_t i = 0; i < net->n_outputs; i++)
    if (net->outputs[i] == value) return i;
  return -1;
}

static void place_activation(layout *l, int64_t v) {
  ln_plan_value *value = &l->plan->values[v];
  int64_t node = l->net->values[v].node;
  l->y_draft[v] = -1;
  if (value->root != v) return;
  if (node < 0) {
    value->y = (ln_place){ LN_IN_TENSOR, input_index(l->net, v), false };
  } else if (value->n_outputs) {
    value->y = (ln_place){ LN_IN_TENSOR, output_index(l->net, v), true };
  } else {
    const ln_plan_step *s = step_of(l->plan, node);
    int64_t slice = value->item * s->items * (int64_t)sizeof(float);
    int64_t t = ln_forward_time(node);
    l->y_draft[v] = new_draft(l, (draft){ bytes_of(value), slice, t, t,
                                          value->is_tapped, false, true });
    value->y = (ln_place){ l->y_draft[v] < 0 ? LN_NOWHERE : LN_IN_ARENA,
                           l->y_draft[v], false };
    if (value->is_tapped) live_at(l, l->y_draft[v], l->plan->n_nodes);
  }
}

/* Somebody reads value v at this time. */
static void reads(layout *l, int64_t v, int64_t time) {
  ln_plan *p = l->plan;
  const ln_plan_value *root = &p->values[p->values[v].root];
  live_at(l, l->y_draft[p->values[v].root], time);
  if (time <= p->n_nodes || root->y.where != LN_IN_TENSOR) return;
  if (root->y.is_output)
    p->reads_y[root->y.index] = true;
  else
    p->reads_x[root->y.index] = true;
}

static void read_by_node(layout *l, int64_t i) {
  const ln_plan *p = l->plan;
  const ln_node *node = &l->net->nodes[i];
  uint32_t traits = node->instance->known->layer.traits;
  bool backward = p->nodes[i].backward && !p->nodes[i].skipped;
  for (int64_t k = 0; k < node->n_inputs; k++) {
    reads(l, node->inputs[k], ln_forward_time(i));
    if (backward && !(traits & LN_FORGETS_X))
      reads(l, node->inputs[k], ln_backward_time(p, i));
  }
  for (int k = 0; k < node->n_outputs; k++)
    if (backward && !(traits & LN_FORGETS_Y))
      reads(l, node->first_output + k, ln_backward_time(p, i));
}

/* ---- gradients ---- */

static bool has_own_weights_pass(const layout *l, int64_t i) {
  const ln_plan_node *n = &l->plan->nodes[i];
  return n->wants_weights &&
         ln_inference_backward_weights(l->net->nodes[i].instance,
                                       &n->inference) != NULL;
}

static void place_gradient(layout *l, int64_t v) {
  ln_plan *p = l->plan;
  ln_plan_value *value = &p->values[v];
  int64_t node = l->net->values[v].node;
  l->dy_draft[v] = -1;
  if (!value->has_grad || value->root != v) return;
  if (node < 0) {
    value->dy = (ln_place){ LN_IN_TENSOR, input_index(l->net, v), false };
  } else if (value->n_outputs && !value->starts_filled) {
    value->dy = (ln_place){ LN_IN_TENSOR, output_index(l->net, v), true };
  } else {
    const ln_plan_step *s = step_of(p, node);
    int64_t slice = value->item * s->items * (int64_t)sizeof(float);
    int64_t t = ln_backward_time(p, node);
    bool shared = value->is_tapped || value->starts_filled ||
                  has_own_weights_pass(l, node);
    l->dy_draft[v] = new_draft(
        l, (draft){ bytes_of(value), slice, t, t, shared, false, true });
    value->dy = (ln_place){ l->dy_draft[v] < 0 ? LN_NOWHERE : LN_IN_ARENA,
                            l->dy_draft[v], false };
    if (value->starts_filled) live_at(l, l->dy_draft[v], p->n_nodes);
  }
}

/* A layer in place hands its gradient on in place: what waits for it waits for
 * the root, too. */
static void note_gradient_uses(layout *l, int64_t i) {
  ln_plan *p = l->plan;
  const ln_node *node = &l->net->nodes[i];
  int64_t t = ln_backward_time(p, i);
  for (int64_t k = 0; k < node->n_inputs; k++)
    if (p->nodes[i].dx[k] != LN_GIVES_NOTHING)
      live_at(l, l->dy_draft[p->values[node->inputs[k]].root], t);
  for (int k = 0; k < node->n_outputs; k++) {
    int64_t root = p->values[node->first_output + k].root;
    if (!p->nodes[i].backward) continue;
    live_at(l, l->dy_draft[root], t);
    if (has_own_weights_pass(l, i) && l->dy_draft[root] >= 0)
      l->drafts[l->dy_draft[root]].shared = true;
  }
}

static void share_places(ln_plan *p) {
  for (int64_t v = 0; v < p->n_values; v++) {
    const ln_plan_value *root = &p->values[p->values[v].root];
    p->values[v].y = root->y;
    if (p->values[v].has_grad) p->values[v].dy = root->dy;
  }
}

/* ---- what a node needs beside its inputs and outputs ---- */

static draft node_draft(const layout *l, int64_t i, int64_t bytes,
                        int64_t first, int64_t last) {
  const ln_plan_step *s = step_of(l->plan, i);
  int64_t whole = s->slices * ln_padded_bytes(bytes);
  return (draft){ bytes ? whole : 0, bytes, first, last, false, false, false };
}

static void place_memory(layout *l, int64_t i) {
  ln_plan_node *n = &l->plan->nodes[i];
  const ln_inference *r = &n->inference;
  int64_t forward = ln_forward_time(i);
  int64_t backward = ln_backward_time(l->plan, i);
  n->saved = new_draft(
      l, node_draft(l, i, r->saved, forward, n->backward ? backward : forward));
  for (int pass = 0; pass < 2; pass++) {
    int64_t t = pass ? backward : forward;
    bool used = !n->skipped && (!pass || n->backward);
    draft workspace = node_draft(l, i, used ? r->workspace : 0, t, t);
    draft scratch = node_draft(l, i, used ? r->scratch : 0, t, t);
    scratch.per_slot = true;
    n->workspace[pass] = new_draft(l, workspace);
    n->scratch[pass] = new_draft(l, scratch);
  }
}

/* Partial results live from the end of one step into the next, what a reduce
 * leaves from before the layer that applies it until backward has run. */
static void place_parts(layout *l, int64_t i) {
  ln_plan_node *n = &l->plan->nodes[i];
  int64_t forward = ln_forward_time(i);
  int64_t backward = ln_backward_time(l->plan, i);
  int64_t last = n->backward ? backward : forward;
  bool in_parts = ln_inference_in_parts(&n->inference);
  int64_t first = ln_forward_time(ln_plan_applier(l->plan, l->net, i));
  n->shared = new_draft(l, (draft){ in_parts ? n->inference.shared : 0, 0,
                                    first - 1, last, true, false, false });
  for (int pass = 0; pass < 2; pass++) {
    int64_t t = pass ? backward : forward;
    bool used = n->in_parts && (!pass || n->backward);
    draft d = node_draft(l, i, used ? n->inference.partial : 0, t - 1, t);
    d.shared = true;
    n->partial[pass] = new_draft(l, d);
  }
}

static void place_extra(layout *l, int64_t i) {
  const ln_node *node = &l->net->nodes[i];
  ln_plan_node *n = &l->plan->nodes[i];
  const ln_plan_step *s = step_of(l->plan, i);
  int64_t t = ln_backward_time(l->plan, i);
  for (int64_t k = 0; k < node->n_inputs; k++) {
    const ln_plan_value *x = &l->plan->values[node->inputs[k]];
    int64_t slice = x->item * s->items * (int64_t)sizeof(float);
    draft d = { bytes_of(x), slice, t, t, false, false, true };
    bool more = n->dx[k] == LN_GIVES_MORE ||
                (n->dx[k] == LN_GIVES_FIRST && x->starts_filled);
    n->dx_extra[k] = more && !n->in_place ? new_draft(l, d) : -1;
  }
}

static ln_status place_weight_gradients(layout *l, int64_t i) {
  ln_plan_node *n = &l->plan->nodes[i];
  const ln_instance *instance = l->net->nodes[i].instance;
  int64_t t = ln_backward_time(l->plan, i);
  bool once = n->in_parts || has_own_weights_pass(l, i);
  int64_t slices = once ? 1 : step_of(l->plan, i)->slices;
  n->dw = ln_alloc((size_t)instance->n_weights * sizeof *n->dw);
  if (!n->dw) return LN_FAILED;
  for (int64_t k = 0; k < instance->n_weights; k++) {
    int64_t bytes = 4 * ln_instance_weight(instance, k)->value->count;
    int64_t all = slices == 1 ? bytes : slices * ln_padded_bytes(bytes);
    draft d = { all, 0, t, t, true, false, slices == 1 };
    if (n->in_parts) d.first--; /* the reduce comes before its step */
    n->dw[k] = n->backward && n->wants_weights ? new_draft(l, d) : -1;
  }
  return LN_OK;
}

/* ---- from drafts to buffers ---- */

/* The step that runs at a time, and when that begins and ends. False: none. */
typedef struct span {
  int64_t begin, end;
  bool sliced;
} span;

static bool step_at(const ln_plan *p, int64_t time, span *out) {
  int64_t n = p->n_nodes;
  bool forward = time < n;
  int64_t node = forward ? time : 2 * n - time;
  if (node < 0 || node >= n) return false;
  const ln_plan_step *s = step_of(p, node);
  if (forward) {
    *out = (span){ s->first, s->last, s->sliced };
  } else {
    if (s->opens == node) s--; /* which runs its backward */
    *out = (span){ 2 * n - s->back_last, 2 * n - s->back_first, s->sliced };
  }
  return true;
}

/* Widens a life to those of the whole steps it falls into: slices of one step
 * run at once, so its numbers all live together. */
static void widen(const ln_plan *p, int64_t *first, int64_t *last) {
  span s;
  if (step_at(p, *first, &s)) *first = s.begin;
  if (step_at(p, *last, &s)) *last = s.end;
}

/* Does all its life fall into one direction of one sliced step? */
static bool within_a_step(const ln_plan *p, const draft *d) {
  span s;
  return step_at(p, d->first, &s) && s.sliced && d->last <= s.end;
}

/* What forward leaves for a backward is left for the next one, too. */
static void retain(layout *l) {
  const ln_plan *p = l->plan;
  for (int64_t i = 0; i < l->n_drafts; i++) {
    draft *d = &l->drafts[i];
    if (d->first < p->n_nodes && d->last > p->n_nodes) d->last = 2 * p->n_nodes;
  }
}

static ln_status make_buffers(layout *l) {
  ln_plan *p = l->plan;
  if (p->retains) retain(l);
  p->n_buffers = l->n_drafts;
  p->buffers = ln_alloc_zero((size_t)l->n_drafts * sizeof *p->buffers);
  if (!p->buffers) return LN_FAILED;
  for (int64_t i = 0; i < l->n_drafts; i++) {
    const draft *d = &l->drafts[i];
    ln_buffer *b = &p->buffers[i];
    b->local = d->per_slot || (!d->shared && within_a_step(p, d));
    b->bytes = b->local ? d->slice_bytes : d->whole_bytes;
    b->any_float = d->tensor;
    b->first = d->first;
    b->last = d->last;
    if (!b->local) widen(p, &b->first, &b->last);
  }
  if (p->guarded) {
    ln_arena_spread(p->buffers, p->n_buffers, false, &p->arena_bytes);
    ln_arena_spread(p->buffers, p->n_buffers, true, &p->local_bytes);
    return LN_OK;
  }
  if (ln_arena_pack(p->buffers, p->n_buffers, false, &p->arena_bytes) ||
      ln_arena_pack(p->buffers, p->n_buffers, true, &p->local_bytes))
    return LN_FAILED;
  return LN_OK;
}

static void mark_local(const ln_plan *p, ln_place *place) {
  if (place->where == LN_IN_ARENA && p->buffers[place->index].local)
    place->where = LN_IN_SLOT;
}

static int64_t frame_room(const ln_net *net) {
  int64_t most = 0;
  for (int64_t i = 0; i < net->n_nodes; i++) {
    const ln_node *n = &net->nodes[i];
    int64_t room = 2 * (n->n_inputs + n->n_outputs) +
                   2 * n->instance->n_weights + n->instance->n_states;
    if (room > most) most = room;
  }
  return most;
}

static ln_status allocate_guarded(ln_plan *p) {
  p->arena = ln_pages_new(p->arena_bytes);
  p->local = ln_pages_new(p->local_bytes * p->slots);
  if (!p->arena || !p->local) return LN_FAILED;
  ln_arena_close(p->arena, p->buffers, p->n_buffers, false);
  for (int slot = 0; slot < p->slots; slot++)
    ln_arena_close(p->local + slot * p->local_bytes, p->buffers, p->n_buffers,
                   true);
  return LN_OK;
}

static ln_status allocate_memory(ln_plan *p) {
  if (p->guarded) return allocate_guarded(p);
  p->arena = ln_alloc((size_t)p->arena_bytes);
  p->local = ln_alloc((size_t)p->local_bytes * (size_t)p->slots);
  return p->arena && p->local ? LN_OK : LN_FAILED;
}

void ln_plan_free_memory(ln_plan *p) {
  if (p->guarded) {
    ln_pages_free(p->arena, p->arena_bytes);
    ln_pages_free(p->local, p->local_bytes * p->slots);
  } else {
    ln_free(p->arena);
    ln_free(p->local);
  }
}

static ln_status allocate(ln_plan *p, const ln_net *net) {
  p->frame_room = frame_room(net);
  if (allocate_memory(p)) return LN_FAILED;
  p->frames = ln_alloc_zero((size_t)p->slots * sizeof *p->frames);
  p->statuses = ln_alloc_zero((size_t)p->max_slices * sizeof *p->statuses);
  p->failed_nodes =
      ln_alloc_zero((size_t)p->max_slices * sizeof *p->failed_nodes);
  if (!p->frames || !p->statuses || !p->failed_nodes) return LN_FAILED;
  size_t room = (size_t)p->frame_room;
  for (int i = 0; i < p->slots; i++) {
    ln_frame *f = &p->frames[i];
    f->tensors = ln_alloc_zero(room * sizeof *f->tensors);
    f->pointers = ln_alloc_zero(room * sizeof *f->pointers);
    if (!f->tensors || !f->pointers) return LN_FAILED;
  }
  return LN_OK;
}

static int64_t count_drafts(const ln_net *net) {
  int64_t n = 2 * net->n_values;
  for (int64_t i = 0; i < net->n_nodes; i++)
    n += 8 + net->nodes[i].n_inputs + net->nodes[i].instance->n_weights;
  return n;
}

static ln_status draft_all(layout *l) {
  const ln_net *net = l->net;
  for (int64_t v = 0; v < net->n_values; v++) place_activation(l, v);
  for (int64_t i = 0; i < net->n_nodes; i++) read_by_node(l, i);
  for (int64_t v = 0; v < net->n_values; v++) place_gradient(l, v);
  for (int64_t i = 0; i < net->n_nodes; i++) {
    note_gradient_uses(l, i);
    place_memory(l, i);
    place_parts(l, i);
    place_extra(l, i);
    if (place_weight_gradients(l, i)) return LN_FAILED;
  }
  share_places(l->plan);
  return make_buffers(l);
}

ln_status ln_plan_lay_out(ln_plan *p, const ln_net *net) {
  size_t values = (size_t)(net->n_values + 1);
  layout l = { .plan = p, .net = net };
  l.drafts = ln_alloc_zero((size_t)(count_drafts(net) + 1) * sizeof(draft));
  l.y_draft = ln_alloc(values * sizeof(int64_t));
  l.dy_draft = ln_alloc(values * sizeof(int64_t));
  ln_status s = l.drafts && l.y_draft && l.dy_draft ? draft_all(&l) : LN_FAILED;
  for (int64_t v = 0; !s && v < p->n_values; v++) {
    mark_local(p, &p->values[v].y);
    mark_local(p, &p->values[v].dy);
  }
  ln_free(l.drafts);
  ln_free(l.y_draft);
  ln_free(l.dy_draft);
  return s ? s : allocate(p, net);
}
