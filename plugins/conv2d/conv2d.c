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
 * The textbook's loops are in this file and stay for ever as the reference,
 * method = "textbook". The others compute the same faster, an idea a file:
 *
 *   im2col.c            the patches as a matrix: one matrix product an image
 *   direct.c            the same loops, many outputs at a time in registers;
 *   direct_weights.c    and many weights (direct.h: where they look)
 *   batch.c             few channels: the lanes are images; batch_weights.c
 *                       (batch_pass.h: what is summed up into what;
 *                       batch.h: images turned; batch_rows.h: their sums)
 *   batch_winograd.c    the same with 6 of 10 or 12 products;
 *                       batch_winograd_weights.c (batch_winograd.h: tiles)
 *   depthwise.c         channels that do not meet: a loaded pixel serves many
 *   pointwise.c         filters of one pixel: the image is a matrix as it lies
 *   winograd.c          3x3 and 5x5 with a quarter of the products, a third;
 *   winograd_weights.c  and its transpose (winograd.h: tiles;
 *                       winograd_filters.h: filters made ready;
 *                       winograd_few_tiles.h: and multiplied at once;
 *                       winograd_transforms.h: the small linear maps)
 *   two_by_two.c        maps of 2x2 pixels: 9 products each
 *   bias.c              the gradient of b
 */
#include <string.h>

#include "conv2d.h"

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

/* Ctrl-C is looked for at each row of y: the loops may take their time. */
static bool interrupted(const ln_call *call) {
  return call->host->cancelled(call->host);
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
      for (int64_t oy = 0; oy < s.OH; oy++) {
        if (interrupted(call)) return LN_CANCELLED;
        for (int64_t ox = 0; ox < s.OW; ox++)
          y[n][k][oy][ox] =
              (b ? b[k] : 0) + patch_sum(&s, oy * s.S[0] - s.P[0],
                                         ox * s.S[1] - s.P[1], w[k], &x[n][c]);
      }
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

static ln_status input_gradient(const sizes s, const ln_call *call) {
  const float(*dy)[s.K][s.OH][s.OW] = (void *)ln_dy(call, 0);
  const float(*w)[s.CG][s.KH][s.KW] = (void *)ln_w(call, 0);
  float(*dx)[s.C][s.H][s.W] = (void *)ln_dx(call, 0);

  for (int64_t n = 0; n < s.N; n++) {
    memset(dx[n], 0, sizeof dx[n]);
    for (int64_t k = 0; k < s.K; k++)
      for (int64_t oy = 0; oy < s.OH; oy++) {
        if (interrupted(call)) return LN_CANCELLED;
        for (int64_t ox = 0; ox < s.OW; ox++)
          patch_to_dx(&s, oy * s.S[0] - s.P[0], ox * s.S[1] - s.P[1],
                      dy[n][k][oy][ox], w[k], &dx[n][k / s.KG * s.CG]);
      }
  }
  return LN_OK;
}

static ln_status weight_gradient(const sizes s, const ln_call *call) {
  const float(*dy)[s.K][s.OH][s.OW] = (void *)ln_dy(call, 0);
  const float(*x)[s.C][s.H][s.W] = (void *)ln_x(call, 0);
  float(*dw)[s.CG][s.KH][s.KW] = (void *)ln_dw(call, 0);

  for (int64_t k = 0; k < s.K; k++) {
    memset(dw[k], 0, sizeof dw[k]);
    for (int64_t n = 0; n < s.N; n++)
      for (int64_t oy = 0; oy < s.OH; oy++) {
        if (interrupted(call)) return LN_CANCELLED;
        for (int64_t ox = 0; ox < s.OW; ox++)
          patch_to_dw(&s, oy * s.S[0] - s.P[0], ox * s.S[1] - s.P[1],
                      dy[n][k][oy][ox], &x[n][k / s.KG * s.CG], dw[k]);
      }
  }
  return LN_OK;
}

static ln_status backward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  if (ln_dx(call, 0) && input_gradient(s, call) != LN_OK) return LN_CANCELLED;
  if (ln_dw(call, 0) && weight_gradient(s, call) != LN_OK) return LN_CANCELLED;
  return conv2d_bias_gradient(&s, call);
}

/* What rows can do in passing. Not im2col, which is compiled for no instruction
 * set: without FMA the numbers would differ from those of batch_norm2d. */
#define BEHIND (LN_ACCEPTS(LN_IS_RELU) | LN_ACCEPTS(LN_IS_CHANNEL_AFFINE))

#define WHOLE(name, word, its_plan, bits, suffix)                              \
  {                                                                            \
    .method = word, .isa = bits, .plan = its_plan##_##suffix,                  \
    .forward = name##_forward_##suffix, .backward = name##_backward_##suffix,  \
    .backward_weights = name##_backward_weights_##suffix,                      \
    .activations = BEHIND                                                      \
  }
#define SLICED(name, word, its_plan, bits, suffix)                             \
  {                                                                            \
    .method = word, .isa = bits, .plan = its_plan##_##suffix,                  \
    .forward = name##_forward_##suffix, .backward = name##_backward_##suffix,  \
    .per_sample = 1, .activations = BEHIND                                     \
  }
#define TWO_BY_TWO(bits, suffix)                                               \
  WHOLE(two_by_two, "2x2", two_by_two_plan, bits, suffix)
#define WINOGRAD(bits, suffix)                                                 \
  WHOLE(winograd, "winograd", winograd_plan, bits, suffix)
#define ANY_WINOGRAD(bits, suffix)                                             \
  WHOLE(winograd, "winograd", winograd_any_plan, bits, suffix)
#define DEPTHWISE(bits, suffix)                                                \
  SLICED(depthwise, "depthwise", depthwise_plan, bits, suffix)
#define POINTWISE(bits, suffix)                                                \
  SLICED(pointwise, "1x1", pointwise_plan, bits, suffix)
#define BATCH(bits, suffix) SLICED(batch, "batch", batch_plan, bits, suffix)
#define ANY_BATCH(bits, suffix)                                                \
  SLICED(batch, "batch", batch_any_plan, bits, suffix)
#define BATCH_WINOGRAD(bits, suffix)                                           \
  SLICED(batch_winograd, "batch_winograd", batch_winograd_plan, bits, suffix)
#define ANY_BATCH_WINOGRAD(bits, suffix)                                       \
  SLICED(batch_winograd, "batch_winograd", batch_winograd_any_plan, bits,      \
         suffix)
#define DIRECT(bits, suffix) SLICED(direct, "direct", direct_plan, bits, suffix)
#define DEEP_DIRECT(bits, suffix)                                              \
  {                                                                            \
    .method = "direct", .isa = bits, .plan = direct_deep_plan_##suffix,        \
    .forward = direct_forward_##suffix,                                        \
    .backward = direct_deep_backward_##suffix,                                 \
    .backward_weights = conv2d_deep_backward_weights, .per_sample = 1,         \
    .activations = BEHIND                                                      \
  }
#define IM2COL(its_plan)                                                       \
  {                                                                            \
    .method = "im2col", .plan = its_plan, .forward = im2col_forward,           \
    .backward = im2col_backward, .per_sample = 1,                              \
    .activations = LN_ACCEPTS(LN_IS_RELU)                                      \
  }

/* "auto" takes the first that suits; the last are for whoever names them. */
static const ln_kernel kernels[] = {
  LN_FOR_EACH_ISA(TWO_BY_TWO),
  LN_FOR_EACH_ISA(WINOGRAD),
  LN_FOR_EACH_ISA(DEPTHWISE),
  LN_FOR_EACH_ISA(POINTWISE),
  IM2COL(im2col_1x1_plan),
  LN_FOR_EACH_ISA(BATCH_WINOGRAD),
  LN_FOR_EACH_ISA(BATCH),
  LN_FOR_EACH_ISA(DEEP_DIRECT),
  LN_FOR_EACH_ISA(DIRECT),
  IM2COL(im2col_plan),
  LN_FOR_EACH_ISA(ANY_BATCH),
  LN_FOR_EACH_ISA(ANY_BATCH_WINOGRAD),
  LN_FOR_EACH_ISA(ANY_WINOGRAD),
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
