/* linear.c - the fully connected layer: every output sees every input.
 *
 * Forward   y[n,k] = b[k] + sum over c of w[k,c] * x[n,c]
 * Shapes    x (N,C)  w (K,C)  b (K)  y (N,K); C is in_features, K out_features
 * Backward  dx[n,c] = sum over k of dy[n,k] * w[k,c]
 *           dw[k,c] = sum over n of dy[n,k] * x[n,c]
 *           db[k]   = sum over n of dy[n,k]
 * Source    Lecture 14, "Fully-connected Layer" (w^T x + b); it is a 1x1
 *           convolution on an image of one pixel
 *
 * The textbook loops come first. The method "matmul" below them does the same
 * sums for the whole batch as matrix products; dot.c has the method "dot" for
 * one to four items.
 */
#include "linear.h"

#include <string.h>

static const ln_option options[] = {
  LN_INT(linear, in_features, LN_FROM_INPUT, 1, LN_ANY,
         "numbers in an item of x, C; left out, the first input tells"),
  LN_INT(linear, out_features, LN_REQUIRED, 1, LN_ANY,
         "numbers in an item of y, K: the neurons of this layer"),
  LN_BOOL(linear, bias, true, "add a number b[k] to each y[n,k]"),
};

static ln_status params(const void *self, ln_params *p) {
  const linear *o = self;
  const double C = (double)o->in_features, K = (double)o->out_features;
  ln_add_weight(p, "weight", LN_SHAPE(o->out_features, o->in_features), C, K);
  if (o->bias) ln_add_weight(p, "bias", LN_SHAPE(o->out_features), C, 0);
  return LN_OK;
}

static ln_status infer(const void *self, ln_infer *io) {
  const linear *o = self;
  io->flops = 2.0 * (double)io->x[0].dim[0] * (double)o->in_features *
              (double)o->out_features;
  return LN_OK;
}

/* ---- the textbook -------------------------------------------------------- */

static ln_status forward(const void *self, const ln_call *call) {
  const linear *o = self;
  const int64_t N = ln_x_dim(call, 0, 0), C = o->in_features,
                K = o->out_features;
  const float(*x)[C] = (void *)ln_x(call, 0);
  const float(*w)[C] = (void *)ln_w(call, 0);
  const float *b = ln_w(call, 1);
  float(*y)[K] = (void *)ln_y(call, 0);

  for (int64_t n = 0; n < N; n++)
    for (int64_t k = 0; k < K; k++) {
      float sum = b ? b[k] : 0;
      for (int64_t c = 0; c < C; c++) sum += w[k][c] * x[n][c];
      y[n][k] = sum;
    }
  return LN_OK;
}

static void input_gradient(const linear *o, const ln_call *call) {
  const int64_t N = ln_x_dim(call, 0, 0), C = o->in_features,
                K = o->out_features;
  const float(*dy)[K] = (void *)ln_dy(call, 0);
  const float(*w)[C] = (void *)ln_w(call, 0);
  float(*dx)[C] = (void *)ln_dx(call, 0);

  for (int64_t n = 0; n < N; n++)
    for (int64_t c = 0; c < C; c++) {
      float sum = 0;
      for (int64_t k = 0; k < K; k++) sum += dy[n][k] * w[k][c];
      dx[n][c] = sum;
    }
}

static void weight_gradient(const linear *o, const ln_call *call) {
  const int64_t N = ln_x_dim(call, 0, 0), C = o->in_features,
                K = o->out_features;
  const float(*dy)[K] = (void *)ln_dy(call, 0);
  const float(*x)[C] = (void *)ln_x(call, 0);
  float(*dw)[C] = (void *)ln_dw(call, 0);

  for (int64_t k = 0; k < K; k++)
    for (int64_t c = 0; c < C; c++) {
      float sum = 0;
      for (int64_t n = 0; n < N; n++) sum += dy[n][k] * x[n][c];
      dw[k][c] = sum;
    }
}

static void bias_gradient(const linear *o, const ln_call *call) {
  const int64_t N = ln_x_dim(call, 0, 0), K = o->out_features;
  const float(*dy)[K] = (void *)ln_dy(call, 0);
  float *db = ln_dw(call, 1);

  for (int64_t k = 0; k < K; k++) {
    double sum = 0;
    for (int64_t n = 0; n < N; n++) sum += dy[n][k];
    db[k] = (float)sum;
  }
}

static ln_status backward(const void *self, const ln_call *call) {
  if (ln_dx(call, 0)) input_gradient(self, call);
  if (ln_dw(call, 0)) weight_gradient(self, call);
  if (ln_dw(call, 1)) bias_gradient(self, call);
  return LN_OK;
}

/* ---- method "matmul" ----------------------------------------------------- */

/* With x as a matrix (N,C), one product gives the whole batch: y = x w^T + b,
 * dx = dy w, dw = dy^T x. Each weight is then fetched once for many items
 * instead of once an item. */

static ln_status matmul_forward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  const float *b = ln_w(call, 1);
  float *y = ln_y(call, 0);

  for (int64_t n = 0; b && n < s.N; n++)
    memcpy(y + n * s.K, b, (size_t)s.K * sizeof *y);
  call->host->matmul(call, 0, 1, s.N, s.K, s.C, ln_x(call, 0), s.C,
                     ln_w(call, 0), s.C, b ? 1 : 0, y, s.K);
  if (call->activation == LN_IS_RELU)
    for (int64_t i = 0; i < s.N * s.K; i++) y[i] = y[i] <= 0 ? 0 : y[i];
  return LN_OK;
}

static ln_status matmul_backward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  call->host->matmul(call, 0, 0, s.N, s.C, s.K, ln_dy(call, 0), s.K,
                     ln_w(call, 0), s.C, 0, ln_dx(call, 0), s.C);
  return LN_OK;
}

/* The textbook's sums, but some columns side by side, so that dy is read in the
 * order in which it lies. */
static void bias_gradient_by_rows(const sizes *s, const float *dy, float *db) {
  enum { COLUMNS = 64 };
  for (int64_t k = 0; k < s->K; k += COLUMNS) {
    const int64_t width = s->K - k < COLUMNS ? s->K - k : COLUMNS;
    double sum[COLUMNS] = { 0 };
    for (int64_t n = 0; n < s->N; n++)
      for (int64_t j = 0; j < width; j++) sum[j] += dy[n * s->K + k + j];
    for (int64_t j = 0; j < width; j++) db[k + j] = (float)sum[j];
  }
}

static ln_status matmul_backward_weights(const void *self,
                                         const ln_call *call) {
  const sizes s = sizes_of(self, call);
  if (ln_dw(call, 0))
    call->host->matmul(call, 1, 0, s.K, s.C, s.N, ln_dy(call, 0), s.K,
                       ln_x(call, 0), s.C, 0, ln_dw(call, 0), s.C);
  if (ln_dw(call, 1)) bias_gradient_by_rows(&s, ln_dy(call, 0), ln_dw(call, 1));
  return LN_OK;
}

#define DOT(bits, suffix)                                                      \
  {                                                                            \
    .method = "dot", .isa = bits, .plan = dot_plan_##suffix,                   \
    .forward = dot_forward_##suffix, .backward = matmul_backward,              \
    .backward_weights = matmul_backward_weights,                               \
    .activations = LN_ACCEPTS(LN_IS_RELU)                                      \
  }

static const ln_kernel kernels[] = {
  LN_FOR_EACH_ISA(DOT),
  { .method = "matmul",
    .forward = matmul_forward,
    .backward = matmul_backward,
    .backward_weights = matmul_backward_weights,
    .activations = LN_ACCEPTS(LN_IS_RELU) },
};

static const ln_layer layer = {
  LN_LAYER,
  .name = "linear",
  .brief = "the fully connected layer: every output sees every input",
  .formula = "y[n,k] = b[k] + sum over c of w[k,c] * x[n,c]",
  .example = "nn.linear{ out_features = 10 }:forward(lunet.randn{ 2, 84 })",
  .inputs = "x(N,in_features)",
  .outputs = "y(N,out_features)",
  LN_OPTIONS(linear, options),
  .traits = LN_PER_SAMPLE | LN_FORGETS_Y | LN_LINEAR,
  .params = params,
  .infer = infer,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("linear", "1.0", &layer);
