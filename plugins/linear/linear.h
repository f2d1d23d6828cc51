/* linear.h - what the files of this layer share. */
#ifndef LINEAR_H
#define LINEAR_H

#include <lunet/kernels/per_isa.h>
#include <lunet/plugin.h>

typedef struct linear {
  int64_t in_features, out_features;
  bool bias;
} linear;

/* The letters of the head of linear.c. */
typedef struct sizes {
  int64_t N, C, K;
} sizes;

static inline sizes sizes_of(const linear *o, const ln_call *call) {
  return (sizes){ ln_x_dim(call, 0, 0), o->in_features, o->out_features };
}

#define DECLARE(isa)                                                           \
  ln_status dot_plan_##isa(const void *self, ln_infer *io);                    \
  ln_status dot_forward_##isa(const void *self, const ln_call *call);          \
  ln_status matmul_forward_##isa(const void *self, const ln_call *call);       \
  ln_status matmul_backward_##isa(const void *self, const ln_call *call);      \
  ln_status matmul_backward_weights_##isa(const void *self,                    \
                                          const ln_call *call);
LN_DECLARE_FOR_EACH_ISA(DECLARE)

#endif
