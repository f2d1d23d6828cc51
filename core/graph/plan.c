/* plan.c - what is computed, in which steps; where it lies is layout.c. */
#include "graph/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "graph/net.h"
#include "host/registry.h"

/* A slice should be worth a thread's while, yet leave several slices. */
#define SLICE_FLOPS 2e6
#define MOST_ITEMS  16
#define MOST_SLICES 16
/* Each slice has gradients of its own for the weights: bound their memory. */
#define MOST_GRADIENT_BYTES (64 << 20)
/* Below this much work in a step the other threads stay asleep. */
#define PARALLEL_WORK 1e6

static uint32_t traits(const ln_net *net, int64_t i) {
  return net->nodes[i].instance->known->layer.traits;
}

/* ---- slices ---- */

static int64_t batch_of(const ln_net *net, const ln_shape *x) {
  return net->n_inputs && x[0].rank ? x[0].dim[0] : 1;
}

static int64_t largest_weights(const ln_net *net) {
  int64_t most = 0;
  for (int64_t i = 0; i < net->n_nodes; i++) {
    const ln_instance *instance = net->nodes[i].instance;
    int64_t bytes = 0;
    for (int64_t k = 0; k < instance->n_weights; k++)
      bytes += 4 * ln_instance_weight(instance, k)->value->count;
    if (bytes > most) most = bytes;
  }
  return most;
}

/* A function of shapes alone: results must not depend on the machine. */
static int64_t slice_items(const ln_net *net, const ln_inference *nodes,
                           int64_t batch) {
  double flops = 1;
  for (int64_t i = 0; i < net->n_nodes; i++) flops += nodes[i].flops;
  double wanted = SLICE_FLOPS / (flops / (double)(batch ? batch : 1));
  int64_t items = wanted > MOST_ITEMS ? MOST_ITEMS : (int64_t)wanted + 1;
  int64_t slices = MOST_SLICES, weights = largest_weights(net);
  if (weights * slices > MOST_GRADIENT_BYTES)
    slices = MOST_GRADIENT_BYTES / weights;
  if (slices < 2) slices = 2;
  int64_t least = (batch + slices - 1) / slices;
  return items > least ? items : least;
}

static void free_inferences(ln_inference *nodes, int64_t n) {
  for (int64_t i = 0; i < n; i++) ln_inference_free(&nodes[i]);
}

/* Only a layer that keeps the batch in front can be sliced. */
static bool keeps_batch(const ln_net *net, int64_t i, const ln_shape *shapes,
                        int64_t batch) {
  const ln_node *node = &net->nodes[i];
  for (int64_t k = 0; k < node->n_inputs; k++) {
    const ln_shape *x = &shapes[node->inputs[k]];
    if (!x->rank || x->dim[0] != batch) return false;
  }
  for (int k = 0; k < node->n_outputs; k++) {
    const ln_shape *y = &shapes[node->first_output + k];
    if (!y->rank || y->dim[0] != batch) return false;
  }
  return node->n_inputs > 0;
}

/* A layer that promises slices, but has lost the batch: the whole at once. */
static ln_status infer_whole(const ln_net *net, int64_t i, ln_shape *shapes,
                             ln_inference *r) {
  ln_inference_free(r);
  ln_status s = ln_net_infer_node(net, i, 0, r, shapes);
  r->per_sample = false;
  return s;
}

/* First for the whole batch, which tells the cost; then, where that asks for
 * slices, for the memory of a slice. */
static ln_status infer_slices(const ln_plan *p, ln_net *net, const ln_shape *x,
                              ln_inference *nodes, ln_shape *shapes,
                              int64_t *items) {
  if (ln_net_infer(net, x, 0, nodes, shapes)) return LN_FAILED;
  *items = p->careful ? 0 : slice_items(net, nodes, p->items);
  if (*items == 0 || *items >= p->items) return LN_OK;
  free_inferences(nodes, net->n_nodes);
  return ln_net_infer(net, x, *items, nodes, shapes);
}

static ln_status infer_all(ln_plan *p, ln_net *net, const ln_shape *x,
                           int64_t *items) {
  ln_inference *nodes = ln_alloc_zero((size_t)net->n_nodes * sizeof *nodes);
  ln_shape *shapes = ln_alloc_zero((size_t)net->n_values * sizeof *shapes);
  ln_status s = nodes && shapes ? infer_slices(p, net, x, nodes, shapes, items)
                                : LN_FAILED;
  for (int64_t i = 0; !s && i < net->n_nodes; i++)
    p->nodes[i].inference = nodes[i]; /* freed with the plan from now on */
  for (int64_t i = 0; !s && i < net->n_nodes; i++) {
    ln_inference *r = &p->nodes[i].inference;
    if (r->per_sample && !keeps_batch(net, i, shapes, p->items))
      s = infer_whole(net, i, shapes, r);
  }
  for (int64_t v = 0; !s && v < net->n_values; v++)
    p->values[v].shape = shapes[v];
  ln_free(nodes);
  ln_free(shapes);
  return s;
}

/* ---- values: who shares memory, who is watched ---- */

static void describe_values(ln_plan *p, const ln_net *net) {
  for (int64_t v = 0; v < net->n_values; v++) {
    ln_plan_value *value = &p->values[v];
    const ln_shape *s = &value->shape;
    bool has_batch = s->rank && s->dim[0] > 0;
    value->item = has_batch ? ln_count(s) / s->dim[0] : 0;
    value->root = v;
  }
  for (int64_t i = 0; i < net->n_outputs; i++)
    p->values[net->outputs[i]].n_outputs++;
  for (const ln_tap *t = net->taps; t; t = t->next)
    p->values[t->value].is_tapped = true;
}

static int64_t count_uses(const ln_net *net, int64_t value) {
  int64_t uses = 0;
  for (int64_t i = 0; i < net->n_nodes; i++)
    for (int64_t k = 0; k < net->nodes[i].n_inputs; k++)
      uses += net->nodes[i].inputs[k] == value;
  return uses;
}

static bool forgets(const ln_net *net, int64_t i, uint32_t trait) {
  return (traits(net, i) & trait) != 0;
}

/* One input, one output of its size, both seen by nobody else. */
static bool can_share(const ln_plan *p, const ln_net *net, int64_t i) {
  const ln_node *node = &net->nodes[i];
  if (p->careful || node->n_inputs != 1 || node->n_outputs != 1) return false;
  const ln_plan_value *x = &p->values[node->inputs[0]];
  const ln_plan_value *y = &p->values[node->first_output];
  return !y->n_outputs && !y->is_tapped && !x->n_outputs && !x->is_tapped &&
         x->item == y->item && count_uses(net, node->inputs[0]) == 1;
}

/* May a value lose its numbers once its only reader has run? The layer that
 * made it, and those whose memory it shares, must not want them in backward;
 * and it must not be the user's. */
static bool may_overwrite(const ln_plan *p, const ln_net *net, int64_t v) {
  int64_t i = net->values[v].node;
  if (i < 0 || (p->training && !forgets(net, i, LN_FORGETS_Y))) return false;
  if (!p->nodes[i].in_place) return true;
  return (!p->training || forgets(net, i, LN_FORGETS_X)) &&
         may_overwrite(p, net, net->nodes[i].inputs[0]);
}

/* Can layer i write its output over its input, its dx over its dy? */
static bool can_overwrite(const ln_plan *p, const ln_net *net, int64_t i) {
  return forgets(net, i, LN_IN_PLACE) &&
         (!p->training || forgets(net, i, LN_FORGETS_X)) &&
         may_overwrite(p, net, net->nodes[i].inputs[0]);
}

/* For whoever doubts the layer before: LUNET_FUSE=0. */
static bool fuses(void) {
  const char *wish = getenv("LUNET_FUSE");
  return !wish || strcmp(wish, "0") != 0;
}

/* Can the layer before apply the activation that layer i is? */
static bool can_absorb(const ln_plan *p, const ln_net *net, int64_t i) {
  int64_t before = net->values[net->nodes[i].inputs[0]].node;
  int32_t is = net->nodes[i].instance->known->layer.is;
  const ln_kernel *k = p->nodes[before].inference.kernel;
  return is != LN_IS_OPAQUE && is < 32 && fuses() && k &&
         (k->activations & LN_ACCEPTS(is)) &&
         forgets(net, before, LN_FORGETS_Y);
}

static void share_memory(ln_plan *p, const ln_net *net) {
  for (int64_t i = 0; i < net->n_nodes; i++) {
    ln_plan_node *n = &p->nodes[i];
    if (!can_share(p, net, i)) continue;
    int64_t x = net->nodes[i].inputs[0];
    n->skipped = forgets(net, i, LN_RESHAPES);
    n->in_place = n->skipped || can_overwrite(p, net, i);
    if (!n->in_place) continue;
    p->values[net->nodes[i].first_output].root = p->values[x].root;
    n->absorbed = !n->skipped && can_absorb(p, net, i);
    if (n->absorbed)
      p->nodes[net->values[x].node].activation =
          net->nodes[i].instance->known->layer.is;
  }
}

/* ---- gradients ---- */

/* The target of a loss gets none. */
static bool takes_gradient(const ln_net *net, int64_t i, int64_t k) {
  const ln_node *node = &net->nodes[i];
  bool loss = node->instance->known->layer.kind == LN_LOSS;
  return !loss || k < node->n_inputs - 1;
}

static void find_wanted(ln_plan *p, const ln_net *net) {
  for (int64_t i = 0; i < net->n_inputs; i++)
    p->values[net->inputs[i]].wants_grad = net->wants_inputs;
  for (int64_t i = 0; i < net->n_nodes; i++) {
    const ln_node *node = &net->nodes[i];
    p->nodes[i].wants_weights =
        node->instance->n_weights > 0 && !p->nodes[i].frozen;
    bool wanted = p->nodes[i].wants_weights;
    for (int64_t k = 0; k < node->n_inputs; k++)
      wanted |=
          takes_gradient(net, i, k) && p->values[node->inputs[k]].wants_grad;
    for (int k = 0; k < node->n_outputs; k++)
      p->values[node->first_output + k].wants_grad = wanted;
  }
}

/* Node i goes backward: which of its inputs it gives a gradient. */
static void give_gradients(ln_plan *p, const ln_net *net, int64_t i) {
  const ln_node *node = &net->nodes[i];
  for (int64_t k = 0; k < node->n_inputs; k++) {
    ln_plan_value *x = &p->values[node->inputs[k]];
    if (!x->wants_grad || !takes_gradient(net, i, k)) continue;
    bool first = !x->has_grad;
    p->nodes[i].dx[k] = first ? LN_GIVES_FIRST : LN_GIVES_MORE;
    x->has_grad = true;
  }
}

static void find_arriving(ln_plan *p, const ln_net *net) {
  for (int64_t v = 0; v < net->n_values; v++) {
    ln_plan_value *value = &p->values[v];
    value->has_grad = value->n_outputs && value->wants_grad;
  }
  for (int64_t i = net->n_nodes - 1; i >= 0; i--) {
    const ln_node *node = &net->nodes[i];
    ln_plan_value *y = &p->values[node->first_output];
    bool arrives = false;
    for (int k = 0; k < node->n_outputs; k++) arrives |= y[k].has_grad;
    if (!arrives) continue;
    p->nodes[i].backward = true;
    for (int k = 0; k < node->n_outputs; k++) { /* nobody used this one: 0 */
      y[k].starts_filled |= !y[k].has_grad;
      y[k].has_grad = true;
    }
    give_gradients(p, net, i);
  }
}

static bool is_input(const ln_net *net, int64_t value) {
  return net->values[value].node < 0;
}

/* Outputs that are used inside as well begin with the user's dy; inputs that
 * nothing goes back to begin with zeros. */
static void find_filled(ln_plan *p, const ln_net *net) {
  for (int64_t v = 0; v < net->n_values; v++) {
    ln_plan_value *value = &p->values[v];
    bool inside = count_uses(net, v) > 0 || value->is_tapped;
    if (value->has_grad && value->n_outputs &&
        (inside || value->n_outputs > 1 || is_input(net, v)))
      value->starts_filled = true;
    if (is_input(net, v) && net->wants_inputs && !value->has_grad)
      value->has_grad = value->starts_filled = true;
  }
}

static ln_status check_backward(const ln_plan *p, const ln_net *net) {
  for (int64_t i = 0; i < net->n_nodes; i++)
    if (p->nodes[i].backward &&
        !ln_inference_backward(net->nodes[i].instance, &p->nodes[i].inference))
      return ln_set_error("%s has no backward function, so nothing before it "
                          "can be trained",
                          net->nodes[i].label);
  return LN_OK;
}

/* ---- steps ---- */

static bool ends_step(const ln_plan *p, const ln_net *net, int64_t i) {
  const ln_node *node = &net->nodes[i];
  for (int k = 0; k < node->n_outputs; k++)
    if (p->values[node->first_output + k].is_tapped) return true;
  return false;
}

/* Arithmetic, and 4 for each number moved. */
static double work_of(const ln_plan *p, int64_t node) {
  const ln_inference *r = &p->nodes[node].inference;
  double work = r->flops;
  for (int k = 0; k < r->n_y; k++) work += 4.0 * (double)ln_count(&r->y[k]);
  return work;
}

static ln_plan_step *begin_step(ln_plan *p, int64_t first, bool sliced) {
  ln_plan_step *s = &p->steps[p->n_steps++];
  *s = (ln_plan_step){ .first = first,
                       .last = first - 1,
                       .opens = -1,
                       .closes = -1,
                       .sliced = sliced };
  return s;
}

/* Ends `open` (NULL: none) with the partial results of node i. */
static ln_plan_step *step_in_parts(ln_plan *p, ln_plan_step *open, int64_t i,
                                   bool sliced) {
  if (!open) open = begin_step(p, i, sliced);
  open->closes = i;
  ln_plan_step *s = begin_step(p, i, sliced);
  s->opens = i;
  return s;
}

static void divide_nodes(ln_plan *p, const ln_net *net) {
  ln_plan_step *open = NULL; /* a sliced one that may go on */
  for (int64_t i = 0; i < net->n_nodes; i++) {
    ln_plan_node *n = &p->nodes[i];
    bool sliced = !p->careful && (n->inference.per_sample || n->skipped);
    ln_plan_step *s = sliced ? open : NULL;
    n->in_parts = p->training && ln_inference_in_parts(&n->inference);
    if (n->in_parts)
      s = step_in_parts(p, s, i, sliced);
    else if (!s)
      s = begin_step(p, i, sliced);
    s->last = i;
    n->step = s - p->steps;
    open = sliced && !ends_step(p, net, i) ? s : NULL;
  }
}

static void finish_step(ln_plan *p, ln_plan_step *s, int64_t items) {
  bool split = s->sliced && items > 0 && items < p->items;
  double work = s->closes >= 0 ? work_of(p, s->closes) : 0;
  for (int64_t i = s->first; i <= s->last; i++) work += work_of(p, i);
  s->items = split ? items : p->items;
  s->slices = split ? (p->items + items - 1) / items : 1;
  s->parallel = work >= PARALLEL_WORK;
  s->back_first = s->first + (s->opens >= 0);
  s->back_last = s->last + (s->closes >= 0);
  if (s->slices > p->max_slices) p->max_slices = s->slices;
}

static void make_steps(ln_plan *p, const ln_net *net, int64_t items) {
  divide_nodes(p, net);
  for (int64_t k = 0; k < p->n_steps; k++) finish_step(p, &p->steps[k], items);
}

/* ---- the whole ---- */

static ln_status allocate(ln_plan *p, const ln_net *net) {
  size_t nodes = (size_t)net->n_nodes, values = (size_t)net->n_values;
  p->n_nodes = net->n_nodes;
  p->n_values = net->n_values;
  p->n_inputs = net->n_inputs;
  p->n_outputs = net->n_outputs;
  p->nodes = ln_alloc_zero(nodes * sizeof *p->nodes);
  p->values = ln_alloc_zero(values * sizeof *p->values);
  p->steps = ln_alloc_zero(2 * nodes * sizeof *p->steps);
  p->reads_x = ln_alloc_zero((size_t)net->n_inputs * sizeof *p->reads_x);
  p->reads_y = ln_alloc_zero((size_t)net->n_outputs * sizeof *p->reads_y);
  if (!p->nodes || !p->values || !p->steps || !p->reads_x || !p->reads_y)
    return LN_FAILED;
  for (size_t i = 0; i < nodes; i++) {
    ln_plan_node *n = &p->nodes[i];
    const ln_node *node = &net->nodes[i];
    n->frozen = node->instance->frozen;
    n->dx = ln_alloc_zero((size_t)node->n_inputs * sizeof *n->dx);
    n->dx_extra = ln_alloc_zero((size_t)node->n_inputs * sizeof(int64_t));
    if (!n->dx || !n->dx_extra) return LN_FAILED;
  }
  return LN_OK;
}

static void read_circumstances(ln_plan *p, const ln_net *net,
                               const ln_shape *x) {
  p->generation = ln_host_generation();
  p->taps_changed = net->taps_changed;
  p->wants_inputs = net->wants_inputs;
  p->slots = ln_num_threads();
  p->items = batch_of(net, x);
}

static ln_status decide(ln_plan *p, ln_net *net, const ln_shape *x) {
  int64_t items = 0;
  read_circumstances(p, net, x);
  if (allocate(p, net) || infer_all(p, net, x, &items)) return LN_FAILED;
  describe_values(p, net);
  share_memory(p, net);
  if (p->training) {
    find_wanted(p, net);
    find_arriving(p, net);
    find_filled(p, net);
    if (check_backward(p, net)) return LN_FAILED;
  }
  make_steps(p, net, items);
  return ln_plan_lay_out(p, net);
}

ln_status ln_plan_new(ln_net *net, const ln_shape *x, bool training,
                      bool careful, ln_plan **out) {
  ln_plan *p = ln_alloc_zero(sizeof *p);
  if (!p) return LN_FAILED;
  p->training = training;
  p->careful = careful;
  if (decide(p, net, x)) {
    ln_plan_free(p);
    return LN_FAILED;
  }
  *out = p;
  return LN_OK;
}

bool ln_plan_fits(const ln_plan *p, const ln_net *net, const ln_shape *x) {
  if (p->generation != ln_host_generation() || p->slots != ln_num_threads() ||
      p->taps_changed != net->taps_changed || p->n_nodes != net->n_nodes ||
      p->n_outputs != net->n_outputs ||
      (p->training && p->wants_inputs != net->wants_inputs))
    return false;
  for (int64_t i = 0; i < net->n_inputs; i++)
    if (!ln_shape_equal(&x[i], &p->values[net->inputs[i]].shape)) return false;
  for (int64_t i = 0; p->training && i < net->n_nodes; i++)
    if (p->nodes[i].frozen != net->nodes[i].instance->frozen) return false;
  return true;
}

void ln_plan_free(ln_plan *p) {
  if (!p) return;
  for (int64_t i = 0; p->nodes && i < p->n_nodes; i++) {
    ln_inference_free(&p->nodes[i].inference);
    ln_free(p->nodes[i].dx);
    ln_free(p->nodes[i].dx_extra);
    ln_free(p->nodes[i].dw);
  }
  for (int i = 0; p->frames && i < p->slots; i++) {
    ln_free(p->frames[i].tensors);
    ln_free(p->frames[i].pointers);
  }
  ln_free(p->frames);
  ln_free(p->statuses);
  ln_free(p->failed_nodes);
  ln_free(p->nodes);
  ln_free(p->values);
  ln_free(p->steps);
  ln_free(p->buffers);
  ln_free(p->reads_x);
  ln_free(p->reads_y);
  ln_free(p->arena);
  ln_free(p->local);
  ln_free(p);
}
