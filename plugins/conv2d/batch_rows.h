/* batch_rows.h - rows of outputs from turned rows, for methods whose lanes are
 * images: for some filters at a time, sums over taps of neighbouring pixels
 * grow in registers. Rows of taps that lie outside the image are left out: for
 * small maps and large filters that is a good part of all products. */
#ifndef BATCH_ROWS_H
#define BATCH_ROWS_H

#include "batch_pass.h"

typedef struct row_sums {
  const axis *y;
  int64_t columns;        /* outputs of a row */
  int64_t row;            /* pixels from one turned row to the next */
  int64_t tap_row;        /* taps in a row of a filter, all channels */
  const int64_t *offset;  /* from the first row of taps that is taken; in
                             order of row, channel, column, as w */
  int64_t K, filters;     /* of a group; of one call of the kernel */
  const float *w, *start; /* of the group; start NULL: 0 */
  int64_t to_filter;      /* pixels of an output's plane */
  ln_finish finish;
  int64_t first; /* filter of the group, as `finish` counts them */
} row_sums;

/* Filters fall into parts of about the same size, as many as the kernel takes
 * by four vectors. */
static inline int64_t filters_of_part(int64_t K) {
  return divide_up(K, divide_up(K, LN_FEW_FILTERS));
}

/* The rows of taps [begin, end) that lie in the image for row q. */
typedef struct taps_inside {
  int64_t begin, end;
} taps_inside;

static inline bool is_inside(const axis *y, int64_t q, int64_t tap) {
  const int64_t row = q + y->shift + tap * y->shift_step;
  return row >= 0 && row < y->in_size;
}

static inline taps_inside taps_inside_of(const axis *y, int64_t q) {
  taps_inside t = { 0, y->taps };
  while (t.begin < t.end && !is_inside(y, q, t.begin)) t.begin++;
  while (t.end > t.begin && !is_inside(y, q, t.end - 1)) t.end--;
  return t;
}

/* Rows of outputs that meet the same taps. */
typedef struct run_of_rows {
  int64_t q, r, rows; /* the first of the output, of the band; how many */
} run_of_rows;

static inline run_of_rows run_at(const axis *y, int64_t q, int64_t r,
                                 int64_t end) {
  const taps_inside first = taps_inside_of(y, q);
  int64_t rows = 1;
  for (; r + rows < end; rows++) {
    const taps_inside next = taps_inside_of(y, q + rows);
    if (next.begin != first.begin || next.end != first.end) break;
  }
  return (run_of_rows){ q, r, rows };
}

/* Where the next pixels of a run lie, across the ends of rows. */
static inline void list_pixels(const row_sums *s, int64_t pixel,
                               ptrdiff_t *at) {
  int64_t row = pixel / s->columns, column = pixel % s->columns;
  for (int v = 0; v < LN_MOST_VECTORS; v++) {
    at[v] = (row * s->row + column) * LN_VECTOR;
    if (++column == s->columns) column = 0, row++;
  }
}

/* A run of rows of some filters, the first of them k. */
static inline void sum_run(const row_sums *s, const run_of_rows *n, int64_t k,
                           const float *from, float *to) {
  const int64_t filters = smaller(s->filters, s->K - k);
  const taps_inside inside = taps_inside_of(s->y, n->q);
  const ln_pixel_lanes f = {
    .taps = (inside.end - inside.begin) * s->tap_row,
    .offset = s->offset,
    .w = s->w + (k * s->y->taps + inside.begin * filters) * s->tap_row,
    .start = s->start ? s->start + k : NULL,
    .to_filter = s->to_filter * LN_VECTOR,
    .finish = &s->finish,
    .first = s->first + k,
  };
  if (f.taps)
    from += (n->q + s->y->shift + inside.begin * s->y->shift_step) * s->row *
            LN_VECTOR;
  to += (k * s->to_filter + n->r * s->columns) * LN_VECTOR;
  const int64_t all = n->rows * s->columns;
  for (int64_t i = 0; i < all; i += LN_MOST_VECTORS) {
    /* the last pixels overlap the ones before them */
    const int64_t first = smaller(i, all - LN_MOST_VECTORS);
    ptrdiff_t at[LN_MOST_VECTORS];
    list_pixels(s, first, at);
    ln_pixel_lanes_block(&f, filters, from, at, to + first * LN_VECTOR);
  }
}

/* `pixels` have no zeros above and below. */
static inline void list_row_offsets(const turned *pixels, const axis *y,
                                    const axis *x, int64_t *offset) {
  axis from_first = *y;
  from_first.shift = 0;
  list_turned_offsets(pixels, &from_first, x, offset);
}

/* Rows [q, q + rows), all filters. A row has LN_MOST_VECTORS outputs or
 * more. */
static inline void sum_rows(const row_sums *s, int64_t q, int64_t rows,
                            const float *from, float *to) {
  for (int64_t k = 0; k < s->K; k += s->filters)
    for (int64_t r = 0; r < rows;) {
      const run_of_rows n = run_at(s->y, q + r, r, rows);
      sum_run(s, &n, k, from, to);
      r += n.rows;
    }
}

#endif
