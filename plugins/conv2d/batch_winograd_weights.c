/* batch_winograd_weights.c - dw of the method "batch_winograd": its transpose.
 * For each frequency the sums of A dy times V grow in registers over the tiles
 * of some rows; their lanes, the images, are added up at the end, and G^T makes
 * weights of them. A task has some filters for itself and walks through all
 * images, so each weight is one sum in a fixed order. */
#include "batch_winograd.h"

typedef struct job {
  axis y, x;
  int64_t N, G, C, K;     /* C and K of a group */
  int64_t filters, parts; /* of a task; of K */
  int64_t rows;           /* of a band */
  int64_t taps, room;     /* room for whole vectors of taps, and what the
                             kernel wastes */
  tiling tiling;
  turned dy_turned; /* rows of one filter, for whole tiles */
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
  j.tiling = tiling_of(j.C, &j.y, &j.x);
  j.rows = tile_rows(j.filters, &j.tiling, &j.y);
  j.taps = j.C * s->KH;
  j.room = divide_up(j.taps + LN_SPARE_TAPS, LN_VECTOR) * LN_VECTOR;
  j.dy_turned = (turned){ .channels = 1, .W = j.x.size };
  j.dy_turned.row = j.tiling.across * j.tiling.m;
  return j;
}

/* ---- scratch: offsets, V, A dy of a band, sums, turned pixels ------------ */

static int64_t offset_floats(const job *j) { /* of 64 bits each */
  return divide_up(2 * j->room, LN_VECTOR) * LN_VECTOR;
}
static int64_t dy_frequency_of(const job *j) {
  return j->filters * j->rows * j->tiling.across * LN_VECTOR;
}
static int64_t sums_frequency_of(const job *j) {
  return j->filters * j->room * LN_VECTOR;
}
/* Of a channel of x or of a filter's rows; turning goes in whole squares. */
static int64_t room_floats(const job *j) {
  return larger(turned_floats(&j->tiling.channel),
                (j->rows * j->dy_turned.row + LN_VECTOR) * LN_VECTOR);
}

typedef struct place {
  int64_t g, k, filters; /* group, first filter in it, how many */
  int64_t *offset;
  float *V, *dy, *sums, *room;
} place;

static place place_of(const job *j, int64_t task, float *scratch) {
  const int64_t k = task % j->parts * j->filters;
  place p = { .g = task / j->parts,
              .k = k,
              .filters = smaller(j->filters, j->K - k),
              .offset = (int64_t *)scratch };
  p.V = scratch + offset_floats(j);
  p.dy = p.V + V_floats(&j->tiling);
  p.sums = p.dy + POINTS * dy_frequency_of(j);
  p.room = p.sums + POINTS * sums_frequency_of(j);
  list_turned_offsets(&j->tiling.tiles, &j->y, &one_column, p.offset);
  for (int64_t t = j->taps; t < j->room; t++) p.offset[t] = 0;
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

/* A dy of rows [q, q + rows) of images n, n + 1, ... */
static void make_dy(const job *j, const place *p, int64_t n, int64_t images,
                    int64_t q, int64_t rows) {
  const int64_t plane = j->y.size * j->x.size, image = j->G * j->K * plane;
  const int64_t tiles = rows * j->tiling.across;
  const float *dy = j->dy + n * image + q * j->x.size;
  turned filter = j->dy_turned;
  filter.H = rows, filter.plane = rows * filter.row;
  for (int64_t k = 0; k < p->filters; k++) {
    float *to = p->dy + k * j->rows * j->tiling.across * LN_VECTOR;
    turn(&filter, dy + (p->g * j->K + p->k + k) * plane, image, images,
         j->dy_end, p->room);
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
                                     .sums_filter = j->room * LN_VECTOR };
    ln_pixel_gradient_taps(&band, p->filters, j->taps, p->offset,
                           p->sums + f * sums_frequency_of(j));
  }
}

/* The weights of filter k from tap t on, in lanes. */
static void weights_of(const job *j, const place *p, int64_t k, int64_t t,
                       ln_vector w[5]) {
  ln_vector U[POINTS];
  for (int f = 0; f < POINTS; f++)
    U[f] = ln_sums_of_lanes(p->sums + f * sums_frequency_of(j) +
                            (k * j->room + t) * LN_VECTOR);
  if (j->tiling.R == 3)
    transform_filter_gradient(3, U, w);
  else
    transform_filter_gradient(5, U, w);
}

/* The sums come in order of row, channel. */
static void store_sums(const job *j, const place *p) {
  const int64_t R = j->tiling.R;
  for (int64_t k = 0; k < p->filters; k++) {
    float *dw = j->dw + (p->g * j->K + p->k + k) * j->taps * R;
    for (int64_t t = 0; t < j->taps; t += LN_VECTOR) {
      ln_vector w[5];
      weights_of(j, p, k, t, w);
      for (int64_t lane = 0; lane < smaller(LN_VECTOR, j->taps - t); lane++) {
        const int64_t row = (t + lane) / j->C, c = (t + lane) % j->C;
        for (int64_t m = 0; m < R; m++)
          dw[(c * j->y.taps + row) * R + m] = w[m][lane];
      }
    }
  }
}

static void compute_task(const job *j, int64_t task, float *scratch) {
  const place p = place_of(j, task, scratch);
  const int64_t group = j->C * j->y.in_size * j->x.in_size;
  for (int64_t n = 0; n < j->N; n += LN_VECTOR) {
    const int64_t images = smaller(LN_VECTOR, j->N - n);
    make_V(&j->tiling, j->in + (n * j->G + p.g) * group, j->G * group, images,
           j->in_end, p.room, p.V);
    for (int64_t q = 0; q < j->y.size; q += j->rows) {
      const int64_t rows = smaller(j->rows, j->y.size - q);
      make_dy(j, &p, n, images, q, rows);
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
  const job j = job_of(s);
  const int64_t floats = offset_floats(&j) + V_floats(&j.tiling) +
                         room_floats(&j) +
                         POINTS * (dy_frequency_of(&j) + sums_frequency_of(&j));
  io->scratch = larger(io->scratch, floats * (int64_t)sizeof(float));
}

ln_status LN_FOR_ISA(batch_winograd_backward_weights)(const sizes *s,
                                                      const ln_call *call) {
  job j = job_of(s);
  j.in = ln_x(call, 0), j.in_end = j.in + call->x[0]->count;
  j.dy = ln_dy(call, 0), j.dy_end = j.dy + call->dy[0]->count;
  j.dw = ln_dw(call, 0);
  return call->host->parallel_for(call, j.G * j.parts, 1, compute_tasks, &j);
}
