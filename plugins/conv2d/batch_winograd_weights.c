/* batch_winograd_weights.c - dw of the method "batch_winograd": its transpose.
 * For each frequency the sums of A dy times V grow in registers over the tiles
 * of some rows; their lanes, the images, are added up at the end, and G^T makes
 * weights of them. */
#include "batch_winograd.h"

typedef struct job {
  weights_pass pass;
  int64_t rows; /* of a band */
  tiling tiling;
  turned dy_turned; /* rows of one filter, for whole tiles */
} job;

static job job_of(const sizes *s, const ln_call *call) {
  job j = { .pass = weights_pass_of(s, call, 1) };
  j.tiling = tiling_of(s->CG, &j.pass.x.y, &j.pass.x.x);
  j.rows = tile_rows(j.pass.filters, &j.tiling, &j.pass.x.y);
  j.dy_turned = (turned){ .channels = 1, .W = j.pass.x.x.size };
  j.dy_turned.row = j.tiling.across * j.tiling.m;
  return j;
}

/* ---- scratch: offsets, V, A dy of a band, sums, turned pixels ------------ */

static int64_t dy_frequency_of(const job *j) {
  return j->pass.filters * j->rows * j->tiling.across * LN_VECTOR;
}
static int64_t sums_frequency_of(const job *j) {
  return j->pass.filters * j->pass.room * LN_VECTOR;
}
/* Of a channel of x or of a filter's rows; turning goes in whole squares. */
static int64_t room_floats(const job *j) {
  return larger(turned_floats(&j->tiling.channel),
                (j->rows * j->dy_turned.row + LN_VECTOR) * LN_VECTOR);
}

typedef struct place {
  part part;
  int64_t *offset;
  float *V, *dy, *sums, *room;
} place;

static place place_of(const job *j, int64_t task, float *scratch) {
  place p = { .part = part_of_task(&j->pass, task),
              .offset = (int64_t *)scratch };
  p.V = scratch + offset_floats(j->pass.room);
  p.dy = p.V + V_floats(&j->tiling);
  p.sums = p.dy + POINTS * dy_frequency_of(j);
  p.room = p.sums + POINTS * sums_frequency_of(j);
  list_weights_offsets(&j->pass, &j->tiling.tiles, &one_column, p.offset);
  memset(p.sums, 0, (size_t)(POINTS * sums_frequency_of(j)) * sizeof(float));
  return p;
}

/* ---- the pass ------------------------------------------------------------ */

LN_INLINE void transform_dy(const int m, const job *j, int64_t tiles,
                            const float *from, float *to) {
  const int64_t frequency = dy_frequency_of(j);
  for (int64_t i = 0; i < tiles; i++) {
    ln_vector dy[4], all[POINTS];
#pragma GCC unroll 4
    for (int v = 0; v < m; v++) dy[v] = ln_load(from + (i * m + v) * LN_VECTOR);
    transform_gradient(m, dy, all);
#pragma GCC unroll 6
    for (int f = 0; f < POINTS; f++)
      ln_store(to + f * frequency + i * LN_VECTOR, all[f]);
  }
}

/* A dy of rows [q, q + rows) of some images. */
static void make_dy(const job *j, const place *p, const images *some, int64_t q,
                    int64_t rows) {
  const weights_pass *a = &j->pass;
  const int64_t tiles = rows * j->tiling.across;
  turned filter = j->dy_turned;
  filter.H = rows, filter.plane = rows * filter.row;
  for (int64_t k = 0; k < p->part.filters; k++) {
    float *to = p->dy + k * j->rows * j->tiling.across * LN_VECTOR;
    turn(&filter, a->dy + row_of_outputs(&a->x, some, p->part.k + k, q),
         some->out_next, some->count, a->dy_end, p->room);
    if (j->tiling.m == 4)
      transform_dy(4, j, tiles, p->room, to);
    else
      transform_dy(2, j, tiles, p->room, to);
  }
}

/* The tiles of all rows of a band lie in one row. */
static void add_band(const job *j, const place *p, int64_t q, int64_t rows) {
  const int64_t across = j->tiling.across * LN_VECTOR;
  const int64_t V_frequency = V_frequency_of(&j->tiling) * LN_VECTOR;
  for (int f = 0; f < POINTS; f++) {
    const ln_pixel_gradient band = { .rows = 1,
                                     .columns = rows * across,
                                     .plane =
                                         p->V + f * V_frequency + q * across,
                                     .dy = p->dy + f * dy_frequency_of(j),
                                     .dy_filter = j->rows * across,
                                     .sums_filter = j->pass.room * LN_VECTOR };
    ln_pixel_gradient_taps(&band, p->part.filters, j->pass.taps, p->offset,
                           p->sums + f * sums_frequency_of(j));
  }
}

/* The weights of filter k from tap t on, in lanes. */
static void transform_sums(const job *j, const place *p, int64_t k, int64_t t,
                           ln_vector w[5]) {
  ln_vector U[POINTS];
  for (int f = 0; f < POINTS; f++)
    U[f] = ln_sums_of_lanes(p->sums + f * sums_frequency_of(j) +
                            (k * j->pass.room + t) * LN_VECTOR);
  if (j->tiling.R == 3)
    transform_filter_gradient(3, U, w);
  else
    transform_filter_gradient(5, U, w);
}

/* The sums come in order of row, channel. */
static void store_sums(const job *j, const place *p) {
  const weights_pass *a = &j->pass;
  const int64_t R = j->tiling.R;
  for (int64_t k = 0; k < p->part.filters; k++) {
    float *dw = weights_of(a, &p->part, k);
    for (int64_t t = 0; t < a->taps; t += LN_VECTOR) {
      ln_vector w[5];
      transform_sums(j, p, k, t, w);
      for (int64_t lane = 0; lane < smaller(LN_VECTOR, a->taps - t); lane++) {
        const int64_t row = (t + lane) / a->x.C, c = (t + lane) % a->x.C;
        for (int64_t m = 0; m < R; m++)
          dw[(c * a->x.y.taps + row) * R + m] = w[m][lane];
      }
    }
  }
}

static void compute_task(const job *j, int64_t task, float *scratch) {
  const place p = place_of(j, task, scratch);
  const pass *x = &j->pass.x;
  for (int64_t n = 0; n < x->N; n += LN_VECTOR) {
    const images some = images_at(x, n, p.part.g);
    make_V(&j->tiling, &some, x->end, p.room, p.V);
    for (int64_t q = 0; q < x->y.size; q += j->rows) {
      const int64_t rows = smaller(j->rows, x->y.size - q);
      make_dy(j, &p, &some, q, rows);
      add_band(j, &p, q, rows);
    }
  }
  store_sums(j, &p);
}

static void compute_tasks(void *arg, const ln_chunk *chunk) {
  for (int64_t i = chunk->begin; i < chunk->end; i++)
    compute_task(arg, i, chunk->scratch);
}

void LN_FOR_ISA(batch_winograd_weights_plan)(const sizes *s, ln_infer *io) {
  const job j = job_of(s, NULL);
  const int64_t floats = offset_floats(j.pass.room) + V_floats(&j.tiling) +
                         room_floats(&j) +
                         POINTS * (dy_frequency_of(&j) + sums_frequency_of(&j));
  io->scratch = larger(io->scratch, floats * (int64_t)sizeof(float));
}

ln_status LN_FOR_ISA(batch_winograd_backward_weights)(const sizes *s,
                                                      const ln_call *call) {
  job j = job_of(s, call);
  return call->host->parallel_for(call, s->G * j.pass.parts, 1, compute_tasks,
                                  &j);
}
