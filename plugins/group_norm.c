/* group_norm.c - give each group of channels of an item mean 0 and deviation 1,
 * then the scale and the shift that the training finds best for each channel.
 *
 * Forward   y[n,c,i] = w[c] * h[n,c,i] + b[c],
 *           h[n,c,i] = (x[n,c,i] - mean[n,g]) / sqrt(var[n,g] + eps), where
 *           mean and var are those of group g of item n: C/G channels that
 *           follow each other, c among them, with P numbers each, together
 *           M = C/G * P; var = sum of (x - mean)^2 / M
 * Shapes    x, y (N,C,...), i runs over the P numbers of a channel; w, b (C);
 *           G is num_groups, C num_channels
 * Backward  db[c] = sum over n,i of dy[n,c,i]
 *           dw[c] = sum over n,i of dy[n,c,i] * h[n,c,i]
 *           dx[n,c,i] = (w[c] * dy[n,c,i] - (A + h[n,c,i] * B) / M)
 *                       / sqrt(var[n,g] + eps), with the sums over the group
 *           A = sum of w * dy and B = sum of w * dy * h
 * Source    Wu, He, "Group Normalization", ECCV 2018
 *
 * The textbook loops come first. The method "planes" below them sums in
 * vectors.
 */
#include <math.h>

#include <lunet/kernels/moments.h>
#include <lunet/plugin.h>

typedef struct group_norm {
  int64_t num_groups, num_channels;
  double eps;
  bool affine;
} group_norm;

static const ln_option options[] = {
  LN_INT(group_norm, num_groups, LN_REQUIRED, 1, LN_ANY,
         "groups of channels, G; divides num_channels"),
  LN_INT(group_norm, num_channels, LN_FROM_INPUT, 1, LN_ANY,
         "channels of x, C; left out, the first input tells"),
  LN_REAL(group_norm, eps, 1e-5, 0, LN_ANY,
          "added to the variance, so that a constant group divides by no 0"),
  LN_BOOL(group_norm, affine, true,
          "scale each channel by a weight w[c] and shift it by a bias b[c]"),
};

static ln_status check_groups(const group_norm *o, const ln_host *host) {
  if (o->num_channels % o->num_groups != 0)
    return ln_fail(host,
                   "num_groups = %" PRId64
                   " does not divide num_channels = %" PRId64
                   ": each group gets num_channels / num_groups channels; try "
                   "num_groups = 1",
                   o->num_groups, o->num_channels);
  return LN_OK;
}

static ln_status create(void *self, const ln_host *host) {
  return check_groups(self, host); /* num_channels may be 0: not known yet */
}

static ln_status params(const void *self, ln_params *p) {
  const group_norm *o = self;
  if (check_groups(o, p->host) != LN_OK) return LN_FAILED;
  if (!o->affine) return LN_OK;
  ln_add_filled_weight(p, "weight", LN_SHAPE(o->num_channels), 1);
  ln_add_filled_weight(p, "bias", LN_SHAPE(o->num_channels), 0);
  return LN_OK;
}

/* ---- what both methods share --------------------------------------------- */

/* The letters of the head. */
typedef struct sizes {
  int64_t N, C, P, G;
  int64_t CG, M; /* channels and numbers of a group: C/G, C/G * P */
} sizes;

static sizes sizes_of(const group_norm *o, const ln_shape *x) {
  sizes s = { x->dim[0], x->dim[1], 1, o->num_groups, 0, 0 };
  for (int32_t d = 2; d < x->rank; d++) s.P *= x->dim[d];
  s.CG = s.C / s.G;
  s.M = s.CG * s.P;
  return s;
}

/* What forward found out about a group, kept for backward: (N,G) of them. */
typedef struct statistics {
  double mean, scale; /* scale: 1 / sqrt(var + eps) */
} statistics;

static ln_status infer(const void *self, ln_infer *io) {
  const sizes s = sizes_of(self, &io->x[0]);
  io->saved = s.N * s.G * (int64_t)sizeof(statistics);
  io->flops = 7 * (double)ln_count(&io->x[0]);
  io->flops_backward = 10 * (double)ln_count(&io->x[0]);
  return LN_OK;
}

static statistics settle(const group_norm *o, double mean, double var) {
  return (statistics){ mean, 1 / sqrt(var + o->eps) };
}

static double weight(const ln_call *call, int64_t c) {
  return ln_w(call, 0) ? ln_w(call, 0)[c] : 1;
}

static double bias(const ln_call *call, int64_t c) {
  return ln_w(call, 1) ? ln_w(call, 1)[c] : 0;
}

/* ---- the textbook -------------------------------------------------------- */

/* Of the M numbers of a group, which lie side by side. */
static statistics textbook_statistics(const group_norm *o, int64_t M,
                                      const float *x) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < M; i++) sum += x[i];
  const double mean = sum / (double)M;
  for (int64_t i = 0; i < M; i++) squares += (x[i] - mean) * (x[i] - mean);
  return settle(o, mean, squares / (double)M);
}

static ln_status forward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, &call->x[0]->shape);
  const float(*x)[s.C][s.P] = (void *)ln_x(call, 0);
  float(*y)[s.C][s.P] = (void *)ln_y(call, 0);
  statistics(*of)[s.G] = call->saved;

  for (int64_t n = 0; n < s.N; n++)
    for (int64_t c = 0; c < s.C; c++) {
      statistics *group = &of[n][c / s.CG];
      if (c % s.CG == 0) *group = textbook_statistics(self, s.M, x[n][c]);
      for (int64_t i = 0; i < s.P; i++) {
        const double h = (x[n][c][i] - group->mean) * group->scale;
        y[n][c][i] = (float)(weight(call, c) * h + bias(call, c));
      }
    }
  return LN_OK;
}

/* The A and B of the head. */
typedef struct group_sums {
  double A, B;
} group_sums;

static group_sums textbook_sums(const sizes *s, const ln_call *call, int64_t n,
                                int64_t g, statistics group) {
  const float(*x)[s->C][s->P] = (void *)ln_x(call, 0);
  const float(*dy)[s->C][s->P] = (void *)ln_dy(call, 0);
  group_sums sums = { 0, 0 };
  for (int64_t c = g * s->CG; c < (g + 1) * s->CG; c++)
    for (int64_t i = 0; i < s->P; i++) {
      const double h = (x[n][c][i] - group.mean) * group.scale;
      sums.A += weight(call, c) * dy[n][c][i];
      sums.B += weight(call, c) * dy[n][c][i] * h;
    }
  return sums;
}

static void input_gradient(const sizes s, const ln_call *call) {
  const float(*x)[s.C][s.P] = (void *)ln_x(call, 0);
  const float(*dy)[s.C][s.P] = (void *)ln_dy(call, 0);
  float(*dx)[s.C][s.P] = (void *)ln_dx(call, 0);
  const statistics(*of)[s.G] = call->saved;

  for (int64_t n = 0; n < s.N; n++)
    for (int64_t g = 0; g < s.G; g++) {
      const statistics group = of[n][g];
      const group_sums sums = textbook_sums(&s, call, n, g, group);
      for (int64_t c = g * s.CG; c < (g + 1) * s.CG; c++)
        for (int64_t i = 0; i < s.P; i++) {
          const double h = (x[n][c][i] - group.mean) * group.scale;
          const double mean = (sums.A + h * sums.B) / (double)s.M;
          dx[n][c][i] =
              (float)((weight(call, c) * dy[n][c][i] - mean) * group.scale);
        }
    }
}

static void weight_gradients(const sizes s, const ln_call *call) {
  const float(*x)[s.C][s.P] = (void *)ln_x(call, 0);
  const float(*dy)[s.C][s.P] = (void *)ln_dy(call, 0);
  float *dw = ln_dw(call, 0), *db = ln_dw(call, 1);
  const statistics(*of)[s.G] = call->saved;

  for (int64_t c = 0; c < s.C; c++) {
    double sum = 0, sum_h = 0;
    for (int64_t n = 0; n < s.N; n++) {
      const statistics group = of[n][c / s.CG];
      for (int64_t i = 0; i < s.P; i++) {
        sum += dy[n][c][i];
        sum_h += dy[n][c][i] * (x[n][c][i] - group.mean) * group.scale;
      }
    }
    if (dw) dw[c] = (float)sum_h;
    if (db) db[c] = (float)sum;
  }
}

static ln_status backward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, &call->x[0]->shape);
  if (ln_dw(call, 0) || ln_dw(call, 1)) weight_gradients(s, call);
  if (ln_dx(call, 0)) input_gradient(s, call); /* may overwrite dy */
  return LN_OK;
}

/* ---- method "planes" ----------------------------------------------------- */

/* The same, a group at a time while it lies in the cache, with the sums of
 * lunet/kernels/moments.h. The sums of dy and of dy * (x - mean) over each
 * plane, the P numbers of a channel of an item, are made once, (N,C) of them:
 * weighted they give A and B, added up over the items dw and db. */

static ln_status planes_plan(const void *self, ln_infer *io) {
  const sizes s = sizes_of(self, &io->x[0]);
  io->workspace = s.N * s.C * (int64_t)sizeof(ln_sums);
  return LN_OK;
}

static void forward_plane(const ln_call *call, statistics group, int64_t c,
                          int64_t P, const float *x, float *y) {
  const double slope = weight(call, c) * group.scale;
  const float mean = (float)group.mean, scale = (float)slope;
  /* what rounding the mean lost goes into the shift */
  const float shift =
      (float)(bias(call, c) - slope * (group.mean - (double)mean));
  for (int64_t i = 0; i < P; i++) y[i] = (x[i] - mean) * scale + shift;
}

static ln_status planes_forward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, &call->x[0]->shape);
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0);
  statistics *group = call->saved;

  for (int64_t n = 0; n < s.N; n++)
    for (int64_t g = 0; g < s.G; g++, group++) {
      ln_moments m = { 0, 0, 0 };
      ln_moments_add(&m, x, s.M);
      *group = settle(self, m.mean, m.squares / m.count);
      for (int64_t c = g * s.CG; c < (g + 1) * s.CG; c++, x += s.P, y += s.P)
        forward_plane(call, *group, c, s.P, x, y);
    }
  return LN_OK;
}

static void sum_planes(const sizes s, const ln_call *call) {
  const float *x = ln_x(call, 0), *dy = ln_dy(call, 0);
  const statistics(*of)[s.G] = call->saved;
  ln_sums *plane = call->workspace;
  for (int64_t n = 0; n < s.N; n++)
    for (int64_t c = 0; c < s.C; c++, plane++, x += s.P, dy += s.P) {
      *plane = (ln_sums){ 0, 0 };
      ln_sums_add(plane, dy, x, of[n][c / s.CG].mean, s.P);
    }
}

/* dx = slope * dy + along_x * (x - mean) + shift, where slope is w * scale */
typedef struct gradient {
  double scale, along_x, shift;
  float mean; /* rounded; the shift makes up for it */
} gradient;

/* From the sums of the CG planes of group g. */
static gradient gradient_of(const sizes *s, const ln_call *call, int64_t g,
                            statistics group, const ln_sums *plane) {
  double A = 0, B = 0;
  for (int64_t k = 0; k < s->CG; k++) {
    const double w = weight(call, g * s->CG + k);
    A += w * plane[k].v;
    B += w * plane[k].vx * group.scale;
  }
  const double scale = group.scale, M = (double)s->M;
  const float mean = (float)group.mean;
  gradient d = { scale, -scale * scale * B / M, -scale * A / M, mean };
  d.shift -= d.along_x * (group.mean - (double)mean);
  return d;
}

static void backward_plane(gradient d, double w, int64_t P, const float *x,
                           const float *dy, float *dx) {
  const float slope = (float)(w * d.scale), mean = d.mean;
  const float along_x = (float)d.along_x, shift = (float)d.shift;
  for (int64_t i = 0; i < P; i++)
    dx[i] = slope * dy[i] + (along_x * (x[i] - mean) + shift);
}

static void planes_input_gradient(const sizes s, const ln_call *call) {
  const float *x = ln_x(call, 0), *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);
  const statistics *group = call->saved;
  const ln_sums *plane = call->workspace;

  for (int64_t n = 0; n < s.N; n++)
    for (int64_t g = 0; g < s.G; g++, group++, plane += s.CG) {
      const gradient d = gradient_of(&s, call, g, *group, plane);
      for (int64_t c = g * s.CG; c < (g + 1) * s.CG; c++) {
        backward_plane(d, weight(call, c), s.P, x, dy, dx);
        x += s.P, dy += s.P, dx += s.P;
      }
    }
}

static void planes_weight_gradients(const sizes s, const ln_call *call) {
  const statistics(*of)[s.G] = call->saved;
  const ln_sums(*plane)[s.C] = call->workspace;
  float *dw = ln_dw(call, 0), *db = ln_dw(call, 1);
  for (int64_t c = 0; c < s.C; c++) {
    double sum = 0, sum_h = 0;
    for (int64_t n = 0; n < s.N; n++) {
      sum += plane[n][c].v;
      sum_h += plane[n][c].vx * of[n][c / s.CG].scale;
    }
    if (dw) dw[c] = (float)sum_h;
    if (db) db[c] = (float)sum;
  }
}

static ln_status planes_backward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, &call->x[0]->shape);
  sum_planes(s, call);
  if (ln_dx(call, 0)) planes_input_gradient(s, call);
  if (ln_dw(call, 0) || ln_dw(call, 1)) planes_weight_gradients(s, call);
  return LN_OK;
}

static const ln_kernel kernels[] = {
  { .method = "planes",
    .plan = planes_plan,
    .forward = planes_forward,
    .backward = planes_backward,
    .per_sample = 1 },
};

static const ln_layer layer = {
  LN_LAYER,
  .name = "group_norm",
  .brief = "gives each group of channels of an item mean 0 and deviation 1",
  .formula = "y = w[c] * (x - mean[n,g]) / sqrt(var[n,g] + eps) + b[c]",
  .example = "nn.group_norm{ num_groups = 3 }"
             ":forward(lunet.randn{ 2, 6, 8, 8 })",
  .inputs = "x(N,num_channels,...)",
  .outputs = "y(N,num_channels,...)",
  LN_OPTIONS(group_norm, options),
  .traits = LN_PER_SAMPLE | LN_IN_PLACE | LN_FORGETS_Y,
  .create = create,
  .params = params,
  .infer = infer,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("group_norm", "1.0", &layer);
