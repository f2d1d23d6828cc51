/* parts.c - the passes of batch_norm2d's method "parts" over the pixels, for
 * one instruction set. Sums run in vectors of floats, see
 * lunet/kernels/moments.h. */
#include "batch_norm2d.h"

#include <lunet/kernels/each_isa.h>
#include <lunet/kernels/finish.h>
#include <lunet/kernels/moments.h>

static const float *plane_of(const float *x, const sizes *s, int64_t n,
                             int64_t c) {
  return x + (n * s->C + c) * s->pixels;
}

/* A block of sums has a price, which a small plane is not worth: as many of
 * them as fill one lie side by side first. */
static void add_small_planes(const sizes *s, const float *x, int64_t c,
                             ln_moments *m) {
  float room[LN_SUM_BLOCK];
  int64_t filled = 0;
  for (int64_t n = 0; n < s->N; n++) {
    ln_copy_short(room + filled, plane_of(x, s, n, c), s->pixels);
    filled += s->pixels;
    if (n + 1 < s->N && filled + s->pixels <= LN_SUM_BLOCK) continue;
    ln_moments_add(m, room, filled);
    filled = 0;
  }
}

static void add_planes(const sizes *s, const float *x, int64_t c,
                       ln_moments *m) {
  for (int64_t n = 0; n < s->N; n++)
    ln_moments_add(m, plane_of(x, s, n, c), s->pixels);
}

ln_status LN_FOR_ISA(parts_forward_partial)(const void *self,
                                            const ln_call *call) {
  (void)self;
  const sizes s = sizes_of(call);
  ln_moments *moments = (void *)call->partial;
  for (int64_t c = 0; c < s.C; c++) {
    moments[c] = (ln_moments){ 0, 0, 0 };
    if (2 * s.pixels <= LN_SUM_BLOCK)
      add_small_planes(&s, ln_x(call, 0), c, &moments[c]);
    else
      add_planes(&s, ln_x(call, 0), c, &moments[c]);
  }
  return LN_OK;
}

static void normalise_plane(const ln_finish *all, int64_t c, const float *x,
                            int64_t n, float *y) {
  const ln_finisher f = ln_finish_channel(all, c);
  const float mean = f.mean[0], scale = f.scale[0], shift = f.shift[0];
  int64_t i = 0;
  for (; i + LN_VECTOR <= n; i += LN_VECTOR)
    ln_store(y + i, ln_finished(&f, ln_load(x + i)));
  for (; i < n; i++) {
    const float v = (x[i] - mean) * scale + shift;
    y[i] = f.rectify && v <= 0 ? 0 : v;
  }
}

ln_status LN_FOR_ISA(parts_forward)(const void *self, const ln_call *call) {
  (void)self;
  const sizes s = sizes_of(call);
  const ln_finish finish = ln_finish_of(call, s.C);
  const float *x = ln_x(call, 0);
  float *y = ln_y(call, 0);
  for (int64_t n = 0; n < s.N; n++)
    for (int64_t c = 0; c < s.C; c++, x += s.pixels, y += s.pixels)
      normalise_plane(&finish, c, x, s.pixels, y);
  return LN_OK;
}

ln_status LN_FOR_ISA(parts_backward_partial)(const void *self,
                                             const ln_call *call) {
  (void)self;
  const sizes s = sizes_of(call);
  const all_channels k = channels_of(call, s.C);
  ln_sums *sums = (void *)call->partial;
  for (int64_t c = 0; c < s.C; c++) {
    sums[c] = (ln_sums){ 0, 0 };
    for (int64_t n = 0; n < s.N; n++)
      ln_sums_add(&sums[c], plane_of(ln_dy(call, 0), &s, n, c),
                  plane_of(ln_x(call, 0), &s, n, c), k.slope[c].of.mean,
                  s.pixels);
  }
  return LN_OK;
}

static void gradient_plane(const all_channels *k, int64_t c, const float *x,
                           const float *dy, int64_t n, float *dx) {
  const slope *of = &k->slope[c];
  const float mean = k->mean[c], along_dy = of->along_dy;
  const float along_x = of->along_x, along = of->along;
  LN_INDEPENDENT
  for (int64_t i = 0; i < n; i++)
    dx[i] = along_dy * dy[i] + (along_x * (x[i] - mean) + along);
}

ln_status LN_FOR_ISA(parts_backward)(const void *self, const ln_call *call) {
  (void)self;
  const sizes s = sizes_of(call);
  const all_channels k = channels_of(call, s.C);
  const float *x = ln_x(call, 0), *dy = ln_dy(call, 0);
  float *dx = ln_dx(call, 0);
  for (int64_t n = 0; n < s.N; n++)
    for (int64_t c = 0; c < s.C; c++) {
      gradient_plane(&k, c, x, dy, s.pixels, dx);
      x += s.pixels, dy += s.pixels, dx += s.pixels;
    }
  return LN_OK;
}
