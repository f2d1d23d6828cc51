/* batch_norm2d.h - what the files of this layer share. */
#ifndef BATCH_NORM2D_H
#define BATCH_NORM2D_H

#include <lunet/kernels/per_isa.h>
#include <lunet/plugin.h>

typedef struct batch_norm2d {
  int64_t num_features;
  double eps, momentum;
  bool affine;
} batch_norm2d;

/* The letters of the head of batch_norm2d.c. */
typedef struct sizes {
  int64_t N, C, pixels; /* H*W */
  int64_t M;
} sizes;

static inline sizes sizes_of(const ln_call *call) {
  const int64_t *x = call->x[0]->shape.dim;
  return (sizes){ x[0], x[1], x[2] * x[3], x[0] * x[2] * x[3] };
}

/* What forward found out about a channel, kept for backward. */
typedef struct statistics {
  double mean, scale; /* scale: 1 / sqrt(var + eps) */
  bool of_batch;      /* they move with x; else they are the running ones */
} statistics;

/* What all slices of the method "parts" know of a channel. */
typedef struct channel {
  statistics of;
  float mean, scale, shift;       /* y = (x - mean) * scale + shift */
  float along_dy, along_x, along; /* dx = along_dy dy + along_x (x - mean) +
                                     along */
} channel;

/* What parts.c has for each instruction set: the passes over the pixels. */
#define DECLARE_PARTS(isa)                                                     \
  ln_status parts_forward_partial_##isa(const void *self,                      \
                                        const ln_call *call);                  \
  ln_status parts_forward_##isa(const void *self, const ln_call *call);        \
  ln_status parts_backward_partial_##isa(const void *self,                     \
                                         const ln_call *call);                 \
  ln_status parts_backward_##isa(const void *self, const ln_call *call);
LN_DECLARE_FOR_EACH_ISA(DECLARE_PARTS)

#endif
