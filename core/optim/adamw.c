/* adamw.c - Adam, with weight decay beside the gradient instead of in it.
 *
 *     w = w - lr * weight_decay * w
 *     m = beta1 * m + (1 - beta1) * dw
 *     v = beta2 * v + (1 - beta2) * dw * dw
 *     w = w - lr * m' / (sqrt(v') + eps)        m', v' as in adam.c
 *
 * So weights with large gradients decay as fast as others. See Loshchilov and
 * Hutter, "Decoupled weight decay regularization", ICLR 2019. */
#include "optim/rule.h"

#include <math.h>

typedef struct adamw {
  double lr, betas[2], eps, weight_decay;
} adamw;

static const ln_option options[] = {
  LN_REAL(adamw, lr, 1e-3, 0, LN_ANY, "learning rate"),
  LN_REALS(adamw, betas, "0.9 0.999", 0, 1,
           "how much of the means of dw and dw * dw stays in each step"),
  LN_REAL(adamw, eps, 1e-8, 0, LN_ANY, "keeps the divisor away from 0"),
  LN_REAL(adamw, weight_decay, 0.01, 0, LN_ANY,
          "pull of each weight towards 0"),
};

static ln_status check(const void *self) {
  const adamw *o = self;
  if (o->betas[0] < 1 && o->betas[1] < 1) return LN_OK;
  return ln_set_error("adamw: betas are {%g, %g}, but must be below 1: at 1 no "
                      "gradient ever enters the mean",
                      o->betas[0], o->betas[1]);
}

static void buffers(const void *self, const char **names) {
  (void)self;
  names[0] = "exp_avg";
  names[1] = "exp_avg_sq";
}

static void update(const void *self, const ln_update *u) {
  const adamw *o = self;
  double correction1 = 1 - pow(o->betas[0], (double)u->step);
  double correction2 = 1 - pow(o->betas[1], (double)u->step);
  float rate = (float)(o->lr / correction1);
  float scale = (float)(1 / sqrt(correction2));
  float beta2 = (float)o->betas[1];
  float fresh1 = (float)(1 - o->betas[0]), fresh2 = (float)(1 - o->betas[1]);
  float eps = (float)o->eps, left = (float)(1 - o->lr * o->weight_decay);
  float *restrict w = u->w, *restrict m = u->buffer[0];
  float *restrict v = u->buffer[1];
  for (int64_t i = 0; i < u->count; i++) {
    float g = u->dw[i];
    m[i] += fresh1 * (g - m[i]);
    v[i] = beta2 * v[i] + fresh2 * g * g;
    w[i] = left * w[i] - rate * m[i] / (sqrtf(v[i]) * scale + eps);
  }
}

const ln_rule LN_FOR_ISA(ln_adamw) = {
  .name = "adamw",
  LN_OPTIONS(adamw, options),
  .check = check,
  .buffers = buffers,
  .update = update,
};
