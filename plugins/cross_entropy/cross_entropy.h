/* cross_entropy.h - what the files of this layer share. */
#ifndef CROSS_ENTROPY_H
#define CROSS_ENTROPY_H

#include <lunet/kernels/per_isa.h>
#include <lunet/plugin.h>

typedef struct cross_entropy {
  double label_smoothing;
  int reduction;
} cross_entropy;

enum { MEAN = 0, SUM = 1 };

/* Refuses a label that is no class. */
ln_status cross_entropy_check_labels(const ln_call *call);

/* The one loss of a call, from the sum of all items' losses. */
static inline float cross_entropy_reduced(const cross_entropy *o, double sum,
                                          int64_t N) {
  return (float)(o->reduction == MEAN ? sum / (double)N : sum);
}

/* What an item's dx is a multiple of: dy, or dy / N. */
static inline float cross_entropy_scale(const cross_entropy *o,
                                        const ln_call *call) {
  const double dy = ln_dy(call, 0)[0], N = (double)ln_x_dim(call, 0, 0);
  return (float)(o->reduction == MEAN ? dy / N : dy);
}

#define DECLARE_VECTOR(isa)                                                    \
  ln_status vector_plan_##isa(const void *self, ln_infer *io);                 \
  ln_status vector_forward_##isa(const void *self, const ln_call *call);       \
  ln_status vector_backward_##isa(const void *self, const ln_call *call);
LN_DECLARE_FOR_EACH_ISA(DECLARE_VECTOR)

#endif
