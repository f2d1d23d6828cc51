/* rule.h - what an optimizer's rule is to the rest: a table of options, the
 * names of what it remembers, and one function that updates some weights.
 *
 * The struct of options begins with `double lr`, which schedules change. Rules
 * are compiled once for each instruction set, with LN_SUFFIX its name. */
#ifndef LUNET_OPTIM_RULE_H
#define LUNET_OPTIM_RULE_H

#include <lunet/kernels/per_isa.h>
#include <lunet/lunet.h>

enum { LN_MAX_BUFFERS = 3 };

/* Some neighbouring elements of one parameter. */
typedef struct ln_update {
  int64_t count, step; /* the step from 1 */
  float *w;            /* weights */
  const float *dw;     /* their gradient */
  float *buffer[LN_MAX_BUFFERS];
} ln_update;

typedef struct ln_rule {
  const char *name;
  ln_array options; /* of ln_option */
  size_t self_size;
  /* Names of the buffers, NULL at the end, with these options. */
  void (*buffers)(const void *self, const char **names);
  /* [optional] Refuses combinations of options. */
  ln_status (*check)(const void *self);
  /* [optional] The value that fresh buffers hold; else 0. */
  float (*initial)(const void *self);
  /* Each element for itself, so that any cut gives the same bits. */
  void (*update)(const void *self, const ln_update *u);
} ln_rule;

#define LN_DECLARE_RULES_(isa)                                                 \
  extern const ln_rule ln_sgd_##isa, ln_adam_##isa, ln_adamw_##isa;            \
  extern const ln_rule ln_rmsprop_##isa, ln_adagrad_##isa;
LN_DECLARE_FOR_EACH_ISA(LN_DECLARE_RULES_)

#endif
