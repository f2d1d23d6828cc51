/* im2col.c - method "im2col": the convolution as one matrix product an image.
 *
 * Written side by side as columns, the patches of an image make a convolution
 * a matrix product, which knows the machine better than the textbook's loops:
 *
 *   y (KG, OH*OW) = w (KG, CG*KH*KW) times columns (CG*KH*KW, OH*OW)
 *
 * for each image and group, and in backward dw += dy columns^T and
 * columns = w^T dy, folded back onto dx. The price is one matrix of columns,
 * each pixel KH*KW times in it; a 1x1 filter with stride 1 has none to pay, as
 * there the image is its own matrix. */
#include "conv2d.h"

#include <string.h>

/* Is the image its own matrix of columns? */
static bool is_pointwise(const conv2d *o) {
  for (int d = 0; d < 2; d++)
    if (o->kernel_size[d] != 1 || o->stride[d] != 1 || pad_before(o, d) != 0)
      return false;
  return true;
}

ln_status im2col_plan(const void *self, ln_infer *io) {
  const conv2d *o = self;
  const double rows = (double)(o->in_channels / o->groups) *
                      (double)(o->kernel_size[0] * o->kernel_size[1]);
  const double columns = (double)io->y[0].dim[2] * (double)io->y[0].dim[3];
  const double bytes = rows * columns * sizeof(float);
  if (bytes > 0x1p30) return LN_UNSUITED; /* a matrix above a gigabyte */
  if (!is_pointwise(o)) io->workspace = (int64_t)bytes;
  return LN_OK;
}

/* A 1x1 filter sees each pixel once at most: nothing is copied twice. */
ln_status im2col_1x1_plan(const void *self, ln_infer *io) {
  const conv2d *o = self;
  const bool pointwise = o->kernel_size[0] == 1 && o->kernel_size[1] == 1;
  return pointwise ? im2col_plan(self, io) : LN_UNSUITED;
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

static void rectify(float *y, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = y[i] <= 0 ? 0 : y[i];
}

ln_status im2col_forward(const void *self, const ln_call *call) {
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
      if (call->activation == LN_IS_RELU) rectify(y, s.KG * p.columns);
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

ln_status im2col_backward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  if (ln_dx(call, 0)) im2col_input_gradient(self, s, call);
  if (ln_dw(call, 0)) im2col_weight_gradient(self, s, call);
  return conv2d_bias_gradient(&s, call);
}
