/* batch_weights.c - dw of the method "batch": for a few filters and taps at a
 * time, the sums of dy times x grow in registers over the pixels of some rows;
 * their lanes, the images, are added up at the end. */
#include "batch_pass.h"

typedef struct job {
  weights_pass pass;
  int64_t rows; /* of a band */
  turned turned;
} job;

static job job_of(const sizes *s, const ln_call *call) {
  job j = { .pass = weights_pass_of(s, call, s->KW) };
  j.rows = turned_rows(j.pass.filters, &j.pass.x.y, &j.pass.x.x);
  j.turned = turned_of(s->CG, &j.pass.x.y, &j.pass.x.x);
  return j;
}

/* ---- scratch: offsets, x, dy of a band, sums ----------------------------- */

static int64_t dy_floats(const job *j) { /* and what the last square spills */
  return (j->pass.filters * j->rows * j->pass.x.x.size + LN_VECTOR) * LN_VECTOR;
}
static int64_t sum_floats(const job *j) {
  return j->pass.filters * j->pass.room * LN_VECTOR;
}

typedef struct place {
  part part;
  int64_t *offset;
  float *x, *dy, *sums;
} place;

static place place_of(const job *j, int64_t task, float *scratch) {
  place p = { .part = part_of_task(&j->pass, task),
              .offset = (int64_t *)scratch };
  p.x = scratch + offset_floats(j->pass.room);
  p.dy = p.x + turned_floats(&j->turned);
  p.sums = p.dy + dy_floats(j);
  list_weights_offsets(&j->pass, &j->turned, &j->pass.x.x, p.offset);
  memset(p.sums, 0, (size_t)sum_floats(j) * sizeof(float));
  return p;
}

/* ---- the pass ------------------------------------------------------------ */

/* Rows [q, q + rows) of some images. */
static void add_band(const job *j, const place *p, const images *some,
                     int64_t q, int64_t rows) {
  const weights_pass *a = &j->pass;
  const int64_t pixels = rows * a->x.x.size;
  const int64_t x_row = j->turned.row * LN_VECTOR;
  for (int64_t k = 0; k < p->part.filters; k++)
    ln_to_lanes(a->dy + row_of_outputs(&a->x, some, p->part.k + k, q),
                some->out_next, some->count, pixels, a->dy_end,
                p->dy + k * pixels * LN_VECTOR);
  const ln_pixel_gradient f = { .rows = rows,
                                .columns = a->x.x.size * LN_VECTOR,
                                .plane = p->x + q * x_row,
                                .dy = p->dy,
                                .plane_row = x_row,
                                .dy_filter = pixels * LN_VECTOR,
                                .sums_filter = a->room * LN_VECTOR };
  ln_pixel_gradient_taps(&f, p->part.filters, a->taps, p->offset, p->sums);
}

/* The sums come in order of row, channel, column. */
static void store_sums(const job *j, const place *p) {
  const weights_pass *a = &j->pass;
  const int64_t columns = a->x.x.taps, row = a->x.C * columns;
  for (int64_t k = 0; k < p->part.filters; k++) {
    float *dw = weights_of(a, &p->part, k);
    for (int64_t t = 0; t < a->taps; t += LN_VECTOR) {
      const ln_vector sums =
          ln_sums_of_lanes(p->sums + (k * a->room + t) * LN_VECTOR);
      for (int64_t lane = 0; lane < smaller(LN_VECTOR, a->taps - t); lane++) {
        const int64_t i = (t + lane) / row, rest = (t + lane) % row;
        dw[(rest / columns * a->x.y.taps + i) * columns + rest % columns] =
            sums[lane];
      }
    }
  }
}

static void compute_task(const job *j, int64_t task, float *scratch) {
  const place p = place_of(j, task, scratch);
  const pass *x = &j->pass.x;
  for (int64_t n = 0; n < x->N; n += LN_VECTOR) {
    const images some = images_at(x, n, p.part.g);
    turn(&j->turned, some.in, some.in_next, some.count, x->end, p.x);
    for (int64_t q = 0; q < x->y.size; q += j->rows)
      add_band(j, &p, &some, q, smaller(j->rows, x->y.size - q));
  }
  store_sums(j, &p);
}

static void compute_tasks(void *arg, const ln_chunk *chunk) {
  for (int64_t i = chunk->begin; i < chunk->end; i++)
    compute_task(arg, i, chunk->scratch);
}

void LN_FOR_ISA(batch_weights_plan)(const sizes *s, ln_infer *io) {
  const job j = job_of(s, NULL);
  const int64_t floats = offset_floats(j.pass.room) + turned_floats(&j.turned) +
                         dy_floats(&j) + sum_floats(&j);
  io->scratch = larger(io->scratch, floats * (int64_t)sizeof(float));
}

ln_status LN_FOR_ISA(batch_backward_weights)(const sizes *s,
                                             const ln_call *call) {
  job j = job_of(s, call);
  return call->host->parallel_for(call, s->G * j.pass.parts, 1, compute_tasks,
                                  &j);
}
