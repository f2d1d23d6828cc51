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
#include "winograd.h"

enum { PANEL = 2 * LN_VECTOR };

static int64_t U_frequency_of(int64_t C) {
  return C * PANEL + LN_VECTOR;
}

static int64_t U_bytes(int64_t C, int64_t K) {
  return divide_up(K, PANEL) * FREQUENCIES * U_frequency_of(C) *
         (int64_t)sizeof(float);
}

/* ---- U ------------------------------------------------------------------- */

/* Filters w (K,C,R,R) to U: for each panel and frequency, a row of PANEL
 * filters for each channel. For dx the channels are the filters. */
typedef struct packing {
  const float *w, *end;
  int64_t C, K, R;
  int64_t channel, filter; /* floats from one to the next in w */
  bool turned;
} packing;

LN_INLINE void pack_lanes(const int R, const packing *p, const float *from,
                          int64_t filters, int64_t U_frequency, float *to) {
  float raw[2 * 16 * 16], *lanes = raw; /* room for R * R, rounded up */
  ln_vector w[25];
  ln_to_lanes(from, p->filter, filters, R * R, p->end, lanes);
#pragma GCC unroll 25
  for (int i = 0; i < R * R; i++)
    w[i] = ln_load(lanes + (p->turned ? R * R - 1 - i : i) * LN_VECTOR);
  transform_filter_tile(R, w, to, U_frequency);
}

/* Channels [begin, end) of a panel; what lies beyond the last filter is 0. */
static void pack_channels(const packing *p, int64_t panel, int64_t begin,
                          int64_t end, int64_t U_frequency, float *to) {
  const int64_t k = panel * PANEL, left = p->K - k;
  const int64_t width = left > LN_VECTOR ? PANEL : LN_VECTOR;
  for (int64_t c = begin; c < end; c++, to += width)
    for (int64_t v = 0; v < width; v += LN_VECTOR) {
      const float *from = p->w + c * p->channel + (k + v) * p->filter;
      const int64_t filters = smaller(left - v, LN_VECTOR);
      if (p->R == 3)
        pack_lanes(3, p, from, filters, U_frequency, to + v);
      else
        pack_lanes(5, p, from, filters, U_frequency, to + v);
    }
}

typedef struct packing_job {
  const packing *p;
  float *U;
} packing_job;

static void pack_panels(void *arg, const ln_chunk *chunk) {
  const packing_job *j = arg;
  const int64_t U_frequency = U_frequency_of(j->p->C);
  for (int64_t i = chunk->begin; i < chunk->end; i++)
    pack_channels(j->p, i, 0, j->p->C, U_frequency,
                  j->U + i * FREQUENCIES * U_frequency);
}

static ln_status pack(const packing *p, const ln_call *call, float *U) {
  packing_job j = { p, U };
  return call->host->parallel_for(call, divide_up(p->K, PANEL), 1, pack_panels,
                                  &j);
}

static packing forward_filters(const sizes *s, const ln_call *call) {
  const float *w = ln_w(call, 0);
  const int64_t taps = s->KH * s->KW;
  return (packing){
    w, w + s->K * s->C * taps, s->C, s->K, s->KH, taps, s->C * taps, false
  };
}

static packing data_filters(const sizes *s, const ln_call *call) {
  const float *w = ln_w(call, 0);
  const int64_t taps = s->KH * s->KW;
  return (packing){
    w, w + s->K * s->C * taps, s->K, s->C, s->KH, s->C * taps, taps, true
  };
}

/* For host->packed, which keeps it. */
static ln_status pack_forward(const void *self, const ln_call *call,
                              void *out) {
  const sizes s = sizes_of(self, call);
  const packing p = forward_filters(&s, call);
  return pack(&p, call, out);
}

/* Into the workspace; NULL on failure. */
static const float *pack_now(const packing *p, const ln_call *call) {
  return pack(p, call, call->workspace) ? NULL : call->workspace;
}

/* ---- the work of one call ------------------------------------------------ */

typedef struct job {
  tiling t;
  images x;
  int64_t pad[2];
  int64_t K, OH, OW;
  int64_t panels, groups; /* of 2 * LN_VECTOR filters; of panels, to share */
  int64_t channel_blocks;
  spectrum V, M;
  int64_t U_frequency; /* floats of a panel's frequency */
  bool V_first;        /* and U where it is used */
  const packing *filters;
  const float *U, *bias; /* U: NULL where it is made from filters */
  bool rectify;
  float *y;
} job;

enum {
  WANTED_TASKS = 8, /* at least, so that threads have something to share */
  MOST_U_BYTES = 8 << 20,
  MOST_TILES_V_FIRST = 16 * LN_MOST_ROWS,
  CHANNELS_AT_ONCE = 8 * LN_VECTOR
};

/* Tiles of a block: so many that a panel of U is worth loading, so few that
 * their V stays in the cache. */
static int64_t wanted_tiles(int64_t channels) {
  const int64_t in_cache = 131072 / (FREQUENCIES * larger(channels, 1));
  return larger(4 * LN_MOST_ROWS, smaller(in_cache, 8 * LN_MOST_ROWS)) / 2;
}

/* Many weights for few tiles: U, four times as large as w, would be written to
 * memory and read back for hardly more products than it has numbers. Then V of
 * all tiles is made first, and a task makes U for its panel alone, some
 * channels at a time. */
static bool puts_V_first(int64_t C, int64_t K, int64_t tiles) {
  return U_bytes(C, K) > MOST_U_BYTES && tiles <= MOST_TILES_V_FIRST;
}

/* A convolution of N images of C channels, to K channels of OH x OW. */
static job job_of(int64_t N, int64_t C, int64_t K, int64_t OH, int64_t OW,
                  int64_t R, bool keeps_U) {
  job j = { .t = tiling_of(N, POINTS + 1 - R, OH, OW, wanted_tiles(C)),
            .K = K,
            .OH = OH,
            .OW = OW };
  const int64_t all = N * j.t.down * j.t.across;
  j.V_first = !keeps_U && puts_V_first(C, K, all);
  if (j.V_first) j.t = tiling_of(N, j.t.m, OH, OW, all);
  j.panels = divide_up(K, PANEL);
  const int64_t blocks = larger(blocks_of(&j.t), 1);
  j.groups = smaller(j.panels, divide_up(WANTED_TASKS, blocks));
  j.channel_blocks = divide_up(C, LN_VECTOR);
  j.V = spectrum_of(j.channel_blocks, j.t.tiles, LN_VECTOR);
  j.M = spectrum_of(1, j.t.tiles, PANEL);
  j.U_frequency = U_frequency_of(j.V_first ? CHANNELS_AT_ONCE : C);
  return j;
}

static job forward_job(const sizes *s, bool training) {
  job j = job_of(s->N, s->C, s->K, s->OH, s->OW, s->KH, !training);
  j.pad[0] = s->P[0], j.pad[1] = s->P[1];
  return j;
}

/* dx reads dy with the padding that is left to a whole filter. */
static job data_job(const sizes *s) {
  job j = job_of(s->N, s->K, s->C, s->H, s->W, s->KH, false);
  j.pad[0] = s->KH - 1 - s->P[0], j.pad[1] = s->KW - 1 - s->P[1];
  return j;
}

/* Scratch of a task: V, or U of some channels; M; then the window of pixels or
 * the band of y. */
static int64_t output_floats(const job *j) {
  return smaller(j->t.rows, j->t.down) * j->t.m * j->OW * LN_VECTOR;
}

static int64_t scratch_bytes(const job *j) {
  const int64_t first =
      j->V_first ? FREQUENCIES * j->U_frequency : spectrum_floats(&j->V);
  return (first + spectrum_floats(&j->M) +
          larger(window_floats(&j->t), output_floats(j))) *
         (int64_t)sizeof(float);
}

/* Workspace: V where that is made first, else U. */
static int64_t workspace_bytes(const job *j, int64_t C) {
  return j->V_first ? spectrum_floats(&j->V) * (int64_t)sizeof(float)
                    : U_bytes(C, j->K);
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
                           const float *M, int64_t k, float *room) {
  const ln_vector bias =
      j->bias ? ln_load_before(j->bias + k, j->bias + j->K) : (ln_vector){ 0 };
  const int64_t top = b->row * m, rows = smaller(b->rows * m, j->OH - top);
  M += b->tile * j->M.width;
  for (int64_t y = 0; y < rows; y += m)
    for (int64_t x = 0; x < j->OW; x += m, M += j->M.width) {
      ln_vector tile[16];
      transform_output_tile(m, M, j->M.per_frequency, tile);
#pragma GCC unroll 16
      for (int i = 0; i < m * m; i++) tile[i] += bias;
      if (j->rectify)
#pragma GCC unroll 16
        for (int i = 0; i < m * m; i++) tile[i] = ln_rectify(tile[i]);
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
        output_band(4, j, &b, M + v * LN_VECTOR, k, room);
      else
        output_band(2, j, &b, M + v * LN_VECTOR, k, room);
    }
    row += b.rows, tile += b.rows * j->t.across;
  }
}

/* ---- a task: a block of tiles, a group of panels ------------------------- */

static void compute_panel(job *j, int64_t row, int64_t end, int64_t panel,
                          const float *V, float *M, float *room) {
  const int64_t tiles = (end - row) * j->t.across;
  const int vectors = j->K - panel * PANEL > LN_VECTOR ? 2 : 1;
  j->M.width = vectors * LN_VECTOR;
  const float *U = j->U + panel * FREQUENCIES * j->U_frequency;
  for (int f = 0; f < FREQUENCIES; f++)
    ln_row_product(tiles, vectors, j->x.channels, V + f * j->V.per_frequency,
                   j->V.per_block, U + f * j->U_frequency, false,
                   M + f * j->M.per_frequency);
  output_panel(j, row, end, panel, vectors, M, room);
}

static void compute_task(const job *all, int64_t task, float *scratch) {
  job j = *all;
  const int64_t block = task / j.groups, group = task % j.groups;
  const int64_t row = block * j.t.rows;
  const int64_t end = smaller(row + j.t.rows, j.t.N * j.t.down);
  float *V = scratch, *M = V + spectrum_floats(&j.V);
  float *room = M + spectrum_floats(&j.M);
  for (int64_t c = 0; c < j.channel_blocks; c++)
    transform_images(&j.t, &j.x, j.pad, c * LN_VECTOR, row, end, 0, &j.V, room,
                     V + c * j.V.per_block);
  for (int64_t p = j.panels * group / j.groups;
       p < j.panels * (group + 1) / j.groups; p++)
    compute_panel(&j, row, end, p, V, M, room);
}

static void compute_tasks(void *arg, const ln_chunk *chunk) {
  for (int64_t i = chunk->begin; i < chunk->end; i++)
    compute_task(arg, i, chunk->scratch);
}

/* ---- the same with V first ----------------------------------------------- */

typedef struct V_first_job {
  const job *j;
  float *V;
} V_first_job;

static void transform_channels(void *arg, const ln_chunk *chunk) {
  const V_first_job *v = arg;
  const job *j = v->j;
  for (int64_t c = chunk->begin; c < chunk->end; c++)
    transform_images(&j->t, &j->x, j->pad, c * LN_VECTOR, 0, j->t.N * j->t.down,
                     0, &j->V, chunk->scratch, v->V + c * j->V.per_block);
}

static void panel_after_V(const V_first_job *v, int64_t panel, float *U) {
  job j = *v->j;
  float *M = U + FREQUENCIES * j.U_frequency;
  const int64_t tiles = j.t.N * j.t.down * j.t.across, C = j.x.channels;
  const int vectors = j.K - panel * PANEL > LN_VECTOR ? 2 : 1;
  j.M.width = vectors * LN_VECTOR;
  for (int64_t c = 0; c < C; c += CHANNELS_AT_ONCE) {
    const int64_t channels = smaller(C - c, CHANNELS_AT_ONCE);
    const float *V = v->V + c / LN_VECTOR * j.V.per_block;
    pack_channels(j.filters, panel, c, c + channels, j.U_frequency, U);
    for (int f = 0; f < FREQUENCIES; f++)
      ln_row_product(tiles, vectors, channels, V + f * j.V.per_frequency,
                     j.V.per_block, U + f * j.U_frequency, c > 0,
                     M + f * j.M.per_frequency);
  }
  output_panel(&j, 0, j.t.N * j.t.down, panel, vectors, M,
               M + spectrum_floats(&j.M));
}

static void panels_after_V(void *arg, const ln_chunk *chunk) {
  for (int64_t i = chunk->begin; i < chunk->end; i++)
    panel_after_V(arg, i, chunk->scratch);
}

static ln_status run_V_first(const job *j, const ln_call *call) {
  V_first_job v = { j, call->workspace };
  const ln_status status = call->host->parallel_for(call, j->channel_blocks, 1,
                                                    transform_channels, &v);
  if (status) return status;
  return call->host->parallel_for(call, j->panels, 1, panels_after_V, &v);
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
  io->scratch = larger(larger(scratch_bytes(&forward), scratch_bytes(&data)),
                       scratch_bytes(&evaluation));
  io->packed[0] = U_bytes(s.C, s.K);
  io->workspace =
      larger(workspace_bytes(&forward, s.C), workspace_bytes(&data, s.K));
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
  if (j->V_first) return run_V_first(j, call);
  return call->host->parallel_for(call, blocks_of(&j->t) * j->groups, 1,
                                  compute_tasks, j);
}

/* U is four times as large as w. While training, w changes with every step: U
 * is made anew for each pass, in memory that all layers share. In evaluation it
 * is made once and kept. */
ln_status LN_FOR_ISA(winograd_forward)(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  const packing filters = forward_filters(&s, call);
  job j = forward_job(&s, call->training);
  j.x = images_of(call->x[0]);
  j.filters = &filters;
  j.bias = ln_w(call, 1);
  j.rectify = call->activation == LN_IS_RELU;
  j.y = ln_y(call, 0);
  if (!j.V_first) {
    j.U = call->training ? pack_now(&filters, call)
                         : call->host->packed(call, 0, pack_forward);
    if (!j.U) return no_U(call);
  }
  return run(&j, call);
}

ln_status LN_FOR_ISA(winograd_backward)(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  const packing filters = data_filters(&s, call);
  job j = data_job(&s);
  j.x = images_of(call->dy[0]);
  j.filters = &filters;
  j.y = ln_dx(call, 0);
  if (!j.V_first && !(j.U = pack_now(&filters, call))) return no_U(call);
  return run(&j, call);
}
