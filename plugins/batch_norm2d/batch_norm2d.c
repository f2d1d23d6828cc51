/* batch_norm2d.c - give each channel mean 0 and deviation 1 over the batch,
 * then the scale and the shift that the training finds best.
 *
 * Forward   y[n,c,i] = w[c] * h[n,c,i] + b[c],
 *           h[n,c,i] = (x[n,c,i] - mean[c]) / sqrt(var[c] + eps)
 *           Training: mean and var of the channel in this batch, over the
 *           M = N*H*W numbers x[n,c,i]; var = sum of (x - mean)^2 / M. The
 *           running ones follow them:
 *               running_mean = (1 - momentum) * running_mean + momentum * mean
 *               running_var likewise, with var * M / (M - 1)
 *           Not training: mean and var are the running ones
 * Shapes    x, y (N,C,H,W), i a pixel of H*W; w, b, mean, var (C)
 * Backward  db[c] = sum over n,i of dy
 *           dw[c] = sum over n,i of dy * h
 *           dx = w[c] / sqrt(var[c] + eps) * (dy - (db[c] + h * dw[c]) / M):
 *           mean and var move with x. Not training, they do not:
 *           dx = w[c] / sqrt(var[c] + eps) * dy
 * Source    Ioffe, Szegedy, "Batch Normalization", ICML 2015
 *
 * The textbook loops come first. The method "parts" below them, and in parts.c,
 * does the same slice by slice.
 */
#include "batch_norm2d.h"

#include <math.h>

#include <lunet/kernels/moments.h>

static const ln_option options[] = {
  LN_INT(batch_norm2d, num_features, LN_FROM_INPUT, 1, LN_ANY,
         "channels of x, C; left out, the first input tells"),
  LN_REAL(batch_norm2d, eps, 1e-5, 0, LN_ANY,
          "added to the variance, so that a constant channel divides by no 0"),
  LN_REAL(batch_norm2d, momentum, 0.1, 0, 1,
          "share of the batch in the running mean and variance"),
  LN_BOOL(batch_norm2d, affine, true,
          "scale each channel by a weight w[c] and shift it by a bias b[c]"),
};

static ln_status params(const void *self, ln_params *p) {
  const batch_norm2d *o = self;
  const ln_shape channels = LN_SHAPE(o->num_features);
  if (o->affine) {
    ln_add_filled_weight(p, "weight", channels, 1);
    ln_add_filled_weight(p, "bias", channels, 0);
  }
  ln_add_state(p, "running_mean", channels, 0);
  ln_add_state(p, "running_var", channels, 1);
  return LN_OK;
}

static ln_status infer(const void *self, ln_infer *io) {
  const batch_norm2d *o = self;
  io->saved = o->num_features * (int64_t)sizeof(statistics);
  io->flops = 7 * (double)ln_count(&io->x[0]);
  io->flops_backward = 8 * (double)ln_count(&io->x[0]);
  return LN_OK;
}

/* ---- what both methods share --------------------------------------------- */

static double weight(const ln_call *call, int64_t c) {
  return ln_w(call, 0) ? ln_w(call, 0)[c] : 1;
}

static double bias(const ln_call *call, int64_t c) {
  return ln_w(call, 1) ? ln_w(call, 1)[c] : 0;
}

static ln_status check_batch(const ln_call *call) {
  const int64_t *x = call->x[0]->shape.dim;
  if (call->training && x[0] * x[2] * x[3] == 1)
    return ln_fail(
        call->host,
        "x (1,%" PRId64 ",1,1) has N*H*W = 1*1*1 = 1 number in each channel: "
        "training needs at least 2, as a single one has no deviation; try a "
        "larger batch, or eval()",
        x[1]);
  return LN_OK;
}

/* Do mean and var come from this batch? One without items has none. */
static bool looks_at_batch(const ln_call *call) {
  return call->training && call->x[0]->count > 0;
}

static statistics running_statistics(const batch_norm2d *o, const ln_call *call,
                                     int64_t c) {
  const double mean = ln_state(call, 0)[c], var = ln_state(call, 1)[c];
  return (statistics){ mean, 1 / sqrt(var + o->eps), false };
}

/* The running ones follow. */
static statistics batch_statistics(const batch_norm2d *o, const ln_call *call,
                                   int64_t c, ln_moments m) {
  const double var = m.squares / m.count, unbiased = m.squares / (m.count - 1);
  float *mean = ln_state(call, 0) + c, *running_var = ln_state(call, 1) + c;
  *mean = (float)((1 - o->momentum) * *mean + o->momentum * m.mean);
  *running_var =
      (float)((1 - o->momentum) * *running_var + o->momentum * unbiased);
  return (statistics){ m.mean, 1 / sqrt(var + o->eps), true };
}

/* dx = along_dy * dy + along_x * (x - mean) + shift */
typedef struct gradient {
  double along_dy, along_x, shift;
} gradient;

/* From the sums of dy and of dy * (x - mean) over channel c; dw and db, too. */
static gradient gradient_of(const ln_call *call, int64_t c,
                            const statistics *of, double M, double sum_dy,
                            double sum_dy_x) {
  gradient g = { .along_dy = weight(call, c) * of->scale };
  if (of->of_batch) {
    g.along_x = -g.along_dy * of->scale * of->scale * sum_dy_x / M;
    g.shift = -g.along_dy * sum_dy / M;
  }
  if (ln_dw(call, 0)) ln_dw(call, 0)[c] = (float)(sum_dy_x * of->scale);
  if (ln_dw(call, 1)) ln_dw(call, 1)[c] = (float)sum_dy;
  return g;
}

/* ---- the textbook -------------------------------------------------------- */

static ln_moments textbook_moments(const sizes *s, const float *numbers,
                                   int64_t c) {
  const float(*x)[s->C][s->pixels] = (void *)numbers;
  ln_moments m = { .count = (double)s->M };
  for (int64_t n = 0; n < s->N; n++)
    for (int64_t i = 0; i < s->pixels; i++) m.mean += x[n][c][i];
  m.mean /= m.count;
  for (int64_t n = 0; n < s->N; n++)
    for (int64_t i = 0; i < s->pixels; i++) {
      const double d = x[n][c][i] - m.mean;
      m.squares += d * d;
    }
  return m;
}

static ln_status forward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(call);
  const float(*x)[s.C][s.pixels] = (void *)ln_x(call, 0);
  float(*y)[s.C][s.pixels] = (void *)ln_y(call, 0);
  if (check_batch(call) != LN_OK) return LN_FAILED;

  for (int64_t c = 0; c < s.C; c++) {
    statistics *of = (statistics *)call->saved + c;
    *of = looks_at_batch(call)
              ? batch_statistics(self, call, c,
                                 textbook_moments(&s, ln_x(call, 0), c))
              : running_statistics(self, call, c);
    for (int64_t n = 0; n < s.N; n++)
      for (int64_t i = 0; i < s.pixels; i++) {
        const double h = (x[n][c][i] - of->mean) * of->scale;
        y[n][c][i] = (float)(weight(call, c) * h + bias(call, c));
      }
  }
  return LN_OK;
}

static gradient textbook_gradient(const sizes *s, const ln_call *call,
                                  int64_t c, const statistics *of) {
  const float(*x)[s->C][s->pixels] = (void *)ln_x(call, 0);
  const float(*dy)[s->C][s->pixels] = (void *)ln_dy(call, 0);
  double sum_dy = 0, sum_dy_x = 0;
  for (int64_t n = 0; n < s->N; n++)
    for (int64_t i = 0; i < s->pixels; i++) {
      sum_dy += dy[n][c][i];
      sum_dy_x += dy[n][c][i] * (x[n][c][i] - of->mean);
    }
  return gradient_of(call, c, of, (double)s->M, sum_dy, sum_dy_x);
}

static ln_status backward(const void *self, const ln_call *call) {
  (void)self;
  const sizes s = sizes_of(call);
  const float(*x)[s.C][s.pixels] = (void *)ln_x(call, 0);
  const float(*dy)[s.C][s.pixels] = (void *)ln_dy(call, 0);
  float(*dx)[s.C][s.pixels] = (void *)ln_dx(call, 0);

  for (int64_t c = 0; c < s.C; c++) {
    const statistics *of = (statistics *)call->saved + c;
    const gradient g = textbook_gradient(&s, call, c, of);
    for (int64_t n = 0; dx && n < s.N; n++)
      for (int64_t i = 0; i < s.pixels; i++)
        dx[n][c][i] = (float)(g.along_dy * dy[n][c][i] +
                              g.along_x * (x[n][c][i] - of->mean) + g.shift);
  }
  return LN_OK;
}

/* ---- method "parts" ------------------------------------------------------ */

/* The same, slice by slice of the batch. A slice hands in the moments of its
 * channels; merged, they are those of the batch, and the slices come by once
 * more to be normalised. So the layers in front and behind find its numbers in
 * the cache, and a ReLU behind it is done in passing. parts.c has the passes
 * over the pixels; here is what comes between them. */

static ln_status plan_parts(const void *self, ln_infer *io) {
  const int64_t C = ((const batch_norm2d *)self)->num_features;
  io->saved = 0;
  io->partial = C * (int64_t)sizeof(ln_moments);
  io->shared = affine_bytes(C) + C * (int64_t)sizeof(slope);
  return LN_OK;
}

static ln_moments merged_moments(const ln_call *call, int64_t c) {
  ln_moments all = { 0, 0, 0 };
  for (int64_t i = 0; i < call->n_partials; i++)
    all = ln_moments_merge(all, ((const ln_moments *)ln_partial(call, i))[c]);
  return all;
}

static ln_status forward_reduce(const void *self, const ln_call *call) {
  const int64_t C = ln_x_dim(call, 0, 1);
  const all_channels k = channels_of(call, C);
  if (check_batch(call) != LN_OK) return LN_FAILED;
  for (int64_t c = 0; c < C; c++) {
    const statistics of =
        looks_at_batch(call)
            ? batch_statistics(self, call, c, merged_moments(call, c))
            : running_statistics(self, call, c);
    const double scale = weight(call, c) * of.scale;
    const float mean = (float)of.mean;
    k.slope[c].of = of;
    k.mean[c] = mean;
    k.scale[c] = (float)scale;
    /* what rounding the mean lost goes into the shift */
    k.shift[c] = (float)(bias(call, c) - scale * (of.mean - (double)mean));
  }
  return LN_OK;
}

static ln_status backward_reduce(const void *self, const ln_call *call) {
  (void)self;
  const sizes s = sizes_of(call);
  const all_channels k = channels_of(call, s.C);
  for (int64_t c = 0; c < s.C; c++) {
    ln_sums all = { 0, 0 };
    for (int64_t i = 0; i < call->n_partials; i++) {
      const ln_sums *sums = ln_partial(call, i);
      all.v += sums[c].v;
      all.vx += sums[c].vx;
    }
    slope *along = &k.slope[c];
    const gradient g =
        gradient_of(call, c, &along->of, (double)s.M, all.v, all.vx);
    const double lost = along->of.mean - (double)k.mean[c];
    along->along_dy = (float)g.along_dy;
    along->along_x = (float)g.along_x;
    along->along = (float)(g.shift - g.along_x * lost);
  }
  return LN_OK;
}

#define PARTS(bits, suffix)                                                    \
  {                                                                            \
    .method = "parts", .isa = bits, .plan = plan_parts,                        \
    .forward = parts_forward_##suffix, .backward = parts_backward_##suffix,    \
    .per_sample = 1, .activations = LN_ACCEPTS(LN_IS_RELU),                    \
    .forward_partial = parts_forward_partial_##suffix,                         \
    .forward_reduce = forward_reduce,                                          \
    .backward_partial = parts_backward_partial_##suffix,                       \
    .backward_reduce = backward_reduce                                         \
  }
static const ln_kernel kernels[] = { LN_FOR_EACH_ISA(PARTS) };

static const ln_layer layer = {
  LN_LAYER,
  .name = "batch_norm2d",
  .brief = "gives each channel mean 0 and deviation 1 over the batch",
  .formula = "y = w[c] * (x - mean[c]) / sqrt(var[c] + eps) + b[c]",
  .example = "nn.batch_norm2d{}:forward(lunet.randn{ 4, 6, 8, 8 })",
  .inputs = "x(N,num_features,H,W)",
  .outputs = "y(N,num_features,H,W)",
  LN_OPTIONS(batch_norm2d, options),
  .traits = LN_IN_PLACE | LN_FORGETS_Y,
  .is = LN_IS_CHANNEL_AFFINE,
  .params = params,
  .infer = infer,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("batch_norm2d", "1.0", &layer);
