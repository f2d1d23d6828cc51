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
 * The textbook loops come first. The method "planes" below them reads x once
 * and spreads the channels over the threads.
 */
#include <math.h>

#include <lunet/kernels/moments.h>
#include <lunet/plugin.h>

typedef struct batch_norm2d {
  int64_t num_features;
  double eps, momentum;
  bool affine;
} batch_norm2d;

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

/* What forward found out about a channel, kept for backward. */
typedef struct statistics {
  double mean, scale; /* scale: 1 / sqrt(var + eps) */
  bool of_batch;      /* they move with x; else they are the running ones */
} statistics;

static ln_status infer(const void *self, ln_infer *io) {
  const batch_norm2d *o = self;
  io->saved = o->num_features * (int64_t)sizeof(statistics);
  io->flops = 7 * (double)ln_count(&io->x[0]);
  io->flops_backward = 8 * (double)ln_count(&io->x[0]);
  return LN_OK;
}

/* ---- what both methods share --------------------------------------------- */

/* The letters of the head. */
typedef struct sizes {
  int64_t N, C, pixels; /* H*W */
  int64_t M;
} sizes;

static sizes sizes_of(const ln_call *call) {
  const int64_t *x = call->x[0]->shape.dim;
  return (sizes){ x[0], x[1], x[2] * x[3], x[0] * x[2] * x[3] };
}

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

static statistics *statistics_of(const ln_call *call, int64_t c) {
  return (statistics *)call->saved + c;
}

static void settle_running(const batch_norm2d *o, const ln_call *call,
                           int64_t c) {
  const double mean = ln_state(call, 0)[c], var = ln_state(call, 1)[c];
  *statistics_of(call, c) = (statistics){ mean, 1 / sqrt(var + o->eps), false };
}

static void settle_batch(const batch_norm2d *o, const ln_call *call, int64_t c,
                         ln_moments m) {
  const double var = m.squares / m.count, unbiased = m.squares / (m.count - 1);
  float *mean = ln_state(call, 0) + c, *running_var = ln_state(call, 1) + c;
  *mean = (float)((1 - o->momentum) * *mean + o->momentum * m.mean);
  *running_var =
      (float)((1 - o->momentum) * *running_var + o->momentum * unbiased);
  *statistics_of(call, c) =
      (statistics){ m.mean, 1 / sqrt(var + o->eps), true };
}

/* dx = along_dy * dy + along_x * (x - mean) + shift */
typedef struct gradient {
  double along_dy, along_x, shift;
} gradient;

/* From the sums of dy and of dy * (x - mean) over channel c; dw and db, too. */
static gradient gradient_of(const ln_call *call, int64_t c, double M,
                            double sum_dy, double sum_dy_x) {
  const statistics *of = statistics_of(call, c);
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
    if (looks_at_batch(call))
      settle_batch(self, call, c, textbook_moments(&s, ln_x(call, 0), c));
    else
      settle_running(self, call, c);
    const statistics *of = statistics_of(call, c);
    for (int64_t n = 0; n < s.N; n++)
      for (int64_t i = 0; i < s.pixels; i++) {
        const double h = (x[n][c][i] - of->mean) * of->scale;
        y[n][c][i] = (float)(weight(call, c) * h + bias(call, c));
      }
  }
  return LN_OK;
}

static gradient textbook_gradient(const sizes *s, const ln_call *call,
                                  int64_t c) {
  const float(*x)[s->C][s->pixels] = (void *)ln_x(call, 0);
  const float(*dy)[s->C][s->pixels] = (void *)ln_dy(call, 0);
  const double mean = statistics_of(call, c)->mean;
  double sum_dy = 0, sum_dy_x = 0;
  for (int64_t n = 0; n < s->N; n++)
    for (int64_t i = 0; i < s->pixels; i++) {
      sum_dy += dy[n][c][i];
      sum_dy_x += dy[n][c][i] * (x[n][c][i] - mean);
    }
  return gradient_of(call, c, (double)s->M, sum_dy, sum_dy_x);
}

static ln_status backward(const void *self, const ln_call *call) {
  (void)self;
  const sizes s = sizes_of(call);
  const float(*x)[s.C][s.pixels] = (void *)ln_x(call, 0);
  const float(*dy)[s.C][s.pixels] = (void *)ln_dy(call, 0);
  float(*dx)[s.C][s.pixels] = (void *)ln_dx(call, 0);

  for (int64_t c = 0; c < s.C; c++) {
    const gradient g = textbook_gradient(&s, call, c);
    const double mean = statistics_of(call, c)->mean;
    for (int64_t n = 0; dx && n < s.N; n++)
      for (int64_t i = 0; i < s.pixels; i++)
        dx[n][c][i] = (float)(g.along_dy * dy[n][c][i] +
                              g.along_x * (x[n][c][i] - mean) + g.shift);
  }
  return LN_OK;
}

/* ---- method "planes" ----------------------------------------------------- */

/* The same, some channels at a time on whatever thread is free, and plane by
 * plane, the H*W numbers of a channel of an item: memory is read in long runs,
 * and what is still in the cache after the sums is not fetched again.
 * lunet/kernels/moments.h tells how the sums are made. */

/* What a pass finds out about a channel; in the workspace. */
typedef struct channel {
  ln_moments moments; /* forward */
  ln_sums sums;       /* backward: of dy and of dy * (x - mean) */
  gradient gradient;
} channel;

static ln_status planes_plan(const void *self, ln_infer *io) {
  const batch_norm2d *o = self;
  io->workspace = o->num_features * (int64_t)sizeof(channel);
  return LN_OK;
}

/* One pass, as its chunks see it. */
typedef struct pass {
  const batch_norm2d *o;
  const ln_call *call;
  sizes s;
} pass;

static void settle_planes(const pass *p, const ln_chunk *chunk) {
  const sizes *s = &p->s;
  channel *channels = p->call->workspace;
  if (!looks_at_batch(p->call)) {
    for (int64_t c = chunk->begin; c < chunk->end; c++)
      settle_running(p->o, p->call, c);
    return;
  }
  for (int64_t c = chunk->begin; c < chunk->end; c++)
    channels[c].moments = (ln_moments){ 0, 0, 0 };
  for (int64_t n = 0; n < s->N; n++)
    for (int64_t c = chunk->begin; c < chunk->end; c++)
      ln_moments_add(&channels[c].moments,
                     ln_x(p->call, 0) + (n * s->C + c) * s->pixels, s->pixels);
  for (int64_t c = chunk->begin; c < chunk->end; c++)
    settle_batch(p->o, p->call, c, channels[c].moments);
}

static void forward_plane(const pass *p, int64_t n, int64_t c) {
  const int64_t begin = (n * p->s.C + c) * p->s.pixels;
  const float *x = ln_x(p->call, 0) + begin;
  float *y = ln_y(p->call, 0) + begin;
  const statistics *of = statistics_of(p->call, c);
  const double slope = weight(p->call, c) * of->scale;
  const float mean = (float)of->mean, scale = (float)slope;
  /* what rounding the mean lost goes into the shift */
  const float shift = (float)(bias(p->call, c) - slope * (of->mean - mean));
  for (int64_t i = 0; i < p->s.pixels; i++)
    y[i] = (x[i] - mean) * scale + shift;
}

static void forward_planes(void *arg, const ln_chunk *chunk) {
  const pass *p = arg;
  settle_planes(p, chunk);
  for (int64_t n = 0; n < p->s.N; n++)
    for (int64_t c = chunk->begin; c < chunk->end; c++) forward_plane(p, n, c);
}

static void sum_planes(const pass *p, const ln_chunk *chunk) {
  const sizes *s = &p->s;
  channel *channels = p->call->workspace;
  for (int64_t c = chunk->begin; c < chunk->end; c++)
    channels[c].sums = (ln_sums){ 0, 0 };
  for (int64_t n = 0; n < s->N; n++)
    for (int64_t c = chunk->begin; c < chunk->end; c++) {
      const int64_t begin = (n * s->C + c) * s->pixels;
      ln_sums_add(&channels[c].sums, ln_dy(p->call, 0) + begin,
                  ln_x(p->call, 0) + begin, statistics_of(p->call, c)->mean,
                  s->pixels);
    }
  for (int64_t c = chunk->begin; c < chunk->end; c++)
    channels[c].gradient = gradient_of(p->call, c, (double)s->M,
                                       channels[c].sums.v, channels[c].sums.vx);
}

static void backward_plane(const pass *p, int64_t n, int64_t c) {
  const int64_t begin = (n * p->s.C + c) * p->s.pixels;
  const float *x = ln_x(p->call, 0) + begin, *dy = ln_dy(p->call, 0) + begin;
  float *dx = ln_dx(p->call, 0) + begin;
  const gradient g = ((const channel *)p->call->workspace)[c].gradient;
  const double exact = statistics_of(p->call, c)->mean;
  const float mean = (float)exact;
  const float along_dy = (float)g.along_dy, along_x = (float)g.along_x;
  const float shift = (float)(g.shift - g.along_x * (exact - mean));
  for (int64_t i = 0; i < p->s.pixels; i++)
    dx[i] = along_dy * dy[i] + (along_x * (x[i] - mean) + shift);
}

static void backward_planes(void *arg, const ln_chunk *chunk) {
  const pass *p = arg;
  sum_planes(p, chunk);
  if (!ln_dx(p->call, 0)) return;
  for (int64_t n = 0; n < p->s.N; n++)
    for (int64_t c = chunk->begin; c < chunk->end; c++) backward_plane(p, n, c);
}

/* Channels that one thread takes: an eighth, as neighbours lie side by side and
 * a long run is read faster, but so many that waking a thread for them pays. */
static int64_t channels_at_once(const sizes *s) {
  const int64_t worth_a_thread = 32768; /* numbers */
  const int64_t eighth = (s->C + 7) / 8;
  const int64_t least = s->M > 0 ? worth_a_thread / s->M : s->C;
  return eighth > least ? eighth : least;
}

static ln_status planes_forward(const void *self, const ln_call *call) {
  pass p = { self, call, sizes_of(call) };
  if (check_batch(call) != LN_OK) return LN_FAILED;
  return call->host->parallel_for(call, p.s.C, channels_at_once(&p.s),
                                  forward_planes, &p);
}

static ln_status planes_backward(const void *self, const ln_call *call) {
  pass p = { self, call, sizes_of(call) };
  return call->host->parallel_for(call, p.s.C, channels_at_once(&p.s),
                                  backward_planes, &p);
}

/* ---- for neighbours that do the passes ----------------------------------- */

/* A neighbour that writes x (in backward dy) can make the sums on the way, and
 * the next one can apply the result while it reads. What stays for us are these
 * few numbers a channel; `elements` is M. */

static ln_status normalise(const void *self, const ln_call *call,
                           const double *sums, int64_t elements, float *out) {
  const int64_t C = ((const batch_norm2d *)self)->num_features;
  const double(*of_x)[2] = (const void *)sums; /* of x and of x * x */
  float *scale = out, *shift = out + C;
  if (check_batch(call) != LN_OK) return LN_FAILED;

  for (int64_t c = 0; c < C; c++) {
    if (looks_at_batch(call)) {
      const double M = (double)elements, mean = of_x[c][0] / M;
      const double squares = of_x[c][1] - M * mean * mean;
      settle_batch(self, call, c,
                   (ln_moments){ M, mean, squares < 0 ? 0 : squares });
    } else {
      settle_running(self, call, c);
    }
    const statistics *of = statistics_of(call, c);
    scale[c] = (float)(weight(call, c) * of->scale);
    shift[c] = (float)(bias(call, c) - weight(call, c) * of->scale * of->mean);
  }
  return LN_OK;
}

static ln_status normalise_backward(const void *self, const ln_call *call,
                                    const double *sums, int64_t elements,
                                    float *out) {
  const int64_t C = ((const batch_norm2d *)self)->num_features;
  const double(*of_dy)[2] = (const void *)sums; /* of dy and of dy * x */
  float *scale = out, *scale_x = out + C, *shift = out + 2 * C;
  for (int64_t c = 0; c < C; c++) {
    const double mean = statistics_of(call, c)->mean;
    const gradient g = gradient_of(call, c, (double)elements, of_dy[c][0],
                                   of_dy[c][1] - mean * of_dy[c][0]);
    scale[c] = (float)g.along_dy;
    scale_x[c] = (float)g.along_x;
    shift[c] = (float)(g.shift - g.along_x * mean);
  }
  return LN_OK;
}

static const ln_kernel kernels[] = {
  { .method = "planes",
    .plan = planes_plan,
    .forward = planes_forward,
    .backward = planes_backward },
};

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
  .is = LN_IS_BATCH_NORM,
  .params = params,
  .infer = infer,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
  .normalise = normalise,
  .normalise_backward = normalise_backward,
};
LN_PLUGIN("batch_norm2d", "1.0", &layer);
