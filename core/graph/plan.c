/* plan.c - what is computed: shapes, gradients, and the plan as a whole. Who
 * shares memory is share.c, in which steps it runs steps.c, where it lies
 * layout.c. */
#include "graph/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "base/memory.h"
#include "base/threads.h"
#include "graph/net.h"
#include "host/registry.h"
#include "tensor/tensor.h"

/* ---- slices ---- */

static int64_t batch_of(const ln_net *net, const ln_shape *x) {
  return net->n_inputs && x[0].rank ? x[0].dim[0] : 1;
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
  *items = p->careful ? 0 : ln_slice_items(net, nodes, p->items);
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
    p->values[v].shape = ln_plain_shape(&shapes[v]);
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
    value->count = ln_count(s);
    value->item = has_batch ? value->count / s->dim[0] : 0;
    value->root = v;
  }
  for (int64_t i = 0; i < net->n_outputs; i++)
    p->values[net->outputs[i]].n_outputs++;
  for (int64_t i = 0; i < net->n_nodes; i++)
    for (int64_t k = 0; k < net->nodes[i].n_inputs; k++)
      p->values[net->nodes[i].inputs[k]].uses++;
  for (const ln_tap *t = net->taps; t; t = t->next)
    p->values[t->value].is_tapped = true;
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

typedef struct use {
  const ln_instance *instance;
  int64_t node;
} use;

static int by_instance(const void *a, const void *b) {
  const ln_instance *x = ((const use *)a)->instance;
  const ln_instance *y = ((const use *)b)->instance;
  return x < y ? -1 : x > y;
}

static ln_status find_sole_uses(ln_plan *p, const ln_net *net) {
  int64_t n = net->n_nodes;
  use *uses = ln_alloc((size_t)n * sizeof *uses);
  if (!uses) return LN_FAILED;
  for (int64_t i = 0; i < n; i++) uses[i] = (use){ net->nodes[i].instance, i };
  qsort(uses, (size_t)n, sizeof *uses, by_instance);
  for (int64_t k = 0; k < n; k++)
    p->nodes[uses[k].node].sole_use =
        (k == 0 || uses[k - 1].instance != uses[k].instance) &&
        (k == n - 1 || uses[k + 1].instance != uses[k].instance);
  ln_free(uses);
  return LN_OK;
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
    bool inside = value->uses > 0 || value->is_tapped;
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
  p->retains = net->retains;
  p->slots = ln_num_threads();
  p->items = batch_of(net, x);
}

static ln_status decide(ln_plan *p, ln_net *net, const ln_shape *x) {
  int64_t items = 0;
  read_circumstances(p, net, x);
  if (allocate(p, net) || infer_all(p, net, x, &items)) return LN_FAILED;
  describe_values(p, net);
  ln_plan_share_memory(p, net);
  if (p->training) {
    find_wanted(p, net);
    find_arriving(p, net);
    find_filled(p, net);
    if (find_sole_uses(p, net) || check_backward(p, net)) return LN_FAILED;
  }
  ln_plan_make_steps(p, net, items);
  return ln_plan_lay_out(p, net);
}

ln_status ln_plan_new(ln_net *net, const ln_shape *x, bool training,
                      bool careful, ln_plan **out) {
  ln_plan *p = ln_alloc_zero(sizeof *p);
  if (!p) return LN_FAILED;
  p->training = training;
  p->careful = careful;
  p->guarded = ln_is_guarded();
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
      (p->training && (p->wants_inputs != net->wants_inputs ||
                       p->retains != net->retains)))
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
  ln_plan_free_memory(p);
  ln_free(p);
}
