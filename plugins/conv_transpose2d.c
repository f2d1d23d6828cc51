/* conv_transpose2d.c - a convolution turned round: each pixel paints its
 * filters, and what overlaps adds up.
 *
 * Forward   y[n,k, iy*S + ky*D - P, ix*S + kx*D - P] gets, for all c,iy,ix,
 *           ky,kx,  w[c,k,ky,kx] * x[n,c,iy,ix];  in the end b[k] is added
 * Shapes    x (N,C,H,W)  w (C,K/G,KH,KW)  b (K)  y (N,K,OH,OW)
 *           OH = (H-1)*S - 2P + D*(KH-1) + 1 + output_padding, OW likewise;
 *           what would be painted outside of y is lost. S, P and D have a
 *           value for rows and one for columns. With G groups, channel c
 *           paints only the K/G channels of its group; k counts from the first
 *           of them.
 * Backward  dx[n,c,iy,ix] = sum over k,ky,kx of
 *               w[c,k,ky,kx] * dy[n,k, iy*S + ky*D - P, ix*S + kx*D - P]
 *           which is conv2d's forward, as this forward is conv2d's dx
 *           dw[c,k,ky,kx] = sum over n,iy,ix of
 *               x[n,c,iy,ix] * dy[n,k, iy*S + ky*D - P, ix*S + kx*D - P]
 *           db[k] = sum over n,oy,ox of dy[n,k,oy,ox]
 * Source    Zeiler, Krishnan, Taylor, Fergus 2010 ("Deconvolutional
 *           Networks"); docs/layers/conv_transpose2d.md works it by hand
 *
 * The textbook loops come first. The method "im2col" below them does the same
 * sums as one matrix product an image.
 */
#include <string.h>

#include <lunet/kernels/im2col.h>
#include <lunet/plugin.h>

typedef struct conv_transpose2d {
  int64_t in_channels, out_channels;
  int64_t kernel_size[2], stride[2], padding[2]; /* rows, columns */
  int64_t output_padding[2], dilation[2];
  int64_t groups;
  bool bias;
} conv_transpose2d;

#define MOST 65535 /* of one window size; keeps their products small */

static const ln_option options[] = {
  LN_INT(conv_transpose2d, in_channels, LN_FROM_INPUT, 1, LN_ANY,
         "channels of x, C; left out, the first input tells"),
  LN_INT(conv_transpose2d, out_channels, LN_REQUIRED, 1, LN_ANY,
         "channels of y, K"),
  LN_INTS(conv_transpose2d, kernel_size, LN_REQUIRED, 1, MOST,
          "size of a filter, KH x KW: one number or {rows, columns}"),
  LN_INTS(conv_transpose2d, stride, 1, 1, MOST,
          "distance in y of what neighbours in x paint, S"),
  LN_INTS(conv_transpose2d, padding, 0, 0, MOST,
          "rows and columns that y lacks on each side, P"),
  LN_INTS(conv_transpose2d, output_padding, 0, 0, MOST,
          "rows and columns more at the bottom and the right of y; smaller "
          "than stride or dilation"),
  LN_INTS(conv_transpose2d, dilation, 1, 1, MOST,
          "distance of a filter's elements in y, D: 1 is side by side"),
  LN_INT(conv_transpose2d, groups, 1, 1, LN_ANY,
         "G: channels of x and y fall into G groups that do not see each "
         "other; divides both"),
  LN_BOOL(conv_transpose2d, bias, true, "add a number b[k] to each channel"),
};

/* ---- options, weights, shapes -------------------------------------------- */

static ln_status check_groups(const conv_transpose2d *o, const ln_host *host) {
  if (o->out_channels % o->groups != 0)
    return ln_fail(host,
                   "groups = %" PRId64
                   " does not divide out_channels = %" PRId64
                   ": each group paints out_channels / groups channels; try "
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

/* More rows than that could only be rows that no window can reach. */
static ln_status check_output_padding(const conv_transpose2d *o,
                                      const ln_host *host) {
  for (int d = 0; d < 2; d++) {
    const int64_t S = o->stride[d], D = o->dilation[d];
    if (o->output_padding[d] >= S && o->output_padding[d] >= D)
      return ln_fail(host,
                     "output_padding = %" PRId64 " with stride = %" PRId64
                     " and dilation = %" PRId64
                     ": it must be smaller than one of them; try "
                     "output_padding = %" PRId64,
                     o->output_padding[d], S, D, (S > D ? S : D) - 1);
  }
  return LN_OK;
}

static ln_status create(void *self, const ln_host *host) {
  if (check_output_padding(self, host) != LN_OK) return LN_FAILED;
  return check_groups(self, host); /* in_channels may still be 0: not known */
}

/* With a stride an element of y is painted by every S-th pixel only; so many,
 * on average, meet in it. */
static double pixels_that_meet(const conv_transpose2d *o) {
  double pixels = 1;
  for (int d = 0; d < 2; d++)
    if (o->kernel_size[d] > o->stride[d])
      pixels *= (double)o->kernel_size[d] / (double)o->stride[d];
  return pixels;
}

static ln_status params(const void *self, ln_params *p) {
  const conv_transpose2d *o = self;
  if (check_groups(o, p->host) != LN_OK) return LN_FAILED;
  const int64_t KH = o->kernel_size[0], KW = o->kernel_size[1];
  const int64_t painted = o->out_channels / o->groups;
  const double fan_in =
      (double)(o->in_channels / o->groups) * pixels_that_meet(o);
  const double fan_out = (double)painted * (double)(KH * KW);
  ln_add_weight(p, "weight", LN_SHAPE(o->in_channels, painted, KH, KW), fan_in,
                fan_out);
  if (o->bias) ln_add_weight(p, "bias", LN_SHAPE(o->out_channels), fan_in, 0);
  return LN_OK;
}

/* Rows (d = 0) or columns (d = 1) of y, for `size` ones of x. */
static ln_status output_size(const conv_transpose2d *o, const ln_host *host,
                             int d, int64_t size, int64_t *out) {
  const char *name = d == 0 ? "height" : "width";
  const int64_t K = o->kernel_size[d], S = o->stride[d], P = o->padding[d];
  const int64_t D = o->dilation[d], extra = o->output_padding[d];
  if (size > (int64_t)1 << 40)
    return ln_fail(host, "the %s of x is %" PRId64 ", more than 2^40", name,
                   size);
  *out = (size - 1) * S - 2 * P + D * (K - 1) + 1 + extra;
  if (*out >= 1) return LN_OK;
  return ln_fail(
      host,
      "padding = %" PRId64 " takes away all that x paints\n"
      "  output %s = (%" PRId64 " - 1)*%" PRId64 " - 2*%" PRId64 " + %" PRId64
      "*(%" PRId64 " - 1) + 1 + %" PRId64 " = %" PRId64 ", must be at least 1\n"
      "  try padding = %" PRId64,
      P, name, size, S, P, D, K, extra, *out, (*out - 1 + 2 * P) / 2);
}

static ln_status infer(const void *self, ln_infer *io) {
  const conv_transpose2d *o = self;
  const int64_t *x = io->x[0].dim;
  int64_t *y = io->y[0].dim;
  if (x[2] < 1 || x[3] < 1)
    return ln_fail(io->host,
                   "x has no pixels: its images are %" PRId64 " x %" PRId64,
                   x[2], x[3]);
  for (int d = 0; d < 2; d++)
    if (output_size(o, io->host, d, x[2 + d], &y[2 + d]) != LN_OK)
      return LN_FAILED;
  const double products = (double)(o->out_channels / o->groups) *
                          (double)(o->kernel_size[0] * o->kernel_size[1]);
  io->flops = 2 * products * (double)ln_count(&io->x[0]);
  return LN_OK;
}

/* The letters of the head, for one call. */
typedef struct sizes {
  int64_t N, C, H, W, K, OH, OW, KH, KW, G;
  int64_t CG, KG; /* channels of one group in x and y: C/G, K/G */
  int64_t S[2], P[2], D[2];
} sizes;

static sizes sizes_of(const conv_transpose2d *o, const ln_call *call) {
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
    .P = { o->padding[0], o->padding[1] },
    .D = { o->dilation[0], o->dilation[1] },
  };
}

/* ---- the textbook -------------------------------------------------------- */

static bool inside(const sizes *s, int64_t oy, int64_t ox) {
  return oy >= 0 && oy < s->OH && ox >= 0 && ox < s->OW;
}

/* What one pixel of x, v, paints onto y; the window begins at (top, left). */
static void paint(const sizes *s, int64_t top, int64_t left, float v,
                  const float w[s->KG][s->KH][s->KW],
                  float y[s->KG][s->OH][s->OW]) {
  for (int64_t k = 0; k < s->KG; k++)
    for (int64_t ky = 0; ky < s->KH; ky++)
      for (int64_t kx = 0; kx < s->KW; kx++) {
        const int64_t oy = top + ky * s->D[0], ox = left + kx * s->D[1];
        if (inside(s, oy, ox)) y[k][oy][ox] += w[k][ky][kx] * v;
      }
}

/* y begins as its bias: y[n,k,...] = b[k], or 0. */
static void begin_with_bias(const sizes *s, const ln_call *call) {
  const float *b = ln_w(call, 1);
  float(*y)[s->K][s->OH * s->OW] = (void *)ln_y(call, 0);
  for (int64_t n = 0; n < s->N; n++)
    for (int64_t k = 0; k < s->K; k++)
      for (int64_t i = 0; i < s->OH * s->OW; i++) y[n][k][i] = b ? b[k] : 0;
}

/* Ctrl-C is looked for at each row: the loops may take their time. */
static bool interrupted(const ln_call *call) {
  return call->host->cancelled(call->host);
}

static ln_status forward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  const float(*x)[s.C][s.H][s.W] = (void *)ln_x(call, 0);
  const float(*w)[s.KG][s.KH][s.KW] = (void *)ln_w(call, 0);
  float(*y)[s.K][s.OH][s.OW] = (void *)ln_y(call, 0);

  begin_with_bias(&s, call);
  for (int64_t n = 0; n < s.N; n++)
    for (int64_t c = 0; c < s.C; c++) {
      const int64_t k = c / s.CG * s.KG; /* the first channel that c paints */
      for (int64_t iy = 0; iy < s.H; iy++) {
        if (interrupted(call)) return LN_CANCELLED;
        for (int64_t ix = 0; ix < s.W; ix++)
          paint(&s, iy * s.S[0] - s.P[0], ix * s.S[1] - s.P[1], x[n][c][iy][ix],
                w[c], &y[n][k]);
      }
    }
  return LN_OK;
}

/* What comes back to a pixel from the window it painted. */
static float window_sum(const sizes *s, int64_t top, int64_t left,
                        const float w[s->KG][s->KH][s->KW],
                        const float dy[s->KG][s->OH][s->OW]) {
  float sum = 0;
  for (int64_t k = 0; k < s->KG; k++)
    for (int64_t ky = 0; ky < s->KH; ky++)
      for (int64_t kx = 0; kx < s->KW; kx++) {
        const int64_t oy = top + ky * s->D[0], ox = left + kx * s->D[1];
        if (inside(s, oy, ox)) sum += w[k][ky][kx] * dy[k][oy][ox];
      }
  return sum;
}

/* And to the weights it painted with. */
static void window_to_dw(const sizes *s, int64_t top, int64_t left, float v,
                         const float dy[s->KG][s->OH][s->OW],
                         float dw[s->KG][s->KH][s->KW]) {
  for (int64_t k = 0; k < s->KG; k++)
    for (int64_t ky = 0; ky < s->KH; ky++)
      for (int64_t kx = 0; kx < s->KW; kx++) {
        const int64_t oy = top + ky * s->D[0], ox = left + kx * s->D[1];
        if (inside(s, oy, ox)) dw[k][ky][kx] += v * dy[k][oy][ox];
      }
}

static ln_status input_gradient(const sizes s, const ln_call *call) {
  const float(*dy)[s.K][s.OH][s.OW] = (void *)ln_dy(call, 0);
  const float(*w)[s.KG][s.KH][s.KW] = (void *)ln_w(call, 0);
  float(*dx)[s.C][s.H][s.W] = (void *)ln_dx(call, 0);

  for (int64_t n = 0; n < s.N; n++)
    for (int64_t c = 0; c < s.C; c++)
      for (int64_t iy = 0; iy < s.H; iy++) {
        if (interrupted(call)) return LN_CANCELLED;
        for (int64_t ix = 0; ix < s.W; ix++)
          dx[n][c][iy][ix] =
              window_sum(&s, iy * s.S[0] - s.P[0], ix * s.S[1] - s.P[1], w[c],
                         &dy[n][c / s.CG * s.KG]);
      }
  return LN_OK;
}

static ln_status weight_gradient(const sizes s, const ln_call *call) {
  const float(*dy)[s.K][s.OH][s.OW] = (void *)ln_dy(call, 0);
  const float(*x)[s.C][s.H][s.W] = (void *)ln_x(call, 0);
  float(*dw)[s.KG][s.KH][s.KW] = (void *)ln_dw(call, 0);

  for (int64_t c = 0; c < s.C; c++) {
    memset(dw[c], 0, sizeof dw[c]);
    for (int64_t n = 0; n < s.N; n++)
      for (int64_t iy = 0; iy < s.H; iy++) {
        if (interrupted(call)) return LN_CANCELLED;
        for (int64_t ix = 0; ix < s.W; ix++)
          window_to_dw(&s, iy * s.S[0] - s.P[0], ix * s.S[1] - s.P[1],
                       x[n][c][iy][ix], &dy[n][c / s.CG * s.KG], dw[c]);
      }
  }
  return LN_OK;
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
  if (ln_dx(call, 0) && input_gradient(s, call) != LN_OK) return LN_CANCELLED;
  if (ln_dw(call, 0) && weight_gradient(s, call) != LN_OK) return LN_CANCELLED;
  if (ln_dw(call, 1)) bias_gradient(s, call);
  return LN_OK;
}

/* ---- method "im2col" ----------------------------------------------------- */

/* conv2d's matrices in the other direction. What the pixels of x paint is
 *
 *   columns (KG*KH*KW, H*W) = w^T (KG*KH*KW, CG) times x (CG, H*W)
 *
 * for each image and group, and folding the columns onto y adds up what
 * overlaps. In backward the columns are cut out of dy: dx = w columns and
 * dw += x columns^T. */

static ln_patches patches_of(const sizes *s) {
  return (ln_patches){
    .channels = s->KG,
    .height = s->OH,
    .width = s->OW,
    .kernel = { s->KH, s->KW },
    .stride = { s->S[0], s->S[1] },
    .dilation = { s->D[0], s->D[1] },
    .pad = { s->P[0], s->P[1] },
    .places = { s->H, s->W },
  };
}

static ln_status im2col_plan(const void *self, ln_infer *io) {
  const conv_transpose2d *o = self;
  const double rows = (double)(o->out_channels / o->groups) *
                      (double)(o->kernel_size[0] * o->kernel_size[1]);
  const double columns = (double)io->x[0].dim[2] * (double)io->x[0].dim[3];
  const double bytes = rows * columns * sizeof(float);
  if (bytes > 0x1p30) return LN_UNSUITED; /* a matrix above a gigabyte */
  io->workspace = (int64_t)bytes;
  return LN_OK;
}

static ln_status im2col_forward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  const ln_patches patches = patches_of(&s);
  const int64_t rows = s.KG * s.KH * s.KW, pixels = s.H * s.W;
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0), *columns = call->workspace;

  begin_with_bias(&s, call);
  for (int64_t n = 0; n < s.N; n++) {
    const float *w = ln_w(call, 0);
    for (int64_t g = 0; g < s.G; g++) {
      call->host->matmul(call, 1, 0, rows, pixels, s.CG, w, rows, x, pixels, 0,
                         columns, pixels);
      ln_fold(&patches, columns, y);
      x += s.CG * pixels, y += s.KG * s.OH * s.OW, w += s.CG * rows;
    }
  }
  return LN_OK;
}

/* One image and group: dx (CG,H*W) and dw (CG,rows) from the columns of dy;
 * either may be NULL. */
static void gradients_from_columns(const sizes *s, const ln_call *call,
                                   const float *x, const float *w, float *dx,
                                   float *dw) {
  const int64_t rows = s->KG * s->KH * s->KW, pixels = s->H * s->W;
  const float *columns = call->workspace;
  if (dx)
    call->host->matmul(call, 0, 0, s->CG, pixels, rows, w, rows, columns,
                       pixels, 0, dx, pixels);
  if (dw)
    call->host->matmul(call, 0, 1, s->CG, rows, pixels, x, pixels, columns,
                       pixels, 1, dw, rows);
}

static ln_status im2col_backward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  const ln_patches patches = patches_of(&s);
  const int64_t weights = s.CG * s.KG * s.KH * s.KW; /* of one group */
  const int64_t pixels = s.CG * s.H * s.W;
  const float *x = ln_x(call, 0), *w = ln_w(call, 0), *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0), *dw = ln_dw(call, 0);

  if (dw) memset(dw, 0, (size_t)(s.G * weights) * sizeof *dw);
  for (int64_t i = 0; (dx || dw) && i < s.N * s.G; i++) {
    const int64_t g = i % s.G;
    ln_unfold(&patches, dy + i * s.KG * s.OH * s.OW, call->workspace);
    gradients_from_columns(&s, call, x + i * pixels, w + g * weights,
                           dx ? dx + i * pixels : NULL,
                           dw ? dw + g * weights : NULL);
  }
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
  .name = "conv_transpose2d",
  .brief = "a convolution turned round: each pixel paints its filters",
  .formula = "y[n,k, iy*S + ky*D - P, ix*S + kx*D - P] = b[k] + what meets "
             "there of w[c,k,ky,kx] * x[n,c,iy,ix]",
  .example = "nn.conv_transpose2d{ out_channels = 3, kernel_size = 4, "
             "stride = 2, padding = 1 }:forward(lunet.randn{ 2, 6, 8, 8 })",
  .inputs = "x(N,in_channels,H,W)",
  .outputs = "y(N,out_channels,OH,OW)",
  LN_OPTIONS(conv_transpose2d, options),
  .traits = LN_PER_SAMPLE | LN_FORGETS_Y | LN_LINEAR,
  .create = create,
  .params = params,
  .infer = infer,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("conv_transpose2d", "1.0", &layer);
