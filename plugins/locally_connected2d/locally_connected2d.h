/* locally_connected2d.h - what the files of this layer share. */
#ifndef LOCALLY_CONNECTED2D_H
#define LOCALLY_CONNECTED2D_H

#include <lunet/kernels/per_isa.h>
#include <lunet/plugin.h>

typedef struct locally_connected2d {
  int64_t in_channels, out_channels;
  int64_t input_size[2], kernel_size[2], stride[2], padding[2]; /* rows, cols */
  bool bias, strict;
} locally_connected2d;

/* The letters of the head of locally_connected2d.c. */
typedef struct sizes {
  int64_t N, C, H, W, K, OH, OW, KH, KW;
  int64_t S[2], P[2];
} sizes;

static inline sizes sizes_from(const locally_connected2d *o, const ln_shape *x,
                               const ln_shape *y) {
  return (sizes){
    .N = x->dim[0],
    .C = x->dim[1],
    .H = x->dim[2],
    .W = x->dim[3],
    .K = y->dim[1],
    .OH = y->dim[2],
    .OW = y->dim[3],
    .KH = o->kernel_size[0],
    .KW = o->kernel_size[1],
    .S = { o->stride[0], o->stride[1] },
    .P = { o->padding[0], o->padding[1] },
  };
}

static inline sizes sizes_of(const locally_connected2d *o,
                             const ln_call *call) {
  return sizes_from(o, &call->x[0]->shape, &call->y[0]->shape);
}

/* db[k,oy,ox] = sum over n of dy[n,k,oy,ox], where it is wanted. */
void locally_connected2d_bias_gradient(const sizes *s, const ln_call *call);

/* lanes.c, compiled for each instruction set. */
#define DECLARE_LANES(suffix)                                                  \
  ln_status lanes_plan_##suffix(const void *self, ln_infer *io);               \
  ln_status lanes_forward_##suffix(const void *self, const ln_call *c);        \
  ln_status lanes_backward_##suffix(const void *self, const ln_call *c);       \
  ln_status lanes_backward_weights_##suffix(const void *self, const ln_call *c);

LN_DECLARE_FOR_EACH_ISA(DECLARE_LANES)

#endif
