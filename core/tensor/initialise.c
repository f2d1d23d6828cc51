/* initialise.c - how weights begin: a constant, normal or uniform numbers
 * whose spread may follow the fans, or an orthogonal matrix.
 *
 *   normal      w = center + s * z,          z standard normal
 *   uniform     w = center + s * (2u - 1),   u uniform in [0,1)
 *   orthogonal  w = s * Q,                   Q Q^T = I (or Q^T Q = I)
 *   where       s = spread / sqrt(fan), or spread where no fan is named
 */
#include <math.h>

#include "base/memory.h"
#include "base/random.h"
#include "tensor/tensor.h"

uint64_t ln_next_random_user(void) {
  return ln_random_next_user();
}

/* ---- the fan ------------------------------------------------------------- */

static double choose_fan(ln_fan fan, double fan_in, double fan_out) {
  switch (fan) {
  case LN_FAN_OF_INPUT: return fan_in;
  case LN_FAN_OF_OUTPUT: return fan_out;
  case LN_FAN_MEAN: return (fan_in + fan_out) / 2;
  default: return 1;
  }
}

static ln_status find_spread(const ln_initialiser *how, double fan_in,
                             double fan_out, double *spread) {
  static const char *const names[] = { "", "fan_in", "fan_out",
                                       "(fan_in + fan_out) / 2" };
  double fan = choose_fan(how->fan, fan_in, fan_out);
  if (!(fan > 0))
    return ln_set_error("is drawn by its %s, which is %g and must be > 0: "
                        "fan_in counts the inputs of one output, fan_out the "
                        "outputs that one input reaches",
                        names[how->fan], fan);
  *spread = how->spread / sqrt(fan);
  return LN_OK;
}

/* ---- independent numbers ------------------------------------------------- */

static void draw_normal(ln_tensor *t, ln_random r, double center, double s) {
  ln_random_normal(r, 0, t->count, t->data);
  for (int64_t i = 0; i < t->count; i++)
    t->data[i] = (float)(center + s * t->data[i]);
}

static void draw_uniform(ln_tensor *t, ln_random r, double center, double s) {
  ln_random_uniform(r, 0, t->count, t->data);
  for (int64_t i = 0; i < t->count; i++)
    t->data[i] = (float)(center + s * (2.0 * t->data[i] - 1));
}

/* ---- orthogonal ---------------------------------------------------------- */

static double dot(const double *a, const double *b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

/* Takes from v what points along one of the n vectors before it. */
static void make_orthogonal(double *v, const double *before, int64_t n,
                            int64_t length) {
  for (int64_t k = 0; k < n; k++) {
    const double *u = before + k * length, along = dot(v, u, length);
    for (int64_t i = 0; i < length; i++) v[i] -= along * u[i];
  }
}

/* Gram and Schmidt, each vector twice against rounding. As they keep the sign
 * of each vector, all directions are equally likely. */
static ln_status orthonormalise(double *vectors, int64_t n, int64_t length) {
  for (int64_t k = 0; k < n; k++) {
    if (ln_is_cancelled()) {
      ln_set_error("interrupted");
      return LN_CANCELLED;
    }
    double *v = vectors + k * length;
    make_orthogonal(v, vectors, k, length);
    make_orthogonal(v, vectors, k, length);
    const double norm = sqrt(dot(v, v, length));
    for (int64_t i = 0; i < length; i++) v[i] /= norm;
  }
  return LN_OK;
}

/* t is a matrix (rows, columns); the vectors are the fewer of the two. */
static ln_status fill_orthogonal(ln_tensor *t, int64_t rows, double s,
                                 double *vectors) {
  const int64_t columns = t->count / rows;
  const bool by_rows = rows <= columns;
  const int64_t n = by_rows ? rows : columns, length = t->count / n;
  for (int64_t i = 0; i < t->count; i++) vectors[i] = t->data[i];
  const ln_status status = orthonormalise(vectors, n, length);
  for (int64_t i = 0; !status && i < t->count; i++) {
    const int64_t row = i / columns, column = i % columns;
    t->data[i] = (float)(s * vectors[by_rows ? i : column * length + row]);
  }
  return status;
}

static ln_status draw_orthogonal(ln_tensor *t, ln_random r, double s) {
  char shape[200];
  if (t->shape.rank < 2)
    return ln_set_error("has shape %s, but orthogonal needs a matrix: 2 dims "
                        "or more, of which those behind the first are one",
                        ln_shape_text(&t->shape, shape));
  if (t->count == 0) return LN_OK;
  double *vectors = ln_alloc((size_t)t->count * sizeof *vectors);
  if (!vectors) return LN_FAILED;
  ln_random_normal(r, 0, t->count, t->data);
  const ln_status status = fill_orthogonal(t, t->shape.dim[0], s, vectors);
  ln_free(vectors);
  return status;
}

/* ---- the whole ----------------------------------------------------------- */

static ln_status draw(ln_tensor *t, const ln_initialiser *how, double s,
                      ln_random r) {
  switch (how->kind) {
  case LN_INIT_NORMAL: draw_normal(t, r, how->center, s); return LN_OK;
  case LN_INIT_UNIFORM: draw_uniform(t, r, how->center, s); return LN_OK;
  case LN_INIT_ORTHOGONAL: return draw_orthogonal(t, r, s);
  default: return ln_tensor_fill(t, (float)how->center);
  }
}

ln_status ln_tensor_initialise(ln_tensor *t, const ln_initialiser *how,
                               double fan_in, double fan_out, uint64_t user,
                               uint32_t stream) {
  double spread = 0;
  ln_tensor *dense = NULL;
  if (find_spread(how, fan_in, fan_out, &spread)) return LN_FAILED;
  ln_status s = ln_tensor_dense(t, &dense);
  if (s) return s;
  s = draw(dense, how, spread, ln_random_stream(user, stream, 0));
  if (!s && dense != t) s = ln_tensor_copy(t, dense);
  ln_tensor_touch(t);
  ln_tensor_release(dense);
  return s;
}
