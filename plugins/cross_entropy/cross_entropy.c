/* cross_entropy.c - the loss of a classifier: how surprised it is by the truth.
 *
 * Forward   loss = mean over n of  -sum over k of q[n,k] * log p[n,k]
 *           p[n,.] = softmax of the scores x[n,.]
 *           q[n,k] = 1 for the true class, else 0; with label_smoothing s,
 *                    (1 - s) times that plus s / K
 *           reduction = "sum" leaves the division by N out
 * Backward  dx[n,k] = dy / N * (p[n,k] - q[n,k]): predicted minus true
 * Shapes    x (N,K) scores, any numbers; target (N) class ids 0 .. K-1;
 *           loss a single number, as is dy
 * Source    Szegedy et al., CVPR 2016, section 7, for the smoothing
 *
 * softmax is part of it: do not put one in front. log p[n,k] is computed as
 * x[n,k] - L[n] with L[n] = log of the sum of exp(x[n,.]), so that no small p
 * can underflow; L is kept for backward.
 *
 * The textbook loops stand here; vector.c does the same in vectors and threads.
 */
#include "cross_entropy.h"

#include <math.h>

static const ln_option options[] = {
  LN_REAL(cross_entropy, label_smoothing, 0, 0, 1,
          "share of the truth that is spread evenly over all classes"),
  LN_CHOICE(cross_entropy, reduction, "mean", "mean|sum",
            "of the items' losses: their mean, or their sum"),
};

static ln_status infer(const void *self, ln_infer *io) {
  (void)self;
  const int64_t N = io->x[0].dim[0], K = io->x[0].dim[1];
  if (K < 1)
    return ln_fail(
        io->host,
        "the scores have no classes: (N,K) = (%" PRId64 ",%" PRId64 ")", N, K);
  io->saved = N * (int64_t)sizeof(double);
  io->flops = 16 * (double)N * (double)K; /* of which exp takes a dozen */
  io->flops_backward = io->flops;
  return LN_OK;
}

static ln_status check_label(const ln_host *host, float label, int64_t n,
                             int64_t K) {
  if (label >= 0 && label < (float)K && label == floorf(label)) return LN_OK;
  return ln_fail(host,
                 "label %g of item %" PRId64 " is no class: with %" PRId64
                 " scores an item, classes are 0..%" PRId64
                 ", as nn.cross_entropy counts classes from 0",
                 (double)label, n + 1, K, K - 1);
}

ln_status cross_entropy_check_labels(const ln_call *call) {
  const int64_t N = ln_x_dim(call, 0, 0), K = ln_x_dim(call, 0, 1);
  const float *target = ln_x(call, 1);
  for (int64_t n = 0; n < N; n++)
    if (check_label(call->host, target[n], n, K) != LN_OK) return LN_FAILED;
  return LN_OK;
}

/* ---- the textbook -------------------------------------------------------- */

/* The logarithm of the sum of exp(x[k]). */
static double log_sum_exp(const float *x, int64_t K) {
  float largest = -INFINITY;
  for (int64_t k = 0; k < K; k++)
    if (x[k] > largest) largest = x[k];
  double sum = 0;
  for (int64_t k = 0; k < K; k++) sum += expf(x[k] - largest);
  return largest + log(sum);
}

/* -sum over k of q[k] * log p[k], where log p[k] = x[k] - L. */
static double item_loss(const float *x, int64_t K, int64_t label, double L,
                        double smoothing) {
  double loss = (1 - smoothing) * (L - x[label]);
  if (smoothing > 0)
    for (int64_t k = 0; k < K; k++) loss += smoothing / (double)K * (L - x[k]);
  return loss;
}

static ln_status forward(const void *self, const ln_call *call) {
  const cross_entropy *o = self;
  const int64_t N = ln_x_dim(call, 0, 0), K = ln_x_dim(call, 0, 1);
  const float(*x)[K] = (void *)ln_x(call, 0);
  const float *target = ln_x(call, 1);
  double *L = call->saved;

  if (cross_entropy_check_labels(call) != LN_OK) return LN_FAILED;
  double sum = 0;
  for (int64_t n = 0; n < N; n++) {
    L[n] = log_sum_exp(x[n], K);
    sum += item_loss(x[n], K, (int64_t)target[n], L[n], o->label_smoothing);
  }
  ln_y(call, 0)[0] = cross_entropy_reduced(o, sum, N);
  return LN_OK;
}

static ln_status backward(const void *self, const ln_call *call) {
  const cross_entropy *o = self;
  const int64_t N = ln_x_dim(call, 0, 0), K = ln_x_dim(call, 0, 1);
  const float(*x)[K] = (void *)ln_x(call, 0);
  const float *target = ln_x(call, 1);
  const double *L = call->saved;
  float(*dx)[K] = (void *)ln_dx(call, 0);

  const float scale = cross_entropy_scale(o, call);
  const float spread = (float)(o->label_smoothing / (double)K);
  for (int64_t n = 0; n < N; n++) {
    for (int64_t k = 0; k < K; k++)
      dx[n][k] = scale * (expf((float)(x[n][k] - L[n])) - spread);
    dx[n][(int64_t)target[n]] -= scale * (float)(1 - o->label_smoothing);
  }
  return LN_OK;
}

#define VECTOR(bits, suffix)                                                   \
  {                                                                            \
    .method = "vector", .isa = bits, .plan = vector_plan_##suffix,             \
    .forward = vector_forward_##suffix, .backward = vector_backward_##suffix   \
  }
static const ln_kernel kernels[] = { LN_FOR_EACH_ISA(VECTOR) };

static const ln_layer layer = {
  LN_LAYER,
  .kind = LN_LOSS,
  .name = "cross_entropy",
  .brief = "the loss of a classifier, from scores and class ids",
  .formula = "loss = mean over n of log(sum over k of exp(x[n,k])) - "
             "x[n,target[n]]",
  .example = "nn.cross_entropy{}:forward(lunet.randn{ 2, 10 }, "
             "lunet.tensor{ 3, 0 })",
  .inputs = "scores(N,K), target(N)",
  .outputs = "loss()",
  LN_OPTIONS(cross_entropy, options),
  .traits = LN_FORGETS_Y,
  .infer = infer,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("cross_entropy", "1.0", &layer);
