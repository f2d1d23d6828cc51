/* prelu.c - a leaky_relu that learns how much to let through.
 *
 * Forward   y[n,c,i]  = x[n,c,i] > 0 ? x[n,c,i]  : w[c] * x[n,c,i]
 * Backward  dx[n,c,i] = x[n,c,i] > 0 ? dy[n,c,i] : w[c] * dy[n,c,i]
 *           dw[c]     = sum over n,i of dy[n,c,i] * x[n,c,i] where x <= 0
 * Shapes    y as x, any rank: (N,C,...), where i counts what lies behind the
 *           channels; w (C), or (1): one weight for all
 * Source    He, Zhang, Ren, Sun, "Delving deep into rectifiers", ICCV 2015
 */
#include <lunet/kernels/each_isa.h>
#include <lunet/plugin.h>

typedef struct prelu {
  int64_t num_parameters;
  double init;
} prelu;

static const ln_option options[] = {
  LN_INT(prelu, num_parameters, 1, 1, LN_ANY,
         "slopes to learn: 1 for all, or as many as dim 2 has channels, C"),
  LN_REAL(prelu, init, 0.25, -LN_ANY, LN_ANY, "the slopes at the beginning"),
};

static ln_status params(const void *self, ln_params *p) {
  const prelu *o = self;
  ln_add_filled_weight(p, "weight", LN_SHAPE(o->num_parameters), o->init);
  return LN_OK;
}

static ln_status infer(const void *self, ln_infer *io) {
  const prelu *o = self;
  const ln_shape *x = &io->x[0];
  io->flops = (double)ln_count(x);
  io->flops_backward = 3 * io->flops;
  if (o->num_parameters == 1) return LN_OK;
  if (x->rank < 2)
    return ln_fail(io->host,
                   "num_parameters = %" PRId64
                   " needs x(N,C,...) with channels in dim 2, but x has %d "
                   "dim%s; try num_parameters = 1",
                   o->num_parameters, x->rank, x->rank == 1 ? "" : "s");
  if (x->dim[1] != o->num_parameters)
    return ln_fail(io->host,
                   "num_parameters = %" PRId64 ", but x has %" PRId64
                   " channels (dim 2), and each wants one slope; try "
                   "num_parameters = %" PRId64 ", or 1 for all",
                   o->num_parameters, x->dim[1], x->dim[1]);
  return LN_OK;
}

/* x as rows of numbers that share a weight: row r has weight r % C. */
typedef struct rows {
  int64_t count, length, C;
} rows;

LN_INLINE rows rows_of(const prelu *o, const ln_call *call) {
  const int64_t count = call->x[0]->count;
  if (count == 0) return (rows){ 0, 0, o->num_parameters };
  if (o->num_parameters == 1) return (rows){ 1, count, 1 };
  const int64_t C = ln_x_dim(call, 0, 1), N = ln_x_dim(call, 0, 0);
  return (rows){ N * C, count / (N * C), C };
}

LN_INLINE ln_status forward(const void *self, const ln_call *call) {
  const rows s = rows_of(self, call);
  const float *x = ln_x(call, 0), *w = ln_w(call, 0);
  float *y = ln_y(call, 0);
  for (int64_t r = 0; r < s.count; r++, x += s.length, y += s.length) {
    const float slope = w[r % s.C];
    for (int64_t i = 0; i < s.length; i++)
      y[i] = x[i] > 0 ? x[i] : slope * x[i];
  }
  return LN_OK;
}

LN_INLINE void input_gradient(const rows s, const ln_call *call) {
  const float *x = ln_x(call, 0), *dy = ln_dy(call, 0), *w = ln_w(call, 0);
  float *dx = ln_dx(call, 0);
  for (int64_t r = 0; r < s.count; r++) {
    const float slope = w[r % s.C];
    for (int64_t i = 0; i < s.length; i++)
      dx[i] = x[i] > 0 ? dy[i] : slope * dy[i];
    x += s.length, dy += s.length, dx += s.length;
  }
}

/* dy * x, summed where x is not positive; a NaN counts. */
static double sum_below(const float *dy, const float *x, int64_t length) {
  double sum = 0;
  for (int64_t i = 0; i < length; i++)
    sum += x[i] > 0 ? 0 : (double)dy[i] * x[i];
  return sum;
}

static void weight_gradient(const rows s, const ln_call *call) {
  const float *x = ln_x(call, 0), *dy = ln_dy(call, 0);
  float *dw = ln_dw(call, 0);
  for (int64_t c = 0; c < s.C; c++) {
    double sum = 0;
    for (int64_t r = c; r < s.count; r += s.C)
      sum += sum_below(dy + r * s.length, x + r * s.length, s.length);
    dw[c] = (float)sum;
  }
}

static ln_status backward(const void *self, const ln_call *call) {
  const rows s = rows_of(self, call);
  if (ln_dx(call, 0)) input_gradient(s, call);
  if (ln_dw(call, 0)) weight_gradient(s, call);
  return LN_OK;
}

/* ---- method "vector" ----------------------------------------------------- */

/* The loops above, compiled once for each instruction set: up to 16 numbers a
 * step. The terms of a sum are written down block by block, so that no step
 * waits for a comparison, and added to 16 partial sums, so that none waits for
 * the addition before. */

enum { BLOCK = 256, LANES = 16 };

LN_INLINE double sum_of_block(const float *term, int64_t count) {
  double sums[LANES] = { 0 }, total = 0;
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES)
    for (int lane = 0; lane < LANES; lane++) sums[lane] += term[i + lane];
  for (; i < count; i++) total += term[i];
  for (int lane = 0; lane < LANES; lane++) total += sums[lane];
  return total;
}

LN_INLINE double vector_sum_below(const float *dy, const float *x,
                                  int64_t length) {
  double sum = 0;
  for (int64_t begin = 0; begin < length; begin += BLOCK) {
    const int64_t count = length - begin < BLOCK ? length - begin : BLOCK;
    float terms[BLOCK];
    for (int64_t i = 0; i < count; i++) {
      const float term = dy[begin + i] * x[begin + i];
      terms[i] = x[begin + i] > 0 ? 0 : term;
    }
    sum += sum_of_block(terms, count);
  }
  return sum;
}

LN_INLINE void vector_weight_gradient(const rows s, const ln_call *call) {
  const float *x = ln_x(call, 0), *dy = ln_dy(call, 0);
  float *dw = ln_dw(call, 0);
  for (int64_t c = 0; c < s.C; c++) {
    double sum = 0;
    for (int64_t r = c; r < s.count; r += s.C)
      sum += vector_sum_below(dy + r * s.length, x + r * s.length, s.length);
    dw[c] = (float)sum;
  }
}

LN_INLINE ln_status vector_backward(const void *self, const ln_call *call) {
  const rows s = rows_of(self, call);
  if (ln_dx(call, 0)) input_gradient(s, call);
  if (ln_dw(call, 0)) vector_weight_gradient(s, call);
  return LN_OK;
}

LN_EACH_ISA(forward)
LN_EACH_ISA(vector_backward)

static const ln_kernel kernels[] = {
  LN_EACH_ISA_ROWS("vector", forward, vector_backward),
};

static const ln_layer layer = {
  LN_LAYER,
  .name = "prelu",
  .brief = "a leaky_relu that learns how much to let through",
  .formula = "y = x > 0 ? x : w[c] * x",
  .example =
      "nn.prelu{ num_parameters = 3 }:forward(lunet.randn{ 2, 3, 4, 4 })",
  LN_OPTIONS(prelu, options),
  .traits = LN_PER_SAMPLE | LN_FORGETS_Y | LN_NONSMOOTH,
  .params = params,
  .infer = infer,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("prelu", "1.0", &layer);
