/* two_by_two.c - method "2x2": 3x3 filters, padding 1, on maps of 2x2 pixels,
 * as the last layers of a deep network have them.
 *
 * In one dimension such a map is x0, x1, and its outputs are
 *
 *     y0 = w1 x0 + w2 x1 = w1 (x0 + x1) + (w2 - w1) x1
 *     y1 = w0 x0 + w1 x1 = w1 (x0 + x1) + (w0 - w1) x0
 *
 * with 3 products instead of 4, as the first is the same. In two dimensions it
 * is done along both: 9 products a map. With f for one of the 9,
 *
 *     M[f][n,k] = sum over c of V[f][n,c] * U[f][c,k]
 *
 * where V holds the maps' sums, U the filters' differences, and y is sums of M.
 * The gradient of x is the same with filters turned by 180 degrees, and that of
 * w the transpose: dU[f][c,k] = sum over n of V[f][n,c] * Z[f][n,k], where Z is
 * made of dy. U is made panel by panel where it is used: of 512 x 512 filters
 * it would not fit in the caches.
 *
 * After Winograd 1980, who has the same for longer signals. */
#include "conv2d.h"

#include <lunet/kernels/finish.h>
#include <lunet/kernels/lane_product.h>
#include <lunet/kernels/lanes.h>

enum {
  PIXELS = 4,
  TAPS = 9,
  PRODUCTS = 9,
  PANEL = 2 * LN_VECTOR,
  MOST_MAPS = 8 * LN_MOST_ROWS /* that a panel of filters meets at once */
};

/* ---- the small linear maps ----------------------------------------------- */

/* Of x0, x1, for one step in memory; V is this along both axes. */
LN_INLINE void sums_of(ln_vector x0, ln_vector x1, ln_vector to[3]) {
  to[0] = x0 + x1;
  to[1] = x1;
  to[2] = x0;
}

LN_INLINE void maps_to_products(const ln_vector x[PIXELS],
                                ln_vector v[PRODUCTS]) {
  ln_vector rows[2][3];
  sums_of(x[0], x[1], rows[0]);
  sums_of(x[2], x[3], rows[1]);
#pragma GCC unroll 3
  for (int i = 0; i < 3; i++) {
    ln_vector column[3];
    sums_of(rows[0][i], rows[1][i], column);
#pragma GCC unroll 3
    for (int j = 0; j < 3; j++) v[j * 3 + i] = column[j];
  }
}

/* The transpose of what makes y: Z of dy. Its y1 stands where x0 stood. */
LN_INLINE void gradient_to_products(const ln_vector dy[PIXELS],
                                    ln_vector z[PRODUCTS]) {
  const ln_vector swapped[PIXELS] = { dy[3], dy[2], dy[1], dy[0] };
  maps_to_products(swapped, z);
}

LN_INLINE void products_to_maps(const ln_vector m[PRODUCTS],
                                ln_vector y[PIXELS]) {
  ln_vector rows[2][3];
#pragma GCC unroll 3
  for (int i = 0; i < 3; i++) {
    rows[0][i] = m[i] + m[3 + i];
    rows[1][i] = m[i] + m[6 + i];
  }
#pragma GCC unroll 2
  for (int r = 0; r < 2; r++) {
    y[2 * r] = rows[r][0] + rows[r][1];
    y[2 * r + 1] = rows[r][0] + rows[r][2];
  }
}

/* U of w. */
LN_INLINE void differences_of(ln_vector w0, ln_vector w1, ln_vector w2,
                              ln_vector to[3]) {
  to[0] = w1;
  to[1] = w2 - w1;
  to[2] = w0 - w1;
}

LN_INLINE void filter_to_products(const ln_vector w[TAPS],
                                  ln_vector u[PRODUCTS]) {
  ln_vector rows[3][3];
#pragma GCC unroll 3
  for (int r = 0; r < 3; r++)
    differences_of(w[3 * r], w[3 * r + 1], w[3 * r + 2], rows[r]);
#pragma GCC unroll 3
  for (int i = 0; i < 3; i++) {
    ln_vector column[3];
    differences_of(rows[0][i], rows[1][i], rows[2][i], column);
#pragma GCC unroll 3
    for (int j = 0; j < 3; j++) u[j * 3 + i] = column[j];
  }
}

/* And its transpose: dw of dU. */
LN_INLINE void undo_differences(ln_vector u0, ln_vector u1, ln_vector u2,
                                ln_vector to[3]) {
  to[0] = u2;
  to[1] = u0 - u1 - u2;
  to[2] = u1;
}

LN_INLINE void products_to_filter(const ln_vector u[PRODUCTS],
                                  ln_vector w[TAPS]) {
  ln_vector rows[3][3];
#pragma GCC unroll 3
  for (int i = 0; i < 3; i++) {
    ln_vector column[3];
    undo_differences(u[i], u[3 + i], u[6 + i], column);
#pragma GCC unroll 3
    for (int j = 0; j < 3; j++) rows[j][i] = column[j];
  }
#pragma GCC unroll 3
  for (int r = 0; r < 3; r++)
    undo_differences(rows[r][0], rows[r][1], rows[r][2], w + 3 * r);
}

/* ---- maps of LN_VECTOR channels, which lie side by side in memory -------- */

/* A vector for each pixel; lanes beyond the last channel are 0. */
LN_INLINE void load_maps(const float *from, int64_t channels,
                         ln_vector x[PIXELS]) {
  float few[PIXELS * LN_VECTOR] = { 0 };
  if (channels < LN_VECTOR) {
    memcpy(few, from, (size_t)(channels * PIXELS) * sizeof *few);
    from = few;
  }
  const ln_vector a = ln_load(from), b = ln_load(from + LN_VECTOR);
  const ln_vector c = ln_load(from + 2 * LN_VECTOR);
  const ln_vector d = ln_load(from + 3 * LN_VECTOR);
  const ln_vector even[] = { LN_PICK(a, b, LN_EVEN), LN_PICK(c, d, LN_EVEN) };
  const ln_vector odd[] = { LN_PICK(a, b, LN_ODD), LN_PICK(c, d, LN_ODD) };
  x[0] = LN_PICK(even[0], even[1], LN_EVEN);
  x[1] = LN_PICK(odd[0], odd[1], LN_EVEN);
  x[2] = LN_PICK(even[0], even[1], LN_ODD);
  x[3] = LN_PICK(odd[0], odd[1], LN_ODD);
}

LN_INLINE void store_maps(const ln_vector y[PIXELS], int64_t channels,
                          float *to) {
  float all[PIXELS * LN_VECTOR];
  float *at = channels < LN_VECTOR ? all : to;
  const ln_vector even[] = { LN_PICK(y[0], y[2], LN_FIRST),
                             LN_PICK(y[0], y[2], LN_SECOND) };
  const ln_vector odd[] = { LN_PICK(y[1], y[3], LN_FIRST),
                            LN_PICK(y[1], y[3], LN_SECOND) };
#pragma GCC unroll 2
  for (int h = 0; h < 2; h++) {
    ln_store(at + 2 * h * LN_VECTOR, LN_PICK(even[h], odd[h], LN_FIRST));
    ln_store(at + (2 * h + 1) * LN_VECTOR, LN_PICK(even[h], odd[h], LN_SECOND));
  }
  if (at == all) memcpy(to, all, (size_t)(channels * PIXELS) * sizeof *to);
}

/* ---- V and Z: the products of all maps ----------------------------------- */

/* For each f, blocks of `width` channels, in them a row for each map. A gap
 * keeps the 9 from falling on the same lines of the cache. */
typedef struct products {
  int64_t width, blocks;
  int64_t per_block, per_product; /* floats */
} products;

static products products_of(int64_t N, int64_t channels, int64_t width) {
  const int64_t blocks = divide_up(channels, width);
  return (products){ width, blocks, N * width, blocks * N * width + LN_VECTOR };
}

static int64_t product_floats(const products *p) {
  return PRODUCTS * p->per_product;
}

typedef struct transforming {
  const float *maps; /* (N, channels, 2, 2) */
  int64_t N, channels;
  bool gradient;
  products form;
  float *to;
} transforming;

/* LN_VECTOR channels of all maps. */
static void transform_channels(const transforming *t, int64_t channel) {
  const products *p = &t->form;
  float *to = t->to + channel / p->width * p->per_block + channel % p->width;
  const float *from = t->maps + channel * PIXELS;
  for (int64_t n = 0; n < t->N; n++) {
    ln_vector x[PIXELS], v[PRODUCTS];
    load_maps(from + n * t->channels * PIXELS,
              smaller(t->channels - channel, LN_VECTOR), x);
    if (t->gradient)
      gradient_to_products(x, v);
    else
      maps_to_products(x, v);
#pragma GCC unroll 9
    for (int f = 0; f < PRODUCTS; f++)
      ln_store(to + f * p->per_product + n * p->width, v[f]);
  }
}

/* A block; vectors behind the last channel become 0. */
static void transform_blocks(void *arg, const ln_chunk *chunk) {
  const transforming *t = arg;
  const products *p = &t->form;
  for (int64_t b = chunk->begin; b < chunk->end; b++)
    for (int64_t v = 0; v < p->width; v += LN_VECTOR) {
      const int64_t channel = b * p->width + v;
      if (channel < t->channels) {
        transform_channels(t, channel);
        continue;
      }
      for (int f = 0; f < PRODUCTS; f++)
        for (int64_t n = 0; n < t->N; n++)
          ln_store(t->to + f * p->per_product + b * p->per_block +
                       n * p->width + v,
                   (ln_vector){ 0 });
    }
}

static ln_status transform(transforming t, const ln_call *call) {
  return call->host->parallel_for(call, t.form.blocks, 1, transform_blocks, &t);
}

/* ---- forward, and the gradient of x -------------------------------------- */

typedef struct job {
  int64_t N, C, K; /* C in, K out */
  products V;
  int64_t per_U, per_M; /* floats of one of the 9 */
  const float *w, *w_end, *bias;
  int64_t channel, filter; /* floats from one to the next in w */
  bool turned;
  const float *V_at;
  float *y;
  ln_finish finish;
} job;

static job job_of(int64_t N, int64_t C, int64_t K) {
  return (job){ .N = N,
                .C = C,
                .K = K,
                .V = products_of(N, C, LN_VECTOR),
                .per_U = C * PANEL + LN_VECTOR,
                .per_M = smaller(N, MOST_MAPS) * PANEL + LN_VECTOR };
}

static int64_t scratch_floats(const job *j) {
  return PRODUCTS * (j->per_U + j->per_M);
}

/* U of up to two vectors of filters, from k on. */
static void pack_panel(const job *j, int64_t k, int vectors, float *U) {
  for (int64_t c = 0; c < j->C; c++)
    for (int v = 0; v < vectors; v++) {
      float lanes[LN_VECTOR * 16]; /* room for the taps, rounded up */
      ln_vector w[TAPS], u[PRODUCTS];
      const int64_t first = k + v * LN_VECTOR;
      ln_to_lanes(j->w + first * j->filter + c * j->channel, j->filter,
                  smaller(j->K - first, LN_VECTOR), TAPS, j->w_end, lanes);
#pragma GCC unroll 9
      for (int t = 0; t < TAPS; t++)
        w[t] = ln_load(lanes + (j->turned ? TAPS - 1 - t : t) * LN_VECTOR);
      filter_to_products(w, u);
#pragma GCC unroll 9
      for (int f = 0; f < PRODUCTS; f++)
        ln_store(U + f * j->per_U + (c * vectors + v) * LN_VECTOR, u[f]);
    }
}

/* y of a vector of filters and some maps. */
static void store_outputs(const job *j, int64_t k, int64_t n, int64_t maps,
                          const float *M, int64_t row) {
  const ln_vector bias =
      j->bias ? ln_load_before(j->bias + k, j->bias + j->K) : (ln_vector){ 0 };
  const ln_finisher finish = ln_finish_lanes(&j->finish, k);
  for (int64_t i = 0; i < maps; i++, M += row) {
    ln_vector m[PRODUCTS], y[PIXELS];
#pragma GCC unroll 9
    for (int f = 0; f < PRODUCTS; f++) m[f] = ln_load(M + f * j->per_M);
    products_to_maps(m, y);
#pragma GCC unroll 4
    for (int p = 0; p < PIXELS; p++) y[p] = ln_finished(&finish, y[p] + bias);
    store_maps(y, smaller(j->K - k, LN_VECTOR),
               j->y + ((n + i) * j->K + k) * PIXELS);
  }
}

static void compute_panel(const job *j, int64_t panel, float *scratch) {
  float *U = scratch, *M = U + PRODUCTS * j->per_U;
  const int64_t k = panel * PANEL;
  const int vectors = j->K - k > LN_VECTOR ? 2 : 1;
  pack_panel(j, k, vectors, U);
  for (int64_t n = 0; n < j->N; n += MOST_MAPS) {
    const int64_t maps = smaller(j->N - n, MOST_MAPS);
    for (int f = 0; f < PRODUCTS; f++)
      ln_row_product(maps, vectors, j->C,
                     j->V_at + f * j->V.per_product + n * LN_VECTOR,
                     j->V.per_block, U + f * j->per_U, false, M + f * j->per_M);
    for (int v = 0; v < vectors; v++)
      store_outputs(j, k + v * LN_VECTOR, n, maps, M + v * LN_VECTOR,
                    vectors * LN_VECTOR);
  }
}

static void compute_panels(void *arg, const ln_chunk *chunk) {
  for (int64_t i = chunk->begin; i < chunk->end; i++)
    compute_panel(arg, i, chunk->scratch);
}

static ln_status run(job *j, const float *maps, const ln_call *call) {
  const ln_status status = transform(
      (transforming){ maps, j->N, j->C, false, j->V, call->workspace }, call);
  if (status) return status;
  j->V_at = call->workspace;
  j->w = ln_w(call, 0);
  j->w_end = j->w + call->w[0]->count;
  return call->host->parallel_for(call, divide_up(j->K, PANEL), 1,
                                  compute_panels, j);
}

/* ---- the gradient of w --------------------------------------------------- */

typedef struct weights_job {
  int64_t N, C, K;
  products V, Z;
  const float *V_at, *Z_at;
  float *dw;
} weights_job;

static weights_job weights_job_of(const sizes *s) {
  return (weights_job){ .N = s->N,
                        .C = s->C,
                        .K = s->K,
                        .V = products_of(s->N, s->C, LN_VECTOR),
                        .Z = products_of(s->N, s->K, PANEL) };
}

/* Scratch of a task: dU of a block of channels and a panel, then dw of a vector
 * of its filters. */
enum {
  PER_DU = LN_VECTOR * PANEL + LN_VECTOR,
  DW_FLOATS = (LN_VECTOR * TAPS + LN_VECTOR) * LN_VECTOR
};

/* dw of LN_VECTOR filters from k on and the channels of a block. */
static void store_filters(const weights_job *j, int64_t k, int64_t block,
                          const float *dU, float *lanes) {
  const int64_t channel = block * LN_VECTOR;
  const int64_t channels = smaller(j->C - channel, LN_VECTOR);
  for (int64_t c = 0; c < channels; c++) {
    ln_vector u[PRODUCTS], w[TAPS];
#pragma GCC unroll 9
    for (int f = 0; f < PRODUCTS; f++)
      u[f] = ln_load(dU + f * PER_DU + c * PANEL);
    products_to_filter(u, w);
#pragma GCC unroll 9
    for (int t = 0; t < TAPS; t++)
      ln_store(lanes + (c * TAPS + t) * LN_VECTOR, w[t]);
  }
  ln_from_lanes(lanes, channels * TAPS, j->dw + (k * j->C + channel) * TAPS,
                j->C * TAPS, smaller(j->K - k, LN_VECTOR));
}

static void multiply_task(const weights_job *j, int64_t task, float *scratch) {
  const int64_t panel = task / j->V.blocks, block = task % j->V.blocks;
  float *dU = scratch, *lanes = dU + PRODUCTS * PER_DU;
  for (int f = 0; f < PRODUCTS; f++)
    ln_column_product(2, j->N,
                      j->V_at + f * j->V.per_product + block * j->V.per_block,
                      j->Z_at + f * j->Z.per_product + panel * j->Z.per_block,
                      false, dU + f * PER_DU);
  for (int64_t v = 0; v < PANEL && panel * PANEL + v < j->K; v += LN_VECTOR)
    store_filters(j, panel * PANEL + v, block, dU + v, lanes);
}

static void multiply_tasks(void *arg, const ln_chunk *chunk) {
  for (int64_t i = chunk->begin; i < chunk->end; i++)
    multiply_task(arg, i, chunk->scratch);
}

static ln_status weight_gradient(const sizes *s, const ln_call *call) {
  weights_job j = weights_job_of(s);
  float *V = call->workspace, *Z = V + product_floats(&j.V);
  ln_status status = transform(
      (transforming){ ln_x(call, 0), s->N, s->C, false, j.V, V }, call);
  if (!status)
    status = transform(
        (transforming){ ln_dy(call, 0), s->N, s->K, true, j.Z, Z }, call);
  if (status) return status;
  j.V_at = V, j.Z_at = Z, j.dw = ln_dw(call, 0);
  return call->host->parallel_for(call, j.Z.blocks * j.V.blocks, 1,
                                  multiply_tasks, &j);
}

/* ---- the method ---------------------------------------------------------- */

ln_status LN_FOR_ISA(two_by_two_plan)(const void *self, ln_infer *io) {
  const sizes s = planned_sizes(self, io);
  if (s.G != 1 || s.KH != 3 || s.KW != 3 || s.H != 2 || s.W != 2)
    return LN_UNSUITED;
  for (int d = 0; d < 2; d++)
    if (s.S[d] != 1 || s.D[d] != 1 || s.P[d] != 1) return LN_UNSUITED;
  const job forward = job_of(s.N, s.C, s.K), data = job_of(s.N, s.K, s.C);
  const weights_job weights = weights_job_of(&s);
  const int64_t scratch =
      larger(larger(scratch_floats(&forward), scratch_floats(&data)),
             PRODUCTS * PER_DU + DW_FLOATS);
  const int64_t workspace =
      larger(product_floats(&weights.V) + product_floats(&weights.Z),
             product_floats(&data.V));
  io->scratch = scratch * (int64_t)sizeof(float);
  io->workspace = workspace * (int64_t)sizeof(float);
  return LN_OK;
}

ln_status LN_FOR_ISA(two_by_two_forward)(const void *self,
                                         const ln_call *call) {
  const sizes s = sizes_of(self, call);
  job j = job_of(s.N, s.C, s.K);
  j.channel = TAPS, j.filter = s.C * TAPS;
  j.bias = ln_w(call, 1);
  j.finish = ln_finish_of(call, s.K);
  j.y = ln_y(call, 0);
  return run(&j, ln_x(call, 0), call);
}

ln_status LN_FOR_ISA(two_by_two_backward)(const void *self,
                                          const ln_call *call) {
  const sizes s = sizes_of(self, call);
  job j = job_of(s.N, s.K, s.C);
  j.channel = s.C * TAPS, j.filter = TAPS;
  j.turned = true;
  j.y = ln_dx(call, 0);
  return run(&j, ln_dy(call, 0), call);
}

ln_status LN_FOR_ISA(two_by_two_backward_weights)(const void *self,
                                                  const ln_call *call) {
  const sizes s = sizes_of(self, call);
  if (ln_dw(call, 0)) {
    const ln_status status = weight_gradient(&s, call);
    if (status) return status;
  }
  return conv2d_bias_gradient(&s, call);
}
