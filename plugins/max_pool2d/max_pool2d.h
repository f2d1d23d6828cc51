/* max_pool2d.h - what the files of this layer share. */
#ifndef MAX_POOL2D_H
#define MAX_POOL2D_H

#include <lunet/kernels/per_isa.h>
#include <lunet/plugin.h>

typedef struct max_pool2d {
  int64_t kernel_size[2], stride[2], padding[2], dilation[2]; /* rows, cols */
  bool ceil_mode, strict;
} max_pool2d;

/* Windows of size x size with stride 2, and no wider a border than that. */
static inline bool has_window(const max_pool2d *o, int64_t size,
                              int64_t most_padding) {
  for (int d = 0; d < 2; d++)
    if (o->kernel_size[d] != size || o->stride[d] != 2 ||
        o->padding[d] > most_padding || o->dilation[d] != 1)
      return false;
  return true;
}

/* pairs.c and threes.c, compiled for each instruction set. */
#define DECLARE_METHOD(name, suffix)                                           \
  ln_status name##_plan_##suffix(const void *self, ln_infer *io);              \
  ln_status name##_forward_##suffix(const void *self, const ln_call *call);    \
  ln_status name##_backward_##suffix(const void *self, const ln_call *call);
#define DECLARE_METHODS(suffix)                                                \
  DECLARE_METHOD(pairs, suffix)                                                \
  DECLARE_METHOD(threes, suffix)
LN_DECLARE_FOR_EACH_ISA(DECLARE_METHODS)

#endif
