/* direct.h - how the direct method looks at one pass.
 *
 * Forward and the gradient of x are the same sum over taps,
 *
 *     out[n,k, q*out_step + phase] = start[k] + sum over c and taps t of
 *         w[k,c,t] * in[n,c, q*in_step + shift[t]]
 *
 * in rows as in columns. Forward has in = x, in_step = S, and shift[ky] =
 * ky*D - P. The gradient has in = dy and out = dx: pixel iy of x met weight ky
 * where oy = (iy + P - ky*D) / S, if that is whole. So the pixels of dx fall
 * into S phases, iy = q*S + phase, each with taps of its own:
 * shift[ky] = (phase + P - ky*D) / S, in_step = 1. */
#ifndef DIRECT_H
#define DIRECT_H

#include "conv2d.h"

#include <lunet/kernels/lanes.h>
#include <lunet/kernels/tap_product.h>

enum { MOST_STEP = 4, MOST_PHASES = MOST_STEP * MOST_STEP };

/* Rows (or columns) of a pass. Its taps are first_tap, first_tap + every, ...;
 * their shifts go in equal steps, too. */
typedef struct axis {
  int64_t taps, first_tap, every;
  int64_t shift, shift_step; /* of the first tap; from one to the next */
  int64_t in_size, in_step;
  int64_t size; /* number of q */
  int64_t out_size, out_step, phase;
} axis;

static inline axis forward_axis(const sizes *s, int d) {
  return (axis){ .taps = d ? s->KW : s->KH,
                 .every = 1,
                 .shift = -s->P[d],
                 .shift_step = s->D[d],
                 .in_size = d ? s->W : s->H,
                 .in_step = s->S[d],
                 .size = d ? s->OW : s->OH,
                 .out_size = d ? s->OW : s->OH,
                 .out_step = 1 };
}

static inline axis gradient_axis(const sizes *s, int d, int64_t phase) {
  const int64_t K = d ? s->KW : s->KH, S = s->S[d], D = s->D[d];
  int64_t first = 0, every = 1;
  while (first < K && (phase + s->P[d] - first * D) % S != 0) first++;
  while (every * D % S != 0) every++;
  axis a = { .first_tap = first,
             .every = every,
             .shift_step = -(every * D / S),
             .in_size = d ? s->OW : s->OH,
             .in_step = 1,
             .out_size = d ? s->W : s->H,
             .out_step = S,
             .phase = phase };
  a.size = a.out_size > phase ? divide_up(a.out_size - phase, S) : 0;
  if (first < K) {
    a.taps = (K - 1 - first) / every + 1;
    a.shift = (phase + s->P[d] - first * D) / S;
  }
  return a;
}

/* The smallest shift, and how many pixels the taps span. */
static inline int64_t lowest(const axis *a) {
  return a->shift + smaller(0, (a->taps - 1) * a->shift_step);
}
static inline int64_t span(const axis *a) {
  const int64_t s = (a->taps - 1) * a->shift_step;
  return a->taps ? (s < 0 ? -s : s) + 1 : 1;
}

/* What several axes of one pass reach together, as an axis. */
static inline axis reach_of(const axis *a, int64_t n) {
  int64_t first = lowest(&a[0]), last = first + span(&a[0]);
  axis all = a[0];
  for (int64_t i = 1; i < n; i++) {
    first = smaller(first, lowest(&a[i]));
    last = larger(last, lowest(&a[i]) + span(&a[i]));
    all.size = larger(all.size, a[i].size);
  }
  all.shift = first, all.shift_step = 1, all.taps = last - first;
  return all;
}

/* Room for so many offsets, of 64 bits each. */
static inline int64_t offset_floats(int64_t offsets) {
  return divide_up(2 * offsets, LN_VECTOR) * LN_VECTOR;
}

/* What a task reads, copied: rows of all channels of a group, with zeros
 * around, and columns sorted by column % in_step, so that neighbouring q are
 * neighbours in memory whatever the stride. Behind a row there are zeros for a
 * vector that reaches too far. */
typedef struct planes {
  int64_t channels;
  int64_t rows, columns; /* columns of one column phase */
  int64_t row, plane;    /* floats of a whole row, of a channel */
  int64_t q_row;         /* floats from one q to the next row's */
} planes;

static inline planes planes_of(int64_t channels, const axis *y, const axis *x,
                               int64_t q_rows) {
  planes p = { .channels = channels };
  p.rows = (q_rows - 1) * y->in_step + span(y);
  p.columns = divide_up(x->size, LN_VECTOR) * LN_VECTOR +
              divide_up(span(x), x->in_step);
  p.row = p.columns * x->in_step;
  p.plane = p.rows * p.row;
  p.q_row = p.row * y->in_step;
  return p;
}

/* Rows are written from front to back by whole vectors: what one of them
 * writes too much, the next sets right; behind the last there is room. */
static inline int64_t plane_floats(const planes *p) {
  return p->channels * p->plane + LN_VECTOR;
}

/* One column phase: its columns [begin, end) lie in the image. */
typedef struct stretch {
  int64_t begin, end, from; /* from: where column `begin` lies in x */
} stretch;

static inline stretch stretch_of(const planes *p, const axis *x,
                                 int64_t phase) {
  const int64_t left = lowest(x) + phase, step = x->in_step;
  const int64_t outside = left < 0 ? divide_up(-left, step) : 0;
  const int64_t inside =
      x->in_size > left ? divide_up(x->in_size - left, step) : 0;
  stretch s = { .begin = smaller(outside, p->columns) };
  s.end = larger(smaller(inside, p->columns), s.begin);
  s.from = left + s.begin * step;
  return s;
}

/* Every step-th of n floats, as many as a vector has; then zeros. */
LN_INLINE ln_vector load_every(const float *p, int64_t step, int64_t n) {
  if (step == 1) return ln_load_first(p, n, 0);
  if (step == 2) {
    const ln_vector a = ln_load_first(p, n, 0);
    const int64_t rest = n - LN_VECTOR;
    const ln_vector b =
        rest > 0 ? ln_load_first(p + LN_VECTOR, rest, 0) : (ln_vector){ 0 };
    return LN_PICK(a, b, LN_EVEN);
  }
  ln_vector v = { 0 };
  for (int i = 0; i < LN_VECTOR && i * step < n; i++) v[i] = p[i * step];
  return v;
}

static inline void clear_row(float *to, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i += LN_VECTOR)
    ln_store(to + i, (ln_vector){ 0 });
}

/* `row` of in_size floats. */
LN_INLINE void load_row(stretch s, int64_t columns, int64_t step,
                        const float *row, int64_t in_size, float *to) {
  int64_t i = s.begin, at = s.from;
  clear_row(to, 0, i);
  for (; i < s.end; i += LN_VECTOR, at += step * LN_VECTOR)
    ln_store(to + i, load_every(row + at, step, in_size - at));
  clear_row(to, i, columns);
}

/* The planes of rows [q, ...) of an image's group; `image` is its first
 * channel. Always inlined, with its step known, and of copies of all sizes:
 * then they stay in registers. */
LN_INLINE void load_planes_(const planes p, const axis y, const axis x,
                            int64_t step, const float *image, int64_t q,
                            float *to) {
  const int64_t top = q * y.in_step + lowest(&y);
  stretch s[MOST_STEP];
  for (int64_t i = 0; i < step; i++) s[i] = stretch_of(&p, &x, i);
  for (int64_t c = 0; c < p.channels; c++, image += y.in_size * x.in_size)
    for (int64_t r = 0; r < p.rows; r++, to += p.row) {
      const int64_t iy = top + r;
      if (iy < 0 || iy >= y.in_size)
        clear_row(to, 0, p.row);
      else
        for (int64_t i = 0; i < step; i++)
          load_row(s[i], p.columns, step, image + iy * x.in_size, x.in_size,
                   to + i * p.columns);
    }
}

static inline void load_planes(const planes *p, const axis *y, const axis *x,
                               const float *image, int64_t q, float *to) {
  if (x->in_step == 1)
    load_planes_(*p, *y, *x, 1, image, q, to);
  else if (x->in_step == 2)
    load_planes_(*p, *y, *x, 2, image, q, to);
  else
    load_planes_(*p, *y, *x, x->in_step, image, q, to);
}

/* Where each tap of axes y, x looks in planes made for reach_y, reach_x; in
 * order of c, row, column. */
static inline void list_offsets(const planes *p, const axis *reach_y,
                                const axis *reach_x, const axis *y,
                                const axis *x, int64_t *offset) {
  const int64_t channels = p->channels, plane = p->plane;
  const int64_t taps = y->taps * x->taps, step = x->in_step;
  int64_t *at = offset;
  for (int64_t i = 0; i < y->taps; i++)
    for (int64_t m = 0; m < x->taps; m++) {
      const int64_t row = y->shift + i * y->shift_step - lowest(reach_y);
      const int64_t column = x->shift + m * x->shift_step - lowest(reach_x);
      *at++ = row * p->row +
              (step == 1 ? column : column % step * p->columns + column / step);
    }
  for (int64_t c = 1; c < channels; c++)
    for (int64_t t = 0; t < taps; t++) *at++ = offset[t] + c * plane;
}

/* Rows of a task: planes of about so many bytes, and at least `bands` tasks. */
enum { PLANE_BYTES = 192 << 10 };

static inline int64_t band_rows(int64_t channels, const axis *y, const axis *x,
                                int64_t bands) {
  const planes one = planes_of(channels, y, x, 1);
  const int64_t bytes = channels * one.q_row * (int64_t)sizeof(float);
  const int64_t rows = larger(1, smaller(PLANE_BYTES / larger(bytes, 1),
                                         divide_up(larger(y->size, 1), bands)));
  return smaller(rows, larger(y->size, 1));
}

#endif
