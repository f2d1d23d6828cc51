/* dropout.c - while training, drop each number with probability p, so that no
 * unit can rely on another one.
 *
 * Forward   y[i]  = m[i] * x[i] / (1 - p), m[i] = 0 with probability p, else 1;
 *           the division keeps the mean of y at that of x.
 *           Not training: y = x
 * Backward  dx[i] = m[i] * dy[i] / (1 - p)
 * Shapes    y as x, any rank
 * Source    Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov,
 *           "Dropout", JMLR 15, 2014
 *
 * The mask m is not saved: the same random numbers are drawn again in backward.
 */
#include <string.h>

#include <lunet/plugin.h>

typedef struct dropout {
  double p;
} dropout;

static const ln_option options[] = {
  LN_REAL(dropout, p, 0.5, 0, 1, "probability of a number to be dropped"),
};

/* to = m * from / (1 - p): what forward does to x, and backward to dy. */
static void drop(const dropout *o, const ln_call *call, int64_t count,
                 const float *from, float *to) {
  enum { BLOCK = 512 };
  float u[BLOCK]; /* uniform in [0,1) */
  const float p = (float)o->p, scale = (float)(1 / (1 - o->p));
  for (int64_t begin = 0; begin < count; begin += BLOCK) {
    const int64_t n = count - begin < BLOCK ? count - begin : BLOCK;
    call->host->uniform(call, 0, ln_first(call) + begin, n, u);
    for (int64_t i = 0; i < n; i++) {
      const float kept = scale * from[begin + i];
      to[begin + i] = u[i] < p ? 0 : kept;
    }
  }
}

static void pass(const dropout *o, const ln_call *call, int64_t count,
                 const float *from, float *to) {
  if (count == 0) return;
  if (call->training)
    drop(o, call, count, from, to);
  else
    memmove(to, from, (size_t)count * sizeof *to);
}

static ln_status forward(const void *self, const ln_call *call) {
  pass(self, call, call->x[0]->count, ln_x(call, 0), ln_y(call, 0));
  return LN_OK;
}

static ln_status backward(const void *self, const ln_call *call) {
  pass(self, call, call->x[0]->count, ln_dy(call, 0), ln_dx(call, 0));
  return LN_OK;
}

static const ln_layer layer = {
  LN_LAYER,
  .name = "dropout",
  .brief = "while training, drops each number with probability p",
  .formula = "y = m * x / (1 - p), m is 0 with probability p, else 1",
  .example = "nn.dropout{ p = 0.2 }:forward(lunet.ones{ 2, 10 })",
  LN_OPTIONS(dropout, options),
  .traits =
      LN_PER_SAMPLE | LN_IN_PLACE | LN_FORGETS_X | LN_FORGETS_Y | LN_RANDOM,
  .forward = forward,
  .backward = backward,
};
LN_PLUGIN("dropout", "1.0", &layer);
