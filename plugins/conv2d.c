/* conv2d.c - slide K small filters over an image (cross-correlation).
 *
 * Forward   y[n,k,oy,ox] = b[k] + sum over c,ky,kx of
 *               w[k,c,ky,kx] * x[n,c, oy*S + ky*D - P, ox*S + kx*D - P]
 * Shapes    x (N,C,H,W)  w (K,C/G,KH,KW)  b (K)  y (N,K,OH,OW)
 *           OH = floor((H + 2P - D*(KH-1) - 1) / S) + 1, OW likewise;
 *           x is 0 outside the image. S, P and D have a value for rows and one
 *           for columns. With G groups, filter k sees only the C/G channels of
 *           its group; c counts from the first of them.
 * Backward  dw[k,c,ky,kx] = sum over n,oy,ox of
 *               dy[n,k,oy,ox] * x[n,c, oy*S + ky*D - P, ox*S + kx*D - P]
 *           db[k] = sum over n,oy,ox of dy[n,k,oy,ox]
 *           dx: each dy flows back to the pixels it was made from, times the
 *           weight that it met there; what meets in a pixel is added up
 * Source    Lecture 14, "Convolutional Layer" (its Y, X, W and k1 x k2 are y,
 *           x, w and KH x KW here); docs/layers/conv2d.md works it by hand
 *
 * The textbook loops come first. The method "im2col" below them does the same
 * sums as one matrix product an image.
 */
#include <string.h>

#include <lunet/kernels/im2col.h>
#include <lunet/plugin.h>

typedef struct conv2d {
  int64_t in_channels, out_channels;
  int64_t kernel_size[2], stride[2], padding[2], dilation[2]; /* rows, cols */
  int64_t groups;
  bool bias, strict;
} conv2d;

enum { SAME = LN_WORD(0), VALID = LN_WORD(1) };
#define MOST 65535 /* of one window size; keeps their products small */

static const ln_option options[] = {
  LN_INT(conv2d, in_channels, LN_FROM_INPUT, 1, LN_ANY,
         "channels of x, C; left out, the first input tells"),
  LN_INT(conv2d, out_channels, LN_REQUIRED, 1, LN_ANY,
         "number of filters, K, and so of channels of y"),
  LN_INTS(conv2d, kernel_size, LN_REQUIRED, 1, MOST,
          "size of a filter, KH x KW: one number or {rows, columns}"),
  LN_INTS(conv2d, stride, 1, 1, MOST,
          "step of the window, S: one number or {rows, columns}"),
  LN_INTS_OR_WORD(conv2d, padding, 0, 0, MOST, "same|valid",
                  "zeros on each side, P: one number or {rows, columns}; "
                  "\"same\" keeps the size (stride 1 only), \"valid\" is 0"),
  LN_INTS(conv2d, dilation, 1, 1, MOST,
          "distance of a filter's elements in x, D: 1 is side by side"),
  LN_INT(conv2d, groups, 1, 1, LN_ANY,
         "G: channels and filters fall into G groups that do not see each "
         "other; divides both"),
  LN_BOOL(conv2d, bias, true, "add a number b[k] to each channel of y"),
  LN_BOOL(conv2d, strict, false,
          "refuse an input where the stride leaves rows or columns unread"),
};

/* ---- options, weights, shapes -------------------------------------------- */

static ln_status check_groups(const conv2d *o, const ln_host *host) {
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
  const conv2d *o = self;
  for (int d = 0; d < 2; d++)
    if (o->padding[d] == SAME && o->stride[d] != 1)
      return ln_fail(host,
                     "padding = \"same\" with stride = %" PRId64
                     ": only stride 1 keeps the size of x; try padding = "
                     "%" PRId64 ", or stride = 1",
                     o->stride[d],
                     o->dilation[d] * (o->kernel_size[d] - 1) / 2);
  return check_groups(o, host); /* in_channels may still be 0: not known */
}

static ln_status params(const void *self, ln_params *p) {
  const conv2d *o = self;
  if (check_groups(o, p->host) != LN_OK) return LN_FAILED;
  const int64_t KH = o->kernel_size[0], KW = o->kernel_size[1];
  const int64_t channels = o->in_channels / o->groups;
  const int64_t filters = o->out_channels / o->groups;
  const double fan_in = (double)channels * (double)(KH * KW);
  const double fan_out = (double)filters * (double)(KH * KW);
  ln_add_weight(p, "weight", LN_SHAPE(o->out_channels, channels, KH, KW),
                fan_in, fan_out);
  if (o->bias) ln_add_weight(p, "bias", LN_SHAPE(o->out_channels), fan_in, 0);
  return LN_OK;
}

/* Zeros before the first row (d = 0) or column (d = 1) of x. */
static int64_t pad_before(const conv2d *o, int d) {
  if (o->padding[d] == SAME)
    return o->dilation[d] * (o->kernel_size[d] - 1) / 2;
  return o->padding[d] == VALID ? 0 : o->padding[d];
}

/* Zeros behind the last: of an odd number for "same", the odd one goes here. */
static int64_t pad_after(const conv2d *o, int d) {
  const int64_t before = pad_before(o, d);
  if (o->padding[d] != SAME) return before;
  return o->dilation[d] * (o->kernel_size[d] - 1) - before;
}

static ln_status infer(const void *self, ln_infer *io) {
  const conv2d *o = self;
  const int64_t *x = io->x[0].dim, *y = io->y[0].dim;
  if (x[2] < 1 || x[3] < 1)
    return ln_fail(io->host,
                   "x has no pixels: its images are %" PRId64 " x %" PRId64,
                   x[2], x[3]);
  const int64_t before[] = { pad_before(o, 0), pad_before(o, 1) };
  const int64_t after[] = { pad_after(o, 0), pad_after(o, 1) };
  if (ln_slide(io, 2, o->kernel_size, o->stride, o->dilation, before, after,
               false, o->strict) != LN_OK)
    return LN_FAILED;
  const double products = (double)(o->in_channels / o->groups) *
                          (double)(o->kernel_size[0] * o->kernel_size[1]);
  io->flops = 2 * products * (double)o->out_channels * (double)x[0] *
              (double)y[2] * (double)y[3];
  return LN_OK;
}

/* The letters of the head, for one call. */
typedef struct sizes {
  int64_t N, C, H, W, K, OH, OW, KH, KW, G;
  int64_t CG, KG; /* channels and filters of one group: C/G, K/G */
  int64_t S[2], P[2], D[2];
} sizes;

static sizes sizes_of(const conv2d *o, const ln_call *call) {
  const int64_t *x = call->x[0]->shape.dim, *y = call->y[0]->shape.dim;
  return (sizes){
    .N = x[0],
    .C = x[1],
    .H = x[2],
    .W = x[3],
    .K = y[1],
    .OH = y[2],
    .OW = y[3],
    .KH = o->kernel_size[0],
    .KW = o->kernel_size[1],
    .G = o->groups,
    .CG = x[1] / o->groups,
    .KG = y[1] / o->groups,
    .S = { o->stride[0], o->stride[1] },
    .P = { pad_before(o, 0), pad_before(o, 1) },
    .D = { o->dilation[0], o->dilation[1] },
  };
}

/* ---- the textbook -------------------------------------------------------- */

static bool inside(const sizes *s, int64_t iy, int64_t ix) {
  return iy >= 0 && iy < s->H && ix >= 0 && ix < s->W;
}

/* One filter on the patch of x whose first pixel is (top, left). */
static float patch_sum(const sizes *s, int64_t top, int64_t left,
                       const float w[s->CG][s->KH][s->KW],
                       const float x[s->CG][s->H][s->W]) {
  float sum = 0;
  for (int64_t c = 0; c < s->CG; c++)
    for (int64_t ky = 0; ky < s->KH; ky++)
      for (int64_t kx = 0; kx < s->KW; kx++) {
        const int64_t iy = top + ky * s->D[0], ix = left + kx * s->D[1];
        if (inside(s, iy, ix)) sum += w[c][ky][kx] * x[c][iy][ix];
      }
  return sum;
}

static ln_status forward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  const float(*x)[s.C][s.H][s.W] = (void *)ln_x(call, 0);
  const float(*w)[s.CG][s.KH][s.KW] = (void *)ln_w(call, 0);
  const float *b = ln_w(call, 1);
  float(*y)[s.K][s.OH][s.OW] = (void *)ln_y(call, 0);

  for (int64_t n = 0; n < s.N; n++)
    for (int64_t k = 0; k < s.K; k++) {
      const int64_t c = k / s.KG * s.CG; /* the first channel that k sees */
      for (int64_t oy = 0; oy < s.OH; oy++)
        for (int64_t ox = 0; ox < s.OW; ox++)
          y[n][k][oy][ox] =
              (b ? b[k] : 0) + patch_sum(&s, oy * s.S[0] - s.P[0],
                                         ox * s.S[1] - s.P[1], w[k], &x[n][c]);
    }
  return LN_OK;
}

/* What one dy, g, sends back to the pixels it was made from. */
static void patch_to_dx(const sizes *s, int64_t top, int64_t left, float g,
                        const float w[s->CG][s->KH][s->KW],
                        float dx[s->CG][s->H][s->W]) {
  for (int64_t c = 0; c < s->CG; c++)
    for (int64_t ky = 0; ky < s->KH; ky++)
      for (int64_t kx = 0; kx < s->KW; kx++) {
        const int64_t iy = top + ky * s->D[0], ix = left + kx * s->D[1];
        if (inside(s, iy, ix)) dx[c][iy][ix] += w[c][ky][kx] * g;
      }
}

/* And to the weights that met them. */
static void patch_to_dw(const sizes *s, int64_t top, int64_t left, float g,
                        const float x[s->CG][s->H][s->W],
                        float dw[s->CG][s->KH][s->KW]) {
  for (int64_t c = 0; c < s->CG; c++)
    for (int64_t ky = 0; ky < s->KH; ky++)
      for (int64_t kx = 0; kx < s->KW; kx++) {
        const int64_t iy = top + ky * s->D[0], ix = left + kx * s->D[1];
        if (inside(s, iy, ix)) dw[c][ky][kx] += x[c][iy][ix] * g;
      }
}

static void input_gradient(const sizes s, const ln_call *call) {
  const float(*dy)[s.K][s.OH][s.OW] = (void *)ln_dy(call, 0);
  const float(*w)[s.CG][s.KH][s.KW] = (void *)ln_w(call, 0);
  float(*dx)[s.C][s.H][s.W] = (void *)ln_dx(call, 0);

  for (int64_t n = 0; n < s.N; n++) {
    memset(dx[n], 0, sizeof dx[n]);
    for (int64_t k = 0; k < s.K; k++)
      for (int64_t oy = 0; oy < s.OH; oy++)
        for (int64_t ox = 0; ox < s.OW; ox++)
          patch_to_dx(&s, oy * s.S[0] - s.P[0], ox * s.S[1] - s.P[1],
                      dy[n][k][oy][ox], w[k], &dx[n][k / s.KG * s.CG]);
  }
}

static void weight_gradient(const sizes s, const ln_call *call) {
  const float(*dy)[s.K][s.OH][s.OW] = (void *)ln_dy(call, 0);
  const float(*x)[s.C][s.H][s.W] = (void *)ln_x(call, 0);
  float(*dw)[s.CG][s.KH][s.KW] = (void *)ln_dw(call, 0);

  for (int64_t k = 0; k < s.K; k++) {
    memset(dw[k], 0, sizeof dw[k]);
    for (int64_t n = 0; n < s.N; n++)
      for (int64_t oy = 0; oy < s.OH; oy++)
        for (int64_t ox = 0; ox < s.OW; ox++)
          patch_to_dw(&s, oy * s.S[0] - s.P[0], ox * s.S[1] - s.P[1],
                      dy[n][k][oy][ox], &x[n][k / s.KG * s.CG], dw[k]);
  }
}

static void bias_gradient(const sizes s, const ln_call *call) {
  const float(*dy)[s.K][s.OH * s.OW] = (void *)ln_dy(call, 0);
  float *db = ln_dw(call, 1);
  for (int64_t k = 0; k < s.K; k++) {
    double sum = 0;
    for (int64_t n = 0; n < s.N; n++)
      for (int64_t i = 0; i < s.OH * s.OW; i++) sum += dy[n][k][i];
    db[k] = (float)sum;
  }
}

static ln_status backward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  if (ln_dx(call, 0)) input_gradient(s, call);
  if (ln_dw(call, 0)) weight_gradient(s, call);
  if (ln_dw(call, 1)) bias_gradient(s, call);
  return LN_OK;
}

/* ---- method "im2col" ----------------------------------------------------- */

/* Written side by side as columns, the patches of an image make a convolution
 * a matrix product, which knows the machine better than any loop above:
 *
 *   y (KG, OH*OW) = w (KG, CG*KH*KW) times columns (CG*KH*KW, OH*OW)
 *
 * for each image and group, and in backward dw += dy columns^T and
 * columns = w^T dy, folded back onto dx. The price is one matrix of columns,
 * each pixel KH*KW times in it; a 1x1 filter with stride 1 has none to pay, as
 * there the image is its own matrix. */

static ln_patches patches_of(const sizes *s) {
  return (ln_patches){
    .channels = s->CG,
    .height = s->H,
    .width = s->W,
    .kernel = { s->KH, s->KW },
    .stride = { s->S[0], s->S[1] },
    .dilation = { s->D[0], s->D[1] },
    .pad = { s->P[0], s->P[1] },
    .places = { s->OH, s->OW },
  };
}

/* Is the image its own matrix of columns? */
static bool is_pointwise(const conv2d *o) {
  for (int d = 0; d < 2; d++)
    if (o->kernel_size[d] != 1 || o->stride[d] != 1 || pad_before(o, d) != 0)
      return false;
  return true;
}

static ln_status im2col_plan(const void *self, ln_infer *io) {
  const conv2d *o = self;
  const double rows = (double)(o->in_channels / o->groups) *
                      (double)(o->kernel_size[0] * o->kernel_size[1]);
  const double columns = (double)io->y[0].dim[2] * (double)io->y[0].dim[3];
  const double bytes = rows * columns * sizeof(float);
  if (bytes > 0x1p30) return LN_UNSUITED; /* a matrix above a gigabyte */
  if (!is_pointwise(o)) io->workspace = (int64_t)bytes;
  return LN_OK;
}

/* One image and group as matrices, for the loops below. */
typedef struct product {
  ln_patches patches;
  int64_t filters, rows, columns; /* KG, CG*KH*KW, OH*OW */
  bool pointwise;
} product;

static product product_of(const conv2d *o, const sizes *s) {
  return (product){ patches_of(s), s->KG, s->CG * s->KH * s->KW, s->OH * s->OW,
                    is_pointwise(o) };
}

/* The columns of an image: unfolded into the workspace, or itself. */
static const float *columns_of(const product *p, const float *x,
                               const ln_call *call) {
  if (p->pointwise) return x;
  ln_unfold(&p->patches, x, call->workspace);
  return call->workspace;
}

static ln_status im2col_forward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  const product p = product_of(self, &s);
  const float *b = ln_w(call, 1);
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0);

  for (int64_t n = 0; n < s.N; n++) {
    const float *w = ln_w(call, 0);
    for (int64_t k = 0; b && k < s.K; k++)
      for (int64_t i = 0; i < p.columns; i++) y[k * p.columns + i] = b[k];
    for (int64_t g = 0; g < s.G; g++) {
      call->host->matmul(call, 0, 0, p.filters, p.columns, p.rows, w, p.rows,
                         columns_of(&p, x, call), p.columns, b ? 1 : 0, y,
                         p.columns);
      x += s.CG * s.H * s.W, y += s.KG * p.columns, w += s.KG * p.rows;
    }
  }
  return LN_OK;
}

static void im2col_input_gradient(const conv2d *o, const sizes s,
                                  const ln_call *call) {
  const product p = product_of(o, &s);
  const int64_t pixels = s.CG * s.H * s.W;
  const float *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);

  for (int64_t n = 0; n < s.N; n++) {
    const float *w = ln_w(call, 0);
    for (int64_t g = 0; g < s.G; g++) {
      float *columns = p.pointwise ? dx : call->workspace;
      call->host->matmul(call, 1, 0, p.rows, p.columns, p.filters, w, p.rows,
                         dy, p.columns, 0, columns, p.columns);
      if (!p.pointwise) {
        memset(dx, 0, (size_t)pixels * sizeof *dx);
        ln_fold(&p.patches, columns, dx);
      }
      dx += pixels, dy += s.KG * p.columns, w += s.KG * p.rows;
    }
  }
}

static void im2col_weight_gradient(const conv2d *o, const sizes s,
                                   const ln_call *call) {
  const product p = product_of(o, &s);
  const float *dy = ln_dy(call, 0), *x = ln_x(call, 0);
  memset(ln_dw(call, 0), 0, (size_t)(s.K * p.rows) * sizeof(float));

  for (int64_t n = 0; n < s.N; n++) {
    float *dw = ln_dw(call, 0);
    for (int64_t g = 0; g < s.G; g++) {
      call->host->matmul(call, 0, 1, p.filters, p.rows, p.columns, dy,
                         p.columns, columns_of(&p, x, call), p.columns, 1, dw,
                         p.rows);
      x += s.CG * s.H * s.W, dy += s.KG * p.columns, dw += s.KG * p.rows;
    }
  }
}

static ln_status im2col_backward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  if (ln_dx(call, 0)) im2col_input_gradient(self, s, call);
  if (ln_dw(call, 0)) im2col_weight_gradient(self, s, call);
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
  .name = "conv2d",
  .brief = "slides K small filters over an image",
  .formula = "y[n,k,oy,ox] = b[k] + sum over c,ky,kx of "
             "w[k,c,ky,kx] * x[n,c, oy*S + ky*D - P, ox*S + kx*D - P]",
  .example = "nn.conv2d{ out_channels = 6, kernel_size = 5 }"
             ":forward(lunet.randn{ 2, 3, 32, 32 })",
  .inputs = "x(N,in_channels,H,W)",
  .outputs = "y(N,out_channels,OH,OW)",
  LN_OPTIONS(conv2d, options),
  .traits = LN_PER_SAMPLE | LN_FORGETS_Y | LN_LINEAR,
  .create = create,
  .params = params,
  .infer = infer,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("conv2d", "1.0", &layer);
