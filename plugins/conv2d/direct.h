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

/* Always inlined with its step known, so that steps 1 and 2 become vectors. */
LN_INLINE void copy_steps(const float *from, int64_t step, int64_t n,
                          float *to) {
  for (int64_t i = 0; i < n; i++) to[i] = from[i * step];
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

static inline void load_row(const planes *p, const stretch *s, int64_t step,
                            const float *row, float *to) {
  const int64_t n = s->end - s->begin;
  ln_clear_short(to, s->begin);
  if (step == 1)
    ln_copy_short(to + s->begin, row + s->from, n);
  else if (step == 2)
    copy_steps(row + s->from, 2, n, to + s->begin);
  else
    copy_steps(row + s->from, step, n, to + s->begin);
  ln_clear_short(to + s->end, p->columns - s->end);
}

/* The planes of rows [q, ...) of an image's group; `image` is its first
 * channel. */
static inline void load_planes(const planes *p, const axis *y, const axis *x,
                               const float *image, int64_t q, float *to) {
  const int64_t top = q * y->in_step + lowest(y);
  for (int64_t phase = 0; phase < x->in_step; phase++) {
    const stretch s = stretch_of(p, x, phase);
    for (int64_t c = 0; c < p->channels; c++)
      for (int64_t r = 0; r < p->rows; r++) {
        const int64_t iy = top + r;
        float *at = to + c * p->plane + r * p->row + phase * p->columns;
        if (iy < 0 || iy >= y->in_size)
          ln_clear_short(at, p->columns);
        else
          load_row(p, &s, x->in_step,
                   image + (c * y->in_size + iy) * x->in_size, at);
      }
  }
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
