/* batch_weights.c - dw of the method "batch": for a few filters and taps at a
 * time, the sums of dy times x grow in registers over the pixels of some rows;
 * their lanes, the images, are added up at the end. A task has some filters for
 * itself and walks through all images, so each weight is one sum in a fixed
 * order. */
#include "batch.h"

typedef struct job {
  axis y, x;
  int64_t N, G, C, K;     /* C and K of a group */
  int64_t filters, parts; /* of a task; of K */
  int64_t rows;           /* of a band */
  int64_t taps, room;     /* room for whole vectors of taps, and what the
                             kernel wastes */
  turned x_turned;
  const float *in, *in_end, *dy, *dy_end;
  float *dw;
} job;

static job job_of(const sizes *s) {
  job j = { .y = forward_axis(s, 0),
            .x = forward_axis(s, 1),
            .N = s->N,
            .G = s->G,
            .C = s->CG,
            .K = s->KG };
  j.filters = divide_up(j.K, divide_up(j.K, LN_MOST_FILTERS));
  j.parts = divide_up(j.K, j.filters);
  j.rows = turned_rows(j.filters, &j.y, &j.x);
  j.taps = j.C * s->KH * s->KW;
  j.room = divide_up(j.taps + LN_SPARE_TAPS, LN_VECTOR) * LN_VECTOR;
  j.x_turned = turned_of(j.C, &j.y, &j.x);
  return j;
}

/* ---- scratch: offsets, x, dy of a band, sums ----------------------------- */

static int64_t offset_floats(const job *j) { /* of 64 bits each */
  return divide_up(2 * j->room, LN_VECTOR) * LN_VECTOR;
}
static int64_t dy_floats(const job *j) { /* and what the last square spills */
  return (j->filters * j->rows * j->x.size + LN_VECTOR) * LN_VECTOR;
}
static int64_t sum_floats(const job *j) {
  return j->filters * j->room * LN_VECTOR;
}

typedef struct place {
  int64_t g, k, filters; /* group, first filter in it, how many */
  int64_t *offset;
  float *x, *dy, *sums;
} place;

static place place_of(const job *j, int64_t task, float *scratch) {
  const int64_t k = task % j->parts * j->filters;
  place p = { .g = task / j->parts,
              .k = k,
              .filters = smaller(j->filters, j->K - k),
              .offset = (int64_t *)scratch };
  p.x = scratch + offset_floats(j);
  p.dy = p.x + turned_floats(&j->x_turned);
  p.sums = p.dy + dy_floats(j);
  list_turned_offsets(&j->x_turned, &j->y, &j->x, p.offset);
  for (int64_t t = j->taps; t < j->room; t++) p.offset[t] = 0;
  memset(p.sums, 0, (size_t)sum_floats(j) * sizeof(float));
  return p;
}

/* ---- the pass ------------------------------------------------------------ */

/* Rows [q, q + rows) of images n, n + 1, ... */
static void add_band(const job *j, const place *p, int64_t n, int64_t images,
                     int64_t q, int64_t rows) {
  const int64_t plane = j->y.size * j->x.size, pixels = rows * j->x.size;
  const int64_t image = j->G * j->K * plane;
  const float *dy = j->dy + n * image + q * j->x.size;
  for (int64_t k = 0; k < p->filters; k++)
    ln_to_lanes(dy + (p->g * j->K + p->k + k) * plane, image, images, pixels,
                j->dy_end, p->dy + k * pixels * LN_VECTOR);
  const int64_t x_row = j->x_turned.row * LN_VECTOR;
  const ln_pixel_gradient f = { .rows = rows,
                                .columns = j->x.size * LN_VECTOR,
                                .plane = p->x + q * x_row,
                                .dy = p->dy,
                                .plane_row = x_row,
                                .dy_filter = pixels * LN_VECTOR,
                                .sums_filter = j->room * LN_VECTOR };
  ln_pixel_gradient_taps(&f, p->filters, j->taps, p->offset, p->sums);
}

/* The sums come in order of row, channel, column. */
static void store_sums(const job *j, const place *p) {
  const int64_t columns = j->x.taps, row = j->C * columns;
  for (int64_t k = 0; k < p->filters; k++) {
    float *dw = j->dw + (p->g * j->K + p->k + k) * j->taps;
    for (int64_t t = 0; t < j->taps; t += LN_VECTOR) {
      const ln_vector sums =
          ln_sums_of_lanes(p->sums + (k * j->room + t) * LN_VECTOR);
      for (int64_t lane = 0; lane < smaller(LN_VECTOR, j->taps - t); lane++) {
        const int64_t i = (t + lane) / row, rest = (t + lane) % row;
        dw[(rest / columns * j->y.taps + i) * columns + rest % columns] =
            sums[lane];
      }
    }
  }
}

static void compute_task(const job *j, int64_t task, float *scratch) {
  const place p = place_of(j, task, scratch);
  const int64_t group = j->C * j->y.in_size * j->x.in_size;
  for (int64_t n = 0; n < j->N; n += LN_VECTOR) {
    const int64_t images = smaller(LN_VECTOR, j->N - n);
    turn(&j->x_turned, j->in + (n * j->G + p.g) * group, j->G * group, images,
         j->in_end, p.x);
    for (int64_t q = 0; q < j->y.size; q += j->rows)
      add_band(j, &p, n, images, q, smaller(j->rows, j->y.size - q));
  }
  store_sums(j, &p);
}

static void compute_tasks(void *arg, const ln_chunk *chunk) {
  for (int64_t i = chunk->begin; i < chunk->end; i++)
    compute_task(arg, i, chunk->scratch);
}

void LN_FOR_ISA(batch_weights_plan)(const sizes *s, ln_infer *io) {
  const job j = job_of(s);
  const int64_t floats = offset_floats(&j) + turned_floats(&j.x_turned) +
                         dy_floats(&j) + sum_floats(&j);
  io->scratch = larger(io->scratch, floats * (int64_t)sizeof(float));
}

ln_status LN_FOR_ISA(batch_backward_weights)(const sizes *s,
                                             const ln_call *call) {
  job j = job_of(s);
  j.in = ln_x(call, 0), j.in_end = j.in + call->x[0]->count;
  j.dy = ln_dy(call, 0), j.dy_end = j.dy + call->dy[0]->count;
  j.dw = ln_dw(call, 0);
  return call->host->parallel_for(call, j.G * j.parts, 1, compute_tasks, &j);
}
