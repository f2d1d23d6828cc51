/* run.c - forward, predict and backward as the outside sees them: checks, new
 * tensors for what leaves the net, and what is kept for backward. */
#include <string.h>

#include "base/denormals.h"
#include "base/memory.h"
#include "graph/pass.h"
#include "host/registry.h"
#include "tensor/tensor.h"

static void free_tensors(ln_tensor **t, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    ln_tensor_release(t[i]);
    t[i] = NULL;
  }
}

/* ---- inputs: dense, as the layers want them ---- */

static ln_status read_inputs(ln_net *net, ln_tensor *const *x, int64_t n) {
  if (n != net->n_inputs)
    return ln_set_error("expects %" PRId64 " input%s, but got %" PRId64,
                        net->n_inputs, net->n_inputs == 1 ? "" : "s", n);
  for (int64_t i = 0; i < n; i++) {
    ln_status s = ln_tensor_dense(x[i], &net->x.value[i]);
    if (s) return s;
    net->x.shape[i] = x[i]->shape;
  }
  return LN_OK;
}

static void release_inputs(ln_net *net) {
  free_tensors(net->x.value, net->n_inputs);
}

/* ---- outputs: fresh tensors, so that the user's never change ---- */

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

/* ---- each result looked at, where that is asked for ---- */

static ln_status look_forward(void *arg, int64_t node) {
  const ln_pass_run *run = arg;
  return ln_gives_finite(run, node, false)
             ? LN_OK
             : ln_refuse_nonfinite(run, node, false);
}

static ln_status look_backward(void *arg, int64_t node) {
  const ln_pass_run *run = arg;
  return ln_gives_finite(run, node, true)
             ? LN_OK
             : ln_refuse_nonfinite(run, node, true);
}

/* ---- forward and predict ---- */

static void keep(ln_lists *lists, ln_tensor *const *tensors, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    lists->kept[i] = ln_tensor_retain(tensors[i]);
    lists->version[i] = ln_tensor_version(tensors[i]);
  }
}

static ln_status pass_upwards(ln_net *net, bool predict, ln_tensor **y) {
  ln_plan *plan;
  if (ln_net_plan(net, net->x.shape, !predict, &plan) ||
      new_outputs(net, plan, y))
    return LN_FAILED;
  ln_pass_run run = {
    .net = net, .plan = plan, .predict = predict, .x = net->x.value, .y = y
  };
  uint64_t setting = ln_flush_denormals();
  ln_status s =
      ln_run_forward(&run, ln_checks_numerics() ? look_forward : NULL, &run);
  ln_restore_denormals(setting);
  if (!s) s = copy_tapped(&run);
  if (s) {
    free_tensors(y, net->n_outputs);
    return s;
  }
  copy_plain_outputs(&run);
  if (!predict) {
    keep(&net->x, net->x.value, net->n_inputs);
    keep(&net->y, y, net->n_outputs);
  }
  return LN_OK;
}

/* A tap's function that runs its own net would overwrite what is in use. */
static ln_status check_idle(const ln_net *net) {
  if (!net->busy) return LN_OK;
  return ln_set_error("this net is in the midst of a pass; the function of a "
                      "tap can use its gradient, but not run the net");
}

static ln_status upwards(ln_net *net, ln_tensor *const *x, int64_t n,
                         bool predict, ln_tensor **y) {
  if (check_idle(net) || ln_net_make_room(net)) return LN_FAILED;
  ln_clear_cancel();
  ln_net_release_kept(net);
  net->state = LN_NO_FORWARD;
  ln_status s = read_inputs(net, x, n);
  if (!s) s = pass_upwards(net, predict, y);
  if (!s) net->state = predict ? LN_PREDICT_DONE : LN_FORWARD_DONE;
  release_inputs(net);
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
    [LN_BACKWARD_DONE] = "the latest forward has had its backward already "
                         "(retain_graph(true) before forward allows more)",
    [LN_PREDICT_DONE] = "the latest call was predict, which keeps nothing",
    [LN_NET_CHANGED] = "the net has changed since its forward (a method, a "
                       "tap, a plugin, requires_grad or the threads)",
  };
  if (net->state == LN_FORWARD_DONE) {
    bool fits = net->training &&
                net->training->generation == ln_host_generation() &&
                net->training->slots == ln_num_threads() &&
                net->training->taps_changed == net->taps_changed &&
                net->training->wants_inputs == net->wants_inputs &&
                net->training->retains == net->retains;
    for (int64_t i = 0; fits && i < net->n_nodes; i++)
      fits = net->training->nodes[i].frozen == net->nodes[i].instance->frozen;
    if (fits) return LN_OK;
    net->state = LN_NET_CHANGED;
  }
  return ln_set_error("backward: %s\n  each backward belongs to one forward: "
                      "call forward again first",
                      why[net->state]);
}

static ln_status check_kept(const ln_lists *lists, const bool *read, int64_t n,
                            const char *what) {
  for (int64_t i = 0; i < n; i++)
    if (read[i] && ln_tensor_version(lists->kept[i]) != lists->version[i])
      return ln_set_error("backward: %s %" PRId64 " of the forward was written "
                          "to since, but its values are needed\n  keep it "
                          "until backward, or give forward a clone()",
                          what, i + 1);
  return LN_OK;
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

/* Fills the lists of gradients: those given, and new ones for the inputs. */
static ln_status make_gradients(ln_net *net, ln_tensor *const *dy, int64_t n) {
  const ln_plan *p = net->training;
  if (n != net->n_outputs)
    return ln_set_error("backward: expects %" PRId64 " gradient%s, one for "
                        "each output, but got %" PRId64,
                        net->n_outputs, net->n_outputs == 1 ? "" : "s", n);
  for (int64_t i = 0; i < n; i++) {
    ln_status s = read_dy(net, i, dy[i], &net->y.gradient[i]);
    if (s) return s;
  }
  for (int64_t i = 0; i < net->n_inputs; i++) {
    const ln_plan_value *v = &p->values[net->inputs[i]];
    if (v->has_grad && ln_tensor_new(&v->shape, &net->x.gradient[i]))
      return LN_FAILED;
  }
  return LN_OK;
}

static void release_gradients(ln_net *net) {
  free_tensors(net->y.gradient, net->n_outputs);
  free_tensors(net->x.gradient, net->n_inputs);
}

static ln_status pass_downwards(ln_net *net) {
  ln_pass_run run = { .net = net,
                      .plan = net->training,
                      .x = net->x.kept,
                      .y = net->y.kept,
                      .dy = net->y.gradient,
                      .dx = net->x.gradient };
  uint64_t setting = ln_flush_denormals();
  net->busy = true;
  ln_status s =
      ln_run_backward(&run, ln_checks_numerics() ? look_backward : NULL, &run);
  net->busy = false;
  ln_restore_denormals(setting);
  return s;
}

static ln_status check_all_kept(const ln_net *net) {
  const ln_plan *p = net->training;
  if (check_kept(&net->x, p->reads_x, net->n_inputs, "input")) return LN_FAILED;
  return check_kept(&net->y, p->reads_y, net->n_outputs, "output");
}

ln_status ln_net_backward(ln_net *net, ln_tensor *const *dy, int64_t n,
                          ln_tensor **dx) {
  ln_clear_cancel();
  if (check_idle(net) || check_state(net) || check_all_kept(net))
    return LN_FAILED;
  ln_status s = make_gradients(net, dy, n);
  if (!s) s = pass_downwards(net);
  if (!s && !net->retains) {
    net->state = LN_BACKWARD_DONE;
    ln_net_release_kept(net);
  }
  for (int64_t i = 0; !s && dx && i < net->n_inputs; i++) {
    dx[i] = net->x.gradient[i];
    net->x.gradient[i] = NULL;
  }
  release_gradients(net);
  return s;
}

/* ---- the first number that is not finite ---- */

typedef struct looking {
  const ln_pass_run *run;
  bool gradient;
  int64_t node; /* -1: none yet */
} looking;

static ln_status look(void *arg, int64_t node) {
  looking *l = arg;
  if (l->node < 0 && !ln_gives_finite(l->run, node, l->gradient))
    l->node = node;
  return LN_OK;
}

static ln_status look_through(ln_net *net, ln_plan *plan, ln_tensor *const *dy,
                              int64_t n_dy, looking *l) {
  ln_pass_run run = { .net = net,
                      .plan = plan,
                      .replay = true,
                      .x = net->x.value,
                      .y = net->y.value,
                      .dy = net->y.gradient,
                      .dx = net->x.gradient };
  l->run = &run;
  ln_status s = ln_run_forward(&run, look, l);
  if (s || l->node >= 0 || !dy) return s;
  ln_plan *before = net->training;
  net->training = plan; /* whose shapes the gradients must have */
  l->gradient = true;
  s = make_gradients(net, dy, n_dy);
  net->busy = true;
  if (!s) s = ln_run_backward(&run, look, l);
  net->busy = false;
  net->training = before;
  return s;
}

ln_status ln_net_find_nonfinite(ln_net *net, ln_tensor *const *x, int64_t n,
                                ln_tensor *const *dy, int64_t n_dy,
                                int64_t *node, bool *backward) {
  ln_plan *plan = NULL;
  looking l = { .node = -1 };
  if (check_idle(net) || ln_net_make_room(net)) return LN_FAILED;
  ln_net_release_kept(net);
  net->state = LN_NO_FORWARD;
  ln_status s = read_inputs(net, x, n);
  if (!s) s = ln_plan_new(net, net->x.shape, true, true, &plan);
  if (!s) s = new_outputs(net, plan, net->y.value);
  if (!s) s = look_through(net, plan, dy, n_dy, &l);
  release_inputs(net);
  release_gradients(net);
  free_tensors(net->y.value, net->n_outputs);
  ln_plan_free(plan);
  if (s) return s;
  *node = l.node;
  *backward = l.gradient;
  return LN_OK;
}
