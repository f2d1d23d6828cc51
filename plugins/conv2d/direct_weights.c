/* direct_weights.c - dw of the direct method: sums over pixels, many weights at
 * a time.
 *
 * A few taps of one or two vectors of filters grow in registers while the
 * kernel walks over the pixels of a band of rows; x comes from planes as in
 * forward. A task has some filters for itself and walks through all images, so
 * each weight is one sum in a fixed order. As in forward, the lanes are filters
 * or, where there are few, pixels: then the lanes are added up at the end. */
#include "direct.h"

typedef struct job {
  axis y, x;
  int64_t N, G, C, K; /* C and K of a group */
  bool filter_lanes;
  int64_t part, parts; /* filters of a task; tasks of a group */
  int64_t rows;        /* of a band */
  planes planes;
  int64_t taps, padded; /* padded: room for whole calls of the kernel */
  int64_t columns;      /* of a row of dy, as the kernel reads it */
  const float *in, *dy, *dy_end;
  float *dw;
} job;

enum { DY_BYTES = 96 << 10 }; /* of a band */

static job job_of(const sizes *s) {
  job j = { .y = forward_axis(s, 0),
            .x = forward_axis(s, 1),
            .N = s->N,
            .G = s->G,
            .C = s->CG,
            .K = s->KG };
  j.filter_lanes = j.K >= LN_VECTOR;
  j.part = j.filter_lanes ? 2 * LN_VECTOR : LN_MOST_FILTERS;
  j.parts = divide_up(j.K, j.part);
  j.taps = j.C * s->KH * s->KW;
  j.padded = j.filter_lanes ? divide_up(j.taps, LN_MOST_TAPS) * LN_MOST_TAPS
                            : j.taps + LN_SPARE_TAPS;
  j.columns = j.filter_lanes ? s->OW : divide_up(s->OW, LN_VECTOR) * LN_VECTOR;
  const int64_t row_bytes = j.columns * j.part * (int64_t)sizeof(float);
  j.rows =
      smaller(band_rows(j.C, &j.y, &j.x, 1), larger(1, DY_BYTES / row_bytes));
  j.planes = planes_of(j.C, &j.y, &j.x, j.rows);
  return j;
}

/* ---- scratch: offsets, planes, dy, sums ---------------------------------- */

static int64_t dy_floats(const job *j) {
  return (j->rows * j->columns + LN_VECTOR) * j->part;
}
static int64_t sum_floats(const job *j) {
  return j->padded * (j->filter_lanes ? 2 : j->part) * LN_VECTOR;
}

typedef struct place {
  int64_t g, k, filters; /* group, first filter in it, how many */
  int64_t n, q, rows;    /* image, band */
  int64_t *offset;
  float *planes, *dy, *sums;
} place;

static place place_of(const job *j, int64_t task, void *scratch) {
  const int64_t k = task % j->parts * j->part;
  place p = { .g = task / j->parts,
              .k = k,
              .filters = smaller(j->part, j->K - k),
              .offset = scratch };
  p.planes = (float *)scratch + offset_floats(j->padded);
  p.dy = p.planes + plane_floats(&j->planes);
  p.sums = p.dy + dy_floats(j);
  list_offsets(&j->planes, &j->y, &j->x, &j->y, &j->x, p.offset);
  for (int64_t t = j->taps; t < j->padded; t++) p.offset[t] = 0;
  memset(p.sums, 0, (size_t)sum_floats(j) * sizeof(float));
  return p;
}

static const float *dy_rows(const job *j, const place *p, int64_t filter) {
  const int64_t channel = (p->n * j->G + p->g) * j->K + p->k + filter;
  return j->dy + (channel * j->y.size + p->q) * j->x.size;
}

/* ---- filters in the lanes ------------------------------------------------ */

static void add_filter_lanes(const job *j, const place *p) {
  const int64_t pixels = p->rows * j->x.size, plane = j->y.size * j->x.size;
  const int64_t part = divide_up(pixels, LN_VECTOR) * LN_VECTOR * LN_VECTOR;
  const int vectors = p->filters > LN_VECTOR ? 2 : 1;
  for (int v = 0; v < vectors; v++)
    ln_to_lanes(dy_rows(j, p, v * LN_VECTOR), plane,
                smaller(LN_VECTOR, p->filters - v * LN_VECTOR), pixels,
                j->dy_end, p->dy + v * part);
  for (int64_t t = 0; t < j->padded; t += LN_MOST_TAPS)
    ln_filter_gradient(vectors, p->rows, j->x.size, p->offset + t, p->planes,
                       j->planes.q_row, p->dy, part, p->sums + t * LN_VECTOR,
                       j->padded * LN_VECTOR);
}

static void store_filter_lanes(const job *j, const place *p) {
  for (int64_t k = 0; k < p->filters; k += LN_VECTOR)
    ln_from_lanes(p->sums + k * j->padded, j->taps,
                  j->dw + (p->g * j->K + p->k + k) * j->taps, j->taps,
                  smaller(LN_VECTOR, p->filters - k));
}

/* ---- pixels in the lanes ------------------------------------------------- */

static void add_pixel_lanes(const job *j, const place *p) {
  const int64_t filter = p->rows * j->columns;
  memset(p->dy, 0, (size_t)(filter * j->part) * sizeof *p->dy);
  for (int64_t k = 0; k < p->filters; k++)
    for (int64_t r = 0; r < p->rows; r++)
      memcpy(p->dy + k * filter + r * j->columns,
             dy_rows(j, p, k) + r * j->x.size,
             (size_t)j->x.size * sizeof *p->dy);
  const ln_pixel_gradient f = { .rows = p->rows,
                                .columns = j->columns,
                                .plane = p->planes,
                                .dy = p->dy,
                                .plane_row = j->planes.q_row,
                                .dy_filter = filter,
                                .sums_filter = j->padded * LN_VECTOR };
  ln_pixel_gradient_taps(&f, p->filters, j->taps, p->offset, p->sums);
}

static void store_pixel_lanes(const job *j, const place *p) {
  for (int64_t k = 0; k < p->filters; k++)
    for (int64_t t = 0; t < j->taps; t++) {
      const float *lanes = p->sums + (k * j->padded + t) * LN_VECTOR;
      j->dw[(p->g * j->K + p->k + k) * j->taps + t] =
          (float)ln_sum_of_lanes(ln_load(lanes));
    }
}

/* ---- the pass ------------------------------------------------------------ */

static void compute_task(const job *j, int64_t task, void *scratch) {
  place p = place_of(j, task, scratch);
  for (p.n = 0; p.n < j->N; p.n++)
    for (p.q = 0; p.q < j->y.size; p.q += j->rows) {
      p.rows = smaller(j->rows, j->y.size - p.q);
      load_planes(&j->planes, &j->y, &j->x,
                  j->in +
                      (p.n * j->G + p.g) * j->C * j->y.in_size * j->x.in_size,
                  p.q, p.planes);
      if (j->filter_lanes)
        add_filter_lanes(j, &p);
      else
        add_pixel_lanes(j, &p);
    }
  if (j->filter_lanes)
    store_filter_lanes(j, &p);
  else
    store_pixel_lanes(j, &p);
}

static void compute_tasks(void *arg, const ln_chunk *chunk) {
  for (int64_t i = chunk->begin; i < chunk->end; i++)
    compute_task(arg, i, chunk->scratch);
}

ln_status LN_FOR_ISA(direct_weights_plan)(const sizes *s, ln_infer *io) {
  const job j = job_of(s);
  const int64_t floats = offset_floats(j.padded) + plane_floats(&j.planes) +
                         dy_floats(&j) + sum_floats(&j);
  io->scratch = larger(io->scratch, floats * (int64_t)sizeof(float));
  return LN_OK;
}

ln_status LN_FOR_ISA(direct_backward_weights)(const sizes *s,
                                              const ln_call *call) {
  job j = job_of(s);
  j.in = ln_x(call, 0);
  j.dy = ln_dy(call, 0);
  j.dy_end = j.dy + call->dy[0]->count;
  j.dw = ln_dw(call, 0);
  return call->host->parallel_for(call, j.G * j.parts, 1, compute_tasks, &j);
}
