/* clip.c - gradients cut to a common length.
 *
 *     norm = sqrt(sum of the squares of all elements of all gradients)
 *     every gradient *= max_norm / (norm + 1e-6)     where that is below 1
 *
 * The direction stays. See Pascanu, Mikolov and Bengio, "On the difficulty of
 * training recurrent neural networks", ICML 2013. */
#include <lunet/lunet.h>

#include <math.h>

enum { LANES = 8 };

/* In double; element i goes to lane i % LANES, the lanes are added in order:
 * a fixed order whose additions need not wait for each other. */
static double sum_of_squares(const float *x, int64_t n) {
  double lane[LANES] = { 0 }, sum = 0;
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (int l = 0; l < LANES; l++)
      lane[l] += (double)x[i + l] * (double)x[i + l];
  for (int l = 0; i < n; i++, l++) lane[l] += (double)x[i] * (double)x[i];
  for (int l = 0; l < LANES; l++) sum += lane[l];
  return sum;
}

static void scale(ln_tensor *t, float factor) {
  for (int64_t i = 0; i < t->count; i++) t->data[i] *= factor;
  ln_tensor_touch(t);
}

static ln_status check(ln_tensor *const *grads, int64_t n, double max_norm) {
  if (!(max_norm >= 0))
    return ln_set_error("clip_grad_norm: max_norm is %g, but must be a number "
                        ">= 0",
                        max_norm);
  for (int64_t i = 0; i < n; i++)
    if (!ln_tensor_is_dense(grads[i]))
      return ln_set_error("clip_grad_norm: gradient %" PRId64 " is a part of a "
                          "larger tensor with gaps between its rows",
                          i + 1);
  return LN_OK;
}

ln_status ln_clip_grad_norm(ln_tensor *const *grads, int64_t n, double max_norm,
                            double *norm) {
  double sum = 0;
  if (check(grads, n, max_norm) != LN_OK) return LN_FAILED;
  for (int64_t i = 0; i < n; i++)
    sum += sum_of_squares(grads[i]->data, grads[i]->count);
  *norm = sqrt(sum);
  double factor = max_norm / (*norm + 1e-6);
  if (!isfinite(*norm) || factor >= 1) return LN_OK;
  for (int64_t i = 0; i < n; i++) scale(grads[i], (float)factor);
  return LN_OK;
}
