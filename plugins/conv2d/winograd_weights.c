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
 * What matters is that V, Z and dU are used while they are in the nearer cache.
 * There are two ways to that:
 *
 * by tiles     dU is small: a task takes some of the tiles, a batch of them
 *              after the other, and adds what they give to a dU of its own
 * by weights   dU is large: V and Z of a batch of tiles lie in the workspace,
 *              made by all threads, then a task takes some channels and a panel
 *              of filters through all frequencies and all tiles of the batch */
#include "winograd.h"

enum {
  MOST_OWN_BYTES = 640 << 10,  /* of a dU, for work by tiles */
  OWN_BATCH_BYTES = 768 << 10, /* of its V and Z */
  SHARED_BATCH_BYTES = 8 << 20,
  MOST_TASKS = 8,         /* by tiles; each has a sum of the size of dw */
  FEWEST_TILES = 48,      /* of such a task */
  MOST_CHANNEL_BLOCKS = 4 /* of a task by weights */
};

typedef struct job {
  const ln_call *call;
  tiling t; /* its blocks are what is transformed in one go */
  int64_t R, C, K;
  int64_t pad[2];
  images x, dy;
  int64_t channel_blocks, panels;
  int64_t panel; /* filters of one: one or two vectors */
  bool by_tiles;
  int64_t tasks, part_blocks; /* part_blocks: blocks of channels of a part */
  int64_t batch_rows;         /* rows of tiles of a batch */
  spectrum V, Z;              /* of a batch */
  float *sums; /* [task by tiles][filters / LN_VECTOR][c][tap], lanes */
} job;

static int64_t rows_of_all(const job *j) {
  return j->t.N * j->t.down;
}

/* Rows of tiles of about equal batches, each made of whole blocks. */
static int64_t rows_of_batch(const job *j, int64_t rows, int64_t bytes) {
  const int64_t row_bytes =
      FREQUENCIES * j->t.across * (int64_t)sizeof(float) *
      (j->channel_blocks * LN_VECTOR + j->panels * j->panel);
  const int64_t batches = divide_up(rows, larger(bytes / row_bytes, j->t.rows));
  return divide_up(divide_up(rows, batches), j->t.rows) * j->t.rows;
}

/* Channels and filters that meet: a panel of these, some blocks of those. By
 * tiles all blocks, so that there are as many parts as panels. */
typedef struct part {
  int64_t panel, begin, end;
} part;

static int64_t parts_of_panel(const job *j) {
  return divide_up(j->channel_blocks, j->part_blocks);
}

static part part_of(const job *j, int64_t i) {
  const int64_t parts = parts_of_panel(j), begin = i % parts * j->part_blocks;
  return (part){ i / parts, begin,
                 smaller(begin + j->part_blocks, j->channel_blocks) };
}

static void share_tiles(job *j) {
  const int64_t rows = larger(rows_of_all(j), 1);
  const int64_t most = smaller(MOST_TASKS, rows);
  j->tasks = larger(1, smaller(most, rows * j->t.across / FEWEST_TILES));
  j->part_blocks = j->channel_blocks;
  j->batch_rows = rows_of_batch(j, divide_up(rows, j->tasks), OWN_BATCH_BYTES);
}

static void share_weights(job *j) {
  j->part_blocks = larger(
      1, smaller(MOST_CHANNEL_BLOCKS, j->channel_blocks * j->panels / 8));
  j->tasks = j->panels * parts_of_panel(j);
  j->batch_rows =
      rows_of_batch(j, larger(rows_of_all(j), 1), SHARED_BATCH_BYTES);
}

static job job_of(const sizes *s) {
  const int64_t m = POINTS + 1 - s->KH;
  job j = { .R = s->KH, .C = s->C, .K = s->K, .pad = { s->P[0], s->P[1] } };
  j.t = cut_into_blocks(tiling_of(s->N, m, s->OH, s->OW), 2 * LN_MOST_ROWS);
  j.channel_blocks = divide_up(s->C, LN_VECTOR);
  j.panel = s->K > LN_VECTOR ? 2 * LN_VECTOR : LN_VECTOR;
  j.panels = divide_up(s->K, j.panel);
  j.by_tiles = FREQUENCIES * j.channel_blocks * LN_VECTOR * j.panels * j.panel *
                   (int64_t)sizeof(float) <=
               MOST_OWN_BYTES;
  if (j.by_tiles)
    share_tiles(&j);
  else
    share_weights(&j);
  const int64_t tiles = j.batch_rows * j.t.across;
  j.V = spectrum_of(j.channel_blocks, tiles, LN_VECTOR);
  j.Z = spectrum_of(j.panels, tiles, j.panel);
  return j;
}

/* dU of a part: of one of the frequencies, of all. */
static int64_t dU_step(const job *j) {
  return j->part_blocks * LN_VECTOR * j->panel;
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

/* Rows [row, end), which are a block; the batch's first is `first`. */
static void transform_block(const job *j, int64_t first, int64_t row,
                            int64_t end, float *window, float *V, float *Z) {
  const int64_t tile = (row - first) * j->t.across;
  for (int64_t c = 0; c < j->channel_blocks; c++)
    transform_images(&j->t, &j->x, j->pad, c * LN_VECTOR, row, end, tile, &j->V,
                     window, V + c * j->V.per_block);
  for (int64_t k = 0; k < j->K; k += LN_VECTOR)
    transform_dy(j, k, row, end, tile, window,
                 Z + k / j->panel * j->Z.per_block + k % j->panel);
}

/* ---- dU, and back to the form of w --------------------------------------- */

/* dU (+)= of the first tiles of a batch. */
static void multiply(const job *j, const part *p, int64_t tiles, const float *V,
                     const float *Z, bool adds, float *dU) {
  Z += p->panel * j->Z.per_block;
  for (int f = 0; f < FREQUENCIES; f++) {
    float *to = dU + f * dU_step(j);
    for (int64_t c = p->begin; c < p->end; c++, to += LN_VECTOR * j->panel)
      ln_column_product(j->panel > LN_VECTOR ? 2 : 1, tiles,
                        V + f * j->V.per_frequency + c * j->V.per_block,
                        Z + f * j->Z.per_frequency, adds, to);
  }
}

LN_INLINE void add_weights(const int R, const float *dU, ptrdiff_t step,
                           bool adds, float *sums) {
  ln_vector w[25];
  transform_filter_gradient_tile(R, dU, step, w);
#pragma GCC unroll 25
  for (int i = 0; i < R * R; i++) {
    float *at = sums + i * LN_VECTOR;
    ln_store(at, adds ? ln_load(at) + w[i] : w[i]);
  }
}

/* Of LN_VECTOR channels or fewer, and LN_VECTOR filters. */
static void add_block(const job *j, int64_t channel, int64_t filter,
                      const float *dU, bool adds, float *sums) {
  const int64_t taps = j->R * j->R;
  const int64_t channels = smaller(LN_VECTOR, j->C - channel);
  sums += (filter * j->C + channel * LN_VECTOR) * taps;
  for (int64_t c = 0; c < channels; c++, sums += taps * LN_VECTOR)
    if (j->R == 3)
      add_weights(3, dU + c * j->panel, dU_step(j), adds, sums);
    else
      add_weights(5, dU + c * j->panel, dU_step(j), adds, sums);
}

static void add_part(const job *j, const part *p, const float *dU, bool adds,
                     float *sums) {
  const int64_t first = p->panel * j->panel;
  for (int64_t c = p->begin; c < p->end; c++, dU += LN_VECTOR * j->panel)
    for (int64_t v = 0; v < j->panel && first + v < j->K; v += LN_VECTOR)
      add_block(j, c * LN_VECTOR, first + v, dU + v, adds, sums);
}

/* ---- by tiles ------------------------------------------------------------ */

typedef struct own_memory {
  float *dU, *V, *Z, *window;
} own_memory;

static own_memory own_memory_of(const job *j, float *scratch) {
  own_memory m = { .dU = scratch };
  m.V = m.dU + j->panels * dU_floats(j);
  m.Z = m.V + spectrum_floats(&j->V);
  m.window = m.Z + spectrum_floats(&j->Z);
  return m;
}

static void add_batch(const job *j, int64_t row, int64_t end, bool adds,
                      const own_memory *m) {
  for (int64_t r = row; r < end; r += j->t.rows)
    transform_block(j, row, r, smaller(r + j->t.rows, end), m->window, m->V,
                    m->Z);
  for (int64_t i = 0; i < j->panels; i++) {
    const part p = part_of(j, i);
    multiply(j, &p, (end - row) * j->t.across, m->V, m->Z, adds,
             m->dU + i * dU_floats(j));
  }
}

static void compute_task(const job *j, int64_t task, const own_memory *m) {
  const int64_t first = rows_of_all(j) * task / j->tasks;
  const int64_t end = rows_of_all(j) * (task + 1) / j->tasks;
  int64_t row = first;
  do { /* once for a batch of none: then dw is 0 */
    const int64_t next = smaller(row + j->batch_rows, end);
    add_batch(j, row, next, row > first, m);
    row = next;
  } while (row < end);
  for (int64_t i = 0; i < j->panels; i++) {
    const part p = part_of(j, i);
    add_part(j, &p, m->dU + i * dU_floats(j), false,
             j->sums + task * sum_floats(j));
  }
}

static void some_tiles(void *arg, const ln_chunk *chunk) {
  const job *j = arg;
  const own_memory m = own_memory_of(j, chunk->scratch);
  for (int64_t i = chunk->begin; i < chunk->end; i++) compute_task(j, i, &m);
}

/* ---- by weights ---------------------------------------------------------- */

typedef struct batch {
  const job *j;
  float *V, *Z;     /* behind the sums */
  int64_t row, end; /* of tiles */
} batch;

static void share_blocks(void *arg, const ln_chunk *chunk) {
  const batch *b = arg;
  const job *j = b->j;
  for (int64_t i = chunk->begin; i < chunk->end; i++) {
    const int64_t row = b->row + i * j->t.rows;
    transform_block(j, b->row, row, smaller(row + j->t.rows, b->end),
                    chunk->scratch, b->V, b->Z);
  }
}

static void some_weights(void *arg, const ln_chunk *chunk) {
  const batch *b = arg;
  const job *j = b->j;
  for (int64_t i = chunk->begin; i < chunk->end; i++) {
    const part p = part_of(j, i);
    multiply(j, &p, (b->end - b->row) * j->t.across, b->V, b->Z, false,
             chunk->scratch);
    add_part(j, &p, chunk->scratch, b->row > 0, j->sums);
  }
}

static ln_status batch_by_batch(const job *j) {
  const ln_host *host = j->call->host;
  const int64_t rows = rows_of_all(j);
  batch b = { .j = j, .V = j->sums + sum_floats(j) };
  b.Z = b.V + spectrum_floats(&j->V);
  do {
    b.end = smaller(b.row + j->batch_rows, rows);
    ln_status s = host->parallel_for(
        j->call, divide_up(b.end - b.row, j->t.rows), 1, share_blocks, &b);
    if (!s) s = host->parallel_for(j->call, j->tasks, 1, some_weights, &b);
    if (s) return s;
    b.row = b.end;
  } while (b.row < rows);
  return LN_OK;
}

/* ---- the end: from lanes to dw ------------------------------------------- */

/* All tasks' sums, in their order, into the first's. */
static void add_sums(const job *j, int64_t begin, int64_t count) {
  for (int64_t i = begin; i < begin + count; i += LN_VECTOR) {
    ln_vector sum = ln_load(j->sums + i);
    for (int64_t t = 1; t < j->tasks; t++)
      sum += ln_load(j->sums + t * sum_floats(j) + i);
    ln_store(j->sums + i, sum);
  }
}

static void store_filters(void *arg, const ln_chunk *chunk) {
  const job *j = arg;
  const int64_t weights = j->C * j->R * j->R;
  for (int64_t i = chunk->begin; i < chunk->end; i++) {
    const int64_t k = i * LN_VECTOR;
    if (j->by_tiles) add_sums(j, k * weights, LN_VECTOR * weights);
    ln_from_lanes(j->sums + k * weights, weights,
                  ln_dw(j->call, 0) + k * weights, weights,
                  smaller(LN_VECTOR, j->K - k));
  }
}

/* ---- the pass ------------------------------------------------------------ */

ln_status LN_FOR_ISA(winograd_weights_plan)(const sizes *s, ln_infer *io) {
  const job j = job_of(s);
  const int64_t shared = spectrum_floats(&j.V) + spectrum_floats(&j.Z);
  const int64_t workspace =
      j.by_tiles ? j.tasks * sum_floats(&j) : shared + sum_floats(&j);
  const int64_t scratch =
      j.by_tiles ? j.panels * dU_floats(&j) + shared + window_floats(&j.t)
                 : larger(dU_floats(&j), window_floats(&j.t));
  io->workspace = larger(io->workspace, workspace * (int64_t)sizeof(float));
  io->scratch = larger(io->scratch, scratch * (int64_t)sizeof(float));
  return LN_OK;
}

static ln_status weight_gradient(const sizes *s, const ln_call *call) {
  job j = job_of(s);
  const ln_host *host = call->host;
  j.call = call;
  j.x = images_of(call->x[0]);
  j.dy = images_of(call->dy[0]);
  j.sums = call->workspace;
  const ln_status status =
      j.by_tiles ? host->parallel_for(call, j.tasks, 1, some_tiles, &j)
                 : batch_by_batch(&j);
  return status ? status
                : host->parallel_for(call, divide_up(s->K, LN_VECTOR), 1,
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
