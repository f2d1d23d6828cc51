/* lunet/kernels/finish.h - what a kernel does to y before it stores it, where
 * it has been asked to do the work of the layers behind in passing: batch norm
 * in evaluation, then a ReLU (see "Activations" in plugin.h).
 *
 *     ln_finish all = ln_finish_of(call, C);
 *     ln_finisher f = ln_finish_lanes(&all, c);      channels c, c + 1, ...
 *     ln_store(at, ln_finished(&f, y)); */
#ifndef LUNET_KERNELS_FINISH_H
#define LUNET_KERNELS_FINISH_H

#include <lunet/kernels/lanes.h>
#include <lunet/plugin.h>

/* For all C channels of y. All 0: nothing is done. */
typedef struct ln_finish {
  int64_t C;
  const float *affine; /* mean[C], scale[C], shift[C]; NULL: none */
  bool rectify;
} ln_finish;

/* For rows without passes in parts, and for the batch norm itself. */
static inline ln_finish ln_finish_of(const ln_call *call, int64_t C) {
  return (ln_finish){ C, call->shared, call->activation == LN_IS_RELU };
}

/* For a vector of numbers. */
typedef struct ln_finisher {
  ln_vector mean, scale, shift;
  bool affine, rectify;
} ln_finisher;

/* Lane i is of channel c + i. */
LN_INLINE ln_finisher ln_finish_lanes(const ln_finish *all, int64_t c) {
  const float *a = all->affine;
  ln_finisher f = { .affine = a != NULL, .rectify = all->rectify };
  if (!a) return f;
  f.mean = ln_load_before(a + c, a + all->C), a += all->C;
  f.scale = ln_load_before(a + c, a + all->C), a += all->C;
  f.shift = ln_load_before(a + c, a + all->C);
  return f;
}

/* All lanes are of channel c. */
LN_INLINE ln_finisher ln_finish_channel(const ln_finish *all, int64_t c) {
  const float *a = all->affine;
  ln_finisher f = { .affine = a != NULL, .rectify = all->rectify };
  if (!a) return f;
  f.mean = (ln_vector){ 0 } + a[c];
  f.scale = (ln_vector){ 0 } + a[all->C + c];
  f.shift = (ln_vector){ 0 } + a[2 * all->C + c];
  return f;
}

LN_INLINE ln_vector ln_finished(const ln_finisher *f, ln_vector y) {
  if (f->affine) y = (y - f->mean) * f->scale + f->shift;
  return f->rectify ? ln_rectify(y) : y;
}

#endif
