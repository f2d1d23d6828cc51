/* elementwise.c - one result for each element, or pair of elements.
 *
 * The rules are written once, in `combine` and `transform`, as loops over a
 * row. They are inlined where the steps are known, so that rows without gaps
 * and rows with a single number become vector code. */
#include "tensor/walk.h"

#include <math.h>

#define INLINE static inline __attribute__((always_inline))

/* ---- adding up ----------------------------------------------------------- */

void ln_add_floats(float *to, const float *from, int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i] += from[i];
}

/* The result is whole; or Ctrl-C was pressed meanwhile, and rows left out. */
static ln_status finish(ln_tensor *y, ln_tensor **out) {
  if (!ln_is_cancelled()) {
    *out = y;
    return LN_OK;
  }
  ln_tensor_release(y);
  ln_set_error("interrupted");
  return LN_CANCELLED;
}

/* ---- two operands -------------------------------------------------------- */

#define EACH_PAIR(result)                                                      \
  for (int64_t i = 0; i < n; i++) {                                            \
    float x = a[i * a_step], y = b[i * b_step];                                \
    out[i] = (result);                                                         \
  }                                                                            \
  break

/* MAXIMUM and MINIMUM: a NaN wins; of equal ones (0 and -0) the second. */
INLINE void combine(ln_binary_op op, int64_t n, const float *a, int64_t a_step,
                    const float *b, int64_t b_step, float *restrict out) {
  switch (op) {
  case LN_OP_ADD: EACH_PAIR(x + y);
  case LN_OP_SUB: EACH_PAIR(x - y);
  case LN_OP_MUL: EACH_PAIR(x * y);
  case LN_OP_DIV: EACH_PAIR(x / y);
  case LN_OP_POW: EACH_PAIR(powf(x, y));
  case LN_OP_MAXIMUM: EACH_PAIR(x > y || x != x ? x : y);
  case LN_OP_MINIMUM: EACH_PAIR(x < y || x != x ? x : y);
  case LN_OP_EQ: EACH_PAIR(x == y ? 1.0f : 0.0f);
  case LN_OP_NE: EACH_PAIR(x != y ? 1.0f : 0.0f);
  case LN_OP_LT: EACH_PAIR(x < y ? 1.0f : 0.0f);
  case LN_OP_LE: EACH_PAIR(x <= y ? 1.0f : 0.0f);
  case LN_OP_GT: EACH_PAIR(x > y ? 1.0f : 0.0f);
  case LN_OP_GE: EACH_PAIR(x >= y ? 1.0f : 0.0f);
  }
}

typedef struct combining {
  ln_binary_op op;
  const float *a, *b;
  float *out;
} combining;

static void combine_row(void *arg, int64_t n, const int64_t *at,
                        const int64_t *step) {
  const combining *c = arg;
  if (ln_is_cancelled()) return;
  float *out = c->out + at[0];
  const float *a = c->a + at[1], *b = c->b + at[2];
  if (step[1] == 1 && step[2] == 1)
    combine(c->op, n, a, 1, b, 1, out);
  else if (step[1] == 1 && step[2] == 0)
    combine(c->op, n, a, 1, b, 0, out);
  else if (step[1] == 0 && step[2] == 1)
    combine(c->op, n, a, 0, b, 1, out);
  else
    combine(c->op, n, a, step[1], b, step[2], out);
}

static const char *const binary_names[] = {
  "add", "sub", "mul", "div", "pow", "maximum", "minimum",
  "eq",  "ne",  "lt",  "le",  "gt",  "ge",
};

ln_status ln_tensor_binary(ln_binary_op op, const ln_tensor *a,
                           const ln_tensor *b, ln_tensor **out) {
  ln_shape shape;
  ln_tensor *y;
  if (ln_broadcast(binary_names[op], &a->shape, &b->shape, &shape) != LN_OK)
    return LN_FAILED;
  if (ln_tensor_new(&shape, &y) != LN_OK) return LN_FAILED;
  ln_clear_cancel();
  ln_walk walk = ln_walk_together(&shape, (const ln_tensor *[]){ y, a, b }, 3);
  ln_walk_rows(&walk, combine_row,
               &(combining){ op, a->data, b->data, y->data });
  return finish(y, out);
}

/* ---- one operand --------------------------------------------------------- */

#define EACH(result)                                                           \
  for (int64_t i = 0; i < n; i++) {                                            \
    float x = a[i * a_step];                                                   \
    out[i] = (result);                                                         \
  }                                                                            \
  break

/* Of the two forms of 1 / (1 + exp(-x)) the one that cannot overflow. */
static float sigmoid(float x) {
  float e = expf(-fabsf(x));
  return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

static float sign(float x) {
  return x != x ? x : (float)((x > 0) - (x < 0));
}

/* ROUND: halves go to the even neighbour. */
INLINE void transform(ln_unary_op op, int64_t n, const float *a, int64_t a_step,
                      float *restrict out) {
  switch (op) {
  case LN_OP_NEG: EACH(-x);
  case LN_OP_ABS: EACH(fabsf(x));
  case LN_OP_EXP: EACH(expf(x));
  case LN_OP_LOG: EACH(logf(x));
  case LN_OP_SQRT: EACH(sqrtf(x));
  case LN_OP_SIN: EACH(sinf(x));
  case LN_OP_COS: EACH(cosf(x));
  case LN_OP_TANH: EACH(tanhf(x));
  case LN_OP_SIGMOID: EACH(sigmoid(x));
  case LN_OP_SIGN: EACH(sign(x));
  case LN_OP_FLOOR: EACH(floorf(x));
  case LN_OP_ROUND: EACH(rintf(x));
  }
}

typedef struct transforming {
  ln_unary_op op;
  const float *a;
  float *out;
} transforming;

static void transform_row(void *arg, int64_t n, const int64_t *at,
                          const int64_t *step) {
  const transforming *t = arg;
  if (ln_is_cancelled()) return;
  if (step[1] == 1)
    transform(t->op, n, t->a + at[1], 1, t->out + at[0]);
  else
    transform(t->op, n, t->a + at[1], step[1], t->out + at[0]);
}

ln_status ln_tensor_unary(ln_unary_op op, const ln_tensor *a, ln_tensor **out) {
  ln_tensor *y;
  if (ln_tensor_new(&a->shape, &y) != LN_OK) return LN_FAILED;
  ln_clear_cancel();
  ln_walk walk = ln_walk_together(&a->shape, (const ln_tensor *[]){ y, a }, 2);
  ln_walk_rows(&walk, transform_row, &(transforming){ op, a->data, y->data });
  return finish(y, out);
}
