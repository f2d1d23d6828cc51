/* batch.c - method "batch": one vector is the same pixel of many images.
 *
 * Few channels fill no vector, and rows of an odd width fill the last of theirs
 * badly; images fill all lanes, whatever the sizes. The images of a batch are
 * turned, LN_VECTOR of them at a time, so that each pixel is a vector, an image
 * a lane. Then the loops are the textbook's, on vectors instead of numbers: 4
 * neighbouring pixels of up to 6 filters grow in registers.
 *
 * Stride 1 only. Then the gradient of x is the same sum with shifts of its own
 * (direct.h). */
#include "batch_rows.h"

typedef struct job {
  pass pass;
  int64_t filters; /* of one call of the kernel */
  int64_t rows;    /* of a band: what is turned back at once */
  turned turned;
} job;

static job job_of(pass p) {
  const axis alone = rows_alone(&p.y);
  return (job){ .pass = p,
                .filters = filters_of_part(p.K),
                .rows = turned_rows(p.K, &p.y, &p.x),
                .turned = turned_of(p.C, &alone, &p.x) };
}

static int64_t taps_of(const job *j) {
  return j->pass.C * j->pass.y.taps * j->pass.x.taps;
}

/* ---- scratch: offsets, turned images, outputs of a band ------------------ */

static int64_t band_floats(const job *j) {
  return j->pass.K * j->rows * j->pass.x.size * LN_VECTOR;
}
static int64_t scratch_bytes(const job *j) {
  return (offset_floats(taps_of(j)) + turned_floats(&j->turned) +
          band_floats(j)) *
         (int64_t)sizeof(float);
}

/* ---- some rows ----------------------------------------------------------- */

typedef struct place {
  images images;
  int64_t *offset;
  float *turned, *band;
} place;

static place place_of(const job *j, int64_t task, float *scratch) {
  place p = { .images = images_of_task(&j->pass, task),
              .offset = (int64_t *)scratch };
  p.turned = scratch + offset_floats(taps_of(j));
  p.band = p.turned + turned_floats(&j->turned);
  return p;
}

/* Rows [q, q + rows), all filters. */
static void compute_band(const job *j, const place *p, int64_t q,
                         int64_t rows) {
  const pass *a = &j->pass;
  const row_sums sums = {
    .y = &a->y,
    .columns = a->x.size,
    .row = j->turned.row,
    .tap_row = a->C * a->x.taps,
    .offset = p->offset,
    .K = a->K,
    .filters = j->filters,
    .w = a->w + p->images.g * a->K * taps_of(j),
    .start = a->start ? a->start + p->images.g * a->K : NULL,
    .to_filter = j->rows * a->x.size,
    .finish = a->finish,
    .first = p->images.g * a->K,
  };
  sum_rows(&sums, q, rows, p->turned, p->band);
  for (int64_t k = 0; k < a->K; k++)
    turn_rows_back(a, &p->images, k, q, rows,
                   p->band + k * sums.to_filter * LN_VECTOR);
}

/* ---- tasks: some images, a group ----------------------------------------- */

static void compute_task(const job *j, int64_t task, float *scratch) {
  const place p = place_of(j, task, scratch);
  const pass *a = &j->pass;
  list_row_offsets(&j->turned, &a->y, &a->x, p.offset);
  turn(&j->turned, p.images.in, p.images.in_next, p.images.count, a->end,
       p.turned);
  for (int64_t q = 0; q < a->y.size; q += j->rows)
    compute_band(j, &p, q, smaller(j->rows, a->y.size - q));
}

static void compute_tasks(void *arg, const ln_chunk *chunk) {
  for (int64_t i = chunk->begin; i < chunk->end; i++)
    compute_task(arg, i, chunk->scratch);
}

static ln_status run(pass p, const ln_call *call) {
  job j = job_of(p);
  return call->host->parallel_for(call, tasks_of(&p), 1, compute_tasks, &j);
}

/* ---- weights, packed ----------------------------------------------------- */

/* As the kernel reads them: for each group and part of its filters, tap by tap
 * in order of row, c, column, the filters side by side. */
static float *pack_part(const job *j, const filters_in_w *all, int64_t g,
                        int64_t k, float *to) {
  const pass *a = &j->pass;
  const float *w = all->w + g * all->group + k * all->filter;
  const int64_t some = smaller(j->filters, a->K - k);
  for (int64_t i = 0; i < a->y.taps; i++)
    for (int64_t c = 0; c < a->C; c++)
      for (int64_t m = 0; m < a->x.taps; m++)
        for (int64_t f = 0; f < some; f++)
          *to++ = w[f * all->filter + c * all->channel + i * a->x.taps + m];
  return to;
}

static ln_status pack(pass p, filters_in_w all, float *to) {
  const job j = job_of(p);
  for (int64_t g = 0; g < p.G; g++)
    for (int64_t k = 0; k < p.K; k += j.filters)
      to = pack_part(&j, &all, g, k, to);
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

/* Wherever it can be done. */
ln_status LN_FOR_ISA(batch_any_plan)(const void *self, ln_infer *io) {
  const sizes s = planned_sizes(self, io);
  for (int d = 0; d < 2; d++)
    if (s.S[d] != 1 || s.D[d] > 256 || s.KH > 256 || s.KW > 256)
      return LN_UNSUITED;
  if (s.W < LN_MOST_VECTORS || s.OW < LN_MOST_VECTORS) return LN_UNSUITED;
  const job forward = job_of(forward_pass(&s, NULL, NULL));
  const job gradient = job_of(gradient_pass(&s, NULL, NULL));
  io->scratch = larger(scratch_bytes(&forward), scratch_bytes(&gradient));
  io->packed[0] = io->packed[1] =
      s.K * s.CG * s.KH * s.KW * (int64_t)sizeof(float);
  LN_FOR_ISA(batch_weights_plan)(&s, io);
  return io->scratch < MOST_BYTES ? LN_OK : LN_UNSUITED;
}

/* Where it gains: all lanes have an image, and there are few channels. */
ln_status LN_FOR_ISA(batch_plan)(const void *self, ln_infer *io) {
  const sizes s = planned_sizes(self, io);
  if (s.N < LN_VECTOR || s.CG > FEW_CHANNELS || s.KG > FEW_CHANNELS)
    return LN_UNSUITED;
  return LN_FOR_ISA(batch_any_plan)(self, io);
}

ln_status LN_FOR_ISA(batch_forward)(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  const float *w = call->host->packed(call, 0, pack_forward);
  return w ? run(forward_pass(&s, call, w), call) : not_packed(call);
}

static ln_status data_gradient(const sizes *s, const ln_call *call) {
  const float *w = call->host->packed(call, 1, pack_gradient);
  return w ? run(gradient_pass(s, call, w), call) : not_packed(call);
}

ln_status LN_FOR_ISA(batch_backward)(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  ln_status status = ln_dx(call, 0) ? data_gradient(&s, call) : LN_OK;
  if (!status && ln_dw(call, 0))
    status = LN_FOR_ISA(batch_backward_weights)(&s, call);
  return status ? status : conv2d_bias_gradient(&s, call);
}
