/* infer.c - shapes, memory and method of a layer for given inputs. */
#include "host/infer.h"

#include <string.h>

#include "base/memory.h"
#include "host/activity.h"

void ln_inference_free(ln_inference *r) {
  ln_text_free(&r->notice);
  *r = (ln_inference){ 0 };
}

/* ---- outputs ---- */

static ln_status check_output(const ln_shape *y, const char *name) {
  char text[200];
  int64_t count;
  if (y->rank < 0 || y->rank > LN_MAX_DIMS)
    return ln_set_error("the layer left the shape of %s open; its `infer` "
                        "must set it",
                        name);
  for (int32_t d = 0; d < y->rank; d++) {
    if (y->dim[d] < 0)
      return ln_set_error("the layer left dim %d of %s open; its `infer` must "
                          "set it",
                          d + 1, name);
    if (y->dim[d] == 0 && d > 0)
      return ln_set_error("the output would be %s, with nothing in it",
                          ln_shape_text(y, text));
  }
  return ln_shape_count(y, &count);
}

static ln_status check_outputs(const ln_instance *i, const ln_inference *r) {
  for (int k = 0; k < r->n_y; k++)
    if (check_output(&r->y[k], i->known->outputs.ports[k].name))
      return LN_FAILED;
  return LN_OK;
}

/* ---- asking the layer ---- */

static void begin(ln_inferring *in, ln_instance *i, const ln_shape *x,
                  int64_t n_x, ln_shape *y, ln_inference *r) {
  in->instance = i;
  in->result = r;
  in->io = (ln_infer){ .struct_size = sizeof(ln_infer),
                       .n_x = (int32_t)n_x,
                       .n_y = r->n_y,
                       .host = i->host,
                       .x = x,
                       .y = y };
}

static ln_activity asking(const ln_inferring *in, const char *pass) {
  return (ln_activity){ .instance = in->instance,
                        .label = in->instance->host->layer,
                        .pass = pass };
}

static ln_status ask_layer(ln_inferring *in) {
  const ln_layer *l = &in->instance->known->layer;
  if (!l->infer) return LN_OK;
  ln_activity activity = asking(in, "infer");
  ln_activity_begin(&activity);
  ln_status s = l->infer(in->instance->self, &in->io);
  ln_activity_end(&activity);
  return s ? ln_instance_failed(in->instance, s) : LN_OK;
}

static ln_status ask_method(ln_inferring *in, const ln_kernel *kernel) {
  ln_activity activity = asking(in, "plan");
  ln_activity_begin(&activity);
  ln_status s = kernel->plan(in->instance->self, &in->io);
  ln_activity_end(&activity);
  return s;
}

static ln_status keep_memory(const ln_infer *io, ln_inference *r) {
  bool negative = io->saved < 0 || io->workspace < 0 || io->scratch < 0 ||
                  io->partial < 0 || io->shared < 0;
  for (int k = 0; k < LN_PACKED_SLOTS; k++) {
    negative |= io->packed[k] < 0;
    r->packed[k] = io->packed[k];
  }
  if (negative)
    return ln_set_error("the layer asks for a negative number of bytes; a "
                        "size has overflowed");
  r->saved = io->saved;
  r->workspace = io->workspace;
  r->scratch = io->scratch;
  r->partial = io->partial;
  r->shared = io->shared;
  return LN_OK;
}

/* ---- choosing a method ---- */

typedef struct choice {
  ln_instance *instance;
  const ln_shape *x; /* of the whole batch */
  ln_shape *slice_x; /* of a slice; NULL: no slices wanted */
  int64_t n_x;
  ln_bindings bindings;
} choice;

/* Output shapes as far as the line tells, for x with its own batch. */
static void begin_outputs(const choice *c, ln_bindings *b, ln_shape *y) {
  const ln_instance *i = c->instance;
  for (int k = 0; k < i->known->outputs.n_ports; k++)
    ln_signature_output(&i->known->outputs, k, i->self, b, &y[k]);
}

/* Infer and plan for the whole batch or, where the method can, a slice. */
static ln_status try_kernel(const choice *c, const ln_kernel *kernel,
                            bool sliced, ln_inference *r, ln_status *plan) {
  ln_instance *i = c->instance;
  ln_inference unused = { .n_y = r->n_y };
  ln_shape y[LN_MAX_PORTS];
  ln_bindings b;
  ln_inferring in;
  const ln_shape *x = sliced ? c->slice_x : c->x;
  if (ln_signature_match(&i->known->inputs, x, c->n_x, i->self, &b))
    return LN_FAILED;
  begin_outputs(c, &b, y);
  begin(&in, i, x, c->n_x, y, &unused);
  ln_status s = ask_layer(&in);
  if (!s && kernel && kernel->plan) *plan = ask_method(&in, kernel);
  ln_inference_free(&unused);
  if (s) return s;
  if (*plan == LN_UNSUITED) return LN_OK;
  if (*plan) return ln_instance_failed(i, *plan);
  return keep_memory(&in.io, r);
}

static bool can_slice(const ln_instance *i, const ln_kernel *kernel) {
  return kernel ? kernel->per_sample != 0
                : (i->known->layer.traits & LN_PER_SAMPLE) != 0;
}

/* The weights' own pass sees the whole batch, and so must its memory. */
static bool needs_whole_memory(const ln_instance *i, const ln_inference *r) {
  return ln_inference_backward_weights(i, r) != NULL &&
         (r->saved || r->workspace || r->scratch);
}

static ln_status take(const choice *c, const ln_kernel *kernel, ln_inference *r,
                      bool *taken) {
  ln_status plan = LN_OK;
  bool sliceable = can_slice(c->instance, kernel);
  r->kernel = kernel;
  ln_status s = try_kernel(c, kernel, sliceable && c->slice_x, r, &plan);
  if (!s && !plan && sliceable && needs_whole_memory(c->instance, r)) {
    sliceable = false;
    s = try_kernel(c, kernel, false, r, &plan);
  }
  *taken = !s && plan == LN_OK;
  r->per_sample = *taken && sliceable;
  if (!*taken) r->kernel = NULL;
  return s;
}

static ln_status unsuited(const ln_instance *i, const char *method) {
  return ln_set_error("the method \"%s\" of %s does not work here: it needs "
                      "another CPU or other shapes; try method = \"auto\"",
                      method, i->known->layer.name);
}

static bool is_wanted(const ln_instance *i, const ln_kernel *k,
                      const char *method) {
  bool named = k->method && !strcmp(k->method, method);
  return (named || !strcmp(method, "auto")) &&
         (k->isa & i->host->cpu) == k->isa;
}

static ln_status choose(const choice *c, ln_inference *r) {
  ln_instance *i = c->instance;
  const char *method = ln_instance_method(i);
  bool taken = false;
  for (int64_t k = 0; k < i->known->n_kernels && !taken; k++)
    if (is_wanted(i, &i->known->kernels[k], method) &&
        take(c, &i->known->kernels[k], r, &taken))
      return LN_FAILED;
  if (taken) return LN_OK;
  if (strcmp(method, "auto") && strcmp(method, "textbook"))
    return unsuited(i, method);
  return take(c, NULL, r, &taken);
}

/* ---- the whole ---- */

static ln_status finish_options(ln_instance *i, const ln_shape *x, int64_t n_x,
                                ln_bindings *b) {
  if (ln_signature_match(&i->known->inputs, x, n_x, i->self, b))
    return LN_FAILED;
  return i->complete ? LN_OK : ln_instance_make_parameters(i);
}

/* The same; where it fails, nothing stays inferred from a wrong input. */
static ln_status try_finish_options(ln_instance *i, const ln_shape *x,
                                    int64_t n_x, ln_bindings *b) {
  size_t size = i->known->layer.self_size;
  if (i->complete || !size) return finish_options(i, x, n_x, b);
  void *before = ln_alloc(size);
  if (!before) return LN_FAILED;
  memcpy(before, i->self, size);
  ln_status s = finish_options(i, x, n_x, b);
  if (s) memcpy(i->self, before, size);
  ln_free(before);
  return s;
}

/* So that an author may count the elements of x without a thought. */
static ln_status check_inputs(const choice *c) {
  int64_t count;
  for (int64_t k = 0; k < c->n_x; k++)
    if (ln_shape_count(&c->x[k], &count)) return LN_FAILED;
  return LN_OK;
}

static ln_status infer_shapes(choice *c, ln_inference *r) {
  ln_instance *i = c->instance;
  ln_inferring in;
  if (check_inputs(c)) return LN_FAILED;
  if (try_finish_options(i, c->x, c->n_x, &c->bindings)) return LN_FAILED;
  begin_outputs(c, &c->bindings, r->y);
  begin(&in, i, c->x, c->n_x, r->y, r);
  if (ask_layer(&in) || check_outputs(i, r)) return LN_FAILED;
  r->flops = in.io.flops;
  r->flops_backward =
      in.io.flops_backward > 0 ? in.io.flops_backward : 2 * in.io.flops;
  return LN_OK;
}

/* The shapes of a slice; NULL where the batch is not larger. */
static ln_status slice_shapes(choice *c, int64_t items) {
  bool smaller =
      c->n_x > 0 && c->x[0].rank > 0 && items > 0 && items < c->x[0].dim[0];
  if (!smaller) return LN_OK;
  c->slice_x = ln_alloc((size_t)c->n_x * sizeof *c->slice_x);
  if (!c->slice_x) return LN_FAILED;
  memcpy(c->slice_x, c->x, (size_t)c->n_x * sizeof *c->slice_x);
  for (int64_t k = 0; k < c->n_x; k++)
    if (c->slice_x[k].rank) c->slice_x[k].dim[0] = items;
  return LN_OK;
}

/* For a reload, which has to try the same. */
static void keep_shapes(ln_instance *i, const ln_shape *x, int64_t n_x) {
  i->n_x = n_x <= LN_MAX_PORTS ? n_x : 0;
  for (int64_t k = 0; k < i->n_x; k++) i->x[k] = x[k];
}

ln_status ln_instance_infer(ln_instance *i, const ln_shape *x, int64_t n_x,
                            int64_t slice_items, ln_inference *out) {
  *out = (ln_inference){ .n_y = i->known->outputs.n_ports };
  choice c = { .instance = i, .x = x, .n_x = n_x };
  ln_status s = slice_shapes(&c, slice_items);
  if (!s) s = infer_shapes(&c, out);
  if (!s) s = choose(&c, out);
  ln_free(c.slice_x);
  if (s)
    ln_inference_free(out);
  else if (x != i->x)
    keep_shapes(i, x, n_x);
  return s;
}

/* ---- the functions to call ---- */

ln_pass ln_inference_forward(const ln_instance *i, const ln_inference *r) {
  return r->kernel && r->kernel->forward ? r->kernel->forward
                                         : i->known->layer.forward;
}

ln_pass ln_inference_backward(const ln_instance *i, const ln_inference *r) {
  return r->kernel && r->kernel->backward ? r->kernel->backward
                                          : i->known->layer.backward;
}

ln_pass ln_inference_backward_weights(const ln_instance *i,
                                      const ln_inference *r) {
  if (r->kernel && (r->kernel->backward || r->kernel->backward_weights))
    return r->kernel->backward_weights;
  return i->known->layer.backward_weights;
}
