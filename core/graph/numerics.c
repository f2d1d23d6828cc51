/* numerics.c - the first layer that gives numbers that are not finite: the look
 * at its results, and what is told about it. */
#include <math.h>
#include <stdio.h>

#include "base/text.h"
#include "graph/pass.h"
#include "host/registry.h"

static bool checks;

bool ln_checks_numerics(void) {
  return checks;
}

void ln_set_check_numerics(bool on) {
  checks = on;
  ln_host_bump_generation();
}

/* ---- the look ---- */

static bool all_finite(const float *v, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (!isfinite(v[i])) return false;
  return true;
}

static bool is_value_finite(const ln_pass_run *run, int64_t v, bool gradient) {
  return all_finite(ln_run_address(run, v, gradient, 0, 0),
                    ln_count(&run->plan->values[v].shape));
}

bool ln_gives_finite(const ln_pass_run *run, int64_t node, bool gradient) {
  const ln_node *nd = &run->net->nodes[node];
  const ln_plan_node *n = &run->plan->nodes[node];
  bool sound = true;
  for (int k = 0; !gradient && k < nd->n_outputs; k++)
    sound &= is_value_finite(run, nd->first_output + k, false);
  for (int64_t k = 0; gradient && k < nd->n_inputs; k++)
    if (n->dx[k] != LN_GIVES_NOTHING)
      sound &= is_value_finite(run, nd->inputs[k], true);
  bool weights = gradient && n->backward && n->wants_weights;
  for (int64_t k = 0; weights && k < nd->instance->n_weights; k++) {
    const ln_tensor *grad = ln_instance_weight(nd->instance, k)->grad;
    sound &= all_finite(grad->data, grad->count);
  }
  return sound;
}

/* ---- what is told ---- */

/* "x[0] (2,3): -1 to 4, 2 NaN, 1 infinite" */
static void add_numbers(ln_text *t, const char *name, const ln_shape *shape,
                        const float *v) {
  char text[200];
  int64_t n = ln_count(shape), nans = 0, infinite = 0;
  float low = INFINITY, high = -INFINITY;
  for (int64_t i = 0; i < n; i++) {
    nans += isnan(v[i]) != 0;
    infinite += isinf(v[i]) != 0;
    if (isfinite(v[i])) {
      low = fminf(low, v[i]);
      high = fmaxf(high, v[i]);
    }
  }
  ln_text_add(t, "\n  %s %s: ", name, ln_shape_text(shape, text));
  if (low <= high) ln_text_add(t, "%g to %g", (double)low, (double)high);
  if (nans) ln_text_add(t, ", %" PRId64 " NaN", nans);
  if (infinite) ln_text_add(t, ", %" PRId64 " infinite", infinite);
}

static void add_value(ln_text *t, const ln_pass_run *run, const char *role,
                      int64_t number, int64_t v, bool gradient) {
  char name[40];
  snprintf(name, sizeof name, "%s%s %" PRId64, gradient ? "gradient of " : "",
           role, number + 1);
  add_numbers(t, name, &run->plan->values[v].shape,
              ln_run_address(run, v, gradient, 0, 0));
}

/* Taken in first, then given. */
static void add_values(ln_text *t, const ln_pass_run *run, int64_t node,
                       bool gradient) {
  const ln_node *nd = &run->net->nodes[node];
  const ln_plan_node *n = &run->plan->nodes[node];
  for (int64_t k = 0; k < nd->n_inputs; k++)
    add_value(t, run, "input", k, nd->inputs[k], false);
  for (int64_t k = 0; k < nd->instance->n_parameters; k++) {
    const ln_parameter *p = &nd->instance->parameters[k];
    add_numbers(t, p->name, &p->value->shape, p->value->data);
  }
  for (int k = 0; k < nd->n_outputs; k++)
    add_value(t, run, "output", k, nd->first_output + k, gradient);
  for (int64_t k = 0; gradient && k < nd->n_inputs; k++)
    if (n->dx[k] != LN_GIVES_NOTHING)
      add_value(t, run, "input", k, nd->inputs[k], true);
}

static void add_gradients(ln_text *t, const ln_instance *i) {
  for (int64_t k = 0; k < i->n_weights; k++) {
    const ln_parameter *p = ln_instance_weight(i, k);
    char name[80];
    snprintf(name, sizeof name, "gradient of %.60s", p->name);
    add_numbers(t, name, &p->grad->shape, p->grad->data);
  }
}

ln_status ln_refuse_nonfinite(const ln_pass_run *run, int64_t node,
                              bool gradient) {
  const ln_node *nd = &run->net->nodes[node];
  ln_text t = { 0 };
  add_values(&t, run, node, gradient);
  if (gradient) add_gradients(&t, nd->instance);
  ln_status s = ln_set_error("%s gives numbers that are not finite, in %s; it "
                             "is the first that does%s",
                             nd->label, gradient ? "backward" : "forward",
                             ln_text_get(&t));
  ln_text_free(&t);
  return s;
}
