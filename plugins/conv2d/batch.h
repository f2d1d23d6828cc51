/* batch.h - images turned, for the method "batch": each pixel of LN_VECTOR
 * images is a vector, an image a lane. */
#ifndef BATCH_H
#define BATCH_H

#include "direct.h"

/* The channels of a group with all zeros around that taps on these axes may
 * reach. Sizes count pixels, that is vectors. */
typedef struct turned {
  int64_t channels, H, W;    /* of the images themselves */
  int64_t top, left, bottom; /* zeros */
  int64_t row, plane;        /* of a row with its zeros, of a channel */
} turned;

static inline turned turned_of(int64_t channels, const axis *y, const axis *x) {
  turned t = { .channels = channels, .H = y->in_size, .W = x->in_size };
  t.top = larger(0, -lowest(y)), t.left = larger(0, -lowest(x));
  const int64_t rows = y->size + lowest(y) + span(y) - 1;
  const int64_t columns = x->size + lowest(x) + span(x) - 1;
  t.bottom = larger(0, rows - t.H);
  t.row = t.left + larger(columns, t.W);
  t.plane = (t.top + t.H + t.bottom) * t.row;
  return t;
}

/* The rows of the images alone, as an axis: no zeros above and below. */
static inline axis rows_alone(const axis *y) {
  return (axis){ .taps = 1, .in_size = y->in_size, .size = y->in_size };
}

/* Turning goes in whole squares: behind the last row one may reach too far. */
static inline int64_t turned_floats(const turned *t) {
  return (t->channels * t->plane + LN_VECTOR) * LN_VECTOR;
}

static inline void clear_pixels(float *to, int64_t pixels) {
  memset(to, 0, (size_t)(pixels * LN_VECTOR) * sizeof *to);
}

/* Row by row, so that what a row's last square spills is set right when its
 * place comes. `image` is the first row of the first of some images, `next`
 * from one of them to the next. */
static inline void turn_rows(const turned *t, const float *image, int64_t next,
                             int64_t images, const float *end, float *to) {
  const int64_t right = t->row - t->left - t->W;
  for (int64_t c = 0; c < t->channels; c++) {
    clear_pixels(to, t->top * t->row);
    to += t->top * t->row * LN_VECTOR;
    for (int64_t r = 0; r < t->H; r++, to += t->row * LN_VECTOR) {
      clear_pixels(to, t->left);
      ln_to_lanes(image + (c * t->H + r) * t->W, next, images, t->W, end,
                  to + t->left * LN_VECTOR);
      clear_pixels(to + (t->left + t->W) * LN_VECTOR, right);
    }
    clear_pixels(to, t->bottom * t->row);
    to += t->bottom * t->row * LN_VECTOR;
  }
}

/* `end` as in ln_to_lanes. */
static inline void turn(const turned *t, const float *image, int64_t next,
                        int64_t images, const float *end, float *to) {
  const int64_t pixels = t->channels * t->H * t->W;
  if (t->plane == t->H * t->W) /* no zeros */
    ln_to_lanes(image, next, images, pixels, end, to);
  else
    turn_rows(t, image, next, images, end, to);
}

/* Where each tap looks, in order of row, channel, column; from the pixel that
 * lies where the output does. */
static inline void list_turned_offsets(const turned *t, const axis *y,
                                       const axis *x, int64_t *offset) {
  for (int64_t i = 0; i < y->taps; i++)
    for (int64_t c = 0; c < t->channels; c++)
      for (int64_t m = 0; m < x->taps; m++) {
        const int64_t row = t->top + y->shift + i * y->shift_step;
        const int64_t column = t->left + x->shift + m * x->shift_step;
        *offset++ = (c * t->plane + row * t->row + column) * LN_VECTOR;
      }
}

/* Rows of a band of so many channels: they stay in the nearest cache, and fill
 * whole squares when they are turned. */
static inline int64_t turned_rows(int64_t channels, const axis *y,
                                  const axis *x) {
  enum { BAND_BYTES = 40 << 10 };
  const int64_t bytes = channels * x->size * LN_VECTOR * (int64_t)sizeof(float);
  const int64_t square = divide_up(LN_VECTOR, larger(x->size, 1));
  const int64_t rows = larger(square, BAND_BYTES / larger(bytes, 1));
  return larger(1, smaller(rows, y->size));
}

void LN_FOR_ISA(batch_weights_plan)(const sizes *s, ln_infer *io);
ln_status LN_FOR_ISA(batch_backward_weights)(const sizes *s,
                                             const ln_call *call);

#endif
