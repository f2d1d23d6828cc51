/* batch_winograd.c - method "batch_winograd": method "batch" with fewer
 * products.
 *
 * Along a row, m outputs of a filter row with R taps cost 6 products instead of
 * m * R: 6 of 12 for 3 taps, 6 of 10 for 5 (winograd_transforms.h). The rows of
 * a filter and the channels are summed up before the way back, so both ways
 * cost little:
 *
 *     V = B^T x    U = G w    M[k] = sum over c, rows of U[k] * V    y = A^T M
 *
 * for each of the 6 numbers, the frequencies. The gradient of x is the same sum
 * with the filters turned round. */
#include "batch_rows.h"
#include "batch_winograd.h"

/* Forward or the gradient of x. */
typedef struct job {
  axis y, x;
  int64_t N, G, C, K; /* C and K of a group, in and out */
  int64_t filters;    /* of one call of the kernel */
  int64_t rows;       /* of a band */
  tiling tiling;
  const float *in, *end, *U, *start; /* end: of what may be read */
  float *out;
  bool rectify;
} job;

static int64_t taps_of(const job *j) { /* of one frequency */
  return j->C * j->y.taps;
}

static job job_of(int64_t N, int64_t G, int64_t C, int64_t K, axis y, axis x) {
  job j = { .y = y, .x = x, .N = N, .G = G, .C = C, .K = K };
  j.filters = smaller(filters_of_part(K), LN_VECTOR); /* pack_row: in lanes */
  const axis alone = rows_alone(&y);
  j.tiling = tiling_of(C, &alone, &x);
  j.rows = tile_rows(K, &j.tiling, &y);
  return j;
}

static job forward_job(const sizes *s) {
  return job_of(s->N, s->G, s->CG, s->KG, forward_axis(s, 0),
                forward_axis(s, 1));
}

static job gradient_job(const sizes *s) {
  return job_of(s->N, s->G, s->KG, s->CG, gradient_axis(s, 0, 0),
                gradient_axis(s, 1, 0));
}

/* ---- scratch: offsets, V, M of a band, turned pixels --------------------- */

static int64_t offset_floats(const job *j) { /* of 64 bits each */
  return divide_up(2 * taps_of(j), LN_VECTOR) * LN_VECTOR;
}
static int64_t M_frequency_of(const job *j) {
  return j->K * j->rows * j->tiling.across * LN_VECTOR;
}
/* Of a channel that comes, or of a filter's rows of a band and what the last
 * tile spills. */
static int64_t room_floats(const job *j) {
  return larger(turned_floats(&j->tiling.channel),
                (j->rows * j->x.size + j->tiling.m) * LN_VECTOR);
}
static int64_t scratch_bytes(const job *j) {
  return (offset_floats(j) + V_floats(&j->tiling) + POINTS * M_frequency_of(j) +
          room_floats(j)) *
         (int64_t)sizeof(float);
}

typedef struct place {
  int64_t n, images, g; /* first image, how many; group */
  int64_t *offset;
  float *V, *M, *room;
} place;

static place place_of(const job *j, int64_t task, float *scratch) {
  const int64_t first = task / j->G * LN_VECTOR;
  place p = { .n = first,
              .images = smaller(LN_VECTOR, j->N - first),
              .g = task % j->G,
              .offset = (int64_t *)scratch };
  p.V = scratch + offset_floats(j);
  p.M = p.V + V_floats(&j->tiling);
  p.room = p.M + POINTS * M_frequency_of(j);
  return p;
}

/* ---- tasks: some images, a group ----------------------------------------- */

/* M of rows [q, q + rows), all filters. */
static void multiply(const job *j, const place *p, int64_t q, int64_t rows) {
  const int64_t V_frequency = V_frequency_of(&j->tiling) * LN_VECTOR;
  row_sums sums = { .y = &j->y,
                    .columns = j->tiling.across,
                    .row = j->tiling.across,
                    .tap_row = j->C,
                    .offset = p->offset,
                    .K = j->K,
                    .filters = j->filters,
                    .to_filter = j->rows * j->tiling.across };
  for (int f = 0; f < POINTS; f++) {
    sums.w = j->U + (p->g * POINTS + f) * j->K * taps_of(j);
    sum_rows(&sums, q, rows, p->V + f * V_frequency,
             p->M + f * M_frequency_of(j));
  }
}

/* A row of outputs. What the last tile spills is set right by the next row. */
LN_INLINE void output_row(const int m, const job *j, const float *M,
                          float start, float *to) {
  const int64_t frequency = M_frequency_of(j);
  for (int64_t i = 0; i < j->tiling.across; i++) {
    ln_vector q[POINTS], y[4];
#pragma GCC unroll 6
    for (int f = 0; f < POINTS; f++)
      q[f] = ln_load(M + f * frequency + i * LN_VECTOR);
    transform_output(m, q, y);
#pragma GCC unroll 4
    for (int v = 0; v < m; v++) {
      y[v] += start;
      ln_store(to + (i * m + v) * LN_VECTOR,
               j->rectify ? ln_rectify(y[v]) : y[v]);
    }
  }
}

static void output_rows(const job *j, const place *p, int64_t q, int64_t rows) {
  const int64_t across = j->tiling.across;
  const int64_t plane = j->y.size * j->x.size, image = j->G * j->K * plane;
  for (int64_t k = 0; k < j->K; k++) {
    const int64_t filter = p->g * j->K + k;
    const float start = j->start ? j->start[filter] : 0;
    for (int64_t r = 0; r < rows; r++) {
      const float *M = p->M + (k * j->rows + r) * across * LN_VECTOR;
      float *to = p->room + r * j->x.size * LN_VECTOR;
      if (j->tiling.m == 4)
        output_row(4, j, M, start, to);
      else
        output_row(2, j, M, start, to);
    }
    ln_from_lanes(p->room, rows * j->x.size,
                  j->out + p->n * image + filter * plane + q * j->x.size, image,
                  p->images);
  }
}

static void compute_task(const job *j, int64_t task, float *scratch) {
  const place p = place_of(j, task, scratch);
  const int64_t group = j->C * j->y.in_size * j->x.in_size;
  list_row_offsets(&j->tiling.tiles, &j->y, &one_column, p.offset);
  make_V(&j->tiling, j->in + (p.n * j->G + p.g) * group, j->G * group, p.images,
         j->end, p.room, p.V);
  for (int64_t q = 0; q < j->y.size; q += j->rows) {
    const int64_t rows = smaller(j->rows, j->y.size - q);
    multiply(j, &p, q, rows);
    output_rows(j, &p, q, rows);
  }
}

static void compute_tasks(void *arg, const ln_chunk *chunk) {
  for (int64_t i = chunk->begin; i < chunk->end; i++)
    compute_task(arg, i, chunk->scratch);
}

static ln_status run(job *j, const ln_call *call) {
  return call->host->parallel_for(call, divide_up(j->N, LN_VECTOR) * j->G, 1,
                                  compute_tasks, j);
}

/* ---- filters: U ---------------------------------------------------------- */

/* For each group, frequency and part of its filters: tap by tap in order of row
 * and channel, the filters side by side. Element (k, c) of a group begins at
 * w[k * filter + c * channel]. */
typedef struct packing {
  const float *w;
  int64_t group, filter, channel;
  bool turned; /* the row's taps come in reverse */
} packing;

/* Row i of some filters of a channel, a filter a lane. */
static void pack_row(const job *j, const float *w, const packing *p, int64_t i,
                     int64_t filters, ln_vector U[POINTS]) {
  const int R = (int)j->tiling.R;
  float g[5][LN_VECTOR] = { { 0 } };
  ln_vector taps[5];
  for (int m = 0; m < R; m++)
    for (int64_t f = 0; f < filters; f++)
      g[m][f] = w[f * p->filter + i * R + (p->turned ? R - 1 - m : m)];
  for (int m = 0; m < 5; m++) taps[m] = ln_load(g[m]);
  if (R == 3)
    transform_filter(3, taps, U);
  else
    transform_filter(5, taps, U);
}

static void pack_part(const job *j, const packing *p, int64_t g, int64_t k,
                      float *to) {
  const float *w = p->w + g * p->group + k * p->filter;
  const int64_t filters = smaller(j->filters, j->K - k);
  for (int64_t i = 0; i < j->y.taps; i++)
    for (int64_t c = 0; c < j->C; c++, to += filters) {
      ln_vector U[POINTS];
      pack_row(j, w + c * p->channel, p, i, filters, U);
      for (int f = 0; f < POINTS; f++)
        for (int64_t lane = 0; lane < filters; lane++)
          to[f * j->K * taps_of(j) + lane] = U[f][lane];
    }
}

static ln_status pack(const job *j, const packing *p, float *U) {
  for (int64_t g = 0; g < j->G; g++)
    for (int64_t k = 0; k < j->K; k += j->filters)
      pack_part(j, p, g, k, U + (g * POINTS * j->K + k) * taps_of(j));
  return LN_OK;
}

static ln_status pack_forward(const void *self, const ln_call *call,
                              void *out) {
  const sizes s = sizes_of(self, call);
  const job j = forward_job(&s);
  const int64_t taps = s.KH * s.KW, filter = s.CG * taps;
  const packing p = { ln_w(call, 0), s.KG * filter, filter, taps, false };
  return pack(&j, &p, out);
}

static ln_status pack_gradient(const void *self, const ln_call *call,
                               void *out) {
  const sizes s = sizes_of(self, call);
  const job j = gradient_job(&s);
  const int64_t taps = s.KH * s.KW, filter = s.CG * taps;
  const packing p = { ln_w(call, 0), s.KG * filter, taps, filter, true };
  return pack(&j, &p, out);
}

/* ---- the method ---------------------------------------------------------- */

enum { TOO_FEW_CHANNELS = 2 };

/* Wherever it can be done. */
ln_status LN_FOR_ISA(batch_winograd_any_plan)(const void *self, ln_infer *io) {
  const sizes s = planned_sizes(self, io);
  for (int d = 0; d < 2; d++)
    if (s.S[d] != 1 || s.D[d] > 256) return LN_UNSUITED;
  if ((s.KW != 3 && s.KW != 5) || s.KH > 256 || s.D[1] != 1) return LN_UNSUITED;
  const job forward = forward_job(&s), gradient = gradient_job(&s);
  if (forward.tiling.across < LN_MOST_VECTORS ||
      gradient.tiling.across < LN_MOST_VECTORS)
    return LN_UNSUITED;
  io->scratch = larger(scratch_bytes(&forward), scratch_bytes(&gradient));
  io->packed[0] = io->packed[1] =
      POINTS * s.K * s.CG * s.KH * (int64_t)sizeof(float);
  LN_FOR_ISA(batch_winograd_weights_plan)(&s, io);
  return io->scratch < MOST_BYTES ? LN_OK : LN_UNSUITED;
}

/* Where it gains: all lanes have an image, there are few channels, but so many
 * that the way there and back costs less than the products that are saved. */
ln_status LN_FOR_ISA(batch_winograd_plan)(const void *self, ln_infer *io) {
  const sizes s = planned_sizes(self, io);
  if (s.N < LN_VECTOR || s.CG > FEW_CHANNELS || s.KG > FEW_CHANNELS)
    return LN_UNSUITED;
  if (s.CG <= TOO_FEW_CHANNELS || s.KG <= TOO_FEW_CHANNELS) return LN_UNSUITED;
  return LN_FOR_ISA(batch_winograd_any_plan)(self, io);
}

ln_status LN_FOR_ISA(batch_winograd_forward)(const void *self,
                                             const ln_call *call) {
  const sizes s = sizes_of(self, call);
  job j = forward_job(&s);
  j.U = call->host->packed(call, 0, pack_forward);
  if (!j.U) return not_packed(call);
  j.in = ln_x(call, 0), j.end = j.in + call->x[0]->count;
  j.start = ln_w(call, 1);
  j.rectify = call->activation == LN_IS_RELU;
  j.out = ln_y(call, 0);
  return run(&j, call);
}

static ln_status data_gradient(const sizes *s, const ln_call *call) {
  job j = gradient_job(s);
  j.U = call->host->packed(call, 1, pack_gradient);
  if (!j.U) return not_packed(call);
  j.in = ln_dy(call, 0), j.end = j.in + call->dy[0]->count;
  j.out = ln_dx(call, 0);
  return run(&j, call);
}

ln_status LN_FOR_ISA(batch_winograd_backward)(const void *self,
                                              const ln_call *call) {
  const sizes s = sizes_of(self, call);
  ln_status status = ln_dx(call, 0) ? data_gradient(&s, call) : LN_OK;
  if (!status && ln_dw(call, 0))
    status = LN_FOR_ISA(batch_winograd_backward_weights)(&s, call);
  return status ? status : conv2d_bias_gradient(&s, call);
}
