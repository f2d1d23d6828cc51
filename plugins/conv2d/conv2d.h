/* conv2d.h - what the methods of conv2d have in common; the sum that they all
 * compute stands at the head of conv2d.c. */
#ifndef CONV2D_H
#define CONV2D_H

#include <lunet/kernels/im2col.h>
#include <lunet/kernels/per_isa.h>
#include <lunet/plugin.h>

typedef struct conv2d {
  int64_t in_channels, out_channels;
  int64_t kernel_size[2], stride[2], padding[2], dilation[2]; /* rows, cols */
  int64_t groups;
  bool bias, strict;
} conv2d;

/* The letters of the sum, for one call. */
typedef struct sizes {
  int64_t N, C, H, W, K, OH, OW, KH, KW, G;
  int64_t CG, KG; /* channels and filters of one group: C/G, K/G */
  int64_t S[2], P[2], D[2];
} sizes;

/* padding = "same" and "valid", as the options' table stores them. */
enum { SAME = LN_WORD(0), VALID = LN_WORD(1) };

/* Zeros before the first row (d = 0) or column (d = 1) of x. */
static inline int64_t pad_before(const conv2d *o, int d) {
  if (o->padding[d] == SAME)
    return o->dilation[d] * (o->kernel_size[d] - 1) / 2;
  return o->padding[d] == VALID ? 0 : o->padding[d];
}

static inline sizes sizes_from(const conv2d *o, const int64_t *x,
                               const int64_t *y) {
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

static inline sizes sizes_of(const conv2d *o, const ln_call *call) {
  return sizes_from(o, call->x[0]->shape.dim, call->y[0]->shape.dim);
}

static inline sizes planned_sizes(const conv2d *o, const ln_infer *io) {
  return sizes_from(o, io->x[0].dim, io->y[0].dim);
}

/* The patches of a group, as columns of a matrix. */
static inline ln_patches patches_of(const sizes *s) {
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

/* db[k] = sum over n,oy,ox of dy[n,k,oy,ox] where it is wanted. */
ln_status conv2d_bias_gradient(const sizes *s, const ln_call *call);

/* deep_weights.c: dw for which weights are many and outputs few. */
bool conv2d_is_deep(const sizes *s);
int64_t conv2d_deep_scratch(const sizes *s); /* bytes */
ln_status conv2d_deep_backward_weights(const void *self, const ln_call *call);

/* What a call returns to which host->packed gave nothing. */
static inline ln_status not_packed(const ln_call *call) {
  return call->host->cancelled(call->host) ? LN_CANCELLED : LN_FAILED;
}

/* ---- the methods' functions ---------------------------------------------- */

ln_status im2col_plan(const void *self, ln_infer *io);
ln_status im2col_1x1_plan(const void *self, ln_infer *io); /* 1x1 filters */
ln_status im2col_forward(const void *self, const ln_call *call);
ln_status im2col_backward(const void *self, const ln_call *call);

/* Kernel files are compiled once for each instruction set. */
#define DECLARE_METHOD(method, suffix)                                         \
  ln_status method##_plan_##suffix(const void *self, ln_infer *io);            \
  ln_status method##_forward_##suffix(const void *self, const ln_call *c);     \
  ln_status method##_backward_##suffix(const void *self, const ln_call *c);
#define DECLARE_WEIGHTS(method, suffix)                                        \
  ln_status method##_backward_weights_##suffix(const void *self,               \
                                               const ln_call *c);

#define DECLARE_METHODS(suffix)                                                \
  DECLARE_METHOD(two_by_two, suffix)                                           \
  DECLARE_WEIGHTS(two_by_two, suffix)                                          \
  DECLARE_METHOD(winograd, suffix)                                             \
  DECLARE_WEIGHTS(winograd, suffix)                                            \
  ln_status winograd_any_plan_##suffix(const void *self, ln_infer *io);        \
  DECLARE_METHOD(direct, suffix)                                               \
  ln_status direct_deep_plan_##suffix(const void *self, ln_infer *io);         \
  ln_status direct_deep_backward_##suffix(const void *self, const ln_call *c); \
  DECLARE_METHOD(batch, suffix)                                                \
  ln_status batch_any_plan_##suffix(const void *self, ln_infer *io);           \
  DECLARE_METHOD(batch_winograd, suffix)                                       \
  ln_status batch_winograd_any_plan_##suffix(const void *self, ln_infer *io);  \
  DECLARE_METHOD(depthwise, suffix)                                            \
  DECLARE_METHOD(pointwise, suffix)

LN_DECLARE_FOR_EACH_ISA(DECLARE_METHODS)

/* ---- small things -------------------------------------------------------- */

static inline int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}
static inline int64_t larger(int64_t a, int64_t b) {
  return a > b ? a : b;
}
static inline int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

#endif
