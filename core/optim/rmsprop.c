/* rmsprop.c - the gradient divided by its recent size.
 *
 *     g = dw + weight_decay * w
 *     v = alpha * v + (1 - alpha) * g * g       mean square of the gradient
 *     d = g / (sqrt(v) + eps)
 *     centered: d = g / (sqrt(v - m * m) + eps),
 *               m = alpha * m + (1 - alpha) * g, so v - m * m is a variance
 *     w = w - lr * d;  with momentum: b = momentum * b + d,  w = w - lr * b
 *
 * See Hinton, "Neural networks for machine learning", lecture 6e, 2012;
 * centered: Graves, "Generating sequences with recurrent neural networks",
 * 2013, whose eps is inside the root; here it is outside, as in PyTorch. */
#include "optim/rule.h"

#include <math.h>

typedef struct rmsprop {
  double lr, alpha, eps, weight_decay, momentum;
  bool centered;
} rmsprop;

static const ln_option options[] = {
  LN_REAL(rmsprop, lr, 0.01, 0, LN_ANY, "learning rate"),
  LN_REAL(rmsprop, alpha, 0.99, 0, 1, "how much of the mean square stays"),
  LN_REAL(rmsprop, eps, 1e-8, 0, LN_ANY, "keeps the divisor away from 0"),
  LN_REAL(rmsprop, weight_decay, 0, 0, LN_ANY, "pull of each weight towards 0"),
  LN_REAL(rmsprop, momentum, 0, 0, LN_ANY,
          "share of the last step that goes on"),
  LN_BOOL(rmsprop, centered, false, "divide by the deviation from the mean"),
};

static void buffers(const void *self, const char **names) {
  const rmsprop *o = self;
  int n = 0;
  names[n++] = "square_avg";
  if (o->centered) names[n++] = "grad_avg";
  if (o->momentum > 0) names[n++] = "momentum_buffer";
}

/* Inlined for each of the four kinds, so that the loop asks nothing. Rounding
 * can bring the variance below 0; it counts as 0 then. */
static inline __attribute__((always_inline)) void
advance(const rmsprop *o, const ln_update *u, bool centered, bool momentum) {
  float lr = (float)o->lr, eps = (float)o->eps, kept = (float)o->momentum;
  float alpha = (float)o->alpha, fresh = (float)(1 - o->alpha);
  float decay = (float)o->weight_decay;
  float *restrict w = u->w, *restrict v = u->buffer[0];
  float *restrict m = u->buffer[1], *restrict b = u->buffer[centered ? 2 : 1];
  for (int64_t i = 0; i < u->count; i++) {
    float g = u->dw[i] + decay * w[i];
    v[i] = alpha * v[i] + fresh * g * g;
    float square = v[i];
    if (centered) {
      m[i] += fresh * (g - m[i]);
      square -= m[i] * m[i];
      square = square < 0 ? 0 : square;
    }
    float d = g / (sqrtf(square) + eps);
    if (momentum) d = b[i] = kept * b[i] + d;
    w[i] -= lr * d;
  }
}

static void update(const void *self, const ln_update *u) {
  const rmsprop *o = self;
  if (o->centered && o->momentum > 0)
    advance(o, u, true, true);
  else if (o->centered)
    advance(o, u, true, false);
  else if (o->momentum > 0)
    advance(o, u, false, true);
  else
    advance(o, u, false, false);
}

const ln_rule LN_FOR_ISA(ln_rmsprop) = {
  .name = "rmsprop",
  LN_OPTIONS(rmsprop, options),
  .buffers = buffers,
  .update = update,
};
