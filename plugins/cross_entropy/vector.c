/* vector.c - cross_entropy's method "vector", for one instruction set.
 *
 * It takes exp of up to 16 scores at once: of one item or, where classes are
 * few, one of each of several items. The threads share the items; their losses
 * wait in a row of their own and are added in its order, so the number of
 * threads changes no bit.
 *
 * For backward an item keeps its largest score m and 1 / Z, with Z the sum of
 * exp(x[k] - m): then p[k] = exp(x[k] - m) / Z, without a logarithm. */
#include "cross_entropy.h"

#include <lunet/kernels/lanes.h>
#include <lunet/kernels/softmax.h>

typedef struct item {
  float largest, one_over_z;
  double loss;
} item;

enum {
  FEW_CLASSES = 32,      /* at most: the scores of several items at once */
  SCORES_AT_ONCE = 16384 /* in a piece of work: some microseconds */
};

ln_status LN_FOR_ISA(vector_plan)(const void *self, ln_infer *io) {
  (void)self;
  io->saved = io->x[0].dim[0] * (int64_t)sizeof(item);
  return LN_OK;
}

typedef struct job {
  const cross_entropy *options;
  const ln_call *call;
  int64_t K;
  item *items;
} job;

static ln_status share(job *j, ln_body body) {
  const int64_t grain = SCORES_AT_ONCE / j->K;
  return j->call->host->parallel_for(j->call, ln_x_dim(j->call, 0, 0),
                                     grain > 1 ? grain : 1, body, j);
}

static job job_of(const void *self, const ln_call *call) {
  return (job){ self, call, ln_x_dim(call, 0, 1), call->saved };
}

/* The sum of what all scores lack to the largest. */
static double sum_of_lacks(const float *x, float largest, int64_t K) {
  double sum = 0;
  for (int64_t k = 0; k < K; k++) sum += (double)largest - (double)x[k];
  return sum;
}

/* With log p[k] = (x[k] - m) - log Z. */
static item judge(const float *x, int64_t K, int64_t label, double smoothing,
                  float m, double z) {
  const double log_z = log(z);
  double loss = (1 - smoothing) * (log_z + ((double)m - (double)x[label]));
  if (smoothing > 0)
    loss += smoothing * (log_z + sum_of_lacks(x, m, K) / (double)K);
  return (item){ m, (float)(1 / z), loss };
}

/* One item after the other, its scores side by side in vectors. */
static void judge_items(void *arg, const ln_chunk *chunk) {
  const job *j = arg;
  const float *target = ln_x(j->call, 1);
  for (int64_t n = chunk->begin; n < chunk->end; n++) {
    const float *x = ln_x(j->call, 0) + n * j->K;
    const float m = ln_largest(x, j->K);
    j->items[n] =
        judge(x, j->K, (int64_t)target[n], j->options->label_smoothing, m,
              ln_exp_sum(x, m, j->K, NULL));
  }
}

/* Of a few classes, the scores of LN_VECTOR items side by side: row k of lanes
 * holds theirs of class k, and nothing has to be summed across a vector. */
static void judge_together(const job *j, int64_t first, int64_t items) {
  const float *x = ln_x(j->call, 0), *target = ln_x(j->call, 1);
  const float *end = x + ln_x_dim(j->call, 0, 0) * j->K;
  float lanes[FEW_CLASSES * LN_VECTOR];
  x += first * j->K;
  ln_to_lanes(x, (ptrdiff_t)j->K, items, j->K, end, lanes);
  ln_vector z = { 0 }, m = z - INFINITY;
  for (int64_t k = 0; k < j->K; k++)
    m = ln_larger_(m, ln_load(lanes + k * LN_VECTOR));
  for (int64_t k = 0; k < j->K; k++)
    z += ln_exp_of_vector(ln_load(lanes + k * LN_VECTOR) - m);
  for (int64_t i = 0; i < items; i++)
    j->items[first + i] =
        judge(x + i * j->K, j->K, (int64_t)target[first + i],
              j->options->label_smoothing, m[i], (double)z[i]);
}

static void judge_few_classes(void *arg, const ln_chunk *chunk) {
  for (int64_t n = chunk->begin; n < chunk->end; n += LN_VECTOR) {
    const int64_t left = chunk->end - n;
    judge_together(arg, n, left < LN_VECTOR ? left : LN_VECTOR);
  }
}

ln_status LN_FOR_ISA(vector_forward)(const void *self, const ln_call *call) {
  job j = job_of(self, call);
  const int64_t N = ln_x_dim(call, 0, 0);
  if (cross_entropy_check_labels(call) != LN_OK) return LN_FAILED;
  const ln_status status =
      share(&j, j.K <= FEW_CLASSES ? judge_few_classes : judge_items);
  if (status != LN_OK) return status;
  double sum = 0;
  for (int64_t n = 0; n < N; n++) sum += j.items[n].loss;
  ln_y(call, 0)[0] = cross_entropy_reduced(self, sum, N);
  return LN_OK;
}

/* dx[k] = scale * exp(x[k] - m) - spread */
static void gradient_row(const float *x, int64_t K, float m, float scale,
                         float spread, float *dx) {
  int64_t k = 0;
  for (; k + LN_VECTOR <= K; k += LN_VECTOR)
    ln_store(dx + k, scale * ln_exp_of_vector(ln_load(x + k) - m) - spread);
  if (k == K) return;
  const ln_vector last = ln_load_first(x + k, K - k, m);
  ln_store_first(dx + k, scale * ln_exp_of_vector(last - m) - spread, K - k);
}

static void spread_items(void *arg, const ln_chunk *chunk) {
  const job *j = arg;
  const double smoothing = j->options->label_smoothing;
  const float scale = cross_entropy_scale(j->options, j->call);
  const float spread = (float)(scale * smoothing / (double)j->K);
  const float truth = scale * (float)(1 - smoothing);
  const float *x = ln_x(j->call, 0), *target = ln_x(j->call, 1);
  for (int64_t n = chunk->begin; n < chunk->end; n++) {
    const item *i = &j->items[n];
    float *dx = ln_dx(j->call, 0) + n * j->K;
    gradient_row(x + n * j->K, j->K, i->largest, scale * i->one_over_z, spread,
                 dx);
    dx[(int64_t)target[n]] -= truth;
  }
}

ln_status LN_FOR_ISA(vector_backward)(const void *self, const ln_call *call) {
  job j = job_of(self, call);
  return share(&j, spread_items);
}
