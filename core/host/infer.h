/* infer.h - from input shapes to output shapes, memory, cost and method. */
#ifndef LUNET_HOST_INFER_H
#define LUNET_HOST_INFER_H

#include "host/instance.h"

typedef struct ln_inference {
  int n_y;
  ln_shape y[LN_MAX_PORTS];
  int64_t saved, workspace, scratch, packed[LN_PACKED_SLOTS];
  int64_t partial, shared; /* of passes in parts */
  double flops, flops_backward;
  const ln_kernel *kernel; /* NULL: the layer's own functions, "textbook" */
  bool per_sample;         /* slices of the batch may run at once */
  int window_dims;         /* 0: no window */
  ln_axis window[3];       /* for receptive fields */
  ln_text notice;
} ln_inference;
void ln_inference_free(ln_inference *);

/* Finishes options that come from the input, makes the parameters, asks the
 * layer, and chooses a method. `slice_items` > 0: memory is wanted for slices
 * of so many items where the method can be sliced; shapes are always those of
 * the whole batch. */
ln_status ln_instance_infer(ln_instance *, const ln_shape *x, int64_t n_x,
                            int64_t slice_items, ln_inference *out);

/* The functions to call. */
typedef ln_status (*ln_pass)(const void *self, const ln_call *c);
ln_pass ln_inference_forward(const ln_instance *, const ln_inference *);
ln_pass ln_inference_backward(const ln_instance *, const ln_inference *);
ln_pass ln_inference_backward_weights(const ln_instance *,
                                      const ln_inference *);

/* Are its passes in parts, see ln_kernel in plugin.h? */
static inline bool ln_inference_in_parts(const ln_inference *r) {
  return r->kernel && r->kernel->forward_reduce;
}

/* What the host adds to an ln_infer; its address is the ln_infer's. */
typedef struct ln_inferring {
  ln_infer io;
  ln_instance *instance;
  ln_inference *result;
} ln_inferring;

/* The window service of ln_host. */
ln_status ln_window_service(ln_infer *io, const ln_window *w);

#endif
