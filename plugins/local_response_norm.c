/* local_response_norm.c - divide each number by how loud its neighbour channels
 * are at the same place.
 *
 * Forward   y[n,c,i] = x[n,c,i] / s[n,c,i]^beta,
 *           s[n,c,i] = k + alpha / size * sum over j of x[n,j,i]^2, j from
 *           c - size/2 to c + (size-1)/2 (halves rounded down), as far as there
 *           are channels
 * Shapes    x, y, s (N,C,...), i runs over the P numbers of a channel
 * Backward  dx[n,c,i] = dy[n,c,i] / s[n,c,i]^beta
 *               - 2 * alpha / size * beta * x[n,c,i] * sum over j of
 *                 dy[n,j,i] * x[n,j,i] / s[n,j,i]^(beta + 1), over all j whose
 *           window holds c: from c - (size-1)/2 to c + size/2
 * Source    Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep
 *           Convolutional Neural Networks", 2012 (without dividing by size)
 *
 * The textbook loops come first. The method "roots" below them does without
 * powf where beta is the usual 3/4.
 */
#include <math.h>
#include <string.h>

#include <lunet/kernels/each_isa.h>
#include <lunet/kernels/per_isa.h>
#include <lunet/plugin.h>

typedef struct local_response_norm {
  int64_t size;
  double alpha, beta, k;
} local_response_norm;

static const ln_option options[] = {
  LN_INT(local_response_norm, size, LN_REQUIRED, 1, LN_ANY,
         "channels that a number is compared with, its own among them"),
  LN_REAL(local_response_norm, alpha, 1e-4, 0, LN_ANY,
          "how much their mean square counts"),
  LN_REAL(local_response_norm, beta, 0.75, -LN_ANY, LN_ANY,
          "exponent of the divisor"),
  LN_REAL(local_response_norm, k, 1, 0, LN_ANY,
          "divisor of a number in silence"),
};

/* The letters of the head. */
typedef struct sizes {
  int64_t N, C, P;
} sizes;

static sizes sizes_of(const ln_shape *x) {
  sizes s = { x->dim[0], x->dim[1], 1 };
  for (int32_t d = 2; d < x->rank; d++) s.P *= x->dim[d];
  return s;
}

/* saved: s, shaped as x; workspace: a sum for each number of a channel. */
static ln_status infer(const void *self, ln_infer *io) {
  const local_response_norm *o = self;
  const sizes s = sizes_of(&io->x[0]);
  const double count = (double)ln_count(&io->x[0]);
  const int64_t seen = o->size < s.C ? o->size : s.C;
  io->saved = ln_count(&io->x[0]) * (int64_t)sizeof(float);
  io->workspace = s.P * (int64_t)sizeof(float);
  io->flops = count * (2 * (double)seen + 20);
  io->flops_backward = count * (4 * (double)seen + 40);
  return LN_OK;
}

/* Channels begin, ..., end - 1. */
typedef struct window {
  int64_t begin, end;
} window;

/* Those from `before` ahead of c to `after` behind it, as far as they exist. */
static window window_of(int64_t c, int64_t before, int64_t after, int64_t C) {
  return (window){ before < c ? c - before : 0,
                   after < C - 1 - c ? c + after + 1 : C };
}

/* The window of channel c, and the channels whose window holds c. */
static window seen_by(const local_response_norm *o, int64_t c, int64_t C) {
  return window_of(c, o->size / 2, (o->size - 1) / 2, C);
}
static window that_see(const local_response_norm *o, int64_t c, int64_t C) {
  return window_of(c, (o->size - 1) / 2, o->size / 2, C);
}

static ln_status forward(const void *self, const ln_call *call) {
  const local_response_norm *o = self;
  const sizes z = sizes_of(&call->x[0]->shape);
  const float alpha = (float)(o->alpha / (double)o->size), k = (float)o->k;
  const float beta = (float)o->beta;
  const float(*x)[z.C][z.P] = (void *)ln_x(call, 0);
  float(*y)[z.C][z.P] = (void *)ln_y(call, 0);
  float(*s)[z.C][z.P] = call->saved, *squares = call->workspace;

  for (int64_t n = 0; n < z.N; n++)
    for (int64_t c = 0; c < z.C; c++) {
      const window near = seen_by(o, c, z.C);
      memset(squares, 0, (size_t)z.P * sizeof *squares);
      for (int64_t j = near.begin; j < near.end; j++)
        for (int64_t i = 0; i < z.P; i++) squares[i] += x[n][j][i] * x[n][j][i];
      for (int64_t i = 0; i < z.P; i++) {
        s[n][c][i] = k + alpha * squares[i];
        y[n][c][i] = x[n][c][i] * powf(s[n][c][i], -beta);
      }
    }
  return LN_OK;
}

static ln_status backward(const void *self, const ln_call *call) {
  const local_response_norm *o = self;
  const sizes z = sizes_of(&call->x[0]->shape);
  const float factor = (float)(2 * o->alpha / (double)o->size * o->beta);
  const float beta = (float)o->beta;
  const float(*x)[z.C][z.P] = (void *)ln_x(call, 0);
  const float(*y)[z.C][z.P] = (void *)ln_y(call, 0);
  const float(*dy)[z.C][z.P] = (void *)ln_dy(call, 0);
  float(*dx)[z.C][z.P] = (void *)ln_dx(call, 0);
  const float(*s)[z.C][z.P] = call->saved;
  float *sums = call->workspace;

  for (int64_t n = 0; n < z.N; n++)
    for (int64_t c = 0; c < z.C; c++) {
      const window near = that_see(o, c, z.C);
      memset(sums, 0, (size_t)z.P * sizeof *sums);
      for (int64_t j = near.begin; j < near.end; j++)
        for (int64_t i = 0; i < z.P; i++) /* x / s^beta is y */
          sums[i] += dy[n][j][i] * y[n][j][i] / s[n][j][i];
      for (int64_t i = 0; i < z.P; i++)
        dx[n][c][i] = dy[n][c][i] * powf(s[n][c][i], -beta) -
                      factor * x[n][c][i] * sums[i];
    }
  return LN_OK;
}

/* ---- method "roots" ------------------------------------------------------ */

/* For beta = 3/4: s^(3/4) = sqrt(s) * sqrt(sqrt(s)). A CPU takes the roots of
 * up to 16 numbers at once, where powf is a call for each of them. */

static ln_status roots_plan(const void *self, ln_infer *io) {
  (void)io;
  return ((const local_response_norm *)self)->beta == 0.75 ? LN_OK
                                                           : LN_UNSUITED;
}

LN_INLINE float divisor(float s) {
  const float root = sqrtf(s);
  return root * sqrtf(root);
}

/* to[i] = sum over j in the window of x[j][i]^2 */
LN_INLINE void add_squares(window near, int64_t P, const float x[][P],
                           float *restrict to) {
  memset(to, 0, (size_t)P * sizeof *to);
  for (int64_t j = near.begin; j < near.end; j++)
    for (int64_t i = 0; i < P; i++) to[i] += x[j][i] * x[j][i];
}

LN_INLINE ln_status roots_forward(const void *self, const ln_call *call) {
  const local_response_norm *o = self;
  const sizes z = sizes_of(&call->x[0]->shape);
  const float alpha = (float)(o->alpha / (double)o->size), k = (float)o->k;
  const float(*x)[z.C][z.P] = (void *)ln_x(call, 0);
  float(*y)[z.C][z.P] = (void *)ln_y(call, 0);
  float(*s)[z.C][z.P] = call->saved, *squares = call->workspace;

  for (int64_t n = 0; n < z.N; n++)
    for (int64_t c = 0; c < z.C; c++) {
      add_squares(seen_by(o, c, z.C), z.P, x[n], squares);
      LN_INDEPENDENT
      for (int64_t i = 0; i < z.P; i++) {
        const float sum = k + alpha * squares[i];
        s[n][c][i] = sum;
        y[n][c][i] = x[n][c][i] / divisor(sum);
      }
    }
  return LN_OK;
}

/* to[i] = sum over j in the window of dy[j][i] * y[j][i] / s[j][i] */
LN_INLINE void add_shares(window near, int64_t P, const float dy[][P],
                          const float y[][P], const float s[][P],
                          float *restrict to) {
  memset(to, 0, (size_t)P * sizeof *to);
  for (int64_t j = near.begin; j < near.end; j++)
    for (int64_t i = 0; i < P; i++) to[i] += dy[j][i] * y[j][i] / s[j][i];
}

LN_INLINE ln_status roots_backward(const void *self, const ln_call *call) {
  const local_response_norm *o = self;
  const sizes z = sizes_of(&call->x[0]->shape);
  const float factor = (float)(2 * o->alpha / (double)o->size * o->beta);
  const float(*x)[z.C][z.P] = (void *)ln_x(call, 0);
  const float(*y)[z.C][z.P] = (void *)ln_y(call, 0);
  const float(*dy)[z.C][z.P] = (void *)ln_dy(call, 0);
  float(*dx)[z.C][z.P] = (void *)ln_dx(call, 0);
  const float(*s)[z.C][z.P] = call->saved;
  float *sums = call->workspace;

  for (int64_t n = 0; n < z.N; n++)
    for (int64_t c = 0; c < z.C; c++) {
      add_shares(that_see(o, c, z.C), z.P, dy[n], y[n], s[n], sums);
      LN_INDEPENDENT
      for (int64_t i = 0; i < z.P; i++)
        dx[n][c][i] =
            dy[n][c][i] / divisor(s[n][c][i]) - factor * x[n][c][i] * sums[i];
    }
  return LN_OK;
}

LN_EACH_ISA(roots_forward)
LN_EACH_ISA(roots_backward)

#define ROOTS(bits, suffix)                                                    \
  {                                                                            \
    .method = "roots", .isa = bits, .plan = roots_plan,                        \
    .forward = roots_forward_##suffix, .backward = roots_backward_##suffix,    \
    .per_sample = 1                                                            \
  }
static const ln_kernel kernels[] = { LN_FOR_EACH_ISA(ROOTS) };

static const ln_layer layer = {
  LN_LAYER,
  .name = "local_response_norm",
  .brief = "divides by how loud the neighbour channels are",
  .formula = "y[n,c,i] = x[n,c,i] / "
             "(k + alpha / size * sum over j of x[n,j,i]^2)^beta",
  .example = "nn.local_response_norm{ size = 5 }"
             ":forward(lunet.randn{ 2, 8, 6, 6 })",
  .inputs = "x(N,C,...)",
  .outputs = "y(N,C,...)",
  LN_OPTIONS(local_response_norm, options),
  .traits = LN_PER_SAMPLE,
  .infer = infer,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("local_response_norm", "1.0", &layer);
