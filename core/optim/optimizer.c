/* optimizer.c - what all rules share: parameters, buffers, steps.
 *
 * A step is one pass over all parameters: they are cut into pieces of at most
 * PIECE elements, and each task takes a run of neighbouring pieces of about
 * that size together. So many small parameters cost no more than one large. */
#include "optim/rule.h"
#include "base/cpu.h"
#include "base/denormals.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/threads.h"
#include "host/options.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

enum { PIECE = 16384 };

typedef struct parameter {
  ln_tensor *value, *grad, *buffer[LN_MAX_BUFFERS];
} parameter;

typedef struct piece {
  int64_t parameter, begin, count;
} piece;

struct ln_optimizer {
  const ln_rule *rule;
  void *options; /* the rule's struct, which begins with lr */
  ln_kept_texts texts;
  const char *names[LN_MAX_BUFFERS + 1]; /* of the buffers, NULL at the end */
  int64_t steps;
  int64_t n_parameters, n_pieces, n_tasks;
  parameter *parameters;
  piece *pieces;
  int64_t *task_begin; /* n_tasks + 1 places in `pieces` */
};

/* ---- rules --------------------------------------------------------------- */

enum { N_RULES = 5 };
#define RULES(isa)                                                             \
  {                                                                            \
    &ln_sgd_##isa, &ln_adam_##isa, &ln_adamw_##isa, &ln_rmsprop_##isa,         \
        &ln_adagrad_##isa                                                      \
  }

static const ln_rule *const rules[][N_RULES] = {
  [LN_ISA_BASELINE] = RULES(baseline),
#ifdef __x86_64__
  [LN_ISA_AVX2] = RULES(avx2),
  [LN_ISA_AVX512] = RULES(avx512),
#endif
};

static ln_status refuse_rule(const char *name) {
  const char *names[N_RULES];
  ln_text there = { 0 };
  for (int i = 0; i < N_RULES; i++) {
    names[i] = rules[LN_ISA_BASELINE][i]->name;
    ln_text_add(&there, "%s%s", i ? ", " : "", names[i]);
  }
  const char *nearest = ln_nearest_word(name, names, N_RULES);
  ln_set_error("there is no optimizer '%s'%s%s%s\n  optimizers: %s", name,
               nearest ? "; did you mean '" : "", nearest ? nearest : "",
               nearest ? "'?" : "", ln_text_get(&there));
  ln_text_free(&there);
  return LN_FAILED;
}

static ln_status find_rule(const char *name, const ln_rule **out) {
  ln_isa isa;
  if (ln_cpu_isa(&isa) != LN_OK) return LN_FAILED;
  for (int i = 0; i < N_RULES; i++)
    if (strcmp(rules[isa][i]->name, name) == 0) {
      *out = rules[isa][i];
      return LN_OK;
    }
  return refuse_rule(name);
}

static ln_status read_options(ln_optimizer *o, const ln_named_value *values,
                              int64_t n) {
  const ln_rule *rule = o->rule;
  o->options = ln_alloc_zero(rule->self_size);
  if (!o->options) return LN_FAILED;
  ln_status status =
      ln_options_parse(rule->options.at, rule->options.count, rule->name, NULL,
                       values, n, o->options, &o->texts);
  if (status == LN_OK && rule->check) status = rule->check(o->options);
  if (status == LN_OK) rule->buffers(o->options, o->names);
  return status;
}

/* ---- parameters ---------------------------------------------------------- */

static ln_status check_parameter(const ln_optimizer *o, int64_t i,
                                 const ln_tensor *value,
                                 const ln_tensor *grad) {
  char text[200], other[200];
  if (!ln_shape_equal(&value->shape, &grad->shape))
    return ln_set_error("%s: parameter %" PRId64 " has shape %s, but its "
                        "gradient has shape %s",
                        o->rule->name, i + 1,
                        ln_shape_text(&value->shape, text),
                        ln_shape_text(&grad->shape, other));
  if (ln_tensor_is_dense(value) && ln_tensor_is_dense(grad)) return LN_OK;
  return ln_set_error("%s: parameter %" PRId64 " of shape %s is a part of a "
                      "larger tensor with gaps between its rows\n"
                      "  try the larger tensor, or a clone()",
                      o->rule->name, i + 1, ln_shape_text(&value->shape, text));
}

static ln_status make_buffers(const ln_optimizer *o, parameter *p) {
  float value = o->rule->initial ? o->rule->initial(o->options) : 0;
  for (int s = 0; o->names[s]; s++)
    if (ln_tensor_full(&p->value->shape, value, &p->buffer[s]) != LN_OK)
      return LN_FAILED;
  return LN_OK;
}

static ln_status add_parameters(ln_optimizer *o, ln_tensor *const *values,
                                ln_tensor *const *grads, int64_t n) {
  o->parameters = ln_alloc_zero((size_t)n * sizeof(parameter));
  if (!o->parameters) return LN_FAILED;
  for (int64_t i = 0; i < n; i++) {
    parameter *p = &o->parameters[i];
    if (check_parameter(o, i, values[i], grads[i]) != LN_OK) return LN_FAILED;
    p->value = ln_tensor_retain(values[i]);
    p->grad = ln_tensor_retain(grads[i]);
    o->n_parameters++;
    if (make_buffers(o, p) != LN_OK) return LN_FAILED;
  }
  return LN_OK;
}

/* ---- pieces and tasks ---------------------------------------------------- */

static int64_t count_pieces(const ln_optimizer *o) {
  int64_t n = 0;
  for (int64_t i = 0; i < o->n_parameters; i++)
    n += (o->parameters[i].value->count + PIECE - 1) / PIECE;
  return n;
}

static void cut_into_pieces(ln_optimizer *o) {
  for (int64_t i = 0; i < o->n_parameters; i++) {
    int64_t count = o->parameters[i].value->count;
    for (int64_t begin = 0; begin < count; begin += PIECE) {
      int64_t left = count - begin;
      o->pieces[o->n_pieces++] =
          (piece){ i, begin, left < PIECE ? left : PIECE };
    }
  }
}

/* A task ends where the next piece would make it larger than PIECE. */
static void group_into_tasks(ln_optimizer *o) {
  int64_t filled = PIECE;
  for (int64_t i = 0; i < o->n_pieces; i++) {
    filled += o->pieces[i].count;
    if (filled <= PIECE) continue;
    o->task_begin[o->n_tasks++] = i;
    filled = o->pieces[i].count;
  }
  o->task_begin[o->n_tasks] = o->n_pieces;
}

static ln_status plan_step(ln_optimizer *o) {
  size_t n = (size_t)count_pieces(o);
  o->pieces = ln_alloc(n * sizeof(piece));
  o->task_begin = ln_alloc((n + 1) * sizeof(int64_t));
  if (!o->pieces || !o->task_begin) return LN_FAILED;
  cut_into_pieces(o);
  group_into_tasks(o);
  return LN_OK;
}

static void run_task(void *arg, int64_t index, int slot) {
  (void)slot;
  const ln_optimizer *o = arg;
  for (int64_t i = o->task_begin[index]; i < o->task_begin[index + 1]; i++) {
    const piece *c = &o->pieces[i];
    const parameter *p = &o->parameters[c->parameter];
    if (ln_full(p->value)->frozen) continue;
    ln_update u = { .count = c->count,
                    .step = o->steps,
                    .w = p->value->data + c->begin,
                    .dw = p->grad->data + c->begin };
    for (int s = 0; o->names[s]; s++)
      u.buffer[s] = p->buffer[s]->data + c->begin;
    o->rule->update(o->options, &u);
  }
}

/* ---- what others call ---------------------------------------------------- */

ln_status ln_optimizer_new(const char *rule, ln_tensor *const *values,
                           ln_tensor *const *grads, int64_t n,
                           const ln_named_value *options, int64_t n_options,
                           ln_optimizer **out) {
  const ln_rule *found;
  if (find_rule(rule, &found) != LN_OK) return LN_FAILED;
  ln_optimizer *o = ln_alloc_zero(sizeof *o);
  if (!o) return LN_FAILED;
  o->rule = found;
  ln_status status = read_options(o, options, n_options);
  if (status == LN_OK) status = add_parameters(o, values, grads, n);
  if (status == LN_OK) status = plan_step(o);
  if (status == LN_OK)
    *out = o;
  else
    ln_optimizer_free(o);
  return status;
}

void ln_optimizer_free(ln_optimizer *o) {
  if (!o) return;
  for (int64_t i = 0; i < o->n_parameters; i++) {
    ln_tensor_release(o->parameters[i].value);
    ln_tensor_release(o->parameters[i].grad);
    for (int s = 0; s < LN_MAX_BUFFERS; s++)
      ln_tensor_release(o->parameters[i].buffer[s]);
  }
  ln_kept_texts_free(&o->texts);
  ln_free(o->options);
  ln_free(o->parameters);
  ln_free(o->pieces);
  ln_free(o->task_begin);
  ln_free(o);
}

/* Once begun, a step is finished, Ctrl-C or not: weights that are half of this
 * step and half of the last are those of no step at all. */
ln_status ln_optimizer_step(ln_optimizer *o) {
  o->steps++;
  uint64_t denormals = ln_flush_denormals();
  ln_parallel_all(o->n_tasks, run_task, o);
  ln_restore_denormals(denormals);
  for (int64_t i = 0; i < o->n_parameters; i++) {
    ln_tensor_touch(o->parameters[i].value);
    for (int s = 0; o->names[s]; s++)
      ln_tensor_touch(o->parameters[i].buffer[s]);
  }
  return LN_OK;
}

void ln_optimizer_zero_grad(ln_optimizer *o) {
  for (int64_t i = 0; i < o->n_parameters; i++)
    ln_tensor_fill(o->parameters[i].grad, 0);
}

double ln_optimizer_lr(const ln_optimizer *o) {
  return *(const double *)o->options;
}

ln_status ln_optimizer_set_lr(ln_optimizer *o, double lr) {
  if (!(lr >= 0) || isinf(lr))
    return ln_set_error("%s: lr is %g, but must be a number >= 0",
                        o->rule->name, lr);
  *(double *)o->options = lr;
  return LN_OK;
}

int64_t ln_optimizer_steps(const ln_optimizer *o) {
  return o->steps;
}

void ln_optimizer_set_steps(ln_optimizer *o, int64_t steps) {
  o->steps = steps;
}

ln_tensor *ln_optimizer_buffer(const ln_optimizer *o, int64_t p, int64_t s,
                               const char **name) {
  for (int64_t i = 0; i <= s; i++)
    if (!o->names[i]) return NULL;
  *name = o->names[s];
  return o->parameters[p].buffer[s];
}
