/* winograd.c - method "winograd": the same sums with a quarter of the
 * products, for filters of 3x3 (and of 5x5, with a third of them).
 *
 * In the textbook, neighbouring outputs read almost the same pixels, and each
 * multiplies them anew. Here an image is cut into tiles of m x m outputs, and
 * a tile's 6x6 pixels and each filter are first turned into 36 "frequencies"
 * (winograd_transforms.h). There the whole sum over filter and pixels is one
 * product a frequency, and only the sum over the channels is left:
 *
 *     M[f][tile,k] = sum over c of V[f][tile,c] * U[f][c,k]      36 times
 *
 * which is a matrix product for each f. M, turned back, is y. The price are the
 * transforms, worth it from some 16 channels on, and a rounding error about
 * 1.7 times as large.
 *
 * dx is a convolution, too: of dy, with filters that are turned by 180 degrees
 * and have their channels and filters exchanged. So it is the same code. dw is
 * winograd_weights.c. */
#include "winograd_few_tiles.h"

/* ---- the work of one call ------------------------------------------------ */

typedef struct job {
  tiling t;
  images x;
  int64_t pad[2];
  int64_t C, K, OH, OW;
  int64_t panels, groups; /* a task computes a group of panels */
  int64_t channel_blocks;
  spectrum V, M;
  bool makes_U; /* where it is used, `at_once` channels at a time */
  bool few;     /* and in registers: winograd_few_tiles.h */
  int64_t at_once, together; /* together: panels that share a look at V */
  int64_t U_frequency;       /* floats of a panel's frequency */
  packing filters;
  const float *U, *shared_V, *bias;
  ln_finish finish;
  float *y;
} job;

enum {
  WANTED_TASKS = 4,  /* at least, so that threads have something to share */
  WANTED_BLOCKS = 8, /* where tiles are few, if they have LN_MOST_ROWS each */
  MOST_U_BYTES = 8 << 20,
  FEW_U_BYTES = 1 << 19, /* for a few tiles */
  FEW_TILES = 2 * LN_MOST_ROWS,
  MOST_TILES = 16 * LN_MOST_ROWS, /* to make U for, while training */
  MOST_TOGETHER = 2,
  FAR_BYTES = 1 << 20 /* of a V that every panel has to fetch from afar */
};

/* Tiles of a block: so many that a panel of U is worth loading, so few that
 * their V stays in the cache, and that there is a block for each thread. */
static int64_t wanted_tiles(int64_t channels, int64_t all) {
  const int64_t in_cache = 131072 / (FREQUENCIES * larger(channels, 1));
  const int64_t most =
      larger(4 * LN_MOST_ROWS, smaller(in_cache, 8 * LN_MOST_ROWS)) / 2;
  return smaller(most, larger(LN_MOST_ROWS, all / WANTED_BLOCKS));
}

/* V of a block of tiles is made by the task that reads it; but where many do,
 * once and in advance. What another core made has to be fetched from there, so
 * two tasks had better make it twice. */
static bool shares_V(const job *j) {
  return j->groups > 2;
}

/* A convolution of N images of C channels, to K channels of OH x OW.
 *
 * Many weights for few tiles: U, four times as large as w, would be read from
 * memory (while training, written there before) for hardly more products than
 * it has numbers. Then a task makes U for its panel alone, from w. */
static job job_of(int64_t N, int64_t C, int64_t K, int64_t OH, int64_t OW,
                  int64_t R, bool training) {
  job j = { .t = tiling_of(N, POINTS + 1 - R, OH, OW),
            .C = C,
            .K = K,
            .OH = OH,
            .OW = OW };
  const int64_t all = j.t.tiles;
  const int64_t bytes = U_bytes(C, K);
  j.few = !training && bytes > FEW_U_BYTES && R == 3 && all <= MOST_FEW_TILES;
  j.makes_U = j.few || (bytes > MOST_U_BYTES &&
                        all <= (training ? MOST_TILES : FEW_TILES));
  if (!j.makes_U) j.t = cut_into_blocks(j.t, wanted_tiles(C, all));
  j.panels = divide_up(K, PANEL);
  const int64_t blocks = larger(blocks_of(&j.t), 1);
  j.channel_blocks = divide_up(C, LN_VECTOR);
  j.V = spectrum_of(j.channel_blocks, all, LN_VECTOR);
  const bool far = spectrum_floats(&j.V) * (int64_t)sizeof(float) > FAR_BYTES;
  j.together = j.makes_U && far ? MOST_TOGETHER : 1;
  j.groups = j.makes_U ? divide_up(j.panels, j.together)
                       : smaller(j.panels, divide_up(WANTED_TASKS, blocks));
  if (!shares_V(&j)) j.V = spectrum_of(j.channel_blocks, j.t.tiles, LN_VECTOR);
  j.M = spectrum_of(1, j.t.tiles, PANEL);
  j.at_once = !j.makes_U        ? C
              : j.few           ? LN_VECTOR
              : all > FEW_TILES ? 8 * LN_VECTOR / j.together
                                : 2 * LN_VECTOR;
  j.U_frequency = U_frequency_of(j.at_once);
  return j;
}

static job forward_job(const sizes *s, bool training) {
  job j = job_of(s->N, s->C, s->K, s->OH, s->OW, s->KH, training);
  j.pad[0] = s->P[0], j.pad[1] = s->P[1];
  return j;
}

/* dx reads dy with the padding that is left to a whole filter. */
static job data_job(const sizes *s) {
  job j = job_of(s->N, s->K, s->C, s->H, s->W, s->KH, true);
  j.pad[0] = s->KH - 1 - s->P[0], j.pad[1] = s->KW - 1 - s->P[1];
  return j;
}

/* Scratch of a task: V, and U of some channels, where it makes them; M; then
 * the band of y. The window of pixels is gone when these come, and lies behind
 * V. */
static int64_t made_V_floats(const job *j) {
  return shares_V(j) ? 0 : spectrum_floats(&j->V);
}
static int64_t made_U_floats(const job *j) {
  return j->makes_U && !j->few ? j->together * FREQUENCIES * j->U_frequency : 0;
}
static int64_t output_floats(const job *j) {
  return smaller(j->t.rows, j->t.down) * j->t.m * j->OW * LN_VECTOR;
}

static int64_t scratch_bytes(const job *j) {
  const int64_t after_V = made_U_floats(j) +
                          j->together * spectrum_floats(&j->M) +
                          output_floats(j);
  return (made_V_floats(j) + larger(window_floats(&j->t), after_V)) *
         (int64_t)sizeof(float);
}

/* Workspace: V where it is shared, then U where that is made in advance. */
static int64_t shared_V_floats(const job *j) {
  return shares_V(j) ? spectrum_floats(&j->V) : 0;
}

static int64_t workspace_bytes(const job *j) {
  return shared_V_floats(j) * (int64_t)sizeof(float) +
         (j->makes_U ? 0 : U_bytes(j->C, j->K));
}

/* ---- from M to y --------------------------------------------------------- */

/* A tile at the edge may be smaller than m x m. */
LN_INLINE void store_tile(const int m, const ln_vector *tile, int64_t rows,
                          int64_t columns, float *to, int64_t row) {
#pragma GCC unroll 4
  for (int y = 0; y < m; y++)
#pragma GCC unroll 4
    for (int x = 0; x < m; x++)
      if (y < rows && x < columns)
        ln_store(to + y * row + x * LN_VECTOR, tile[y * m + x]);
}

/* One band, LN_VECTOR filters from k on. */
LN_INLINE void output_band(const int m, const job *j, const band *b,
                           const float *M, int64_t width, int64_t k,
                           float *room) {
  const ln_vector bias =
      j->bias ? ln_load_before(j->bias + k, j->bias + j->K) : (ln_vector){ 0 };
  const ln_finisher finish = ln_finish_lanes(&j->finish, k);
  const int64_t top = b->row * m, rows = smaller(b->rows * m, j->OH - top);
  M += b->tile * width;
  for (int64_t y = 0; y < rows; y += m)
    for (int64_t x = 0; x < j->OW; x += m, M += width) {
      ln_vector tile[16];
      transform_output_tile(m, M, j->M.per_frequency, tile);
#pragma GCC unroll 16
      for (int i = 0; i < m * m; i++)
        tile[i] = ln_finished(&finish, tile[i] + bias);
      store_tile(m, tile, rows - y, j->OW - x,
                 room + (y * j->OW + x) * LN_VECTOR, j->OW * LN_VECTOR);
    }
  const int64_t plane = j->OH * j->OW;
  ln_from_lanes(room, rows * j->OW,
                j->y + (b->n * j->K + k) * plane + top * j->OW, plane,
                smaller(j->K - k, LN_VECTOR));
}

static void output_panel(const job *j, int64_t row, int64_t end, int64_t panel,
                         int vectors, const float *M, float *room) {
  for (int64_t tile = 0; row < end;) {
    const band b = band_at(&j->t, row, end, tile);
    for (int v = 0; v < vectors; v++) {
      const int64_t k = panel * PANEL + v * LN_VECTOR;
      if (j->t.m == 4)
        output_band(4, j, &b, M + v * LN_VECTOR, vectors * LN_VECTOR, k, room);
      else
        output_band(2, j, &b, M + v * LN_VECTOR, vectors * LN_VECTOR, k, room);
    }
    row += b.rows, tile += b.rows * j->t.across;
  }
}

/* ---- a task: a block of tiles, a group of panels ------------------------- */

static void transform_tiles(const job *j, int64_t channel_block, int64_t row,
                            int64_t end, int64_t tile, float *window,
                            float *V) {
  transform_images(&j->t, &j->x, j->pad, channel_block * LN_VECTOR, row, end,
                   tile, &j->V, window, V + channel_block * j->V.per_block);
}

static int64_t end_of_block(const job *j, int64_t row) {
  return smaller(row + j->t.rows, j->t.N * j->t.down);
}

/* Where U of some channels of a panel is. */
static const float *U_of(const job *j, int64_t panel, int64_t c, int64_t end,
                         float *room) {
  if (!j->makes_U) return j->U + panel * FREQUENCIES * j->U_frequency;
  pack_channels(&j->filters, panel, c, end, j->U_frequency, room);
  return room;
}

static int vectors_of(const job *j, int64_t panel) {
  return (int)(width_of_panel(j->K, panel) / LN_VECTOR);
}

/* M (+)= of channels [c, end). */
static void multiply(const job *j, int64_t tiles, int64_t panel, int f,
                     int64_t c, int64_t end, const float *V, const float *U,
                     float *M) {
  ln_row_product(tiles, vectors_of(j, panel), end - c,
                 V + c / LN_VECTOR * j->V.per_block + f * j->V.per_frequency,
                 j->V.per_block, U + f * j->U_frequency, c > 0,
                 M + f * j->M.per_frequency);
}

static void multiply_panels(const job *j, int64_t tiles, int64_t panel,
                            int64_t panels, int64_t c, const float *V,
                            float *room, float *M) {
  const int64_t end = smaller(c + j->at_once, j->C);
  const float *U[MOST_TOGETHER];
  for (int64_t p = 0; p < panels; p++)
    U[p] = U_of(j, panel + p, c, end, room + p * FREQUENCIES * j->U_frequency);
  for (int f = 0; f < FREQUENCIES; f++)
    for (int64_t p = 0; p < panels; p++)
      multiply(j, tiles, panel + p, f, c, end, V, U[p],
               M + p * spectrum_floats(&j->M));
}

/* The same of a few tiles and one panel, without U. */
static void multiply_few(const job *j, int64_t tiles, int64_t panel, int64_t c,
                         const float *V, float *M) {
  const int64_t end = smaller(c + j->at_once, j->C);
  const int vectors = vectors_of(j, panel);
  few_tiles f = few_tiles_of_filters(&j->filters, panel, c, end);
  f.V = V + c / LN_VECTOR * j->V.per_block;
  f.V_frequency = j->V.per_frequency;
  f.M_frequency = j->M.per_frequency, f.M_tile = vectors * LN_VECTOR;
  f.more = c > 0;
  multiply_few_tiles(&f, tiles, vectors, M);
}

/* Panels [panel, panel + panels), at most `together`. */
static void compute_panels(const job *j, int64_t row, int64_t end,
                           int64_t panel, int64_t panels, const float *V,
                           float *scratch) {
  float *M = scratch + made_U_floats(j);
  const int64_t M_floats = spectrum_floats(&j->M);
  const int64_t tiles = (end - row) * j->t.across;
  for (int64_t c = 0; c < j->C; c += j->at_once)
    if (j->few)
      multiply_few(j, tiles, panel, c, V, M);
    else
      multiply_panels(j, tiles, panel, panels, c, V, scratch, M);
  for (int64_t p = 0; p < panels; p++)
    output_panel(j, row, end, panel + p, vectors_of(j, panel + p),
                 M + p * M_floats, M + j->together * M_floats);
}

/* Where V of rows [row, end) is. */
static const float *V_of(const job *j, int64_t row, int64_t end, float *room) {
  if (shares_V(j)) return j->shared_V + row * j->t.across * j->V.width;
  float *window = room + made_V_floats(j);
  for (int64_t b = 0; b < j->channel_blocks; b++)
    transform_tiles(j, b, row, end, 0, window, room);
  return room;
}

static void compute_task(const job *j, int64_t task, float *scratch) {
  const int64_t row = task / j->groups * j->t.rows, group = task % j->groups;
  const int64_t end = end_of_block(j, row);
  const float *V = V_of(j, row, end, scratch);
  const int64_t last = j->panels * (group + 1) / j->groups;
  for (int64_t p = j->panels * group / j->groups; p < last; p += j->together)
    compute_panels(j, row, end, p, smaller(j->together, last - p), V,
                   scratch + made_V_floats(j));
}

static void compute_tasks(void *arg, const ln_chunk *chunk) {
  for (int64_t i = chunk->begin; i < chunk->end; i++)
    compute_task(arg, i, chunk->scratch);
}

/* ---- V of all tiles, shared ---------------------------------------------- */

typedef struct sharing {
  const job *j;
  float *V;
} sharing;

/* Task: a block of tiles, a block of channels. */
static void share_tiles(void *arg, const ln_chunk *chunk) {
  const sharing *s = arg;
  const job *j = s->j;
  for (int64_t i = chunk->begin; i < chunk->end; i++) {
    const int64_t row = i / j->channel_blocks * j->t.rows;
    transform_tiles(j, i % j->channel_blocks, row, end_of_block(j, row),
                    row * j->t.across, chunk->scratch, s->V);
  }
}

static ln_status share_V(job *j, const ln_call *call) {
  sharing s = { j, call->workspace };
  j->shared_V = s.V;
  return call->host->parallel_for(call, blocks_of(&j->t) * j->channel_blocks, 1,
                                  share_tiles, &s);
}

/* ---- the method ---------------------------------------------------------- */

ln_status LN_FOR_ISA(winograd_weights_plan)(const sizes *s, ln_infer *io);

/* Wherever it can be done. */
ln_status LN_FOR_ISA(winograd_any_plan)(const void *self, ln_infer *io) {
  const sizes s = planned_sizes(self, io);
  if (s.KH != s.KW || (s.KH != 3 && s.KH != 5) || s.G != 1) return LN_UNSUITED;
  for (int d = 0; d < 2; d++)
    if (s.S[d] != 1 || s.D[d] != 1) return LN_UNSUITED;
  const job forward = forward_job(&s, true), data = data_job(&s);
  const job evaluation = forward_job(&s, false);
  const packing filters = forward_filters(&s, NULL);
  io->scratch = larger(larger(scratch_bytes(&forward), scratch_bytes(&data)),
                       scratch_bytes(&evaluation));
  io->packed[KEPT_U] = U_bytes(s.C, s.K);
  io->packed[KEPT_LANES] = lanes_bytes(&filters);
  io->workspace =
      larger(larger(workspace_bytes(&forward), workspace_bytes(&data)),
             workspace_bytes(&evaluation));
  return LN_FOR_ISA(winograd_weights_plan)(&s, io);
}

/* Where it gains. */
ln_status LN_FOR_ISA(winograd_plan)(const void *self, ln_infer *io) {
  const conv2d *o = self;
  if (o->in_channels < 16 || o->out_channels < 16) return LN_UNSUITED;
  return LN_FOR_ISA(winograd_any_plan)(self, io);
}

static ln_status no_U(const ln_call *call) {
  return call->host->cancelled(call->host) ? LN_CANCELLED : LN_FAILED;
}

static ln_status run(job *j, const ln_call *call) {
  const ln_status status = shares_V(j) ? share_V(j, call) : LN_OK;
  if (status) return status;
  return call->host->parallel_for(call, blocks_of(&j->t) * j->groups, 1,
                                  compute_tasks, j);
}

/* U for one pass, behind V; NULL on failure. */
static const float *pack_now(const job *j, const ln_call *call) {
  float *U = (float *)call->workspace + shared_V_floats(j);
  return pack(&j->filters, call, U) ? NULL : U;
}

/* U is four times as large as w. While training, w changes with every step: U
 * is made anew for each pass, in memory that all layers share. In evaluation it
 * is made once and kept, or w is, laid out for a task to make it. */
static bool prepare_filters(job *j, const ln_call *call) {
  const ln_host *host = call->host;
  if (j->makes_U && call->training) return true; /* from w as it is */
  if (j->makes_U)
    return (j->filters.lanes = host->packed(call, KEPT_LANES, pack_lanes));
  return (j->U = call->training ? pack_now(j, call)
                                : host->packed(call, KEPT_U, pack_forward));
}

ln_status LN_FOR_ISA(winograd_forward)(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  job j = forward_job(&s, call->training);
  j.x = images_of(call->x[0]);
  j.filters = forward_filters(&s, call);
  j.bias = ln_w(call, 1);
  j.finish = ln_finish_of(call, s.K);
  j.y = ln_y(call, 0);
  if (!prepare_filters(&j, call)) return no_U(call);
  return run(&j, call);
}

ln_status LN_FOR_ISA(winograd_backward)(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  job j = data_job(&s);
  j.x = images_of(call->dy[0]);
  j.filters = data_filters(&s, call);
  j.y = ln_dx(call, 0);
  if (!j.makes_U && !(j.U = pack_now(&j, call))) return no_U(call);
  return run(&j, call);
}
