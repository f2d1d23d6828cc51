/* bias.c - the gradient of the bias: db[k] = sum over n,oy,ox of dy.
 *
 * Sixteen sums run side by side through a plane of dy, so that none waits for
 * its own last addition; planes are added up in double precision. */
#include "conv2d.h"

static double plane_sum(const float *dy, int64_t n) {
  enum { SIDE_BY_SIDE = 16 };
  float sums[SIDE_BY_SIDE] = { 0 };
  int64_t i = 0;
  for (; i + SIDE_BY_SIDE <= n; i += SIDE_BY_SIDE)
    for (int j = 0; j < SIDE_BY_SIDE; j++) sums[j] += dy[i + j];
  double sum = 0;
  for (int j = 0; j < SIDE_BY_SIDE; j++) sum += sums[j];
  for (; i < n; i++) sum += dy[i];
  return sum;
}

typedef struct bias_task {
  const sizes *s;
  const float *dy;
  float *db;
} bias_task;

static void some_filters(void *arg, const ln_chunk *chunk) {
  const bias_task *t = arg;
  const sizes *s = t->s;
  const int64_t plane = s->OH * s->OW;
  for (int64_t k = chunk->begin; k < chunk->end; k++) {
    double sum = 0;
    for (int64_t n = 0; n < s->N; n++)
      sum += plane_sum(t->dy + (n * s->K + k) * plane, plane);
    t->db[k] = (float)sum;
  }
}

ln_status conv2d_bias_gradient(const sizes *s, const ln_call *call) {
  bias_task t = { s, ln_dy(call, 0), ln_dw(call, 1) };
  if (!t.db) return LN_OK;
  return call->host->parallel_for(call, s->K, divide_up(s->K, 16), some_filters,
                                  &t);
}
