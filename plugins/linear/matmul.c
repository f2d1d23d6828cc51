/* matmul.c - linear's method "matmul", for one instruction set.
 *
 * With x as a matrix (N,C), one product gives the whole batch: y = x w^T + b,
 * dx = dy w, dw = dy^T x. Each weight is then fetched once for many items
 * instead of once an item. */
#include "linear.h"

#include <lunet/kernels/vector.h>

ln_status LN_FOR_ISA(matmul_forward)(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  const float *b = ln_w(call, 1);
  float *y = ln_y(call, 0);

  for (int64_t n = 0; b && n < s.N; n++) ln_copy_short(y + n * s.K, b, s.K);
  call->host->matmul(call, 0, 1, s.N, s.K, s.C, ln_x(call, 0), s.C,
                     ln_w(call, 0), s.C, b ? 1 : 0, y, s.K);
  if (call->activation == LN_IS_RELU)
    for (int64_t i = 0; i < s.N * s.K; i++) y[i] = y[i] <= 0 ? 0 : y[i];
  return LN_OK;
}

ln_status LN_FOR_ISA(matmul_backward)(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  call->host->matmul(call, 0, 0, s.N, s.C, s.K, ln_dy(call, 0), s.K,
                     ln_w(call, 0), s.C, 0, ln_dx(call, 0), s.C);
  return LN_OK;
}

/* The textbook's sums for `width` columns side by side, so that dy is read in
 * the order in which it lies. */
LN_INLINE void bias_columns(const sizes *s, int64_t width, const float *dy,
                            float *db) {
  double sum[2 * LN_VECTOR] = { 0 };
  for (int64_t n = 0; n < s->N; n++)
    for (int64_t k = 0; k < width; k++) sum[k] += (double)dy[n * s->K + k];
  for (int64_t k = 0; k < width; k++) db[k] = (float)sum[k];
}

static void bias_gradient(const sizes *s, const float *dy, float *db) {
  int64_t k = 0;
  for (; k + 2 * LN_VECTOR <= s->K; k += 2 * LN_VECTOR)
    bias_columns(s, 2 * LN_VECTOR, dy + k, db + k); /* in registers */
  if (k < s->K) bias_columns(s, s->K - k, dy + k, db + k);
}

ln_status LN_FOR_ISA(matmul_backward_weights)(const void *self,
                                              const ln_call *call) {
  const sizes s = sizes_of(self, call);
  if (ln_dw(call, 0))
    call->host->matmul(call, 1, 0, s.K, s.C, s.N, ln_dy(call, 0), s.K,
                       ln_x(call, 0), s.C, 0, ln_dw(call, 0), s.C);
  if (ln_dw(call, 1)) bias_gradient(&s, ln_dy(call, 0), ln_dw(call, 1));
  return LN_OK;
}
