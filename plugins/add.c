/* add.c - the sum of two or more tensors, as in a residual network.
 *
 * Forward   y[i] = x1[i] + x2[i] + ...
 * Backward  dx1[i] = dx2[i] = ... = dy[i]: a sum hands its gradient to all
 * Shapes    all x and y alike, any rank
 * Source    Lecture 14, "Vanishing Gradient Problem": residual networks; He,
 *           Zhang, Ren, Sun, CVPR 2016
 */
#include <string.h>

#include <lunet/kernels/each_isa.h>
#include <lunet/kernels/per_isa.h>
#include <lunet/plugin.h>

static ln_status infer(const void *self, ln_infer *io) {
  (void)self;
  if (io->n_x < 2)
    return ln_fail(io->host, "add got 1 input, a sum needs two or more: "
                             "add:forward(a, b)");
  io->flops = (double)(io->n_x - 1) * (double)ln_count(&io->x[0]);
  io->flops_backward = 1;
  return LN_OK;
}

/* A block of the sum is complete before it is stored, as y may be the memory
 * of any x. */
enum { BLOCK = 512 };

static void add_block(const ln_call *call, int64_t begin, int64_t n) {
  float sum[BLOCK];
  memcpy(sum, ln_x(call, 0) + begin, (size_t)n * sizeof *sum);
  for (int32_t j = 1; j < call->n_x; j++) {
    const float *x = ln_x(call, j) + begin;
    for (int64_t i = 0; i < n; i++) sum[i] += x[i];
  }
  memcpy(ln_y(call, 0) + begin, sum, (size_t)n * sizeof *sum);
}

static ln_status forward(const void *self, const ln_call *call) {
  (void)self;
  const int64_t count = call->y[0]->count;
  for (int64_t begin = 0; begin < count; begin += BLOCK)
    add_block(call, begin, count - begin < BLOCK ? count - begin : BLOCK);
  return LN_OK;
}

static ln_status backward(const void *self, const ln_call *call) {
  (void)self;
  const int64_t count = call->dy[0]->count;
  for (int32_t j = 0; j < call->n_x; j++) {
    float *dx = ln_dx(call, j);
    if (dx && count > 0)
      memmove(dx, ln_dy(call, 0), (size_t)count * sizeof *dx);
  }
  return LN_OK;
}

/* ---- method "vector" ----------------------------------------------------- */

/* Two inputs, up to 16 numbers a step, without a block in between: each y[i] is
 * written after all that is read at i. */

static ln_status two_inputs(const void *self, ln_infer *io) {
  (void)self;
  return io->n_x == 2 ? LN_OK : LN_UNSUITED;
}

LN_INLINE ln_status vector_forward(const void *self, const ln_call *call) {
  (void)self;
  const int64_t count = call->y[0]->count;
  const float *a = ln_x(call, 0), *b = ln_x(call, 1);
  float *y = ln_y(call, 0);
  LN_INDEPENDENT
  for (int64_t i = 0; i < count; i++) y[i] = a[i] + b[i];
  return LN_OK;
}

LN_EACH_ISA(vector_forward)

#define VECTOR(bits, suffix)                                                   \
  {                                                                            \
    .method = "vector", .isa = bits, .plan = two_inputs,                       \
    .forward = vector_forward_##suffix, .backward = backward, .per_sample = 1  \
  }
static const ln_kernel kernels[] = { LN_FOR_EACH_ISA(VECTOR) };

static const ln_layer layer = {
  LN_LAYER,
  .name = "add",
  .brief = "the sum of two or more tensors, as in a residual network",
  .formula = "y = x1 + x2 + ...",
  .example = "nn.add{}:forward(lunet.ones{ 2, 3 }, lunet.randn{ 2, 3 })",
  .inputs = "x(...)*",
  .outputs = "y(...)",
  .traits =
      LN_PER_SAMPLE | LN_IN_PLACE | LN_FORGETS_X | LN_FORGETS_Y | LN_LINEAR,
  .infer = infer,
  .forward = forward,
  .backward = backward,
  LN_KERNELS(kernels),
};
LN_PLUGIN("add", "1.0", &layer);
