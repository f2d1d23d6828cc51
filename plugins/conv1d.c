/* conv1d.c - slide K small filters along a row: sound, text, a sensor.
 *
 * Forward   y[n,k,ox] = b[k] + sum over c,kx of
 *                              w[k,c,kx] * x[n,c, ox*S + kx*D - P]
 * Shapes    x (N,C,W)  w (K,C/G,KW)  b (K)  y (N,K,OW)
 *           OW = floor((W + 2P - D*(KW-1) - 1) / S) + 1; x is 0 outside the
 *           row. With G groups, filter k sees only the C/G channels of its
 *           group; c counts from the first of them.
 * Backward  dw[k,c,kx] = sum over n,ox of dy[n,k,ox] * x[n,c, ox*S + kx*D - P]
 *           db[k] = sum over n,ox of dy[n,k,ox]
 *           dx: each dy flows back to the numbers it was made from, times the
 *           weight that it met there; what meets in a place is added up
 * Source    Lecture 14, "Convolutional Layer", with one dim instead of two: a
 *           conv2d on images of one row
 *
 * The textbook loops come first. The method "im2col" below them does the same
 * sums as one matrix product an item.
 */
#include <string.h>

#include <lunet/kernels/im2col.h>
#include <lunet/plugin.h>

typedef struct conv1d {
  int64_t in_channels, out_channels, kernel_size, stride;
  int64_t padding[1]; /* a number or a word */
  int64_t dilation, groups;
  bool bias, strict;
} conv1d;

enum { SAME = LN_WORD(0), VALID = LN_WORD(1) };
#define MOST 65535 /* of one window size; keeps their products small */

static const ln_option options[] = {
  LN_INT(conv1d, in_channels, LN_FROM_INPUT, 1, LN_ANY,
         "channels of x, C; left out, the first input tells"),
  LN_INT(conv1d, out_channels, LN_REQUIRED, 1, LN_ANY,
         "number of filters, K, and so of channels of y"),
  LN_INT(conv1d, kernel_size, LN_REQUIRED, 1, MOST, "length of a filter, KW"),
  LN_INT(conv1d, stride, 1, 1, MOST, "step of the window, S"),
  LN_INTS_OR_WORD(conv1d, padding, 0, 0, MOST, "same|valid",
                  "zeros on each side, P; \"same\" keeps the length (stride 1 "
                  "only), \"valid\" is 0"),
  LN_INT(conv1d, dilation, 1, 1, MOST,
         "distance of a filter's elements in x, D: 1 is side by side"),
  LN_INT(conv1d, groups, 1, 1, LN_ANY,
         "G: channels and filters fall into G groups that do not see each "
         "other; divides both"),
  LN_BOOL(conv1d, bias, true, "add a number b[k] to each channel of y"),
  LN_BOOL(conv1d, strict, false,
          "refuse an input where the stride leaves numbers unread"),
};

/* ---- options, weights, shapes -------------------------------------------- */

static ln_status check_groups(const conv1d *o, const ln_host *host) {
  if (o->out_channels % o->groups != 0)
    return ln_fail(host,
                   "groups = %" PRId64
                   " does not divide out_channels = %" PRId64
                   ": each group gets out_channels / groups filters; try "
                   "groups = 1, or out_channels = %" PRId64,
                   o->groups, o->out_channels, o->groups);
  if (o->in_channels % o->groups != 0)
    return ln_fail(host,
                   "groups = %" PRId64 " does not divide in_channels = %" PRId64
                   ": each group sees in_channels / groups channels; try "
                   "groups = 1",
                   o->groups, o->in_channels);
  return LN_OK;
}

static ln_status create(void *self, const ln_host *host) {
  const conv1d *o = self;
  if (o->padding[0] == SAME && o->stride != 1)
    return ln_fail(host,
                   "padding = \"same\" with stride = %" PRId64
                   ": only stride 1 keeps the length of x; try padding = "
                   "%" PRId64 ", or stride = 1",
                   o->stride, o->dilation * (o->kernel_size - 1) / 2);
  return check_groups(o, host); /* in_channels may still be 0: not known */
}

static ln_status params(const void *self, ln_params *p) {
  const conv1d *o = self;
  if (check_groups(o, p->host) != LN_OK) return LN_FAILED;
  const int64_t KW = o->kernel_size, channels = o->in_channels / o->groups;
  const double fan_in = (double)channels * (double)KW;
  const double fan_out = (double)(o->out_channels / o->groups) * (double)KW;
  ln_add_weight(p, "weight", LN_SHAPE(o->out_channels, channels, KW), fan_in,
                fan_out);
  if (o->bias) ln_add_weight(p, "bias", LN_SHAPE(o->out_channels), fan_in, 0);
  return LN_OK;
}

/* Zeros before the first number of x. */
static int64_t pad_before(const conv1d *o) {
  if (o->padding[0] == SAME) return o->dilation * (o->kernel_size - 1) / 2;
  return o->padding[0] == VALID ? 0 : o->padding[0];
}

/* Zeros behind the last: of an odd number for "same", the odd one goes here. */
static int64_t pad_after(const conv1d *o) {
  const int64_t before = pad_before(o);
  if (o->padding[0] != SAME) return before;
  return o->dilation * (o->kernel_size - 1) - before;
}

static ln_status infer(const void *self, ln_infer *io) {
  const conv1d *o = self;
  const int64_t *x = io->x[0].dim, *y = io->y[0].dim;
  if (x[2] < 1)
    return ln_fail(io->host, "x has no numbers: its rows have length %" PRId64,
                   x[2]);
  const int64_t before = pad_before(o), after = pad_after(o);
  if (ln_slide(io, 1, &o->kernel_size, &o->stride, &o->dilation, &before,
               &after, false, o->strict) != LN_OK)
    return LN_FAILED;
  io->flops = 2 * (double)(o->in_channels / o->groups) *
              (double)o->kernel_size * (double)o->out_channels * (double)x[0] *
              (double)y[2];
  return LN_OK;
}

/* The letters of the head, for one call. */
typedef struct sizes {
  int64_t N, C, W, K, OW, KW, G, S, P, D;
  int64_t CG, KG; /* channels and filters of one group: C/G, K/G */
} sizes;

static sizes sizes_of(const conv1d *o, const ln_call *call) {
  const int64_t *x = call->x[0]->shape.dim, *y = call->y[0]->shape.dim;
  return (sizes){
    .N = x[0],
    .C = x[1],
    .W = x[2],
    .K = y[1],
    .OW = y[2],
    .KW = o->kernel_size,
    .G = o->groups,
    .S = o->stride,
    .P = pad_before(o),
    .D = o->dilation,
    .CG = x[1] / o->groups,
    .KG = y[1] / o->groups,
  };
}

/* ---- the textbook -------------------------------------------------------- */

/* One filter on the patch of x that begins at `left`. */
static float patch_sum(const sizes *s, int64_t left,
                       const float w[s->CG][s->KW],
                       const float x[s->CG][s->W]) {
  float sum = 0;
  for (int64_t c = 0; c < s->CG; c++)
    for (int64_t kx = 0; kx < s->KW; kx++) {
      const int64_t ix = left + kx * s->D;
      if (ix >= 0 && ix < s->W) sum += w[c][kx] * x[c][ix];
    }
  return sum;
}

/* Ctrl-C is looked for at each row: the loops may take their time. */
static bool interrupted(const ln_call *call) {
  return call->host->cancelled(call->host);
}

static ln_status forward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  const float(*x)[s.C][s.W] = (void *)ln_x(call, 0);
  const float(*w)[s.CG][s.KW] = (void *)ln_w(call, 0);
  const float *b = ln_w(call, 1);
  float(*y)[s.K][s.OW] = (void *)ln_y(call, 0);

  for (int64_t n = 0; n < s.N; n++)
    for (int64_t k = 0; k < s.K; k++) {
      const int64_t c = k / s.KG * s.CG; /* the first channel that k sees */
      if (interrupted(call)) return LN_CANCELLED;
      for (int64_t ox = 0; ox < s.OW; ox++)
        y[n][k][ox] =
            (b ? b[k] : 0) + patch_sum(&s, ox * s.S - s.P, w[k], &x[n][c]);
    }
  return LN_OK;
}

/* What one dy, g, sends back to the numbers it was made from. */
static void patch_to_dx(const sizes *s, int64_t left, float g,
                        const float w[s->CG][s->KW], float dx[s->CG][s->W]) {
  for (int64_t c = 0; c < s->CG; c++)
    for (int64_t kx = 0; kx < s->KW; kx++) {
      const int64_t ix = left + kx * s->D;
      if (ix >= 0 && ix < s->W) dx[c][ix] += w[c][kx] * g;
    }
}

/* And to the weights that met them. */
static void patch_to_dw(const sizes *s, int64_t left, float g,
                        const float x[s->CG][s->W], float dw[s->CG][s->KW]) {
  for (int64_t c = 0; c < s->CG; c++)
    for (int64_t kx = 0; kx < s->KW; kx++) {
      const int64_t ix = left + kx * s->D;
      if (ix >= 0 && ix < s->W) dw[c][kx] += g * x[c][ix];
    }
}

static ln_status input_gradient(const sizes s, const ln_call *call) {
  const float(*dy)[s.K][s.OW] = (void *)ln_dy(call, 0);
  const float(*w)[s.CG][s.KW] = (void *)ln_w(call, 0);
  float(*dx)[s.C][s.W] = (void *)ln_dx(call, 0);

  for (int64_t n = 0; n < s.N; n++) {
    memset(dx[n], 0, sizeof dx[n]);
    for (int64_t k = 0; k < s.K; k++) {
      if (interrupted(call)) return LN_CANCELLED;
      for (int64_t ox = 0; ox < s.OW; ox++)
        patch_to_dx(&s, ox * s.S - s.P, dy[n][k][ox], w[k],
                    &dx[n][k / s.KG * s.CG]);
    }
  }
  return LN_OK;
}

static ln_status weight_gradient(const sizes s, const ln_call *call) {
  const float(*dy)[s.K][s.OW] = (void *)ln_dy(call, 0);
  const float(*x)[s.C][s.W] = (void *)ln_x(call, 0);
  float(*dw)[s.CG][s.KW] = (void *)ln_dw(call, 0);

  for (int64_t k = 0; k < s.K; k++) {
    memset(dw[k], 0, sizeof dw[k]);
    for (int64_t n = 0; n < s.N; n++) {
      if (interrupted(call)) return LN_CANCELLED;
      for (int64_t ox = 0; ox < s.OW; ox++)
        patch_to_dw(&s, ox * s.S - s.P, dy[n][k][ox], &x[n][k / s.KG * s.CG],
                    dw[k]);
    }
  }
  return LN_OK;
}

static void bias_gradient(const sizes s, const ln_call *call) {
  const float(*dy)[s.K][s.OW] = (void *)ln_dy(call, 0);
  float *db = ln_dw(call, 1);
  for (int64_t k = 0; k < s.K; k++) {
    double sum = 0;
    for (int64_t n = 0; n < s.N; n++)
      for (int64_t ox = 0; ox < s.OW; ox++) sum += dy[n][k][ox];
    db[k] = (float)sum;
  }
}

static ln_status backward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  if (ln_dx(call, 0) && input_gradient(s, call) != LN_OK) return LN_CANCELLED;
  if (ln_dw(call, 0) && weight_gradient(s, call) != LN_OK) return LN_CANCELLED;
  if (ln_dw(call, 1)) bias_gradient(s, call);
  return LN_OK;
}

/* ---- method "im2col" ----------------------------------------------------- */

/* The patches of an item, written side by side as columns, make of each group
 *
 *   y (KG, OW) = w (KG, CG*KW) times columns (CG*KW, OW)
 *
 * and in backward dw += dy columns^T and columns = w^T dy, folded back onto
 * dx. The columns hold each number of x up to KW times. */

static ln_patches patches_of(const sizes *s) {
  return (ln_patches){
    .channels = s->CG,
    .height = 1,
    .width = s->W,
    .kernel = { 1, s->KW },
    .stride = { 1, s->S },
    .dilation = { 1, s->D },
    .pad = { 0, s->P },
    .places = { 1, s->OW },
  };
}

static ln_status im2col_plan(const void *self, ln_infer *io) {
  const conv1d *o = self;
  const double bytes = (double)(o->in_channels / o->groups) *
                       (double)o->kernel_size * (double)io->y[0].dim[2] *
                       sizeof(float);
  if (bytes > 0x1p30) return LN_UNSUITED; /* a matrix above a gigabyte */
  io->workspace = (int64_t)bytes;
  return LN_OK;
}

static ln_status im2col_forward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  const ln_patches patches = patches_of(&s);
  const int64_t rows = s.CG * s.KW;
  const float *x = ln_x(call, 0), *b = ln_w(call, 1);
  float *y = ln_y(call, 0), *columns = call->workspace;

  for (int64_t n = 0; n < s.N; n++) {
    const float *w = ln_w(call, 0);
    for (int64_t k = 0; b && k < s.K; k++)
      for (int64_t ox = 0; ox < s.OW; ox++) y[k * s.OW + ox] = b[k];
    for (int64_t g = 0; g < s.G; g++) {
      ln_unfold(&patches, x, columns);
      call->host->matmul(call, 0, 0, s.KG, s.OW, rows, w, rows, columns, s.OW,
                         b ? 1 : 0, y, s.OW);
      x += s.CG * s.W, y += s.KG * s.OW, w += s.KG * rows;
    }
  }
  return LN_OK;
}

static void im2col_input_gradient(const sizes s, const ln_call *call) {
  const ln_patches patches = patches_of(&s);
  const int64_t rows = s.CG * s.KW;
  const float *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0), *columns = call->workspace;
  memset(dx, 0, (size_t)(s.N * s.C * s.W) * sizeof *dx);

  for (int64_t n = 0; n < s.N; n++) {
    const float *w = ln_w(call, 0);
    for (int64_t g = 0; g < s.G; g++) {
      call->host->matmul(call, 1, 0, rows, s.OW, s.KG, w, rows, dy, s.OW, 0,
                         columns, s.OW);
      ln_fold(&patches, columns, dx);
      dx += s.CG * s.W, dy += s.KG * s.OW, w += s.KG * rows;
    }
  }
}

static void im2col_weight_gradient(const sizes s, const ln_call *call) {
  const ln_patches patches = patches_of(&s);
  const int64_t rows = s.CG * s.KW;
  const float *dy = ln_dy(call, 0), *x = ln_x(call, 0);
  float *columns = call->workspace;
  memset(ln_dw(call, 0), 0, (size_t)(s.K * rows) * sizeof(float));

  for (int64_t n = 0; n < s.N; n++) {
    float *dw = ln_dw(call, 0);
    for (int64_t g = 0; g < s.G; g++) {
      ln_unfold(&patches, x, columns);
      call->host->matmul(call, 0, 1, s.KG, rows, s.OW, dy, s.OW, columns, s.OW,
                         1, dw, rows);
      x += s.CG * s.W, dy += s.KG * s.OW, dw += s.KG * rows;
    }
  }
}

static ln_status im2col_backward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  if (ln_dx(call, 0)) im2col_input_gradient(s, call);
  if (ln_dw(call, 0)) im2col_weight_gradient(s, call);
  if (ln_dw(call, 1)) bias_gradient(s, call);
  return LN_OK;
}

static const ln_kernel kernels[] = {
  { .method = "im2col",
    .plan = im2col_plan,
    .forward = im2col_forward,
    .backward = im2col_backward,
    .per_sample = 1 },
};

static const ln_layer layer = {
  LN_LAYER,
  .name = "conv1d",
  .brief = "slides K small filters along a row",
  .formula = "y[n,k,ox] = b[k] + sum over c,kx of "
             "w[k,c,kx] * x[n,c, ox*S + kx*D - P]",
  .example = "nn.conv1d{ out_channels = 6, kernel_size = 5 }"
             ":forward(lunet.randn{ 2, 3, 32 })",
  .inputs = "x(N,in_channels,W)",
  .outputs = "y(N,out_channels,OW)",
  LN_OPTIONS(conv1d, options),
  .traits = LN_PER_SAMPLE | LN_FORGETS_Y | LN_LINEAR,
  .create = create,
  .params = params,
  .infer = infer,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("conv1d", "1.0", &layer);
