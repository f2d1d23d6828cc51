/* max_pool2d.h - what the files of this layer share. */
#ifndef MAX_POOL2D_H
#define MAX_POOL2D_H

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

/* pairs.c is compiled once for each instruction set; LN_SUFFIX is its name,
 * and FOR_ISA(pairs_forward) is pairs_forward_avx512. */
#define JOIN_(a, b)   a##_##b
#define JOIN(a, b)    JOIN_(a, b)
#define FOR_ISA(name) JOIN(name, LN_SUFFIX)

#define DECLARE_PAIRS(suffix)                                                  \
  ln_status pairs_plan_##suffix(const void *self, ln_infer *io);               \
  ln_status pairs_forward_##suffix(const void *self, const ln_call *call);     \
  ln_status pairs_backward_##suffix(const void *self, const ln_call *call);

DECLARE_PAIRS(baseline)
#ifdef __x86_64__
DECLARE_PAIRS(avx2)
DECLARE_PAIRS(avx512)
#endif

#endif
