/* adagrad.c - the more a weight has moved, the smaller its steps.
 *
 *     g = dw + weight_decay * w
 *     s = s + g * g                     begins at initial_accumulator_value
 *     w = w - lr' * g / (sqrt(s) + eps)
 *     lr' = lr / (1 + (t - 1) * lr_decay)       in step t = 1, 2, ...
 *
 * See Duchi, Hazan and Singer, "Adaptive subgradient methods for online
 * learning and stochastic optimization", JMLR 12, 2011. */
#include "optim/rule.h"

#include <math.h>

typedef struct adagrad {
  double lr, lr_decay, weight_decay, initial_accumulator_value, eps;
} adagrad;

static const ln_option options[] = {
  LN_REAL(adagrad, lr, 0.01, 0, LN_ANY, "learning rate"),
  LN_REAL(adagrad, lr_decay, 0, 0, LN_ANY, "how fast lr falls"),
  LN_REAL(adagrad, weight_decay, 0, 0, LN_ANY, "pull of each weight towards 0"),
  LN_REAL(adagrad, initial_accumulator_value, 0, 0, LN_ANY,
          "the sum of squares before the first step"),
  LN_REAL(adagrad, eps, 1e-10, 0, LN_ANY, "keeps the divisor away from 0"),
};

static void buffers(const void *self, const char **names) {
  (void)self;
  names[0] = "sum";
}

static float initial(const void *self) {
  const adagrad *o = self;
  return (float)o->initial_accumulator_value;
}

static void update(const void *self, const ln_update *u) {
  const adagrad *o = self;
  float lr = (float)(o->lr / (1 + (double)(u->step - 1) * o->lr_decay));
  float eps = (float)o->eps, decay = (float)o->weight_decay;
  float *restrict w = u->w, *restrict s = u->buffer[0];
  for (int64_t i = 0; i < u->count; i++) {
    float g = u->dw[i] + decay * w[i];
    s[i] += g * g;
    w[i] -= lr * g / (sqrtf(s[i]) + eps);
  }
}

const ln_rule LN_FOR_ISA(ln_adagrad) = {
  .name = "adagrad",
  LN_OPTIONS(adagrad, options),
  .buffers = buffers,
  .initial = initial,
  .update = update,
};
