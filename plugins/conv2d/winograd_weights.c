/* winograd_weights.c - dw by Winograd's method.
 *
 * y depends on w through U = G w G^T, and on each U[f][c,k] through the
 * products M[f][tile,k] += V[f][tile,c] * U[f][c,k]. The chain rule, step by
 * step back:
 *
 *     Z  = A dy A^T                      dy of a tile, as 36 frequencies
 *     dU[f][c,k] = sum over tiles of V[f][tile,c] * Z[f][tile,k]
 *     dw = G^T dU G
 *
 * exactly, not only nearly: it is the transpose of what forward does.
 *
 * V and Z of a batch of tiles lie in the workspace, made by all threads. Then
 * each task takes some channels and a panel of filters through all frequencies
 * and all tiles of the batch, so that dU never leaves the cache. Few channels
 * and filters make too few such tasks: then each frequency is a task. */
#include "winograd.h"

enum {
  BATCH_BYTES = 8 << 20,   /* of V and Z */
  MOST_CHANNEL_BLOCKS = 4, /* of a task */
  WANTED_TASKS = 4
};

typedef struct job {
  const ln_call *call;
  tiling t; /* its blocks are what one task transforms */
  int64_t R, C, K;
  int64_t pad[2];
  images x, dy;
  int64_t channel_blocks, panels;
  int64_t panel;               /* filters of one: one or two vectors */
  int64_t batch_rows, batches; /* rows of tiles of a batch */
  int64_t row, end;            /* of this batch */
  spectrum V, Z;
  int64_t task_channel_blocks, task_groups, tasks;
  bool by_frequency;
  float *V_at, *Z_at, *dU_at; /* dU_at: of all tasks, by frequency */
  float *sums;                /* sums: [filters / LN_VECTOR][c][tap], lanes */
} job;

static job job_of(const sizes *s) {
  const int64_t m = POINTS + 1 - s->KH;
  job j = { .R = s->KH, .C = s->C, .K = s->K, .pad = { s->P[0], s->P[1] } };
  j.t = tiling_of(s->N, m, s->OH, s->OW, 2 * LN_MOST_ROWS);
  j.channel_blocks = divide_up(s->C, LN_VECTOR);
  j.panel = s->K > LN_VECTOR ? 2 * LN_VECTOR : LN_VECTOR;
  j.panels = divide_up(s->K, j.panel);
  const int64_t all = larger(s->N * j.t.down, 1);
  const int64_t row_bytes = FREQUENCIES * j.t.across * (int64_t)sizeof(float) *
                            (j.channel_blocks * LN_VECTOR + j.panels * j.panel);
  j.batches = divide_up(all, larger(BATCH_BYTES / row_bytes, j.t.rows));
  j.batch_rows = divide_up(divide_up(all, j.batches), j.t.rows) * j.t.rows;
  j.batches = divide_up(all, j.batch_rows);
  const int64_t tiles = j.batch_rows * j.t.across;
  j.V = spectrum_of(j.channel_blocks, tiles, LN_VECTOR);
  j.Z = spectrum_of(j.panels, tiles, j.panel);
  j.task_channel_blocks =
      larger(1, smaller(MOST_CHANNEL_BLOCKS, j.channel_blocks * j.panels / 8));
  j.task_groups = divide_up(j.channel_blocks, j.task_channel_blocks);
  j.tasks = j.panels * j.task_groups;
  j.by_frequency = j.tasks < WANTED_TASKS;
  return j;
}

/* dU of a task: of one of the frequencies, of all. */
static int64_t dU_step(const job *j) {
  return j->task_channel_blocks * LN_VECTOR * j->panel;
}
static int64_t dU_floats(const job *j) {
  return FREQUENCIES * dU_step(j);
}

static int64_t sum_floats(const job *j) {
  return j->panels * j->panel * j->C * j->R * j->R;
}

/* ---- V and Z ------------------------------------------------------------- */

LN_INLINE void transform_band(const int m, const job *j, const band *b,
                              const float *window, int64_t tile, float *to) {
  const int64_t columns = j->t.across * m;
  for (int64_t y = 0; y < b->rows; y++)
    for (int64_t i = 0; i < j->t.across; i++, tile++)
      transform_gradient_tile(m, window + (y * m * columns + i * m) * LN_VECTOR,
                              columns * LN_VECTOR, to + tile * j->Z.width,
                              j->Z.per_frequency);
}

/* LN_VECTOR filters of dy, rows [row, end) of tiles. */
static void transform_dy(const job *j, int64_t filter, int64_t row, int64_t end,
                         int64_t tile, float *window, float *to) {
  const int64_t m = j->t.m;
  while (row < end) {
    const band b = band_at(&j->t, row, end, tile);
    load_window(&j->dy, b.n, filter, b.row * m, 0, b.rows * m, j->t.across * m,
                window);
    if (m == 4)
      transform_band(4, j, &b, window, tile, to);
    else
      transform_band(2, j, &b, window, tile, to);
    row += b.rows, tile += b.rows * j->t.across;
  }
}

static void transform_block(const job *j, int64_t row, float *window) {
  const int64_t end = smaller(row + j->t.rows, j->end);
  const int64_t tile = (row - j->row) * j->t.across;
  for (int64_t c = 0; c < j->channel_blocks; c++)
    transform_images(&j->t, &j->x, j->pad, c * LN_VECTOR, row, end, tile, &j->V,
                     window, j->V_at + c * j->V.per_block);
  for (int64_t k = 0; k < j->K; k += LN_VECTOR)
    transform_dy(j, k, row, end, tile, window,
                 j->Z_at + k / j->panel * j->Z.per_block + k % j->panel);
}

static void transform_blocks(void *arg, const ln_chunk *chunk) {
  const job *j = arg;
  for (int64_t i = chunk->begin; i < chunk->end; i++)
    transform_block(j, j->row + i * j->t.rows, chunk->scratch);
}

/* ---- dU, and back to the form of w --------------------------------------- */

LN_INLINE void add_weights(const int R, const job *j, const float *dU,
                           ptrdiff_t step, float *sums) {
  ln_vector w[25];
  transform_filter_gradient_tile(R, dU, step, w);
#pragma GCC unroll 25
  for (int i = 0; i < R * R; i++) {
    float *at = sums + i * LN_VECTOR;
    ln_store(at, j->row == 0 ? w[i] : ln_load(at) + w[i]);
  }
}

/* Of LN_VECTOR channels or fewer, and LN_VECTOR filters. */
static void add_block(const job *j, int64_t channel, int64_t filter,
                      const float *dU, ptrdiff_t width, ptrdiff_t step) {
  const int64_t taps = j->R * j->R;
  float *sums = j->sums + (filter * j->C + channel * LN_VECTOR) * taps;
  const int64_t channels = smaller(LN_VECTOR, j->C - channel);
  for (int64_t c = 0; c < channels; c++, sums += taps * LN_VECTOR)
    if (j->R == 3)
      add_weights(3, j, dU + c * width, step, sums);
    else
      add_weights(5, j, dU + c * width, step, sums);
}

/* Which filters and channels a task has. */
typedef struct part {
  int64_t panel, begin, end; /* blocks of channels */
} part;

static part part_of(const job *j, int64_t task) {
  const int64_t begin = task % j->task_groups * j->task_channel_blocks;
  return (part){ task / j->task_groups, begin,
                 smaller(begin + j->task_channel_blocks, j->channel_blocks) };
}

static void multiply(const job *j, const part *p, int64_t f, float *dU) {
  const int64_t tiles = (j->end - j->row) * j->t.across;
  const float *V = j->V_at + f * j->V.per_frequency;
  const float *Z = j->Z_at + f * j->Z.per_frequency + p->panel * j->Z.per_block;
  for (int64_t c = p->begin; c < p->end; c++, dU += LN_VECTOR * j->panel)
    ln_column_product(j->panel > LN_VECTOR ? 2 : 1, tiles,
                      V + c * j->V.per_block, Z, dU);
}

static void add_part(const job *j, const part *p, const float *dU) {
  const int64_t first = p->panel * j->panel;
  for (int64_t c = p->begin; c < p->end; c++, dU += LN_VECTOR * j->panel)
    for (int64_t v = 0; v < j->panel && first + v < j->K; v += LN_VECTOR)
      add_block(j, c * LN_VECTOR, first + v, dU + v, j->panel, dU_step(j));
}

static void multiply_tasks(void *arg, const ln_chunk *chunk) {
  const job *j = arg;
  for (int64_t i = chunk->begin; i < chunk->end; i++) {
    const part p = part_of(j, i);
    float *dU = chunk->scratch;
    for (int64_t f = 0; f < FREQUENCIES; f++)
      multiply(j, &p, f, dU + f * dU_step(j));
    add_part(j, &p, dU);
  }
}

/* The same in two goes. */
static void multiply_frequencies(void *arg, const ln_chunk *chunk) {
  const job *j = arg;
  for (int64_t i = chunk->begin; i < chunk->end; i++) {
    const int64_t task = i / FREQUENCIES, f = i % FREQUENCIES;
    const part p = part_of(j, task);
    multiply(j, &p, f, j->dU_at + task * dU_floats(j) + f * dU_step(j));
  }
}

static void add_parts(void *arg, const ln_chunk *chunk) {
  const job *j = arg;
  for (int64_t i = chunk->begin; i < chunk->end; i++) {
    const part p = part_of(j, i);
    add_part(j, &p, j->dU_at + i * dU_floats(j));
  }
}

static ln_status multiply_all(job *j) {
  const ln_host *host = j->call->host;
  if (!j->by_frequency)
    return host->parallel_for(j->call, j->tasks, 1, multiply_tasks, j);
  const ln_status status = host->parallel_for(j->call, j->tasks * FREQUENCIES,
                                              4, multiply_frequencies, j);
  return status ? status
                : host->parallel_for(j->call, j->tasks, 1, add_parts, j);
}

/* ---- the end: from lanes to dw ------------------------------------------- */

static void store_filters(void *arg, const ln_chunk *chunk) {
  const job *j = arg;
  const int64_t weights = j->C * j->R * j->R;
  for (int64_t i = chunk->begin; i < chunk->end; i++) {
    const int64_t k = i * LN_VECTOR;
    ln_from_lanes(j->sums + k * weights, weights,
                  ln_dw(j->call, 0) + k * weights, weights,
                  smaller(LN_VECTOR, j->K - k));
  }
}

/* ---- the pass ------------------------------------------------------------ */

ln_status LN_FOR_ISA(winograd_weights_plan)(const sizes *s, ln_infer *io) {
  const job j = job_of(s);
  const int64_t floats = spectrum_floats(&j.V) + spectrum_floats(&j.Z) +
                         sum_floats(&j) +
                         (j.by_frequency ? j.tasks * dU_floats(&j) : 0);
  io->workspace = larger(io->workspace, floats * (int64_t)sizeof(float));
  io->scratch = larger(io->scratch, larger(dU_floats(&j), window_floats(&j.t)) *
                                        (int64_t)sizeof(float));
  return LN_OK;
}

static ln_status run_batch(job *j, int64_t batch) {
  const ln_host *host = j->call->host;
  j->row = batch * j->batch_rows;
  j->end = smaller(j->row + j->batch_rows, j->t.N * j->t.down);
  ln_status s = host->parallel_for(
      j->call, divide_up(j->end - j->row, j->t.rows), 1, transform_blocks, j);
  return s ? s : multiply_all(j);
}

static ln_status weight_gradient(const sizes *s, const ln_call *call) {
  job j = job_of(s);
  j.call = call;
  j.x = images_of(call->x[0]);
  j.dy = images_of(call->dy[0]);
  j.V_at = call->workspace;
  j.Z_at = j.V_at + spectrum_floats(&j.V);
  j.sums = j.Z_at + spectrum_floats(&j.Z);
  j.dU_at = j.sums + sum_floats(&j);
  for (int64_t b = 0; b < j.batches; b++) {
    const ln_status status = run_batch(&j, b);
    if (status) return status;
  }
  return call->host->parallel_for(call, divide_up(s->K, LN_VECTOR), 1,
                                  store_filters, &j);
}

ln_status LN_FOR_ISA(winograd_backward_weights)(const void *self,
                                                const ln_call *call) {
  const sizes s = sizes_of(self, call);
  if (ln_dw(call, 0)) {
    const ln_status status = weight_gradient(&s, call);
    if (status) return status;
  }
  return conv2d_bias_gradient(&s, call);
}
