/* my_layer.c - each channel scaled and shifted by weights of its own.
 *
 * Forward   y[n,c,i] = w[c] * x[n,c,i] + b[c]
 * Backward  dx[n,c,i] = w[c] * dy[n,c,i]
 *           dw[c] = sum over n,i of x[n,c,i] * dy[n,c,i]
 *           db[c] = sum over n,i of dy[n,c,i]
 * Shapes    x, y (N,C,...); w, b (C)
 *
 * This layer works as it stands. To make it yours, go through the steps 1 to 7
 * and keep the lines above in step with the code. After each step
 *
 *     lunet check-plugin my_layer.c
 *     lunet build-plugin my_layer.c && lunet test_my_layer.lua
 */
#include <lunet/plugin.h>

/* 1. The options: a field for each, then a row for each. `channels` may be left
 *    out: LN_FROM_INPUT takes it from the first x, by the line `inputs` of
 *    step 6. */
typedef struct my_layer {
  int64_t channels;
  bool bias;
} my_layer;

static const ln_option options[] = {
  LN_INT(my_layer, channels, LN_FROM_INPUT, 1, LN_ANY,
         "channels of x; left out, those of the first input"),
  LN_BOOL(my_layer, bias, true, "add b"),
};

/* 2. The weights, by the options alone. The first one is ln_w(call, 0). */
static ln_status params(const void *self, ln_params *p) {
  const my_layer *o = self;
  ln_add_filled_weight(p, "weight", LN_SHAPE(o->channels), 1);
  if (o->bias) ln_add_filled_weight(p, "bias", LN_SHAPE(o->channels), 0);
  return LN_OK;
}

/* 3. The cost, for summaries: here a product and a sum for each number. */
static ln_status infer(const void *self, ln_infer *io) {
  (void)self;
  io->flops = 2 * (double)ln_count(&io->x[0]);
  return LN_OK;
}

/* Numbers of one channel of one item. */
static int64_t inner(const ln_call *call) {
  const ln_shape *x = &call->x[0]->shape;
  int64_t n = 1;
  for (int32_t d = 2; d < x->rank; d++) n *= x->dim[d];
  return n;
}

/* 4. Forward: set every element of y. A weight not declared is NULL. */
static ln_status forward(const void *self, const ln_call *call) {
  const int64_t N = ln_x_dim(call, 0, 0),
                C = ((const my_layer *)self)->channels;
  const int64_t I = inner(call);
  const float *w = ln_w(call, 0), *b = ln_w(call, 1);
  const float(*x)[C][I] = (void *)ln_x(call, 0);
  float(*y)[C][I] = (void *)ln_y(call, 0);

  for (int64_t n = 0; n < N; n++)
    for (int64_t c = 0; c < C; c++)
      for (int64_t i = 0; i < I; i++)
        y[n][c][i] = w[c] * x[n][c][i] + (b ? b[c] : 0);
  return LN_OK;
}

static float dot(const float *a, const float *b, int64_t count) {
  float sum = 0;
  for (int64_t i = 0; i < count; i++) sum += a[i] * b[i];
  return sum;
}

static float sum_of(const float *a, int64_t count) {
  float sum = 0;
  for (int64_t i = 0; i < count; i++) sum += a[i];
  return sum;
}

/* 5. Backward: a gradient that nobody wants is NULL; set every element of the
 *    others, also for an empty batch. Sums go over all items of the batch. */
static ln_status backward(const void *self, const ln_call *call) {
  const int64_t N = ln_x_dim(call, 0, 0),
                C = ((const my_layer *)self)->channels;
  const int64_t I = inner(call);
  const float *w = ln_w(call, 0);
  float *dw = ln_dw(call, 0), *db = ln_dw(call, 1);
  const float(*x)[C][I] = (void *)ln_x(call, 0);
  const float(*dy)[C][I] = (void *)ln_dy(call, 0);
  float(*dx)[C][I] = (void *)ln_dx(call, 0);

  for (int64_t c = 0; c < C; c++) {
    if (dw) dw[c] = 0;
    if (db) db[c] = 0;
    for (int64_t n = 0; n < N; n++) {
      if (dw) dw[c] += dot(x[n][c], dy[n][c], I);
      if (db) db[c] += sum_of(dy[n][c], I);
      for (int64_t i = 0; dx && i < I; i++) dx[n][c][i] = w[c] * dy[n][c][i];
    }
  }
  return LN_OK;
}

/* 6. What others read about the layer. `inputs` names the dims: the host checks
 *    them, and fills `channels`. Promises: LN_PER_SAMPLE: each item of the
 *    batch is on its own. LN_FORGETS_Y: backward does not read y. LN_LINEAR: y
 *    is linear in x, but for a constant. In doubt leave a promise out: the
 *    layer is right without, only slower. */
static const ln_layer layer = {
  LN_LAYER,
  .name = "my_layer",
  .brief = "each channel scaled and shifted by weights of its own",
  .formula = "y[n,c,i] = w[c] * x[n,c,i] + b[c]",
  .example = "nn.my_layer{}:forward(lunet.randn{ 2, 3, 4 })",
  .inputs = "x(N,channels,...)",
  .outputs = "y(N,channels,...)",
  LN_OPTIONS(my_layer, options),
  .traits = LN_PER_SAMPLE | LN_FORGETS_Y | LN_LINEAR,
  .params = params,
  .infer = infer,
  .forward = forward,
  .backward = backward,
};

/* 7. The file's own name and version, and its layers: one or more. */
LN_PLUGIN("my_layer", "1.0", &layer);
