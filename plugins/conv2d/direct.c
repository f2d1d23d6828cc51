/* direct.c - method "direct": the textbook's sum, many outputs at a time.
 *
 * The textbook adds up one output after another; each step loads a pixel and a
 * weight for a single multiplication. Here a block of outputs grows in
 * registers: from 16 filters on (8 without AVX-512), the lanes of a vector are
 * filters, and up to 14 neighbouring pixels, of two rows where they are short,
 * times 2 vectors take part in each step; with fewer filters the lanes are
 * pixels. So a load serves many products. Any stride, dilation and number of
 * groups will do; no product is left out, so the numbers are the textbook's up
 * to the order of the sums.
 *
 * What a task reads is first copied into planes with zeros around (direct.h),
 * which spares the kernels all questions about edges. */
#include "direct.h"

/* A phase of a pass (forward has one). What a task reads, and what a task is,
 * all phases have in common. */
typedef struct job {
  axis y, x;
  axis reach_y, reach_x;
  int64_t N, G, C, K; /* C and K of a group, in and out */
  bool filter_lanes;
  int64_t rows, bands, parts, part_groups;
  planes planes;
  int64_t taps; /* of a group: C * y.taps * x.taps */
  const float *in, *w, *start;
  float *out;
  ln_finish finish;
} job;

static int64_t padded_filters(int64_t K) {
  return K >= LN_VECTOR ? divide_up(K, LN_VECTOR) * LN_VECTOR : K;
}

/* A part is what one call of a kernel makes: two vectors of filters, or a few
 * filters. */
static int64_t part_size(const job *j) {
  if (j->filter_lanes) return 2 * LN_VECTOR;
  return divide_up(j->K, divide_up(j->K, LN_MOST_FILTERS));
}

/* Its phases, those of a row side by side. */
typedef struct pass {
  int64_t rows, columns; /* of phases */
  job phase[MOST_PHASES];
} pass;

/* Threads want something to share, but a task should also be worth the copying
 * that comes before it. */
static int64_t wanted_tasks(const job *j) {
  enum { MOST = 8, PRODUCTS = 1 << 18 /* some microseconds */ };
  const double products = (double)j->N * (double)(j->G * j->K * j->C) *
                          (double)(j->reach_y.taps * j->reach_x.taps) *
                          (double)(j->reach_y.size * j->reach_x.size);
  return products >= MOST * (double)PRODUCTS ? MOST
                                             : (int64_t)products / PRODUCTS + 1;
}

static job job_of(int64_t N, int64_t G, int64_t C, int64_t K, axis reach_y,
                  axis reach_x) {
  job j = {
    .reach_y = reach_y, .reach_x = reach_x, .N = N, .G = G, .C = C, .K = K
  };
  j.filter_lanes = K >= LN_VECTOR;
  j.parts = divide_up(K, part_size(&j));
  const int64_t tasks = wanted_tasks(&j);
  j.rows = band_rows(C, &reach_y, &reach_x,
                     divide_up(tasks, larger(N * G * j.parts, 1)));
  j.bands = divide_up(reach_y.size, j.rows);
  /* each group of parts copies the planes anew: rather a few tasks less */
  j.part_groups =
      smaller(j.parts, larger(1, tasks / larger(N * G * j.bands, 1)));
  j.planes = planes_of(C, &reach_y, &reach_x, j.rows);
  return j;
}

static int64_t packed_floats(const job *j) {
  return j->G * padded_filters(j->K) * j->taps;
}

/* One phase for each pair of axes; the packed weights of the phases lie one
 * behind the other, from w on. */
static void add_phases(pass *p, const job *common, const axis *y, int64_t n_y,
                       const axis *x, int64_t n_x) {
  const float *w = common->w;
  p->rows = n_y, p->columns = n_x;
  for (int64_t i = 0; i < n_y * n_x; i++) {
    job *j = &p->phase[i];
    *j = *common;
    j->y = y[i / n_x], j->x = x[i % n_x];
    j->taps = j->C * j->y.taps * j->x.taps;
    j->w = w;
    if (w) w += packed_floats(j);
  }
}

static pass forward_pass(const sizes *s, const ln_call *call, const float *w) {
  const axis y = forward_axis(s, 0), x = forward_axis(s, 1);
  pass p;
  job j = job_of(s->N, s->G, s->CG, s->KG, reach_of(&y, 1), reach_of(&x, 1));
  if (call) {
    j.in = ln_x(call, 0), j.out = ln_y(call, 0);
    j.start = ln_w(call, 1);
    j.finish = ln_finish_of(call, s->K);
  }
  j.w = w;
  add_phases(&p, &j, &y, 1, &x, 1);
  return p;
}

static pass gradient_pass(const sizes *s, const ln_call *call, const float *w) {
  axis y[MOST_STEP], x[MOST_STEP];
  pass p;
  for (int64_t i = 0; i < s->S[0]; i++) y[i] = gradient_axis(s, 0, i);
  for (int64_t i = 0; i < s->S[1]; i++) x[i] = gradient_axis(s, 1, i);
  job j = job_of(s->N, s->G, s->KG, s->CG, reach_of(y, s->S[0]),
                 reach_of(x, s->S[1]));
  if (call) j.in = ln_dy(call, 0), j.out = ln_dx(call, 0);
  j.w = w;
  add_phases(&p, &j, y, s->S[0], x, s->S[1]);
  return p;
}

static int64_t phases(const pass *p) {
  return p->rows * p->columns;
}

/* ---- scratch: offsets, planes, and what waits to be written -------------- */

static int64_t offsets_bytes(const pass *p) {
  int64_t taps = 0;
  for (int64_t i = 0; i < phases(p); i++) taps += p->phase[i].taps;
  return offset_floats(taps) * (int64_t)sizeof(float);
}

/* Floats of a part's band, as lanes or as planes. */
static int64_t band_floats(const job *j) {
  return j->rows * j->reach_x.size * 2 * LN_VECTOR + LN_VECTOR;
}

static int64_t waiting_floats(const pass *p) {
  const job *j = &p->phase[0];
  return j->filter_lanes ? (1 + p->columns) * band_floats(j)
                         : LN_MOST_FILTERS * LN_MOST_VECTORS * LN_VECTOR;
}

static int64_t scratch_bytes(const pass *p) {
  return offsets_bytes(p) +
         (plane_floats(&p->phase[0].planes) + waiting_floats(p)) *
             (int64_t)sizeof(float);
}

static int64_t packed_bytes(const pass *p) {
  int64_t floats = 0;
  for (int64_t i = 0; i < phases(p); i++) floats += packed_floats(&p->phase[i]);
  return floats * (int64_t)sizeof(float);
}

/* ---- writing ------------------------------------------------------------- */

/* The first number of out that belongs to row q of channel k. */
static float *out_row(const job *j, int64_t n, int64_t channel, int64_t q) {
  const int64_t row = q * j->y.out_step + j->y.phase;
  return j->out +
         ((n * j->G * j->K + channel) * j->y.out_size + row) * j->x.out_size +
         j->x.phase;
}

static void store_pixels(const job *j, const float *from, int64_t n,
                         float *to) {
  const int64_t step = j->x.out_step;
  if (step == 1)
    ln_copy_short(to, from, n);
  else
    for (int64_t i = 0; i < n; i++) to[i * step] = from[i];
}

/* Two column phases, of n pixels together, take turns. */
static void weave(const float *even, const float *odd, int64_t n, float *to) {
  for (; n > 0; n -= 2 * LN_VECTOR, to += 2 * LN_VECTOR) {
    const ln_vector a = ln_load(even), b = ln_load(odd);
    ln_store_first(to, LN_PICK(a, b, LN_FIRST), n);
    ln_store_first(to + LN_VECTOR, LN_PICK(a, b, LN_SECOND), n - LN_VECTOR);
    even += LN_VECTOR, odd += LN_VECTOR;
  }
}

/* ---- the two kinds of lanes ---------------------------------------------- */

typedef struct place {
  int64_t n, g, q, end; /* image, group, rows */
  const int64_t *offset[MOST_PHASES];
  const float *planes;
  float *waiting;
} place;

/* Rows of a phase that belong to a task. */
static int64_t rows_here(const job *j, const place *p) {
  return smaller(p->end, j->y.size) - p->q;
}

static ln_vector start_lanes(const job *j, int64_t g, int64_t k) {
  if (!j->start || k >= j->K) return (ln_vector){ 0 };
  return ln_load_before(j->start + g * j->K + k, j->start + (g + 1) * j->K);
}

/* One phase of two vectors of filters from k on: lanes, in `to`. */
static void fill_lanes(const job *j, const place *p, const int64_t *offset,
                       int64_t k, float *to) {
  const ln_filter_lanes f = {
    .taps = j->taps,
    .offset = offset,
    .w = j->w + (p->g * padded_filters(j->K) + k) * j->taps,
    .w_part = j->taps * LN_VECTOR,
    .to_part = rows_here(j, p) * j->x.size * LN_VECTOR,
    .plane_row = j->planes.q_row,
    .start = { start_lanes(j, p->g, k), start_lanes(j, p->g, k + LN_VECTOR) },
    .finish = &j->finish,
    .first = p->g * j->K + k,
  };
  ln_filter_lanes_rows(&f, j->K - k > LN_VECTOR ? 2 : 1, rows_here(j, p),
                       j->x.size, p->planes, to);
}

/* And from there to planes, `plane` floats apart. */
static void turn_lanes(const float *lanes, int64_t pixels, int64_t filters,
                       float *to, int64_t plane) {
  for (int64_t k = 0; k < filters; k += LN_VECTOR)
    ln_from_lanes(lanes + k * pixels, pixels, to + k * plane, plane,
                  smaller(LN_VECTOR, filters - k));
}

/* A row of phases, whose planes in `turned` lie band_floats apart. */
static void store_planes(const job *j, int64_t columns, const place *p,
                         int64_t k, int64_t filters, const float *turned) {
  const int64_t rows = rows_here(j, p), room = band_floats(j);
  for (int64_t i = 0; i < filters * rows; i++) {
    const int64_t channel = p->g * j->K + k + i / rows, q = p->q + i % rows;
    if (columns == 2) {
      weave(turned + i * j[0].x.size, turned + room + i * j[1].x.size,
            j->x.out_size, out_row(j, p->n, channel, q));
      continue;
    }
    for (int64_t m = 0; m < columns; m++)
      store_pixels(&j[m], turned + m * room + i * j[m].x.size, j[m].x.size,
                   out_row(&j[m], p->n, channel, q));
  }
}

static void filters_in_lanes(const pass *all, const place *p, int64_t row,
                             int64_t k) {
  const job *j = &all->phase[row * all->columns];
  const int64_t rows = rows_here(j, p), first = p->g * j->K + k;
  const int64_t filters = smaller(part_size(j), j->K - k);
  const bool neighbours = j->x.out_step == 1 && j->y.out_step == 1;
  float *lanes = p->waiting, *turned = lanes + band_floats(j);
  if (rows < 1) return;
  for (int64_t m = 0; m < all->columns; m++) {
    const int64_t pixels = rows * j[m].x.size;
    fill_lanes(&j[m], p, p->offset[row * all->columns + m], k, lanes);
    if (neighbours)
      turn_lanes(lanes, pixels, filters, out_row(j, p->n, first, p->q),
                 j->y.out_size * j->x.out_size);
    else
      turn_lanes(lanes, pixels, filters, turned + m * band_floats(j), pixels);
  }
  if (!neighbours) store_planes(j, all->columns, p, k, filters, turned);
}

/* Rows are cut into vectors; each call of the kernel takes the next few. */
typedef struct cell {
  int64_t row, column; /* of the band */
} cell;

static cell cell_at(const job *j, int64_t i) {
  const int64_t a_row = divide_up(j->x.size, LN_VECTOR);
  return (cell){ i / a_row, i % a_row * LN_VECTOR };
}

static void store_cell(const job *j, const place *p, cell c, int64_t k,
                       const float *from) {
  const int64_t n = smaller(LN_VECTOR, j->x.size - c.column);
  store_pixels(j, from, n,
               out_row(j, p->n, p->g * j->K + k, p->q + c.row) +
                   c.column * j->x.out_step);
}

static void pixels_in_lanes(const job *j, const place *p, const int64_t *offset,
                            int64_t k) {
  const int64_t first = p->g * j->K + k;
  const int64_t filters = smaller(part_size(j), j->K - k);
  const int64_t cells = rows_here(j, p) * divide_up(j->x.size, LN_VECTOR);
  const int vectors = ln_pixel_vectors(filters);
  const ln_pixel_lanes f = {
    .taps = j->taps,
    .offset = offset,
    .w = j->w + first * j->taps,
    .start = j->start ? j->start + first : NULL,
    .to_filter = LN_MOST_VECTORS * LN_VECTOR,
    .finish = &j->finish,
    .first = first,
  };
  for (int64_t i = 0; i < cells; i += vectors) {
    ptrdiff_t at[LN_MOST_VECTORS];
    for (int v = 0; v < vectors; v++) { /* too many: the last one again */
      const cell c = cell_at(j, smaller(i + v, cells - 1));
      at[v] = c.row * j->planes.q_row + c.column;
    }
    ln_pixel_lanes_block(&f, filters, p->planes, at, p->waiting);
    for (int64_t m = 0; m < filters; m++)
      for (int v = 0; v < vectors && i + v < cells; v++)
        store_cell(j, p, cell_at(j, i + v), k + m,
                   p->waiting + (m * LN_MOST_VECTORS + v) * LN_VECTOR);
  }
}

/* ---- tasks --------------------------------------------------------------- */

static void list_all_offsets(const pass *all, place *p, int64_t *to) {
  for (int64_t i = 0; i < phases(all); i++) {
    const job *j = &all->phase[i];
    p->offset[i] = to;
    if (j->taps)
      list_offsets(&j->planes, &j->reach_y, &j->reach_x, &j->y, &j->x, to);
    to += j->taps;
  }
}

static void compute_part(const pass *all, const place *p, int64_t k) {
  for (int64_t row = 0; row < all->rows; row++)
    if (all->phase[0].filter_lanes)
      filters_in_lanes(all, p, row, k);
    else
      for (int64_t i = row * all->columns; i < (row + 1) * all->columns; i++)
        pixels_in_lanes(&all->phase[i], p, p->offset[i], k);
}

/* Task: image, group, band of rows, some of the parts. */
static void compute_task(const pass *all, int64_t task, float *scratch) {
  const job *j = &all->phase[0];
  const int64_t some = task % j->part_groups;
  const int64_t band = task / j->part_groups % j->bands;
  const int64_t group = task / j->part_groups / j->bands;
  float *copies = scratch + offsets_bytes(all) / (int64_t)sizeof(float);
  place p = { .n = group / j->G,
              .g = group % j->G,
              .q = band * j->rows,
              .end = (band + 1) * j->rows,
              .planes = copies,
              .waiting = copies + plane_floats(&j->planes) };
  list_all_offsets(all, &p, (int64_t *)scratch);
  load_planes(&j->planes, &j->reach_y, &j->reach_x,
              j->in + group * j->C * j->y.in_size * j->x.in_size, p.q, copies);
  for (int64_t i = j->parts * some / j->part_groups;
       i < j->parts * (some + 1) / j->part_groups; i++)
    compute_part(all, &p, i * part_size(j));
}

static void compute_tasks(void *arg, const ln_chunk *chunk) {
  for (int64_t i = chunk->begin; i < chunk->end; i++)
    compute_task(arg, i, chunk->scratch);
}

static ln_status run(pass *p, const ln_call *call) {
  const job *j = &p->phase[0];
  return call->host->parallel_for(call, j->N * j->G * j->bands * j->part_groups,
                                  1, compute_tasks, p);
}

/* ---- weights, packed ----------------------------------------------------- */

/* w for one phase, as the kernels read it: for each group, and each part (or
 * vector) of its filters, tap by tap in order of c, row, column, the filters
 * side by side. Element (k, c) of a group begins at w[k * filter + c * channel]
 * and holds KH * KW taps. */
typedef struct packing {
  const job *j;
  const float *w;
  int64_t group, filter, channel, KW;
  float *to;
} packing;

static void pack_filters(const packing *p, int64_t g, int64_t k, int64_t lanes,
                         float *to) {
  const job *j = p->j;
  const float *w = p->w + g * p->group;
  for (int64_t c = 0; c < j->C; c++)
    for (int64_t i = 0; i < j->y.taps; i++)
      for (int64_t m = 0; m < j->x.taps; m++)
        for (int64_t v = 0; v < lanes; v++) {
          const int64_t tap = (j->y.first_tap + i * j->y.every) * p->KW +
                              j->x.first_tap + m * j->x.every;
          *to++ =
              k + v < j->K ? w[(k + v) * p->filter + c * p->channel + tap] : 0;
        }
}

static void pack_groups(void *arg, const ln_chunk *chunk) {
  const packing *p = arg;
  const job *j = p->j;
  const int64_t padded = padded_filters(j->K);
  const int64_t step = j->filter_lanes ? LN_VECTOR : part_size(j);
  const int64_t parts = divide_up(padded, step);
  for (int64_t i = chunk->begin; i < chunk->end; i++) {
    const int64_t g = i / parts, k = i % parts * step;
    pack_filters(p, g, k, smaller(step, padded - k),
                 p->to + (g * padded + k) * j->taps);
  }
}

static ln_status pack(packing *p, const pass *all, const ln_call *call) {
  for (int64_t i = 0; i < phases(all); i++) {
    const job *j = p->j = &all->phase[i];
    const int64_t step = j->filter_lanes ? LN_VECTOR : part_size(j);
    const ln_status status = call->host->parallel_for(
        call, j->G * divide_up(padded_filters(j->K), step), 1, pack_groups, p);
    if (status) return status;
    p->to += packed_floats(j);
  }
  return LN_OK;
}

static ln_status pack_forward(const void *self, const ln_call *call,
                              void *out) {
  const sizes s = sizes_of(self, call);
  const int64_t taps = s.KH * s.KW, filter = s.CG * taps;
  const pass all = forward_pass(&s, NULL, NULL);
  packing p = { NULL, ln_w(call, 0), s.KG * filter, filter, taps, s.KW, out };
  return pack(&p, &all, call);
}

static ln_status pack_gradient(const void *self, const ln_call *call,
                               void *out) {
  const sizes s = sizes_of(self, call);
  const int64_t taps = s.KH * s.KW, filter = s.CG * taps;
  const pass all = gradient_pass(&s, NULL, NULL);
  packing p = { NULL, ln_w(call, 0), s.KG * filter, taps, filter, s.KW, out };
  return pack(&p, &all, call);
}

/* ---- the method ---------------------------------------------------------- */

ln_status LN_FOR_ISA(direct_weights_plan)(const sizes *s, ln_infer *io);
ln_status LN_FOR_ISA(direct_backward_weights)(const sizes *s,
                                              const ln_call *call);

enum { MOST_TAPS = 256, MOST_BYTES = 256 << 20 };

ln_status LN_FOR_ISA(direct_plan)(const void *self, ln_infer *io) {
  const sizes s = planned_sizes(self, io);
  for (int d = 0; d < 2; d++)
    if (s.S[d] > MOST_STEP || s.D[d] > MOST_TAPS) return LN_UNSUITED;
  if (s.KH > MOST_TAPS || s.KW > MOST_TAPS) return LN_UNSUITED;
  const pass forward = forward_pass(&s, NULL, NULL);
  const pass gradient = gradient_pass(&s, NULL, NULL);
  io->scratch = larger(scratch_bytes(&forward), scratch_bytes(&gradient));
  io->packed[0] = packed_bytes(&forward);
  io->packed[1] = packed_bytes(&gradient);
  const ln_status status = LN_FOR_ISA(direct_weights_plan)(&s, io);
  return status || io->scratch < MOST_BYTES ? status : LN_UNSUITED;
}

ln_status LN_FOR_ISA(direct_forward)(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  const float *w = call->host->packed(call, 0, pack_forward);
  if (!w) return not_packed(call);
  pass p = forward_pass(&s, call, w);
  return run(&p, call);
}

static ln_status data_gradient(const sizes *s, const ln_call *call) {
  const float *w = call->host->packed(call, 1, pack_gradient);
  if (!w) return not_packed(call);
  pass p = gradient_pass(s, call, w);
  return run(&p, call);
}

/* Deep layers: dw comes from deep_weights.c, once for the whole batch. */
ln_status LN_FOR_ISA(direct_deep_plan)(const void *self, ln_infer *io) {
  const sizes s = planned_sizes(self, io);
  if (!conv2d_is_deep(&s)) return LN_UNSUITED;
  const ln_status status = LN_FOR_ISA(direct_plan)(self, io);
  io->scratch = larger(io->scratch, conv2d_deep_scratch(&s));
  return status;
}

ln_status LN_FOR_ISA(direct_deep_backward)(const void *self,
                                           const ln_call *call) {
  const sizes s = sizes_of(self, call);
  return data_gradient(&s, call);
}

ln_status LN_FOR_ISA(direct_backward)(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  ln_status status = LN_OK;
  if (ln_dx(call, 0)) status = data_gradient(&s, call);
  if (!status && ln_dw(call, 0))
    status = LN_FOR_ISA(direct_backward_weights)(&s, call);
  return status ? status : conv2d_bias_gradient(&s, call);
}
