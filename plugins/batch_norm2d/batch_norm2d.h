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

/* What backward of the method "parts" knows of a channel:
 * dx = along_dy dy + along_x (x - mean) + along */
typedef struct slope {
  statistics of;
  float along_dy, along_x, along;
} slope;

/* What all slices of the method "parts" know of the C channels. */
typedef struct all_channels {
  float *mean, *scale, *shift; /* y = (x - mean) * scale + shift; they come
                                  first, see LN_IS_CHANNEL_AFFINE */
  slope *slope;
} all_channels;

/* An even number of floats, as doubles come behind them. */
static inline int64_t affine_bytes(int64_t C) {
  return (3 * C + 1) / 2 * 2 * (int64_t)sizeof(float);
}

static inline all_channels channels_of(const ln_call *call, int64_t C) {
  float *mean = call->shared;
  return (all_channels){ mean, mean + C, mean + 2 * C,
                         (slope *)((char *)call->shared + affine_bytes(C)) };
}

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
