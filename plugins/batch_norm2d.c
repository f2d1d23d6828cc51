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

#include <lunet/kernels/vector.h>
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

/* Does mean and var come from this batch? One without items has none. */
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

/* How `count` numbers lie. */
typedef struct moments {
  double count, mean, squares; /* squares: sum of (x - mean)^2 */
} moments;

static void settle_batch(const batch_norm2d *o, const ln_call *call, int64_t c,
                         moments m) {
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

static moments textbook_moments(const sizes *s, const float *numbers,
                                int64_t c) {
  const float(*x)[s->C][s->pixels] = (void *)numbers;
  moments m = { .count = (double)s->M };
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

/* The same, a channel at a time on whatever thread is free. Its N planes of
 * H*W numbers still lie in the cache when they are read again to write y, so
 * memory is read once. The sums run in floats, over blocks of a plane, with the
 * mean (forward: of the block) taken off before, so that a mean far larger than
 * the deviation costs no digits; blocks are added up in doubles. */

enum { BLOCK = 1024 }; /* numbers whose sums stay floats */

static int64_t block_size(int64_t begin, int64_t end) {
  return end - begin < BLOCK ? end - begin : BLOCK;
}

static double total(ln_vector v) {
  double sum = 0;
  for (int i = 0; i < LN_VECTOR; i++) sum += v[i];
  return sum;
}

static double sum_of(const float *x, int64_t n) {
  enum { V = LN_VECTOR };
  ln_vector a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };
  int64_t i = 0;
  for (; i + 4 * V <= n; i += 4 * V) {
    a += ln_load(x + i);
    b += ln_load(x + i + V);
    c += ln_load(x + i + 2 * V);
    d += ln_load(x + i + 3 * V);
  }
  double sum = total((a + b) + (c + d));
  for (; i < n; i++) sum += x[i];
  return sum;
}

/* Adds the sums of d and of d * (x - mean), where d = v - taken, to sums. */
static void add_sums(const float *v, float taken, const float *x, float mean,
                     int64_t n, double sums[2]) {
  enum { V = LN_VECTOR };
  ln_vector a = { 0 }, b = { 0 }, aa = { 0 }, bb = { 0 };
  int64_t i = 0;
  for (; i + 2 * V <= n; i += 2 * V) {
    const ln_vector d = ln_load(v + i) - taken;
    const ln_vector e = ln_load(v + i + V) - taken;
    a += d;
    b += e;
    aa += d * (ln_load(x + i) - mean);
    bb += e * (ln_load(x + i + V) - mean);
  }
  sums[0] += total(a + b);
  sums[1] += total(aa + bb);
  for (; i < n; i++) {
    sums[0] += v[i] - taken;
    sums[1] += (double)(v[i] - taken) * (x[i] - mean);
  }
}

static moments block_moments(const float *x, int64_t n) {
  const float near = (float)(sum_of(x, n) / (double)n); /* the mean, rounded */
  double sums[2] = { 0, 0 };
  add_sums(x, near, x, near, n, sums);
  const double rest = sums[0] / (double)n;
  return (moments){ (double)n, near + rest, sums[1] - sums[0] * rest };
}

/* Both together (Chan, Golub, LeVeque, 1979). */
static moments merge(moments a, moments b) {
  const double count = a.count + b.count, apart = b.mean - a.mean;
  return (moments){ count, a.mean + apart * b.count / count,
                    a.squares + b.squares +
                        apart * apart * a.count * b.count / count };
}

static moments plane_moments(const sizes *s, const float *x, int64_t c) {
  moments m = { 0, 0, 0 };
  for (int64_t n = 0; n < s->N; n++) {
    const float *plane = x + (n * s->C + c) * s->pixels;
    for (int64_t i = 0; i < s->pixels; i += BLOCK)
      m = merge(m, block_moments(plane + i, block_size(i, s->pixels)));
  }
  return m;
}

/* One pass, as its chunks see it. */
typedef struct pass {
  const batch_norm2d *o;
  const ln_call *call;
  sizes s;
} pass;

static void forward_channel(const pass *p, int64_t c) {
  const sizes *s = &p->s;
  const float *x = ln_x(p->call, 0);
  if (looks_at_batch(p->call))
    settle_batch(p->o, p->call, c, plane_moments(s, x, c));
  else
    settle_running(p->o, p->call, c);

  const statistics *of = statistics_of(p->call, c);
  const double slope = weight(p->call, c) * of->scale;
  const float mean = (float)of->mean, scale = (float)slope;
  /* what rounding the mean lost goes into the shift */
  const float shift = (float)(bias(p->call, c) - slope * (of->mean - mean));
  for (int64_t n = 0; n < s->N; n++) {
    const float *from = x + (n * s->C + c) * s->pixels;
    float *to = ln_y(p->call, 0) + (n * s->C + c) * s->pixels;
    for (int64_t i = 0; i < s->pixels; i++)
      to[i] = (from[i] - mean) * scale + shift;
  }
}

static gradient plane_gradient(const pass *p, int64_t c) {
  const sizes *s = &p->s;
  const double mean = statistics_of(p->call, c)->mean;
  const float near = (float)mean;
  double sums[2] = { 0, 0 };
  for (int64_t n = 0; n < s->N; n++) {
    const int64_t plane = (n * s->C + c) * s->pixels;
    const float *x = ln_x(p->call, 0) + plane, *dy = ln_dy(p->call, 0) + plane;
    for (int64_t i = 0; i < s->pixels; i += BLOCK)
      add_sums(dy + i, 0, x + i, near, block_size(i, s->pixels), sums);
  }
  return gradient_of(p->call, c, (double)s->M, sums[0],
                     sums[1] - (mean - near) * sums[0]);
}

static void backward_channel(const pass *p, int64_t c) {
  const sizes *s = &p->s;
  const gradient g = plane_gradient(p, c);
  if (!ln_dx(p->call, 0)) return;

  const double exact = statistics_of(p->call, c)->mean;
  const float mean = (float)exact;
  const float along_dy = (float)g.along_dy, along_x = (float)g.along_x;
  const float shift = (float)(g.shift - g.along_x * (exact - mean));
  for (int64_t n = 0; n < s->N; n++) {
    const int64_t plane = (n * s->C + c) * s->pixels;
    const float *x = ln_x(p->call, 0) + plane, *dy = ln_dy(p->call, 0) + plane;
    float *dx = ln_dx(p->call, 0) + plane;
    for (int64_t i = 0; i < s->pixels; i++)
      dx[i] = along_dy * dy[i] + (along_x * (x[i] - mean) + shift);
  }
}

static void forward_channels(void *arg, const ln_chunk *chunk) {
  for (int64_t c = chunk->begin; c < chunk->end; c++) forward_channel(arg, c);
}

static void backward_channels(void *arg, const ln_chunk *chunk) {
  for (int64_t c = chunk->begin; c < chunk->end; c++) backward_channel(arg, c);
}

/* So many channels that waking a thread for them pays. */
static int64_t worth_a_thread(const sizes *s) {
  const int64_t numbers = 32768;
  return s->M > 0 && s->M < numbers ? numbers / s->M : 1;
}

static ln_status planes_forward(const void *self, const ln_call *call) {
  pass p = { self, call, sizes_of(call) };
  if (check_batch(call) != LN_OK) return LN_FAILED;
  return call->host->parallel_for(call, p.s.C, worth_a_thread(&p.s),
                                  forward_channels, &p);
}

static ln_status planes_backward(const void *self, const ln_call *call) {
  pass p = { self, call, sizes_of(call) };
  return call->host->parallel_for(call, p.s.C, worth_a_thread(&p.s),
                                  backward_channels, &p);
}

static const ln_kernel kernels[] = {
  { .method = "planes",
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
  .params = params,
  .infer = infer,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("batch_norm2d", "1.0", &layer);
