/* layer_norm.c - give each row of numbers mean 0 and deviation 1, then the
 * scale and the shift that the training finds best for each place in a row.
 *
 * Forward   y[r,i] = w[i] * h[r,i] + b[i],
 *           h[r,i] = (x[r,i] - mean[r]) / sqrt(var[r] + eps), where
 *           mean[r] = sum over i of x[r,i] / D,
 *           var[r]  = sum over i of (x[r,i] - mean[r])^2 / D
 * Shapes    x, y (N, ..., normalized_shape); a row is all of normalized_shape,
 *           D numbers; w, b have normalized_shape
 * Backward  db[i] = sum over r of dy[r,i]
 *           dw[i] = sum over r of dy[r,i] * h[r,i]
 *           dx[r,i] = (g[r,i] - sum over j of (g[r,j] + h[r,i] * g[r,j] *
 *                     h[r,j]) / D) / sqrt(var[r] + eps), g[r,i] = w[i]*dy[r,i]
 * Source    Ba, Kiros, Hinton, "Layer Normalization", 2016
 *
 * The textbook loops come first. The method "rows" below them sums in vectors.
 */
#include <math.h>
#include <string.h>

#include <lunet/kernels/moments.h>
#include <lunet/plugin.h>

typedef struct layer_norm {
  ln_list normalized_shape;
  double eps;
  bool elementwise_affine;
} layer_norm;

static const ln_option options[] = {
  LN_LIST(layer_norm, normalized_shape, LN_REQUIRED, 1, LN_ANY,
          "sizes of the last dims of x, which are one row: a number or a list"),
  LN_REAL(layer_norm, eps, 1e-5, 0, LN_ANY,
          "added to the variance, so that a constant row divides by no 0"),
  LN_BOOL(layer_norm, elementwise_affine, true,
          "scale place i of each row by a weight w[i] and shift it by b[i]"),
};

static ln_status params(const void *self, ln_params *p) {
  const layer_norm *o = self;
  if (!o->elementwise_affine) return LN_OK;
  ln_shape row = { .rank = (int32_t)o->normalized_shape.count };
  for (int32_t d = 0; d < row.rank; d++) row.dim[d] = o->normalized_shape.at[d];
  ln_add_filled_weight(p, "weight", row, 1);
  ln_add_filled_weight(p, "bias", row, 0);
  return LN_OK;
}

/* ---- what both methods share --------------------------------------------- */

/* The letters of the head; R rows. */
typedef struct sizes {
  int64_t R, D;
} sizes;

static sizes sizes_of(const layer_norm *o, const ln_shape *x) {
  const int32_t leading = x->rank - (int32_t)o->normalized_shape.count;
  sizes s = { 1, 1 };
  for (int32_t d = 0; d < leading; d++) s.R *= x->dim[d];
  for (int32_t d = leading; d < x->rank; d++) s.D *= x->dim[d];
  return s;
}

/* What forward found out about a row, kept for backward. */
typedef struct statistics {
  double mean, scale; /* scale: 1 / sqrt(var + eps) */
} statistics;

static ln_status infer(const void *self, ln_infer *io) {
  const sizes s = sizes_of(self, &io->x[0]);
  io->saved = s.R * (int64_t)sizeof(statistics);
  io->flops = 7 * (double)ln_count(&io->x[0]);
  io->flops_backward = 11 * (double)ln_count(&io->x[0]);
  return LN_OK;
}

static statistics settle(const layer_norm *o, double mean, double var) {
  return (statistics){ mean, 1 / sqrt(var + o->eps) };
}

/* ---- the textbook -------------------------------------------------------- */

static statistics textbook_statistics(const layer_norm *o, const float *x,
                                      int64_t D) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < D; i++) sum += x[i];
  const double mean = sum / (double)D;
  for (int64_t i = 0; i < D; i++) squares += (x[i] - mean) * (x[i] - mean);
  return settle(o, mean, squares / (double)D);
}

static ln_status forward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, &call->x[0]->shape);
  const float(*x)[s.D] = (void *)ln_x(call, 0);
  const float *w = ln_w(call, 0), *b = ln_w(call, 1);
  float(*y)[s.D] = (void *)ln_y(call, 0);
  statistics *of = call->saved;

  for (int64_t r = 0; r < s.R; r++) {
    of[r] = textbook_statistics(self, x[r], s.D);
    for (int64_t i = 0; i < s.D; i++) {
      const double h = (x[r][i] - of[r].mean) * of[r].scale;
      y[r][i] = (float)(w ? w[i] * h + b[i] : h);
    }
  }
  return LN_OK;
}

static void input_gradient(const sizes s, const ln_call *call) {
  const float(*x)[s.D] = (void *)ln_x(call, 0);
  const float(*dy)[s.D] = (void *)ln_dy(call, 0);
  const float *w = ln_w(call, 0);
  float(*dx)[s.D] = (void *)ln_dx(call, 0);
  const statistics *of = call->saved;

  for (int64_t r = 0; r < s.R; r++) {
    double sum_g = 0, sum_gh = 0;
    for (int64_t i = 0; i < s.D; i++) {
      const double h = (x[r][i] - of[r].mean) * of[r].scale;
      const double g = w ? (double)w[i] * dy[r][i] : dy[r][i];
      sum_g += g;
      sum_gh += g * h;
    }
    for (int64_t i = 0; i < s.D; i++) {
      const double h = (x[r][i] - of[r].mean) * of[r].scale;
      const double g = w ? (double)w[i] * dy[r][i] : dy[r][i];
      dx[r][i] =
          (float)((g - (sum_g + h * sum_gh) / (double)s.D) * of[r].scale);
    }
  }
}

static void weight_gradients(const sizes s, const ln_call *call) {
  const float(*x)[s.D] = (void *)ln_x(call, 0);
  const float(*dy)[s.D] = (void *)ln_dy(call, 0);
  float *dw = ln_dw(call, 0), *db = ln_dw(call, 1);
  const statistics *of = call->saved;

  for (int64_t i = 0; i < s.D; i++) {
    double sum = 0, sum_h = 0;
    for (int64_t r = 0; r < s.R; r++) {
      sum += dy[r][i];
      sum_h += dy[r][i] * (x[r][i] - of[r].mean) * of[r].scale;
    }
    if (dw) dw[i] = (float)sum_h;
    if (db) db[i] = (float)sum;
  }
}

static ln_status backward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, &call->x[0]->shape);
  if (ln_dw(call, 0) || ln_dw(call, 1)) weight_gradients(s, call);
  if (ln_dx(call, 0)) input_gradient(s, call); /* may overwrite dy */
  return LN_OK;
}

/* ---- method "rows" ------------------------------------------------------- */

/* The same, a row at a time while it lies in the cache, with the sums of
 * lunet/kernels/moments.h. Gradients of weights grow row by row in doubles, as
 * adding down a column would fetch all of memory for each number. */

static ln_status rows_plan(const void *self, ln_infer *io) {
  const layer_norm *o = self;
  if (o->elementwise_affine)
    io->workspace = 2 * sizes_of(o, &io->x[0]).D * (int64_t)sizeof(double);
  return LN_OK;
}

/* y = (x - mean) * scale + shift for a row, where mean is rounded to a float
 * and what that loses goes into the shift. */
static void normalise_row(statistics of, int64_t D, const float *x, float *y) {
  const float mean = (float)of.mean, scale = (float)of.scale;
  const float shift = (float)((mean - of.mean) * of.scale);
  for (int64_t i = 0; i < D; i++) y[i] = (x[i] - mean) * scale + shift;
}

static ln_status rows_forward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, &call->x[0]->shape);
  const float *w = ln_w(call, 0), *b = ln_w(call, 1), *x = ln_x(call, 0);
  float *y = ln_y(call, 0);
  statistics *of = call->saved;

  for (int64_t r = 0; r < s.R; r++, x += s.D, y += s.D) {
    ln_moments m = { 0, 0, 0 };
    ln_moments_add(&m, x, s.D);
    of[r] = settle(self, m.mean, m.squares / m.count);
    normalise_row(of[r], s.D, x, y);
    for (int64_t i = 0; w && i < s.D; i++) y[i] = w[i] * y[i] + b[i];
  }
  return LN_OK;
}

/* dx holds g = w * dy and becomes the gradient. */
static void row_gradient(statistics of, int64_t count, const float *x,
                         float *dx) {
  ln_sums g = { 0, 0 };
  ln_sums_add(&g, dx, x, of.mean, count);
  const double D = (double)count, scale = of.scale;
  const double along_x = -scale * scale * scale * g.vx / D;
  const float mean = (float)of.mean, a = (float)scale, b = (float)along_x;
  const float shift = (float)(-scale * g.v / D - along_x * (of.mean - mean));
  for (int64_t i = 0; i < count; i++)
    dx[i] = a * dx[i] + (b * (x[i] - mean) + shift);
}

static void rows_input_gradient(const sizes s, const ln_call *call) {
  const float *w = ln_w(call, 0), *x = ln_x(call, 0), *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);
  const statistics *of = call->saved;

  for (int64_t r = 0; r < s.R; r++, x += s.D, dy += s.D, dx += s.D) {
    for (int64_t i = 0; i < s.D; i++) dx[i] = w ? w[i] * dy[i] : dy[i];
    row_gradient(of[r], s.D, x, dx);
  }
}

static void rows_weight_gradients(const sizes s, const ln_call *call) {
  const float *x = ln_x(call, 0), *dy = ln_dy(call, 0);
  double *dw = call->workspace, *db = dw + s.D;
  const statistics *of = call->saved;

  memset(dw, 0, 2 * (size_t)s.D * sizeof *dw);
  for (int64_t r = 0; r < s.R; r++, x += s.D, dy += s.D)
    for (int64_t i = 0; i < s.D; i++) {
      dw[i] += dy[i] * (x[i] - of[r].mean) * of[r].scale;
      db[i] += dy[i];
    }
  for (int64_t i = 0; i < s.D; i++) {
    if (ln_dw(call, 0)) ln_dw(call, 0)[i] = (float)dw[i];
    if (ln_dw(call, 1)) ln_dw(call, 1)[i] = (float)db[i];
  }
}

static ln_status rows_backward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, &call->x[0]->shape);
  if (ln_dw(call, 0) || ln_dw(call, 1)) rows_weight_gradients(s, call);
  if (ln_dx(call, 0)) rows_input_gradient(s, call); /* may overwrite dy */
  return LN_OK;
}

static const ln_kernel kernels[] = {
  { .method = "rows",
    .plan = rows_plan,
    .forward = rows_forward,
    .backward = rows_backward,
    .per_sample = 1 },
};

static const ln_layer layer = {
  LN_LAYER,
  .name = "layer_norm",
  .brief = "gives each row of numbers mean 0 and deviation 1",
  .formula = "y[r,i] = w[i] * (x[r,i] - mean[r]) / sqrt(var[r] + eps) + b[i]",
  .example = "nn.layer_norm{ normalized_shape = 8 }"
             ":forward(lunet.randn{ 2, 5, 8 })",
  .inputs = "x(N,...,normalized_shape)",
  .outputs = "y(N,...,normalized_shape)",
  LN_OPTIONS(layer_norm, options),
  .traits = LN_PER_SAMPLE | LN_IN_PLACE | LN_FORGETS_Y,
  .params = params,
  .infer = infer,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("layer_norm", "1.0", &layer);
