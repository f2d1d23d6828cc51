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
 * The textbook loops stand here. matmul.c does the same sums for the whole
 * batch as matrix products; dot.c has the method "dot" for one to four items.
 */
#include "linear.h"

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

#define DOT(bits, suffix)                                                      \
  {                                                                            \
    .method = "dot", .isa = bits, .plan = dot_plan_##suffix,                   \
    .forward = dot_forward_##suffix, .backward = matmul_backward_##suffix,     \
    .backward_weights = matmul_backward_weights_##suffix,                      \
    .activations = LN_ACCEPTS(LN_IS_RELU)                                      \
  }
#define MATMUL(bits, suffix)                                                   \
  {                                                                            \
    .method = "matmul", .isa = bits, .forward = matmul_forward_##suffix,       \
    .backward = matmul_backward_##suffix,                                      \
    .backward_weights = matmul_backward_weights_##suffix,                      \
    .activations = LN_ACCEPTS(LN_IS_RELU)                                      \
  }

static const ln_kernel kernels[] = {
  LN_FOR_EACH_ISA(DOT),
  LN_FOR_EACH_ISA(MATMUL),
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
