/* locally_connected2d.c - a convolution that does not share its weights: every
 * place of the window has filters of its own.
 *
 * Forward   y[n,k,oy,ox] = b[k,oy,ox] + sum over c,ky,kx of
 *               w[oy,ox,k,c,ky,kx] * x[n,c, oy*S + ky - P, ox*S + kx - P]
 * Shapes    x (N,C,H,W)  w (OH,OW,K,C,KH,KW)  b (K,OH,OW)  y (N,K,OH,OW)
 *           OH = floor((H + 2P - KH) / S) + 1, OW likewise; x is 0 outside the
 *           image. S and P have a value for rows and one for columns.
 * Backward  dw[oy,ox,k,c,ky,kx] = sum over n of
 *               dy[n,k,oy,ox] * x[n,c, oy*S + ky - P, ox*S + kx - P]
 *           db[k,oy,ox] = sum over n of dy[n,k,oy,ox]
 *           dx: each dy flows back to the pixels it was made from, times the
 *           weight that it met there; what meets in a pixel is added up
 * Source    Lecture 14, "Locally Connected Neural networks". With the same
 *           filters at all places it is conv2d: nn.tie and nn.untie go from
 *           one to the other
 *
 * The textbook loops come first. The method "matmul" below them does the same
 * sums as one matrix product a place, for all items of the batch at once.
 */
#include <string.h>

#include <lunet/kernels/vector.h>
#include <lunet/plugin.h>

typedef struct locally_connected2d {
  int64_t in_channels, out_channels;
  int64_t input_size[2], kernel_size[2], stride[2], padding[2]; /* rows, cols */
  bool bias, strict;
} locally_connected2d;

#define MOST 65535 /* of one window size; keeps their products small */

static const ln_option options[] = {
  LN_INT(locally_connected2d, in_channels, LN_FROM_INPUT, 1, LN_ANY,
         "channels of x, C; left out, the first input tells"),
  LN_INT(locally_connected2d, out_channels, LN_REQUIRED, 1, LN_ANY,
         "number of filters at each place, K, and so of channels of y"),
  LN_INTS(locally_connected2d, input_size, LN_FROM_INPUT, 1, 0x1p30,
          "size of the images, H x W: one number or {rows, columns}; left out, "
          "the first input tells"),
  LN_INTS(locally_connected2d, kernel_size, LN_REQUIRED, 1, MOST,
          "size of a filter, KH x KW: one number or {rows, columns}"),
  LN_INTS(locally_connected2d, stride, 1, 1, MOST,
          "step of the window, S: one number or {rows, columns}"),
  LN_INTS(locally_connected2d, padding, 0, 0, MOST,
          "zeros on each side, P: one number or {rows, columns}"),
  LN_BOOL(locally_connected2d, bias, true, "add a number b[k,oy,ox] to each y"),
  LN_BOOL(locally_connected2d, strict, false,
          "refuse an input where the stride leaves rows or columns unread"),
};

/* ---- options, weights, shapes -------------------------------------------- */

/* Rows (d = 0) or columns (d = 1) that the window can still move by. */
static int64_t slack(const locally_connected2d *o, int d) {
  return o->input_size[d] + 2 * o->padding[d] - o->kernel_size[d];
}

static ln_status check_fit(const locally_connected2d *o, const ln_host *host) {
  for (int d = 0; d < 2; d++)
    if (o->input_size[d] > 0 && slack(o, d) < 0)
      return ln_fail(
          host,
          "kernel %" PRId64 "x%" PRId64
          " is larger than the padded input %" PRId64 "x%" PRId64
          "\n  output %s = floor((%" PRId64 " + 2*%" PRId64 " - %" PRId64
          ") / %" PRId64 ") + 1 < 1, but must be at least 1\n"
          "  try padding = %" PRId64 ", or kernel_size <= %" PRId64,
          o->kernel_size[0], o->kernel_size[1],
          o->input_size[0] + 2 * o->padding[0],
          o->input_size[1] + 2 * o->padding[1], d == 0 ? "height" : "width",
          o->input_size[d], o->padding[d], o->kernel_size[d], o->stride[d],
          o->padding[d] + (1 - slack(o, d)) / 2,
          o->input_size[d] + 2 * o->padding[d]);
  return LN_OK;
}

static ln_status create(void *self, const ln_host *host) {
  return check_fit(self, host); /* input_size may still be 0: not known */
}

static ln_status params(const void *self, ln_params *p) {
  const locally_connected2d *o = self;
  if (check_fit(o, p->host) != LN_OK) return LN_FAILED;
  const int64_t C = o->in_channels, K = o->out_channels;
  const int64_t KH = o->kernel_size[0], KW = o->kernel_size[1];
  const int64_t OH = slack(o, 0) / o->stride[0] + 1;
  const int64_t OW = slack(o, 1) / o->stride[1] + 1;
  const double fan_in = (double)C * (double)(KH * KW);
  const double fan_out = (double)K * (double)(KH * KW);
  ln_add_weight(p, "weight", LN_SHAPE(OH, OW, K, C, KH, KW), fan_in, fan_out);
  if (o->bias) ln_add_weight(p, "bias", LN_SHAPE(K, OH, OW), fan_in, 0);
  return LN_OK;
}

static ln_status infer(const void *self, ln_infer *io) {
  const locally_connected2d *o = self;
  if (ln_slide(io, 2, o->kernel_size, o->stride, NULL, o->padding, NULL, false,
               o->strict) != LN_OK)
    return LN_FAILED;
  const double products =
      (double)o->in_channels * (double)(o->kernel_size[0] * o->kernel_size[1]);
  io->flops = 2 * products * (double)ln_count(&io->y[0]);
  return LN_OK;
}

/* The letters of the head, for one call. */
typedef struct sizes {
  int64_t N, C, H, W, K, OH, OW, KH, KW;
  int64_t S[2], P[2];
} sizes;

static sizes sizes_of(const locally_connected2d *o, const ln_call *call) {
  const int64_t *x = call->x[0]->shape.dim, *y = call->y[0]->shape.dim;
  return (sizes){
    .N = x[0],
    .C = x[1],
    .H = x[2],
    .W = x[3],
    .K = y[1],
    .OH = y[2],
    .OW = y[3],
    .KH = o->kernel_size[0],
    .KW = o->kernel_size[1],
    .S = { o->stride[0], o->stride[1] },
    .P = { o->padding[0], o->padding[1] },
  };
}

/* ---- the textbook -------------------------------------------------------- */

static bool inside(const sizes *s, int64_t iy, int64_t ix) {
  return iy >= 0 && iy < s->H && ix >= 0 && ix < s->W;
}

/* One filter on the patch of x whose first pixel is (top, left). */
static float patch_sum(const sizes *s, int64_t top, int64_t left,
                       const float w[s->C][s->KH][s->KW],
                       const float x[s->C][s->H][s->W]) {
  float sum = 0;
  for (int64_t c = 0; c < s->C; c++)
    for (int64_t ky = 0; ky < s->KH; ky++)
      for (int64_t kx = 0; kx < s->KW; kx++)
        if (inside(s, top + ky, left + kx))
          sum += w[c][ky][kx] * x[c][top + ky][left + kx];
  return sum;
}

static ln_status forward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  const float(*x)[s.C][s.H][s.W] = (void *)ln_x(call, 0);
  const float(*w)[s.OW][s.K][s.C][s.KH][s.KW] = (void *)ln_w(call, 0);
  const float(*b)[s.OH][s.OW] = (void *)ln_w(call, 1);
  float(*y)[s.K][s.OH][s.OW] = (void *)ln_y(call, 0);

  for (int64_t n = 0; n < s.N; n++)
    for (int64_t k = 0; k < s.K; k++)
      for (int64_t oy = 0; oy < s.OH; oy++)
        for (int64_t ox = 0; ox < s.OW; ox++)
          y[n][k][oy][ox] = (b ? b[k][oy][ox] : 0) +
                            patch_sum(&s, oy * s.S[0] - s.P[0],
                                      ox * s.S[1] - s.P[1], w[oy][ox][k], x[n]);
  return LN_OK;
}

/* What one dy, g, sends back to the pixels it was made from. */
static void patch_to_dx(const sizes *s, int64_t top, int64_t left, float g,
                        const float w[s->C][s->KH][s->KW],
                        float dx[s->C][s->H][s->W]) {
  for (int64_t c = 0; c < s->C; c++)
    for (int64_t ky = 0; ky < s->KH; ky++)
      for (int64_t kx = 0; kx < s->KW; kx++)
        if (inside(s, top + ky, left + kx))
          dx[c][top + ky][left + kx] += w[c][ky][kx] * g;
}

/* And to the weights that met them. */
static void patch_to_dw(const sizes *s, int64_t top, int64_t left, float g,
                        const float x[s->C][s->H][s->W],
                        float dw[s->C][s->KH][s->KW]) {
  for (int64_t c = 0; c < s->C; c++)
    for (int64_t ky = 0; ky < s->KH; ky++)
      for (int64_t kx = 0; kx < s->KW; kx++)
        if (inside(s, top + ky, left + kx))
          dw[c][ky][kx] += g * x[c][top + ky][left + kx];
}

static ln_status backward(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  const float(*dy)[s.K][s.OH][s.OW] = (void *)ln_dy(call, 0);
  const float(*w)[s.OW][s.K][s.C][s.KH][s.KW] = (void *)ln_w(call, 0);
  float(*dx)[s.C][s.H][s.W] = (void *)ln_dx(call, 0);

  for (int64_t n = 0; n < s.N; n++) {
    memset(dx[n], 0, sizeof dx[n]);
    for (int64_t k = 0; k < s.K; k++)
      for (int64_t oy = 0; oy < s.OH; oy++)
        for (int64_t ox = 0; ox < s.OW; ox++)
          patch_to_dx(&s, oy * s.S[0] - s.P[0], ox * s.S[1] - s.P[1],
                      dy[n][k][oy][ox], w[oy][ox][k], dx[n]);
  }
  return LN_OK;
}

static void weight_gradient(const sizes s, const ln_call *call) {
  const float(*dy)[s.K][s.OH][s.OW] = (void *)ln_dy(call, 0);
  const float(*x)[s.C][s.H][s.W] = (void *)ln_x(call, 0);
  float(*dw)[s.OW][s.K][s.C][s.KH][s.KW] = (void *)ln_dw(call, 0);

  for (int64_t oy = 0; oy < s.OH; oy++)
    for (int64_t ox = 0; ox < s.OW; ox++)
      for (int64_t k = 0; k < s.K; k++) {
        memset(dw[oy][ox][k], 0, sizeof dw[oy][ox][k]);
        for (int64_t n = 0; n < s.N; n++)
          patch_to_dw(&s, oy * s.S[0] - s.P[0], ox * s.S[1] - s.P[1],
                      dy[n][k][oy][ox], x[n], dw[oy][ox][k]);
      }
}

static void bias_gradient(const sizes s, const ln_call *call) {
  const int64_t places = s.K * s.OH * s.OW;
  const float(*dy)[places] = (void *)ln_dy(call, 0);
  float *db = ln_dw(call, 1);
  memset(db, 0, (size_t)places * sizeof *db);
  for (int64_t n = 0; n < s.N; n++)
    for (int64_t i = 0; i < places; i++) db[i] += dy[n][i];
}

/* A pass of its own, so that the host keeps one dw and not one for each slice
 * of the batch: no layer has more weights. */
static ln_status backward_weights(const void *self, const ln_call *call) {
  const sizes s = sizes_of(self, call);
  if (ln_dw(call, 0)) weight_gradient(s, call);
  if (ln_dw(call, 1)) bias_gradient(s, call);
  return LN_OK;
}

/* ---- method "matmul" ----------------------------------------------------- */

/* An item needs each weight once, so with one item after the other the time
 * goes into fetching weights. With the batch as the last dim, X (C,H,W,N) and
 * Y (K,OH,OW,N), a place is one matrix product for all items,
 *
 *   Y[.,oy,ox,.] (K,N) = w[oy,ox] (K, C*KH*KW) times patch (C*KH*KW, N)
 *
 * whose vectors run over the batch; each weight is fetched once. In backward
 * dpatch = w[oy,ox]^T dY and dw[oy,ox] = dY patch^T. The price is turning x
 * and y round, which is little beside the weights. */

typedef struct pass {
  sizes s;
  const ln_call *call;
  float *x, *y; /* X and Y, or their gradients */
  int parity;   /* of the bands, see input_rows */
} pass;

static double floats_of(const ln_shape *shape) {
  return (double)ln_count(shape) + 16; /* to begin at a multiple of 64 bytes */
}

static ln_status matmul_plan(const void *self, ln_infer *io) {
  const locally_connected2d *o = self;
  const double workspace = floats_of(&io->x[0]) + floats_of(&io->y[0]);
  const double patch = (double)io->x[0].dim[0] * (double)o->in_channels *
                       (double)(o->kernel_size[0] * o->kernel_size[1]);
  if ((workspace + patch) * sizeof(float) > 0x1p30)
    return LN_UNSUITED; /* memory above a gigabyte */
  io->workspace = (int64_t)workspace * (int64_t)sizeof(float);
  io->scratch = (int64_t)patch * (int64_t)sizeof(float);
  return LN_OK;
}

static pass pass_of(const void *self, const ln_call *call) {
  float *x = call->workspace;
  return (pass){ .s = sizes_of(self, call),
                 .call = call,
                 .x = x,
                 .y = x + (call->x[0]->count + 15) / 16 * 16 };
}

/* ---- turning round ---- */

typedef struct matrix {
  const float *from; /* (rows, columns) */
  float *to;         /* (columns, rows) */
  int64_t rows, columns;
} matrix;

/* A part of a matrix, element by element. */
static void turn_slowly(const matrix *m, int64_t row, int64_t end_row,
                        int64_t column, int64_t end_column) {
  for (int64_t j = column; j < end_column; j++)
    for (int64_t i = row; i < end_row; i++)
      m->to[j * m->rows + i] = m->from[i * m->columns + j];
}

/* A part of a matrix, in blocks of 4x4 as far as they fit. */
static void turn(const matrix *m, int64_t row, int64_t end_row, int64_t column,
                 int64_t end_column) {
  const int64_t last_row = end_row - (end_row - row) % 4;
  const int64_t last_column = end_column - (end_column - column) % 4;
  for (int64_t j = column; j < last_column; j += 4)
    for (int64_t i = row; i < last_row; i += 4)
      ln_transpose_4x4(m->from + i * m->columns + j, m->columns,
                       m->to + j * m->rows + i, m->rows);
  turn_slowly(m, last_row, end_row, column, last_column);
  turn_slowly(m, row, end_row, last_column, end_column);
}

static void turn_columns(void *arg, const ln_chunk *chunk) {
  const matrix *m = arg;
  turn(m, 0, m->rows, chunk->begin, chunk->end);
}

static void turn_rows(void *arg, const ln_chunk *chunk) {
  const matrix *m = arg;
  turn(m, chunk->begin, chunk->end, 0, m->columns);
}

enum { PIXELS_AT_ONCE = 1024, PLACES_AT_ONCE = 8 };

/* (N, pixels) -> (pixels, N). */
static ln_status batch_to_the_end(const ln_call *call, const ln_tensor *from,
                                  float *to) {
  const int64_t N = from->shape.dim[0];
  if (N == 0) return LN_OK;
  matrix m = { from->data, to, N, from->count / N };
  return call->host->parallel_for(call, m.columns, PIXELS_AT_ONCE, turn_columns,
                                  &m);
}

/* (pixels, N) -> (N, pixels). */
static ln_status batch_to_the_front(const ln_call *call, const float *from,
                                    const ln_tensor *to) {
  const int64_t N = to->shape.dim[0];
  if (N == 0) return LN_OK;
  matrix m = { from, to->data, to->count / N, N };
  return call->host->parallel_for(call, m.rows, PIXELS_AT_ONCE, turn_rows, &m);
}

/* ---- patches ---- */

/* A row of a patch: `begin` columns lie before the image, those from `end` on
 * behind it, and pixels (N numbers each) are the others. */
typedef struct patch_row {
  float *pixels;
  int64_t begin, end;
} patch_row;

static int64_t clamp(int64_t value, int64_t min, int64_t max) {
  return value < min ? min : value > max ? max : value;
}

static patch_row row_of(const pass *p, int64_t c, int64_t iy, int64_t left) {
  const sizes *s = &p->s;
  if (iy < 0 || iy >= s->H) return (patch_row){ NULL, s->KW, s->KW };
  patch_row r = { .begin = clamp(-left, 0, s->KW) };
  r.end = clamp(s->W - left, r.begin, s->KW);
  if (r.end > r.begin)
    r.pixels = p->x + ((c * s->H + iy) * s->W + left + r.begin) * s->N;
  return r;
}

static void fill_row(const patch_row *r, int64_t KW, int64_t N, float *out) {
  for (int64_t i = 0; i < r->begin * N; i++) out[i] = 0;
  for (int64_t i = 0; i < (r->end - r->begin) * N; i++)
    out[r->begin * N + i] = r->pixels[i];
  for (int64_t i = r->end * N; i < KW * N; i++) out[i] = 0;
}

static void add_row(const patch_row *r, int64_t N, const float *row) {
  for (int64_t i = 0; i < (r->end - r->begin) * N; i++)
    r->pixels[i] += row[r->begin * N + i];
}

/* X -> patch (C*KH*KW, N). */
static void cut_patch(const pass *p, int64_t place, float *patch) {
  const sizes *s = &p->s;
  const int64_t top = place / s->OW * s->S[0] - s->P[0];
  const int64_t left = place % s->OW * s->S[1] - s->P[1];
  for (int64_t c = 0; c < s->C; c++)
    for (int64_t ky = 0; ky < s->KH; ky++, patch += s->KW * s->N) {
      const patch_row row = row_of(p, c, top + ky, left);
      fill_row(&row, s->KW, s->N, patch);
    }
}

/* dX += patch. */
static void add_patch(const pass *p, int64_t place, const float *patch) {
  const sizes *s = &p->s;
  const int64_t top = place / s->OW * s->S[0] - s->P[0];
  const int64_t left = place % s->OW * s->S[1] - s->P[1];
  for (int64_t c = 0; c < s->C; c++)
    for (int64_t ky = 0; ky < s->KH; ky++, patch += s->KW * s->N) {
      const patch_row row = row_of(p, c, top + ky, left);
      add_row(&row, s->N, patch);
    }
}

/* ---- the products ---- */

/* What the three products of a place have in common. */
typedef struct place_sizes {
  int64_t inputs;  /* C*KH*KW, that meet in an output */
  int64_t y_row;   /* floats from one channel of Y to the next */
  int64_t weights; /* of a place */
} place_sizes;

static place_sizes place_sizes_of(const sizes *s) {
  const int64_t inputs = s->C * s->KH * s->KW;
  return (place_sizes){ inputs, s->OH * s->OW * s->N, s->K * inputs };
}

static void bias_to_place(const pass *p, int64_t place) {
  const sizes *s = &p->s;
  const float *b = ln_w(p->call, 1);
  const int64_t places = s->OH * s->OW;
  for (int64_t k = 0; b && k < s->K; k++)
    for (int64_t n = 0; n < s->N; n++)
      p->y[(k * places + place) * s->N + n] = b[k * places + place];
}

static void places_forward(void *arg, const ln_chunk *chunk) {
  const pass *p = arg;
  const sizes *s = &p->s;
  const place_sizes size = place_sizes_of(s);
  const float *w = ln_w(p->call, 0);

  for (int64_t i = chunk->begin; i < chunk->end; i++) {
    cut_patch(p, i, chunk->scratch);
    bias_to_place(p, i);
    p->call->host->matmul(p->call, 0, 0, s->K, s->N, size.inputs,
                          w + i * size.weights, size.inputs, chunk->scratch,
                          s->N, ln_w(p->call, 1) ? 1 : 0, p->y + i * s->N,
                          size.y_row);
  }
}

static ln_status matmul_forward(const void *self, const ln_call *call) {
  pass p = pass_of(self, call);
  ln_status status = batch_to_the_end(call, call->x[0], p.x);
  if (status == LN_OK)
    status = call->host->parallel_for(call, p.s.OH * p.s.OW, PLACES_AT_ONCE,
                                      places_forward, &p);
  if (status == LN_OK) status = batch_to_the_front(call, p.y, call->y[0]);
  return status;
}

static void place_to_dx(const pass *p, int64_t place, float *patch) {
  const sizes *s = &p->s;
  const place_sizes size = place_sizes_of(s);
  p->call->host->matmul(p->call, 1, 0, size.inputs, s->N, s->K,
                        ln_w(p->call, 0) + place * size.weights, size.inputs,
                        p->y + place * s->N, size.y_row, 0, patch, s->N);
  add_patch(p, place, patch);
}

/* Rows of places whose windows reach less far than the next band but one: so
 * all bands of one parity may add to dX at the same time. */
static int64_t band_height(const sizes *s) {
  return 1 + (s->KH - 1) / s->S[0];
}

static void bands_to_dx(void *arg, const ln_chunk *chunk) {
  const pass *p = arg;
  const sizes *s = &p->s;
  const int64_t places = s->OH * s->OW, size = band_height(s) * s->OW;
  for (int64_t i = chunk->begin; i < chunk->end; i++) {
    const int64_t begin = clamp((2 * i + p->parity) * size, 0, places);
    const int64_t end = clamp(begin + size, 0, places);
    for (int64_t place = begin; place < end; place++)
      place_to_dx(p, place, chunk->scratch);
  }
}

static ln_status matmul_backward(const void *self, const ln_call *call) {
  pass p = pass_of(self, call);
  const int64_t bands = (p.s.OH - 1) / band_height(&p.s) + 1;
  ln_status status = batch_to_the_end(call, call->dy[0], p.y);
  memset(p.x, 0, (size_t)call->x[0]->count * sizeof *p.x);
  for (p.parity = 0; status == LN_OK && p.parity < 2; p.parity++)
    status =
        call->host->parallel_for(call, (bands + 1) / 2, 1, bands_to_dx, &p);
  if (status == LN_OK) status = batch_to_the_front(call, p.x, call->dx[0]);
  return status;
}

static void places_to_dw(void *arg, const ln_chunk *chunk) {
  const pass *p = arg;
  const sizes *s = &p->s;
  const place_sizes size = place_sizes_of(s);
  float *dw = ln_dw(p->call, 0);

  for (int64_t i = chunk->begin; i < chunk->end; i++) {
    cut_patch(p, i, chunk->scratch);
    p->call->host->matmul(p->call, 0, 1, s->K, size.inputs, s->N,
                          p->y + i * s->N, size.y_row, chunk->scratch, s->N, 0,
                          dw + i * size.weights, size.inputs);
  }
}

static ln_status matmul_backward_weights(const void *self,
                                         const ln_call *call) {
  pass p = pass_of(self, call);
  if (ln_dw(call, 1)) bias_gradient(p.s, call);
  if (!ln_dw(call, 0)) return LN_OK;
  ln_status status = batch_to_the_end(call, call->x[0], p.x);
  if (status == LN_OK) status = batch_to_the_end(call, call->dy[0], p.y);
  if (status == LN_OK)
    status = call->host->parallel_for(call, p.s.OH * p.s.OW, PLACES_AT_ONCE,
                                      places_to_dw, &p);
  return status;
}

static const ln_kernel kernels[] = {
  { .method = "matmul",
    .plan = matmul_plan,
    .forward = matmul_forward,
    .backward = matmul_backward,
    .backward_weights = matmul_backward_weights },
};

static const ln_layer layer = {
  LN_LAYER,
  .name = "locally_connected2d",
  .brief = "a convolution with filters of its own at every place",
  .formula = "y[n,k,oy,ox] = b[k,oy,ox] + sum over c,ky,kx of "
             "w[oy,ox,k,c,ky,kx] * x[n,c, oy*S + ky - P, ox*S + kx - P]",
  .example = "nn.locally_connected2d{ out_channels = 4, kernel_size = 3 }"
             ":forward(lunet.randn{ 2, 3, 8, 8 })",
  .inputs = "x(N,in_channels,input_size)",
  .outputs = "y(N,out_channels,OH,OW)",
  LN_OPTIONS(locally_connected2d, options),
  .traits = LN_PER_SAMPLE | LN_FORGETS_Y | LN_LINEAR,
  .create = create,
  .params = params,
  .infer = infer,
  .forward = forward,
  .backward = backward,
  .backward_weights = backward_weights,
  LN_KERNELS(kernels),
};
LN_PLUGIN("locally_connected2d", "1.0", &layer);
