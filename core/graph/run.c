/* run.c - forward, predict and backward as the outside sees them: checks, new
 * tensors for what leaves the net, and what is kept for backward. */
#include <math.h>
#include <string.h>

#include "base/denormals.h"
#include "base/memory.h"
#include "graph/pass.h"
#include "host/registry.h"
#include "tensor/tensor.h"

/* ---- inputs ---- */

typedef struct inputs {
  ln_tensor **x; /* dense, retained */
  ln_shape *shapes;
  int64_t n;
} inputs;

static void free_inputs(inputs *in) {
  for (int64_t i = 0; in->x && i < in->n; i++) ln_tensor_release(in->x[i]);
  ln_free(in->x);
  ln_free(in->shapes);
}

static ln_status read_inputs(const ln_net *net, ln_tensor *const *x, int64_t n,
                             inputs *in) {
  *in = (inputs){ .n = n };
  if (n != net->n_inputs)
    return ln_set_error("expects %" PRId64 " input%s, but got %" PRId64,
                        net->n_inputs, net->n_inputs == 1 ? "" : "s", n);
  in->x = ln_alloc_zero((size_t)(n + 1) * sizeof *in->x);
  in->shapes = ln_alloc_zero((size_t)(n + 1) * sizeof *in->shapes);
  if (!in->x || !in->shapes) return LN_FAILED;
  for (int64_t i = 0; i < n; i++) {
    if (ln_tensor_dense(x[i], &in->x[i])) return LN_FAILED;
    in->shapes[i] = x[i]->shape;
  }
  return LN_OK;
}

/* ---- outputs: fresh tensors, so that the user's never change ---- */

static void free_tensors(ln_tensor **t, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    ln_tensor_release(t[i]);
    t[i] = NULL;
  }
}

static ln_status new_outputs(const ln_net *net, const ln_plan *p,
                             ln_tensor **y) {
  for (int64_t i = 0; i < net->n_outputs; i++) y[i] = NULL;
  for (int64_t i = 0; i < net->n_outputs; i++)
    if (ln_tensor_new(&p->values[net->outputs[i]].shape, &y[i])) {
      free_tensors(y, net->n_outputs);
      return LN_FAILED;
    }
  return LN_OK;
}

/* An output that is also an input, or stands twice in the list, was not
 * written by a layer. */
static void copy_plain_outputs(const ln_pass_run *run) {
  for (int64_t i = 0; i < run->net->n_outputs; i++) {
    int64_t v = run->net->outputs[i];
    const float *from = ln_run_address(run, v, false, 0, 0);
    size_t bytes = (size_t)run->y[i]->count * sizeof(float);
    if (from != run->y[i]->data && bytes) memcpy(run->y[i]->data, from, bytes);
  }
}

static ln_status copy_tapped(const ln_pass_run *run) {
  for (ln_tap *t = run->net->taps; t; t = t->next) {
    const ln_shape *s = &run->plan->values[t->value].shape;
    ln_tensor *copy;
    if (ln_tensor_new(s, &copy)) return LN_FAILED;
    if (copy->count)
      memcpy(copy->data, ln_run_address(run, t->value, false, 0, 0),
             (size_t)copy->count * sizeof(float));
    ln_tensor_release(t->output);
    t->output = copy;
  }
  return LN_OK;
}

/* ---- forward and predict ---- */

static void keep(ln_net *net, const inputs *in, ln_tensor **y) {
  for (int64_t i = 0; i < net->n_inputs; i++)
    net->kept_x[i] =
        (ln_kept){ ln_tensor_retain(in->x[i]), ln_tensor_version(in->x[i]) };
  for (int64_t i = 0; i < net->n_outputs; i++)
    net->kept_y[i] =
        (ln_kept){ ln_tensor_retain(y[i]), ln_tensor_version(y[i]) };
}

static ln_status pass_upwards(ln_net *net, const inputs *in, bool predict,
                              ln_tensor **y) {
  ln_plan *plan;
  if (ln_net_plan(net, in->shapes, !predict, &plan) ||
      new_outputs(net, plan, y))
    return LN_FAILED;
  ln_pass_run run = {
    .net = net, .plan = plan, .predict = predict, .x = in->x, .y = y
  };
  uint64_t setting = ln_flush_denormals();
  ln_status s = ln_run_forward(&run, NULL, NULL);
  ln_restore_denormals(setting);
  if (!s) copy_plain_outputs(&run);
  if (!s) s = copy_tapped(&run);
  if (s)
    free_tensors(y, net->n_outputs);
  else if (!predict)
    keep(net, in, y);
  return s;
}

/* A tap's function that runs its own net would overwrite what is in use. */
static ln_status check_idle(const ln_net *net) {
  if (!net->busy) return LN_OK;
  return ln_set_error("this net is in the midst of a pass; the function of a "
                      "tap can use its gradient, but not run the net");
}

static ln_status upwards(ln_net *net, ln_tensor *const *x, int64_t n,
                         bool predict, ln_tensor **y) {
  inputs in;
  if (check_idle(net)) return LN_FAILED;
  ln_clear_cancel();
  ln_net_release_kept(net);
  net->state = LN_NO_FORWARD;
  ln_status s = read_inputs(net, x, n, &in);
  if (!s) s = pass_upwards(net, &in, predict, y);
  if (!s) net->state = predict ? LN_PREDICT_DONE : LN_FORWARD_DONE;
  free_inputs(&in);
  return s;
}

ln_status ln_net_forward(ln_net *net, ln_tensor *const *x, int64_t n,
                         ln_tensor **y) {
  return upwards(net, x, n, false, y);
}

ln_status ln_net_predict(ln_net *net, ln_tensor *const *x, int64_t n,
                         ln_tensor **y) {
  return upwards(net, x, n, true, y);
}

/* ---- backward ---- */

static ln_status check_state(ln_net *net) {
  static const char *const why[] = {
    [LN_NO_FORWARD] = "there was no forward yet",
    [LN_BACKWARD_DONE] = "the latest forward has had its backward already",
    [LN_PREDICT_DONE] = "the latest call was predict, which keeps nothing",
    [LN_NET_CHANGED] = "the net has changed since its forward (a method, a "
                       "tap, a plugin, requires_grad or the threads)",
  };
  if (net->state == LN_FORWARD_DONE) {
    bool fits = net->training &&
                net->training->generation == ln_host_generation() &&
                net->training->slots == ln_num_threads() &&
                net->training->taps_changed == net->taps_changed &&
                net->training->wants_inputs == net->wants_inputs;
    for (int64_t i = 0; fits && i < net->n_nodes; i++)
      fits = net->training->nodes[i].frozen == net->nodes[i].instance->frozen;
    if (fits) return LN_OK;
    net->state = LN_NET_CHANGED;
  }
  return ln_set_error("backward: %s\n  each backward belongs to one forward: "
                      "call forward again first",
                      why[net->state]);
}

static ln_status check_kept(const ln_kept *kept, const bool *read, int64_t n,
                            const char *what) {
  for (int64_t i = 0; i < n; i++)
    if (read[i] && ln_tensor_version(kept[i].tensor) != kept[i].version)
      return ln_set_error("backward: %s %" PRId64 " of the forward was written "
                          "to since, but its values are needed\n  keep it "
                          "until backward, or give forward a clone()",
                          what, i + 1);
  return LN_OK;
}

typedef struct gradients {
  ln_tensor **dy, **dx;
  int64_t n_dy, n_dx;
} gradients;

static void free_gradients(gradients *g) {
  if (g->dy) free_tensors(g->dy, g->n_dy);
  if (g->dx) free_tensors(g->dx, g->n_dx);
  ln_free(g->dy);
  ln_free(g->dx);
}

static ln_status read_dy(const ln_net *net, int64_t i, ln_tensor *given,
                         ln_tensor **out) {
  char got[200], expected[200];
  const ln_shape *want = &net->training->values[net->outputs[i]].shape;
  if (!given && net->n_outputs == 1)
    return ln_set_error("backward: needs dy, the gradient of the output, of "
                        "shape %s",
                        ln_shape_text(want, expected));
  if (!given) return ln_tensor_full(want, 0, out);
  if (!ln_shape_equal(want, &given->shape))
    return ln_set_error("backward: gradient %" PRId64 " has shape %s, but the "
                        "output is %s; they must be equal",
                        i + 1, ln_shape_text(&given->shape, got),
                        ln_shape_text(want, expected));
  return ln_tensor_dense(given, out);
}

static ln_status make_gradients(const ln_net *net, ln_tensor *const *dy,
                                int64_t n, gradients *g) {
  const ln_plan *p = net->training;
  *g = (gradients){ .n_dy = net->n_outputs, .n_dx = net->n_inputs };
  if (n != net->n_outputs)
    return ln_set_error("backward: expects %" PRId64 " gradient%s, one for "
                        "each output, but got %" PRId64,
                        net->n_outputs, net->n_outputs == 1 ? "" : "s", n);
  g->dy = ln_alloc_zero((size_t)(g->n_dy + 1) * sizeof *g->dy);
  g->dx = ln_alloc_zero((size_t)(g->n_dx + 1) * sizeof *g->dx);
  if (!g->dy || !g->dx) return LN_FAILED;
  for (int64_t i = 0; i < n; i++)
    if (read_dy(net, i, dy[i], &g->dy[i])) return LN_FAILED;
  for (int64_t i = 0; i < net->n_inputs; i++) {
    const ln_plan_value *v = &p->values[net->inputs[i]];
    if (v->has_grad && ln_tensor_new(&v->shape, &g->dx[i])) return LN_FAILED;
  }
  return LN_OK;
}

/* The tensors of the latest forward as a run expects them. */
static ln_status kept_tensors(const ln_kept *kept, int64_t n,
                              ln_tensor ***out) {
  *out = ln_alloc_zero((size_t)(n + 1) * sizeof **out);
  for (int64_t i = 0; *out && i < n; i++) (*out)[i] = kept[i].tensor;
  return *out ? LN_OK : LN_FAILED;
}

static ln_status pass_downwards(ln_net *net, gradients *g) {
  ln_tensor **x = NULL, **y = NULL;
  ln_status s = kept_tensors(net->kept_x, net->n_inputs, &x);
  if (!s) s = kept_tensors(net->kept_y, net->n_outputs, &y);
  if (!s) {
    ln_pass_run run = { .net = net,
                        .plan = net->training,
                        .x = x,
                        .y = y,
                        .dy = g->dy,
                        .dx = g->dx };
    uint64_t setting = ln_flush_denormals();
    net->busy = true;
    s = ln_run_backward(&run, NULL, NULL);
    net->busy = false;
    ln_restore_denormals(setting);
  }
  ln_free(x);
  ln_free(y);
  return s;
}

ln_status ln_net_backward(ln_net *net, ln_tensor *const *dy, int64_t n,
                          ln_tensor **dx) {
  gradients g = { 0 };
  ln_clear_cancel();
  ln_status s = check_idle(net);
  if (!s) s = check_state(net);
  if (!s)
    s = check_kept(net->kept_x, net->training->reads_x, net->n_inputs, "input");
  if (!s)
    s = check_kept(net->kept_y, net->training->reads_y, net->n_outputs,
                   "output");
  if (s) return s;
  s = make_gradients(net, dy, n, &g);
  if (!s) s = pass_downwards(net, &g);
  if (!s) {
    net->state = LN_BACKWARD_DONE;
    ln_net_release_kept(net);
  }
  for (int64_t i = 0; !s && dx && i < net->n_inputs; i++) {
    dx[i] = g.dx[i];
    g.dx[i] = NULL;
  }
  free_gradients(&g);
  return s;
}

/* ---- the first number that is not finite ---- */

typedef struct looking {
  const ln_pass_run *run;
  bool gradient;
  int64_t node; /* -1: none yet */
} looking;

static bool all_finite(const float *v, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (!isfinite(v[i])) return false;
  return true;
}

/* In forward the outputs of the node; in backward the gradients that it has
 * given: those of its inputs and weights. */
static bool is_sound(const looking *l, int64_t node) {
  const ln_pass_run *run = l->run;
  const ln_node *nd = &run->net->nodes[node];
  const ln_plan_node *n = &run->plan->nodes[node];
  bool sound = true;
  for (int k = 0; !l->gradient && k < nd->n_outputs; k++) {
    int64_t v = nd->first_output + k;
    sound &= all_finite(ln_run_address(run, v, false, 0, 0),
                        ln_count(&run->plan->values[v].shape));
  }
  for (int64_t k = 0; l->gradient && k < nd->n_inputs; k++)
    if (n->dx[k] != LN_GIVES_NOTHING)
      sound &= all_finite(ln_run_address(run, nd->inputs[k], true, 0, 0),
                          ln_count(&run->plan->values[nd->inputs[k]].shape));
  for (int64_t k = 0; l->gradient && n->backward && n->wants_weights &&
                      k < nd->instance->n_weights;
       k++) {
    const ln_tensor *grad = ln_instance_weight(nd->instance, k)->grad;
    sound &= all_finite(grad->data, grad->count);
  }
  return sound;
}

static ln_status look(void *arg, int64_t node) {
  looking *l = arg;
  if (l->node < 0 && !is_sound(l, node)) l->node = node;
  return LN_OK;
}

static ln_status look_through(ln_net *net, const inputs *in, ln_plan *plan,
                              ln_tensor *const *dy, int64_t n_dy, ln_tensor **y,
                              looking *l) {
  gradients g = { 0 };
  ln_pass_run run = {
    .net = net, .plan = plan, .replay = true, .x = in->x, .y = y
  };
  *l = (looking){ &run, false, -1 };
  ln_status s = ln_run_forward(&run, look, l);
  if (!s && l->node < 0 && dy) {
    ln_plan *before = net->training;
    net->training = plan; /* whose shapes the gradients must have */
    l->gradient = true;
    s = make_gradients(net, dy, n_dy, &g);
    run.dy = g.dy;
    run.dx = g.dx;
    net->busy = true;
    if (!s) s = ln_run_backward(&run, look, l);
    net->busy = false;
    net->training = before;
  }
  free_gradients(&g);
  return s;
}

ln_status ln_net_find_nonfinite(ln_net *net, ln_tensor *const *x, int64_t n,
                                ln_tensor *const *dy, int64_t n_dy,
                                int64_t *node, bool *backward) {
  inputs in;
  ln_plan *plan = NULL;
  looking l = { .node = -1 };
  if (check_idle(net)) return LN_FAILED;
  ln_tensor **y = ln_alloc_zero((size_t)(net->n_outputs + 1) * sizeof *y);
  ln_net_release_kept(net);
  net->state = LN_NO_FORWARD;
  ln_status s = y ? read_inputs(net, x, n, &in) : LN_FAILED;
  if (!s) s = ln_plan_new(net, in.shapes, true, true, &plan);
  if (!s) s = new_outputs(net, plan, y);
  if (!s) s = look_through(net, &in, plan, dy, n_dy, y, &l);
  if (y) {
    free_tensors(y, net->n_outputs);
    free_inputs(&in);
  }
  ln_plan_free(plan);
  ln_free(y);
  if (s) return s;
  *node = l.node;
  *backward = l.gradient;
  return LN_OK;
}
