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

typedef struct job {
  pass pass;       /* its w is U */
  int64_t filters; /* of one call of the kernel */
  int64_t rows;    /* of a band */
  tiling tiling;
} job;

static job job_of(pass p) {
  const axis alone = rows_alone(&p.y);
  job j = { .pass = p, .filters = filters_of_part(p.K) };
  j.tiling = tiling_of(p.C, &alone, &p.x);
  j.rows = tile_rows(p.K, &j.tiling, &p.y);
  return j;
}

static int64_t taps_of(const job *j) { /* of one frequency */
  return j->pass.C * j->pass.y.taps;
}

/* ---- scratch: offsets, V, M of a band, turned pixels --------------------- */

static int64_t M_frequency_of(const job *j) {
  return j->pass.K * j->rows * j->tiling.across * LN_VECTOR;
}
/* Of a channel that comes, or of a filter's rows of a band and what the last
 * tile spills. */
static int64_t room_floats(const job *j) {
  return larger(turned_floats(&j->tiling.channel),
                (j->rows * j->pass.x.size + j->tiling.m) * LN_VECTOR);
}
static int64_t scratch_bytes(const job *j) {
  return (offset_floats(taps_of(j)) + V_floats(&j->tiling) +
          POINTS * M_frequency_of(j) + room_floats(j)) *
         (int64_t)sizeof(float);
}

typedef struct place {
  images images;
  int64_t *offset;
  float *V, *M, *room;
} place;

static place place_of(const job *j, int64_t task, float *scratch) {
  place p = { .images = images_of_task(&j->pass, task),
              .offset = (int64_t *)scratch };
  p.V = scratch + offset_floats(taps_of(j));
  p.M = p.V + V_floats(&j->tiling);
  p.room = p.M + POINTS * M_frequency_of(j);
  return p;
}

/* ---- tasks: some images, a group ----------------------------------------- */

/* M of rows [q, q + rows), all filters. */
static void multiply(const job *j, const place *p, int64_t q, int64_t rows) {
  const int64_t V_frequency = V_frequency_of(&j->tiling) * LN_VECTOR;
  row_sums sums = { .y = &j->pass.y,
                    .columns = j->tiling.across,
                    .row = j->tiling.across,
                    .tap_row = j->pass.C,
                    .offset = p->offset,
                    .K = j->pass.K,
                    .filters = j->filters,
                    .to_filter = j->rows * j->tiling.across };
  for (int f = 0; f < POINTS; f++) {
    sums.w = j->pass.w + (p->images.g * POINTS + f) * j->pass.K * taps_of(j);
    sum_rows(&sums, q, rows, p->V + f * V_frequency,
             p->M + f * M_frequency_of(j));
  }
}

/* A row of outputs. What the last tile spills is set right by the next row. */
LN_INLINE void output_row(const int m, const job *j, const float *M,
                          float start, const ln_finisher *finish, float *to) {
  const int64_t frequency = M_frequency_of(j);
  for (int64_t i = 0; i < j->tiling.across; i++) {
    ln_vector q[POINTS], y[4];
#pragma GCC unroll 6
    for (int f = 0; f < POINTS; f++)
      q[f] = ln_load(M + f * frequency + i * LN_VECTOR);
    transform_output(m, q, y);
#pragma GCC unroll 4
    for (int v = 0; v < m; v++)
      ln_store(to + (i * m + v) * LN_VECTOR, ln_finished(finish, y[v] + start));
  }
}

static void output_rows(const job *j, const place *p, int64_t q, int64_t rows) {
  const pass *a = &j->pass;
  for (int64_t k = 0; k < a->K; k++) {
    const int64_t filter = p->images.g * a->K + k;
    const float start = a->start ? a->start[filter] : 0;
    const ln_finisher finish = ln_finish_channel(&a->finish, filter);
    for (int64_t r = 0; r < rows; r++) {
      const float *M = p->M + (k * j->rows + r) * j->tiling.across * LN_VECTOR;
      float *to = p->room + r * a->x.size * LN_VECTOR;
      if (j->tiling.m == 4)
        output_row(4, j, M, start, &finish, to);
      else
        output_row(2, j, M, start, &finish, to);
    }
    turn_rows_back(a, &p->images, k, q, rows, p->room);
  }
}

static void compute_task(const job *j, int64_t task, float *scratch) {
  const place p = place_of(j, task, scratch);
  const pass *a = &j->pass;
  list_row_offsets(&j->tiling.tiles, &a->y, &one_column, p.offset);
  make_V(&j->tiling, &p.images, a->end, p.room, p.V);
  for (int64_t q = 0; q < a->y.size; q += j->rows) {
    const int64_t rows = smaller(j->rows, a->y.size - q);
    multiply(j, &p, q, rows);
    output_rows(j, &p, q, rows);
  }
}

static void compute_tasks(void *arg, const ln_chunk *chunk) {
  for (int64_t i = chunk->begin; i < chunk->end; i++)
    compute_task(arg, i, chunk->scratch);
}

static ln_status run(pass p, const ln_call *call) {
  job j = job_of(p);
  return call->host->parallel_for(call, tasks_of(&p), 1, compute_tasks, &j);
}

/* ---- filters: U ---------------------------------------------------------- */

/* Row i of up to LN_VECTOR filters of a channel, a filter a lane. For the
 * gradient of x the row's taps come in reverse. */
static void transform_filters(const job *j, const float *w, int64_t filter,
                              int64_t i, int64_t count, ln_vector U[POINTS]) {
  const int R = (int)j->tiling.R;
  const bool reversed = j->pass.x.shift_step < 0;
  float g[5][LN_VECTOR] = { { 0 } };
  ln_vector taps[5];
  for (int m = 0; m < R; m++)
    for (int64_t f = 0; f < count; f++)
      g[m][f] = w[f * filter + i * R + (reversed ? R - 1 - m : m)];
  for (int m = 0; m < 5; m++) taps[m] = ln_load(g[m]);
  if (R == 3)
    transform_filter(3, taps, U);
  else
    transform_filter(5, taps, U);
}

/* U of row i of `some` filters of a channel, side by side. */
static void pack_row(const job *j, const float *w, int64_t filter, int64_t i,
                     int64_t some, float *to) {
  for (int64_t k = 0; k < some; k += LN_VECTOR) {
    const int64_t count = smaller(LN_VECTOR, some - k);
    ln_vector U[POINTS];
    transform_filters(j, w + k * filter, filter, i, count, U);
    for (int f = 0; f < POINTS; f++)
      for (int64_t lane = 0; lane < count; lane++)
        to[f * j->pass.K * taps_of(j) + k + lane] = U[f][lane];
  }
}

static void pack_part(const job *j, const filters_in_w *all, int64_t g,
                      int64_t k, float *to) {
  const pass *a = &j->pass;
  const float *w = all->w + g * all->group + k * all->filter;
  const int64_t some = smaller(j->filters, a->K - k);
  for (int64_t i = 0; i < a->y.taps; i++)
    for (int64_t c = 0; c < a->C; c++, to += some)
      pack_row(j, w + c * all->channel, all->filter, i, some, to);
}

/* For each group, frequency and part of its filters: tap by tap in order of row
 * and channel, the filters side by side. */
static ln_status pack(pass p, filters_in_w all, float *U) {
  const job j = job_of(p);
  for (int64_t g = 0; g < p.G; g++)
    for (int64_t k = 0; k < p.K; k += j.filters)
      pack_part(&j, &all, g, k, U + (g * POINTS * p.K + k) * taps_of(&j));
  return LN_OK;
}

static ln_status pack_forward(const void *self, const ln_call *call,
                              void *out) {
  const sizes s = sizes_of(self, call);
  return pack(forward_pass(&s, NULL, NULL), forward_filters(&s, call), out);
}

static ln_status pack_gradient(const void *self, const ln_call *call,
                               void *out) {
  const sizes s = sizes_of(self, call);
  return pack(gradient_pass(&s, NULL, NULL), gradient_filters(&s, call), out);
}

/* ---- the method ---------------------------------------------------------- */

enum { TOO_FEW_CHANNELS = 2 };

/* Wherever it can be done. */
ln_status LN_FOR_ISA(batch_winograd_any_plan)(const void *self, ln_infer *io) {
  const sizes s = planned_sizes(self, io);
  for (int d = 0; d < 2; d++)
    if (s.S[d] != 1 || s.D[d] > 256) return LN_UNSUITED;
  if ((s.KW != 3 && s.KW != 5) || s.KH > 256 || s.D[1] != 1) return LN_UNSUITED;
  const job forward = job_of(forward_pass(&s, NULL, NULL));
  const job gradient = job_of(gradient_pass(&s, NULL, NULL));
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
  const float *w = call->host->packed(call, 0, pack_forward);
  return w ? run(forward_pass(&s, call, w), call) : not_packed(call);
}

static ln_status data_gradient(const sizes *s, const ln_call *call) {
  const float *w = call->host->packed(call, 1, pack_gradient);
  return w ? run(gradient_pass(s, call, w), call) : not_packed(call);
}

ln_status LN_FOR_ISA(batch_winograd_backward)(const void *self,
                                              const ln_call *call) {
  const sizes s = sizes_of(self, call);
  ln_status status = ln_dx(call, 0) ? data_gradient(&s, call) : LN_OK;
  if (!status && ln_dw(call, 0))
    status = LN_FOR_ISA(batch_winograd_backward_weights)(&s, call);
  return status ? status : conv2d_bias_gradient(&s, call);
}
