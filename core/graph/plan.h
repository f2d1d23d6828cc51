/* plan.h - how one pass over a net runs for given input shapes: the steps,
 * where each number lies, and which gradients are computed.
 *
 * Steps. A run of layers that treat each item of the batch alone is one step:
 * it is computed slice by slice, all its layers for a few images, then the
 * next images, on as many threads as there are. Any other layer is a step of
 * its own on the whole batch. Slices depend on shapes alone, never on the
 * number of threads, so the bits do not either.
 *
 * A layer whose passes come in parts (see ln_kernel in plugin.h) opens a step:
 * the step before it closes with the layer's partial results, which are
 * reduced once between the two. Backward it is the other way round: the step
 * that it opened closes with the partial results of backward, and its own
 * backward belongs to the step before. A step may be empty but for that.
 *
 * Memory sharing. The output of a flatten is its input under another name; an
 * activation writes over its input, and its gradient over the one that comes,
 * where nobody else reads them; and a layer that can applies the batch norm of
 * evaluation and the activation behind it itself.
 *
 * Memory. A number that outlives its step lies in the arena, for the whole
 * batch; one that does not lies in the local arena of the thread slot that
 * computes the slice. Both arenas are packed by lifetime, see arena.h. The
 * forward of node i happens at time i, its backward at time 2n - i. */
#ifndef LUNET_GRAPH_PLAN_H
#define LUNET_GRAPH_PLAN_H

#include "graph/arena.h"
#include "host/running.h"

typedef struct ln_plan_step {
  int64_t first, last;           /* nodes in forward; last < first: none */
  int64_t back_first, back_last; /* nodes in backward */
  int64_t opens, closes;         /* nodes in parts, see above; -1: none */
  int64_t slices, items;         /* items of a slice, the last may have fewer */
  bool sliced;
  bool parallel; /* enough work to wake the other threads */
} ln_plan_step;

/* Where the numbers of a value, or of its gradient, lie. */
typedef struct ln_place {
  enum { LN_NOWHERE, LN_IN_ARENA, LN_IN_SLOT, LN_IN_TENSOR } where;
  int64_t index; /* of a buffer of the plan; LN_IN_TENSOR: of the net's input
                    or output, see is_output */
  bool is_output;
} ln_place;

typedef struct ln_plan_value {
  ln_shape shape; /* plain: nothing behind its dims */
  int64_t count;  /* floats */
  int64_t item;   /* those of one item of the batch */
  int64_t root; /* the value whose memory it shares; itself: its own */
  ln_place y, dy;
  bool wants_grad; /* a gradient is needed at it or behind it */
  bool has_grad;   /* and one arrives */
  bool is_tapped;
  int64_t uses;       /* how often it is the input of a layer */
  int64_t n_outputs;  /* how often it is an output of the net */
  bool starts_filled; /* dy is set before backward begins: an output that is
                         used inside as well, or a gradient nobody gives */
} ln_plan_value;

typedef enum { LN_GIVES_NOTHING, LN_GIVES_FIRST, LN_GIVES_MORE } ln_giving;

typedef struct ln_plan_node {
  ln_inference inference;
  int64_t step;       /* the one that runs its forward */
  bool in_parts;      /* and a training plan */
  bool in_place;      /* its output shares the memory of its input */
  bool skipped;       /* in place, and there is nothing to compute */
  bool absorbed;      /* in place, and a layer before it does its forward */
  int32_t activation; /* LN_IS_...: of a layer behind it, absorbed */
  int64_t affine;     /* the LN_IS_CHANNEL_AFFINE behind it, absorbed; -1 */
  bool backward;      /* takes part in backward */
  bool wants_weights;
  bool sole_use; /* of its instance in this net */
  ln_giving *dx;     /* of each input: written, or added to what is there */
  int64_t *dx_extra; /* buffer for what is to be added; -1 */
  int64_t saved;     /* a buffer; -1: none */
  int64_t shared, partial[2];       /* of passes in parts; forward, backward */
  int64_t workspace[2], scratch[2]; /* in forward, in backward */
  int64_t *dw; /* a buffer for each weight, of all slices; -1 */
  bool frozen; /* as the plan saw it */
} ln_plan_node;

/* One thread slot's room for the tensors of a call. */
typedef struct ln_frame {
  ln_tensor *tensors;
  const ln_tensor **pointers;
} ln_frame;

typedef struct ln_plan {
  bool training; /* forward with backward; else predict */
  bool careful;  /* every node a step of its own, looked at afterwards */
  bool guarded;  /* buffers between closed pages, see guard.h */
  uint64_t generation, taps_changed;
  bool wants_inputs, retains;
  int slots;
  int64_t items; /* of the batch */

  int64_t n_nodes, n_values, n_inputs, n_outputs, n_steps, n_buffers;
  ln_plan_node *nodes;
  ln_plan_value *values;
  ln_plan_step *steps;
  ln_buffer *buffers;
  bool *reads_x, *reads_y; /* does backward read the user's tensors? */

  char *arena, *local;
  int64_t arena_bytes, local_bytes; /* local: of one slot */
  ln_frame *frames;
  ln_status *statuses;   /* of the slices of a step */
  int64_t *failed_nodes; /* where a slice failed: the node */
  int64_t max_slices, frame_room;
} ln_plan;

/* The times of a node. */
static inline int64_t ln_forward_time(int64_t node) {
  return node;
}
static inline int64_t ln_backward_time(const ln_plan *p, int64_t node) {
  return 2 * p->n_nodes - node;
}

struct ln_net;
ln_status ln_plan_new(struct ln_net *, const ln_shape *x, bool training,
                      bool careful, ln_plan **out);
bool ln_plan_fits(const ln_plan *, const struct ln_net *, const ln_shape *x);
void ln_plan_free(ln_plan *);

/* Parts of ln_plan_new. Items of a slice, by the cost of the whole batch: a
 * function of shapes alone, as results must not depend on the machine. */
int64_t ln_slice_items(const struct ln_net *, const ln_inference *nodes,
                       int64_t batch);
void ln_plan_share_memory(ln_plan *, const struct ln_net *);
/* The node that does the forward of node i: i itself, or one before it. */
int64_t ln_plan_applier(const ln_plan *, const struct ln_net *, int64_t i);
void ln_plan_make_steps(ln_plan *, const struct ln_net *, int64_t items);
/* Gives every number its place (layout.c). */
ln_status ln_plan_lay_out(ln_plan *, const struct ln_net *);
void ln_plan_free_memory(ln_plan *);

/* Inference of all nodes; shapes[v] of each value. items: see
 * ln_instance_infer. Frees what it made on failure. */
ln_status ln_net_infer(struct ln_net *, const ln_shape *x, int64_t items,
                       ln_inference *nodes, ln_shape *shapes);
/* The same of one node, whose inputs have their shapes already. */
ln_status ln_net_infer_node(const struct ln_net *, int64_t node, int64_t items,
                            ln_inference *out, ln_shape *shapes);

#endif
