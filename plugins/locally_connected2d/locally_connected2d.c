/* locally_connected2d.c - a convolution that does not share its weights: every
 * place of the window has filters of its own.
 *
 * Forward   y[n,k,oy,ox] = b[k,oy,ox] + sum over c,ky,kx of
 *               w[oy,ox,k,c,ky,kx] * x[n,c, oy*S + ky - P, ox*S + kx - P]
 * Shapes    x (N,C,H,W)  w (OH,OW,K,C,KH,KW)  b (K,OH,OW)  y (N,K,OH,OW)
 *           OH = floor((H + 2P - KH) / S) + 1, OW likewise; x is 0 outside the
 *           image. S and P have a value for rows and one for columns.
 * Backward  dw[oy,ox,k,c,ky,kx] = sum over n of
 *               dy[n,k,oy,ox] * x[n,c, oy*S + ky - P, ox*S + kx - P]
 *           db[k,oy,ox] = sum over n of dy[n,k,oy,ox]
 *           dx: each dy flows back to the pixels it was made from, times the
 *           weight that it met there; what meets in a pixel is added up
 * Source    Lecture 14, "Locally Connected Neural networks". With the same
 *           filters at all places it is conv2d: nn.tie and nn.untie go from
 *           one to the other
 *
 * Here are the textbook loops. The method "lanes" (lanes.c) does the same sums
 * for a vector of items at once.
 */
#include <string.h>

#include "locally_connected2d.h"

#define MOST 65535 /* of one window size; keeps their products small */

static const ln_option options[] = {
  LN_INT(locally_connected2d, in_channels, LN_FROM_INPUT, 1, LN_ANY,
         "channels of x, C; left out, the first input tells"),
  LN_INT(locally_connected2d, out_channels, LN_REQUIRED, 1, LN_ANY,
         "number of filters at each place, K, and so of channels of y"),
  LN_INTS(locally_connected2d, input_size, LN_FROM_INPUT, 1, 0x1p30,
          "size of the images, H x W: one number or {rows, columns}; left out, "
          "the first input tells"),
  LN_INTS(locally_connected2d, kernel_size, LN_REQUIRED, 1, MOST,
          "size of a filter, KH x KW: one number or {rows, columns}"),
  LN_INTS(locally_connected2d, stride, 1, 1, MOST,
          "step of the window, S: one number or {rows, columns}"),
  LN_INTS(locally_connected2d, padding, 0, 0, MOST,
          "zeros on each side, P: one number or {rows, columns}"),
  LN_BOOL(locally_connected2d, bias, true, "add a number b[k,oy,ox] to each y"),
  LN_BOOL(locally_connected2d, strict, false,
          "refuse an input where the stride leaves rows or columns unread"),
};

/* ---- options, weights, shapes -------------------------------------------- */

/* Rows (d = 0) or columns (d = 1) that the window can still move by. */
static int64_t slack(const locally_connected2d *o, int d) {
  return o->input_size[d] + 2 * o->padding[d] - o->kernel_size[d];
}

static ln_status check_fit(const locally_connected2d *o, const ln_host *host) {
  for (int d = 0; d < 2; d++)
    if (o->input_size[d] > 0 && slack(o, d) < 0)
      return ln_fail(
          host,
          "kernel %" PRId64 "x%" PRId64
          " is larger than the padded input %" PRId64 "x%" PRId64
          "\n  output %s = floor((%" PRId64 " + 2*%" PRId64 " - %" PRId64
          ") / %" PRId64 ") + 1 < 1, but must be at least 1\n"
          "  try padding = %" PRId64 ", or kernel_size <= %" PRId64,
          o->kernel_size[0], o->kernel_size[1],
          o->input_size[0] + 2 * o->padding[0],
          o->input_size[1] + 2 * o->padding[1], d == 0 ? "height" : "width",
          o->input_size[d], o->padding[d], o->kernel_size[d], o->stride[d],
          o->padding[d] + (1 - slack(o, d)) / 2,
          o->input_size[d] + 2 * o->padding[d]);
  return LN_OK;
}

static ln_status create(void *self, const ln_host *host) {
  return check_fit(self, host); /* input_size may still be 0: not known */
}

static ln_status params(const void *self, ln_params *p) {
  const locally_connected2d *o = self;
  if (check_fit(o, p->host) != LN_OK) return LN_FAILED;
  const int64_t C = o->in_channels, K = o->out_channels;
  const int64_t KH = o->kernel_size[0], KW = o->kernel_size[1];
  const int64_t OH = slack(o, 0) / o->stride[0] + 1;
  const int64_t OW = slack(o, 1) / o->stride[1] + 1;
  const double fan_in = (double)C * (double)(KH * KW);
  const double fan_out = (double)K * (double)(KH * KW);
  ln_add_weight(p, "weight", LN_SHAPE(OH, OW, K, C, KH, KW), fan_in, fan_out);
  if (o->bias) ln_add_weight(p, "bias", LN_SHAPE(K, OH, OW), fan_in, 0);
  return LN_OK;
}

static ln_status infer(const void *self, ln_infer *io) {
  const locally_connected2d *o = self;
  if (ln_slide(io, 2, o->kernel_size, o->stride, NULL, o->padding, NULL, false,
               o->strict) != LN_OK)
    return LN_FAILED;
  const double products =
      (double)o->in_channels * (double)(o->kernel_size[0] * o->kernel_size[1]);
  io->flops = 2 * products * (double)ln_count(&io->y[0]);
  return LN_OK;
}

/* ---- the textbook -------------------------------------------------------- */

static bool inside(const sizes *s, int64_t iy, int64_t ix) {
  return iy >= 0 && iy < s->H && ix >= 0 && ix < s->W;
}

/* One filter on the patch of x whose first pixel is (top, left). */
static float patch_sum(const sizes *s, int64_t top, int64_t left,
                       const float w[s->C][s->KH][s->KW],
                       const float x[s->C][s->H][s->W]) {
  float sum = 0;
  for (int64_t c = 0; c < s->C; c++)
    for (int64_t ky = 0; ky < s->KH; ky++)
      for (int64_t kx = 0; kx < s->KW; kx++)
        if (inside(s, top + ky, left + kx))
          sum += w[c][ky][kx] * x[c][top + ky][left + kx];
  return sum;
}

static ln_status forward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  const float(*x)[s.C][s.H][s.W] = (void *)ln_x(call, 0);
  const float(*w)[s.OW][s.K][s.C][s.KH][s.KW] = (void *)ln_w(call, 0);
  const float(*b)[s.OH][s.OW] = (void *)ln_w(call, 1);
  float(*y)[s.K][s.OH][s.OW] = (void *)ln_y(call, 0);

  for (int64_t n = 0; n < s.N; n++)
    for (int64_t k = 0; k < s.K; k++)
      for (int64_t oy = 0; oy < s.OH; oy++)
        for (int64_t ox = 0; ox < s.OW; ox++)
          y[n][k][oy][ox] = (b ? b[k][oy][ox] : 0) +
                            patch_sum(&s, oy * s.S[0] - s.P[0],
                                      ox * s.S[1] - s.P[1], w[oy][ox][k], x[n]);
  return LN_OK;
}

/* What one dy, g, sends back to the pixels it was made from. */
static void patch_to_dx(const sizes *s, int64_t top, int64_t left, float g,
                        const float w[s->C][s->KH][s->KW],
                        float dx[s->C][s->H][s->W]) {
  for (int64_t c = 0; c < s->C; c++)
    for (int64_t ky = 0; ky < s->KH; ky++)
      for (int64_t kx = 0; kx < s->KW; kx++)
        if (inside(s, top + ky, left + kx))
          dx[c][top + ky][left + kx] += w[c][ky][kx] * g;
}

/* And to the weights that met them. */
static void patch_to_dw(const sizes *s, int64_t top, int64_t left, float g,
                        const float x[s->C][s->H][s->W],
                        float dw[s->C][s->KH][s->KW]) {
  for (int64_t c = 0; c < s->C; c++)
    for (int64_t ky = 0; ky < s->KH; ky++)
      for (int64_t kx = 0; kx < s->KW; kx++)
        if (inside(s, top + ky, left + kx))
          dw[c][ky][kx] += g * x[c][top + ky][left + kx];
}

static ln_status backward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  const float(*dy)[s.K][s.OH][s.OW] = (void *)ln_dy(call, 0);
  const float(*w)[s.OW][s.K][s.C][s.KH][s.KW] = (void *)ln_w(call, 0);
  float(*dx)[s.C][s.H][s.W] = (void *)ln_dx(call, 0);

  for (int64_t n = 0; n < s.N; n++) {
    memset(dx[n], 0, sizeof dx[n]);
    for (int64_t k = 0; k < s.K; k++)
      for (int64_t oy = 0; oy < s.OH; oy++)
        for (int64_t ox = 0; ox < s.OW; ox++)
          patch_to_dx(&s, oy * s.S[0] - s.P[0], ox * s.S[1] - s.P[1],
                      dy[n][k][oy][ox], w[oy][ox][k], dx[n]);
  }
  return LN_OK;
}

static void weight_gradient(const sizes s, const ln_call *call) {
  const float(*dy)[s.K][s.OH][s.OW] = (void *)ln_dy(call, 0);
  const float(*x)[s.C][s.H][s.W] = (void *)ln_x(call, 0);
  float(*dw)[s.OW][s.K][s.C][s.KH][s.KW] = (void *)ln_dw(call, 0);

  for (int64_t oy = 0; oy < s.OH; oy++)
    for (int64_t ox = 0; ox < s.OW; ox++)
      for (int64_t k = 0; k < s.K; k++) {
        memset(dw[oy][ox][k], 0, sizeof dw[oy][ox][k]);
        for (int64_t n = 0; n < s.N; n++)
          patch_to_dw(&s, oy * s.S[0] - s.P[0], ox * s.S[1] - s.P[1],
                      dy[n][k][oy][ox], x[n], dw[oy][ox][k]);
      }
}

void locally_connected2d_bias_gradient(const sizes *s, const ln_call *call) {
  const int64_t outputs = s->K * s->OH * s->OW;
  const float(*dy)[outputs] = (void *)ln_dy(call, 0);
  float *db = ln_dw(call, 1);
  if (!db) return;
  memset(db, 0, (size_t)outputs * sizeof *db);
  for (int64_t n = 0; n < s->N; n++)
    for (int64_t i = 0; i < outputs; i++) db[i] += dy[n][i];
}

/* A pass of its own, so that the host keeps one dw and not one for each slice
 * of the batch: no layer has more weights. */
static ln_status backward_weights(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  if (ln_dw(call, 0)) weight_gradient(s, call);
  locally_connected2d_bias_gradient(&s, call);
  return LN_OK;
}

/* ---- the descriptor ------------------------------------------------------ */

#define LANES(bits, suffix)                                                    \
  {                                                                            \
    .method = "lanes", .isa = bits, .plan = lanes_plan_##suffix,               \
    .forward = lanes_forward_##suffix, .backward = lanes_backward_##suffix,    \
    .backward_weights = lanes_backward_weights_##suffix                        \
  }

static const ln_kernel kernels[] = { LN_FOR_EACH_ISA(LANES) };

static const ln_layer layer = {
  LN_LAYER,
  .name = "locally_connected2d",
  .brief = "a convolution with filters of its own at every place",
  .formula = "y[n,k,oy,ox] = b[k,oy,ox] + sum over c,ky,kx of "
             "w[oy,ox,k,c,ky,kx] * x[n,c, oy*S + ky - P, ox*S + kx - P]",
  .example = "nn.locally_connected2d{ out_channels = 4, kernel_size = 3 }"
             ":forward(lunet.randn{ 2, 3, 8, 8 })",
  .inputs = "x(N,in_channels,input_size)",
  .outputs = "y(N,out_channels,OH,OW)",
  LN_OPTIONS(locally_connected2d, options),
  .traits = LN_PER_SAMPLE | LN_FORGETS_Y | LN_LINEAR,
  .create = create,
  .params = params,
  .infer = infer,
  .forward = forward,
  .backward = backward,
  .backward_weights = backward_weights,
  LN_KERNELS(kernels),
};
LN_PLUGIN("locally_connected2d", "1.0", &layer);
