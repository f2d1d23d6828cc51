/* net.c - building a graph of layers; see net.h. */
#include "graph/net.h"

#include <string.h>

#include "base/guard.h"
#include "base/memory.h"
#include "base/threads.h"
#include "host/registry.h"

ln_status ln_net_new(ln_net **out) {
  *out = ln_alloc_zero(sizeof **out);
  return *out ? LN_OK : LN_FAILED;
}

static void free_built(ln_net *net) {
  for (int64_t i = 0; net->built && i < net->n_nodes; i++)
    ln_inference_free(&net->built[i]);
  ln_free(net->built);
  ln_free(net->built_shapes);
  net->built = NULL;
  net->built_shapes = NULL;
}

/* ---- room for the tensors of a pass ---- */

static ln_status make_lists(ln_lists *lists, int64_t n) {
  size_t pointers = (size_t)n * sizeof(ln_tensor *);
  lists->value = ln_alloc_zero(pointers);
  lists->gradient = ln_alloc_zero(pointers);
  lists->kept = ln_alloc_zero(pointers);
  lists->version = ln_alloc_zero((size_t)n * sizeof *lists->version);
  lists->shape = ln_alloc_zero((size_t)n * sizeof *lists->shape);
  return lists->value && lists->gradient && lists->kept && lists->version &&
                 lists->shape
             ? LN_OK
             : LN_FAILED;
}

static void free_lists(ln_lists *lists) {
  ln_free(lists->value);
  ln_free(lists->gradient);
  ln_free(lists->kept);
  ln_free(lists->version);
  ln_free(lists->shape);
  *lists = (ln_lists){ 0 };
}

static void free_room(ln_net *net) {
  ln_net_release_kept(net);
  free_lists(&net->x);
  free_lists(&net->y);
  net->has_room = false;
}

ln_status ln_net_make_room(ln_net *net) {
  if (net->has_room) return LN_OK;
  net->has_room = true;
  if (!make_lists(&net->x, net->n_inputs) &&
      !make_lists(&net->y, net->n_outputs))
    return LN_OK;
  free_room(net);
  return LN_FAILED;
}

static void release_kept(ln_lists *lists, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    ln_tensor_release(lists->kept[i]);
    lists->kept[i] = NULL;
  }
}

void ln_net_release_kept(ln_net *net) {
  if (net->x.kept) release_kept(&net->x, net->n_inputs);
  if (net->y.kept) release_kept(&net->y, net->n_outputs);
}

/* ---- building ---- */

void ln_net_free(ln_net *net) {
  if (!net) return;
  ln_plan_free(net->training);
  ln_plan_free(net->predicting);
  free_built(net);
  while (net->taps) ln_net_remove_tap(net, net->taps);
  for (int64_t i = 0; i < net->n_nodes; i++) {
    ln_instance_release(net->nodes[i].instance);
    ln_free(net->nodes[i].label);
    ln_free(net->nodes[i].inputs);
  }
  ln_free(net->nodes);
  ln_free(net->values);
  ln_free(net->inputs);
  ln_free(net->outputs);
  ln_free(net->steps);
  free_room(net);
  ln_free(net);
}

/* The array with room for one more element. It always has room for a power of
 * two, so only at such a count a larger one is made and the old given back. */
static void *grown(void *old, int64_t n, size_t size) {
  if ((n & (n - 1)) != 0) return old;
  char *new = ln_alloc_zero((size_t)(n ? 2 * n : 1) * size);
  if (!new) return NULL;
  if (n) memcpy(new, old, (size_t)n * size);
  ln_free(old);
  return new;
}

static ln_status add_value(ln_net *net, int64_t node, int64_t input) {
  ln_value_source *more = grown(net->values, net->n_values, sizeof *more);
  if (!more) return LN_FAILED;
  net->values = more;
  more[net->n_values++] = (ln_value_source){ node, input };
  return LN_OK;
}

ln_status ln_net_add_input(ln_net *net, int64_t *value) {
  int64_t *more = grown(net->inputs, net->n_inputs, sizeof *more);
  if (!more) return LN_FAILED;
  net->inputs = more;
  free_room(net);
  if (add_value(net, -1, net->n_inputs)) return LN_FAILED;
  *value = more[net->n_inputs++] = net->n_values - 1;
  return LN_OK;
}

static ln_status check_values(const ln_net *net, const int64_t *values,
                              int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (values[i] < 0 || values[i] >= net->n_values)
      return ln_set_error("value %" PRId64
                          " does not exist; the net has %" PRId64,
                          values[i], net->n_values);
  return LN_OK;
}

static ln_status fill_node(ln_node *node, ln_instance *instance,
                           const char *label, const int64_t *inputs,
                           int64_t n) {
  node->label = ln_copy_text(label);
  node->inputs = ln_alloc((size_t)n * sizeof *inputs);
  if (!node->label || !node->inputs) {
    ln_free(node->label);
    ln_free(node->inputs);
    return LN_FAILED;
  }
  if (n) memcpy(node->inputs, inputs, (size_t)n * sizeof *inputs);
  node->n_inputs = n;
  node->n_outputs = instance->known->outputs.n_ports;
  node->instance = ln_instance_retain(instance);
  return LN_OK;
}

ln_status ln_net_add_layer(ln_net *net, ln_instance *instance,
                           const char *label, const int64_t *inputs,
                           int64_t n_inputs, int64_t *first) {
  if (check_values(net, inputs, n_inputs)) return LN_FAILED;
  ln_node *nodes = grown(net->nodes, net->n_nodes, sizeof *nodes);
  if (!nodes) return LN_FAILED;
  net->nodes = nodes;
  uint64_t *steps = grown(net->steps, net->n_nodes, sizeof *steps);
  if (!steps) return LN_FAILED;
  net->steps = steps;
  ln_node *node = &nodes[net->n_nodes];
  if (fill_node(node, instance, label, inputs, n_inputs)) return LN_FAILED;
  *first = node->first_output = net->n_values;
  net->n_nodes++;
  for (int i = 0; i < node->n_outputs; i++)
    if (add_value(net, net->n_nodes - 1, -1)) return LN_FAILED;
  return LN_OK;
}

ln_status ln_net_set_outputs(ln_net *net, const int64_t *values, int64_t n) {
  if (check_values(net, values, n)) return LN_FAILED;
  int64_t *copy = ln_alloc((size_t)n * sizeof *copy);
  if (!copy) return LN_FAILED;
  free_room(net);
  ln_free(net->outputs);
  if (n) memcpy(copy, values, (size_t)n * sizeof *copy);
  net->outputs = copy;
  net->n_outputs = n;
  return LN_OK;
}

void ln_net_requires_grad(ln_net *net, bool inputs) {
  net->wants_inputs = inputs;
}

void ln_net_retain_graph(ln_net *net, bool on) {
  net->retains = on;
}

/* ---- shapes ---- */

ln_status ln_net_infer_node(const ln_net *net, int64_t i, int64_t items,
                            ln_inference *r, ln_shape *shapes) {
  const ln_node *node = &net->nodes[i];
  ln_shape *x = ln_alloc((size_t)node->n_inputs * sizeof *x);
  if (!x) return LN_FAILED;
  for (int64_t k = 0; k < node->n_inputs; k++) x[k] = shapes[node->inputs[k]];
  ln_status s = ln_instance_infer(node->instance, x, node->n_inputs, items, r);
  ln_free(x);
  if (s) return ln_prefix_error("%s: ", node->label);
  for (int k = 0; k < node->n_outputs; k++)
    shapes[node->first_output + k] = r->y[k];
  return LN_OK;
}

ln_status ln_net_infer(ln_net *net, const ln_shape *x, int64_t items,
                       ln_inference *nodes, ln_shape *shapes) {
  for (int64_t i = 0; i < net->n_inputs; i++) shapes[net->inputs[i]] = x[i];
  for (int64_t i = 0; i < net->n_nodes; i++) {
    if (!ln_net_infer_node(net, i, items, &nodes[i], shapes)) continue;
    while (i--) ln_inference_free(&nodes[i]);
    return LN_FAILED;
  }
  return LN_OK;
}

static ln_status check_inputs(const ln_net *net, int64_t n) {
  if (n == net->n_inputs) return LN_OK;
  return ln_set_error("the net has %" PRId64 " input%s, but got %" PRId64,
                      net->n_inputs, net->n_inputs == 1 ? "" : "s", n);
}

ln_status ln_net_build(ln_net *net, const ln_shape *inputs, int64_t n) {
  if (check_inputs(net, n)) return LN_FAILED;
  ln_inference *built = ln_alloc_zero((size_t)net->n_nodes * sizeof *built);
  ln_shape *shapes = ln_alloc_zero((size_t)net->n_values * sizeof *shapes);
  if (!built || !shapes || ln_net_infer(net, inputs, 0, built, shapes)) {
    ln_free(built);
    ln_free(shapes);
    return LN_FAILED;
  }
  free_built(net);
  net->built = built;
  net->built_shapes = shapes;
  net->has_notices = true;
  return LN_OK;
}

int64_t ln_net_n_inputs(const ln_net *net) {
  return net->n_inputs;
}

int64_t ln_net_n_outputs(const ln_net *net) {
  return net->n_outputs;
}

int64_t ln_net_n_layers(const ln_net *net) {
  return net->n_nodes;
}

ln_instance *ln_net_layer(const ln_net *net, int64_t node) {
  return node >= 0 && node < net->n_nodes ? net->nodes[node].instance : NULL;
}

const ln_shape *ln_net_value_shape(const ln_net *net, int64_t value) {
  bool known = net->built && value >= 0 && value < net->n_values;
  return known ? &net->built_shapes[value] : NULL;
}

static int64_t bytes_of(const ln_inference *r) {
  int64_t bytes = 0;
  for (int k = 0; k < r->n_y; k++)
    bytes += ln_count(&r->y[k]) * (int64_t)sizeof(float);
  return bytes;
}

ln_status ln_net_node_info(const ln_net *net, int64_t node, ln_node_info *out) {
  if (!net->built || node < 0 || node >= net->n_nodes)
    return ln_set_error("build the net first");
  const ln_inference *r = &net->built[node];
  *out = (ln_node_info){
    .y = &r->y[0],
    .flops = r->flops,
    .flops_backward = r->flops_backward,
    .activation_bytes = bytes_of(r),
    .saved_bytes = r->saved,
    .workspace_bytes = r->workspace,
    .method = r->kernel ? r->kernel->method : "textbook",
    .notice = r->notice.length ? r->notice.s : NULL,
    .window_dims = r->window_dims,
    .window = r->window,
  };
  return LN_OK;
}

/* ---- plans ---- */

void ln_set_guard(bool on) {
  ln_guard(on);
  ln_host_bump_generation();
}

ln_status ln_net_plan(ln_net *net, const ln_shape *x, bool training,
                      ln_plan **out) {
  ln_plan **plan = training ? &net->training : &net->predicting;
  if (!*plan || !ln_plan_fits(*plan, net, x)) {
    ln_plan_free(*plan);
    *plan = NULL;
    bool careful = ln_checks_numerics() || ln_is_guarded();
    if (ln_plan_new(net, x, training, careful, plan)) return LN_FAILED;
    net->has_notices = true;
  }
  *out = *plan;
  return LN_OK;
}

/* ---- notices ---- */

typedef void (*teller)(void *arg, const char *label, const char *notice);

static void tell_notice(const ln_node *node, const ln_inference *r, teller tell,
                        void *arg) {
  if (r->notice.length && ln_instance_is_news(node->instance, r->notice.s))
    tell(arg, node->label, r->notice.s);
}

void ln_net_tell_notices(ln_net *net, teller tell, void *arg) {
  if (!net->has_notices) return;
  net->has_notices = false;
  for (int64_t i = 0; i < net->n_nodes; i++) {
    const ln_node *node = &net->nodes[i];
    if (net->built) tell_notice(node, &net->built[i], tell, arg);
    if (net->training)
      tell_notice(node, &net->training->nodes[i].inference, tell, arg);
    if (net->predicting)
      tell_notice(node, &net->predicting->nodes[i].inference, tell, arg);
  }
}
