/* sgd.c - stochastic gradient descent, with momentum.
 *
 *     g = dw + weight_decay * w
 *     v = momentum * v + g              v begins at 0
 *     w = w - lr * v                    without momentum: w - lr * g
 *     w = w - lr * (g + momentum * v)   Nesterov's look ahead
 *
 * See Sutskever, Martens, Dahl and Hinton, "On the importance of
 * initialization and momentum in deep learning", ICML 2013; here lr stands
 * outside of v, as in PyTorch. */
#include "optim/rule.h"

typedef struct sgd {
  double lr, momentum, weight_decay;
  bool nesterov;
} sgd;

static const ln_option options[] = {
  LN_REAL(sgd, lr, 1e-3, 0, LN_ANY, "learning rate"),
  LN_REAL(sgd, momentum, 0, 0, LN_ANY, "share of the last step that goes on"),
  LN_REAL(sgd, weight_decay, 0, 0, LN_ANY, "pull of each weight towards 0"),
  LN_BOOL(sgd, nesterov, false, "look one step of momentum ahead"),
};

static ln_status check(const void *self) {
  const sgd *o = self;
  if (!o->nesterov || o->momentum > 0) return LN_OK;
  return ln_set_error("sgd: nesterov looks ahead along the momentum, but "
                      "momentum is 0\n  try momentum = 0.9");
}

static void buffers(const void *self, const char **names) {
  const sgd *o = self;
  if (o->momentum > 0) names[0] = "momentum_buffer";
}

static void plain(const sgd *o, const ln_update *u) {
  float lr = (float)o->lr, decay = (float)o->weight_decay;
  float *restrict w = u->w;
  for (int64_t i = 0; i < u->count; i++) w[i] -= lr * (u->dw[i] + decay * w[i]);
}

/* The move is g + momentum * v for Nesterov, else v alone. */
static void with_momentum(const sgd *o, const ln_update *u) {
  float lr = (float)o->lr, decay = (float)o->weight_decay;
  float momentum = (float)o->momentum;
  float own = o->nesterov ? 1 : 0;
  float ahead = o->nesterov ? momentum : 1;
  float *restrict w = u->w, *restrict v = u->buffer[0];
  for (int64_t i = 0; i < u->count; i++) {
    float g = u->dw[i] + decay * w[i];
    v[i] = momentum * v[i] + g;
    w[i] -= lr * (own * g + ahead * v[i]);
  }
}

static void update(const void *self, const ln_update *u) {
  const sgd *o = self;
  if (o->momentum > 0)
    with_momentum(o, u);
  else
    plain(o, u);
}

const ln_rule LN_FOR_ISA(ln_sgd) = {
  .name = "sgd",
  LN_OPTIONS(sgd, options),
  .check = check,
  .buffers = buffers,
  .update = update,
};
