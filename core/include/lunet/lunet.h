/* lunet/lunet.h - the engine's C API: tensors, layers, nets, optimizers, data
 * and files, as the Lua binding uses them. Layer authors need plugin.h alone.
 *
 * Conventions
 *   A function that can fail returns ln_status; LN_FAILED means that ln_error
 *   tells why, in a sentence for the user. Results come through the last
 *   arguments and are set only on success.
 *   What *_new or an `out` gives belongs to the caller: give it back with
 *   *_release (counted) or *_free.
 *   Nothing here exits or aborts; only ln_report_crashes and ln_watch_calls
 *   print. One thread at a time may use the API; the engine's own threads stay
 *   inside it.
 *   Dims and indices count from 0 in C (from 1 in Lua); texts shown to users
 *   count from 1.
 */
#ifndef LUNET_LUNET_H
#define LUNET_LUNET_H

#include <lunet/plugin.h>

#define LN_VERSION "0.1.0"

/* ---- errors -------------------------------------------------------------- */

/* The sentence of this thread's latest failure. */
const char *ln_error(void);
/* Sets it and returns LN_FAILED. */
ln_status ln_set_error(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
/* Puts more in front of it, such as "layer 3 (conv2d): "; returns LN_FAILED. */
ln_status ln_prefix_error(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* ---- the session: threads, seed, interruption ---------------------------- */

/* Threads that compute, the caller included; may exceed the cores. Default:
 * the number of cores. 1 <= n <= 256. */
ln_status ln_set_num_threads(int n);
int ln_num_threads(void);
/* Starts all random numbers again from `seed`. Default seed: 0. */
void ln_manual_seed(uint64_t seed);
uint64_t ln_seed(void);
/* A running computation ends soon with LN_CANCELLED; safe in a signal
 * handler. The next computation clears the wish when it starts. */
void ln_cancel(void);
bool ln_is_cancelled(void);
void ln_clear_cancel(void);

/* ---- tensors ------------------------------------------------------------- */

/* An ln_tensor made here is counted; views share the storage of the tensor
 * they were made from. `data`, `count`, `shape` of plugin.h are public. Most
 * tensors are dense (row by row without gaps); a narrow() of an inner dim is
 * not, and has to pass through ln_tensor_dense before `data` may be read as an
 * array. A rank may be 0 and a size 0. */

ln_status ln_tensor_new(const ln_shape *shape, ln_tensor **out); /* garbage */
ln_status ln_tensor_full(const ln_shape *shape, float value, ln_tensor **out);
ln_tensor *ln_tensor_retain(ln_tensor *t);
void ln_tensor_release(ln_tensor *t); /* NULL: nothing happens */

bool ln_tensor_is_dense(const ln_tensor *t);
/* t itself (retained) if it is dense, else a dense copy. */
ln_status ln_tensor_dense(ln_tensor *t, ln_tensor **out);
ln_status ln_tensor_clone(const ln_tensor *t, ln_tensor **out);
/* Copies u's values into t; u is broadcast to t's shape. Overlap is allowed. */
ln_status ln_tensor_copy(ln_tensor *t, const ln_tensor *u);
ln_status ln_tensor_fill(ln_tensor *t, float value);
/* Views. One size of `shape` may be -1: what is left. view needs a dense t. */
ln_status ln_tensor_view(ln_tensor *t, const ln_shape *shape, ln_tensor **out);
ln_status ln_tensor_narrow(ln_tensor *t, int dim, int64_t start,
                           int64_t length, ln_tensor **out);
ln_status ln_tensor_select(ln_tensor *t, int64_t index, ln_tensor **out);
/* A copy with two dims exchanged. */
ln_status ln_tensor_transpose(const ln_tensor *t, int dim1, int dim2,
                              ln_tensor **out);

/* Counts the writes to t's storage; every function that writes raises it. */
uint64_t ln_tensor_version(const ln_tensor *t);
void ln_tensor_touch(ln_tensor *t); /* after writing through t->data */
bool ln_tensor_same_storage(const ln_tensor *a, const ln_tensor *b);
/* Bytes of storage held by living tensors, and by tensors ever made. */
int64_t ln_tensor_bytes_alive(void);
int64_t ln_tensor_bytes_made(void);
/* How often the engine has asked the system for memory so far. A training step
 * like the one before it does not. */
int64_t ln_allocations(void);

/* Element by element, with numpy's broadcasting. */
typedef enum {
  LN_OP_ADD, LN_OP_SUB, LN_OP_MUL, LN_OP_DIV, LN_OP_POW,
  LN_OP_MAXIMUM, LN_OP_MINIMUM,
  LN_OP_EQ, LN_OP_NE, LN_OP_LT, LN_OP_LE, LN_OP_GT, LN_OP_GE /* 1 or 0 */
} ln_binary_op;
ln_status ln_tensor_binary(ln_binary_op op, const ln_tensor *a,
                           const ln_tensor *b, ln_tensor **out);
typedef enum {
  LN_OP_NEG, LN_OP_ABS, LN_OP_EXP, LN_OP_LOG, LN_OP_SQRT, LN_OP_SIN, LN_OP_COS,
  LN_OP_TANH, LN_OP_SIGMOID, LN_OP_SIGN, LN_OP_FLOOR, LN_OP_ROUND
} ln_unary_op;
ln_status ln_tensor_unary(ln_unary_op op, const ln_tensor *a, ln_tensor **out);
/* Over one dim, which vanishes. Sums are carried in double, in a fixed order.
 * MAX, MIN and their ARG of an empty dim are refused; a NaN wins. ARG gives
 * the first place, counted from 0. */
typedef enum {
  LN_OP_SUM, LN_OP_MEAN, LN_OP_MAX, LN_OP_MIN, LN_OP_ARGMAX, LN_OP_ARGMIN
} ln_reduce_op;
ln_status ln_tensor_reduce(ln_reduce_op op, const ln_tensor *a, int dim,
                           ln_tensor **out);
/* Over all elements, row by row; mean of nothing is NaN. */
ln_status ln_tensor_reduce_all(ln_reduce_op op, const ln_tensor *a,
                               double *out);
/* (m,k) x (k,n); vectors as in numpy; more dims are refused. */
ln_status ln_tensor_matmul(const ln_tensor *a, const ln_tensor *b,
                           ln_tensor **out);
/* How a weight begins. Where `fan` is not LN_FAN_NONE, `spread` is divided by
 * the root of that fan; ORTHOGONAL takes no fan. */
typedef enum {
  LN_INIT_CONSTANT,  /* every element is `center` */
  LN_INIT_NORMAL,    /* mean `center`, standard deviation `spread` */
  LN_INIT_UNIFORM,   /* between center - spread and center + spread */
  LN_INIT_ORTHOGONAL /* rows (or columns, if fewer) at right angles and of
                        length `spread`; dims behind the first are one */
} ln_init_kind;
typedef enum {
  LN_FAN_NONE, LN_FAN_OF_INPUT, LN_FAN_OF_OUTPUT, LN_FAN_MEAN
} ln_fan;
typedef struct ln_initialiser {
  ln_init_kind kind;
  ln_fan fan;
  double center, spread;
} ln_initialiser;
/* Fills t with numbers from a `stream` of a user of random numbers, see
 * ln_instance_random_user. */
ln_status ln_tensor_initialise(ln_tensor *t, const ln_initialiser *how,
                               double fan_in, double fan_out, uint64_t user,
                               uint32_t stream);
/* A user of random numbers that nobody has been yet. */
uint64_t ln_next_random_user(void);
/* Each takes the next stream of the seed, in order of calls. */
ln_status ln_tensor_rand(const ln_shape *shape, ln_tensor **out);
ln_status ln_tensor_randn(const ln_shape *shape, ln_tensor **out);
/* The numbers 0 .. n-1 shuffled. */
ln_status ln_permutation(int64_t n, int64_t *out);

/* "(2,3,28,28)" into a buffer of at least 200 bytes, which it returns. */
char *ln_shape_text(const ln_shape *shape, char *buffer);
bool ln_shape_equal(const ln_shape *a, const ln_shape *b);
/* The number of elements; refuses negative sizes and overflow. */
ln_status ln_shape_count(const ln_shape *shape, int64_t *count);

/* ---- values: what a script says of an option ----------------------------- */

typedef enum {
  LN_VALUE_NIL, LN_VALUE_BOOL, LN_VALUE_NUMBER, LN_VALUE_TEXT, LN_VALUE_LIST,
  LN_VALUE_OTHER /* something that no option can be; text names its type */
} ln_value_kind;

typedef struct ln_value {
  ln_value_kind kind;
  bool truth;
  double number;
  const char *text;
  const struct ln_value *items;
  int64_t count;
} ln_value;

typedef struct ln_named_value {
  const char *name;
  ln_value value;
} ln_named_value;

/* ---- layers -------------------------------------------------------------- */

typedef struct ln_instance ln_instance; /* a layer with options and weights */

typedef struct ln_parameter {
  const char *name; /* "weight"; the instance's own */
  int32_t role;     /* LN_WEIGHT, LN_STATE */
  ln_tensor *value;
  ln_tensor *grad;  /* NULL for state */
  double fan_in, fan_out;
} ln_parameter;

/* name NULL or "": unnamed. An unknown word: where was searched, what was
 * refused and why, and "did you mean". */
ln_status ln_instance_new(const char *word, const char *name,
                          const ln_named_value *options, int64_t n_options,
                          ln_instance **out);
ln_instance *ln_instance_retain(ln_instance *);
void ln_instance_release(ln_instance *);
/* All that live: the first, and the one after it; NULL: no more. */
ln_instance *ln_instances(void);
ln_instance *ln_instance_next(const ln_instance *);
const ln_layer *ln_instance_layer(const ln_instance *);
/* Of the latest inputs; NULL: there were none, or fewer. */
const ln_shape *ln_instance_input_shape(const ln_instance *, int64_t i);
int ln_instance_n_outputs(const ln_instance *);
const char *ln_instance_name(const ln_instance *);
/* All options known, so that parameters exist? */
bool ln_instance_complete(const ln_instance *);
int64_t ln_instance_n_parameters(const ln_instance *);
const ln_parameter *ln_instance_parameter(const ln_instance *, int64_t i);
/* The options in force, one call of `each` an option, for checkpoints. */
ln_status ln_instance_options(const ln_instance *,
                              ln_status (*each)(void *arg, const char *name,
                                                const ln_value *value),
                              void *arg);
/* How parameters begin, instead of as the layer declares: the one with this
 * name, or (name NULL) all that have a fan_in and a fan_out. They are drawn
 * from the instance's own random numbers, now or once they exist: the values
 * are the same either way. A name that the layer does not have is refused, and
 * so is NULL where no parameter has both fans; by infer, where the parameters
 * do not exist yet. */
ln_status ln_instance_initialise(ln_instance *, const char *parameter,
                                 const ln_initialiser *how);
void ln_instance_set_training(ln_instance *, bool training);
bool ln_instance_training(const ln_instance *);
/* Frozen weights get no gradient, and optimizers leave them alone. */
void ln_instance_set_frozen(ln_instance *, bool frozen);
bool ln_instance_frozen(const ln_instance *);
uint64_t ln_instance_step(const ln_instance *);
void ln_instance_set_step(ln_instance *, uint64_t step);
/* The place among the users of random numbers since ln_manual_seed: with the
 * seed and the step it says what the instance will draw. */
uint64_t ln_instance_random_user(const ln_instance *);
void ln_instance_set_random_user(ln_instance *, uint64_t user);
void ln_instance_zero_grad(ln_instance *);
/* The methods of a layer besides "textbook", each name once, best first; the
 * n-th from 0. NULL: it has no more. */
const char *ln_layer_method(const ln_layer *, int64_t n);
/* "auto", "textbook" or a method that the layer has. */
ln_status ln_instance_set_method(ln_instance *, const char *method);
/* The same for all layers that did not choose one themselves. */
ln_status ln_set_method(const char *method);

/* ---- plugins ------------------------------------------------------------- */

/* Loads a file and returns its plugin; its words win over the search path. */
ln_status ln_plugins_load(const char *path, const ln_plugin **out);
/* Other code for words that are in use: opens a private copy of `file` and
 * re-creates every living layer of its words from options and tensors; weights
 * and gradients stay the very tensors they were. Where names or shapes would
 * change, and on any other failure, all stays as it was. Words that are not
 * loaded yet are loaded. `origin` is what lists call its path: a source, or
 * `file` itself. *n: layers re-created. */
ln_status ln_plugins_reload(const char *file, const char *origin,
                            const ln_plugin **out, int64_t *n);
/* Finds a layer by its word, loading its plugin at the first use. */
ln_status ln_plugins_find(const char *word, const ln_layer **out);
/* The file of a loaded word; NULL: it is not loaded. */
const char *ln_plugins_path(const char *word);
/* All that the search path offers. `each` gets layer NULL and the reason for
 * a file that was refused. */
ln_status ln_plugins_list(void (*each)(void *arg, const char *path,
                                       const ln_plugin *plugin,
                                       const ln_layer *layer,
                                       const char *refused),
                          void *arg);

/* ---- for whoever looks for a mistake in a layer ------------------------- */

/* Before a crash within a layer ends the process, standard error tells plugin,
 * layer, pass, step and shapes. Then the signal goes its way. */
void ln_report_crashes(void);
/* A call of a layer that runs for longer is named on standard error, once. */
ln_status ln_watch_calls(double seconds);
/* Tensors and buffers from now on end at pages that nobody may touch: who reads
 * or writes beyond an end crashes there. Slow. */
void ln_set_guard(bool on);
/* Passes look at each result, and fail at the first layer that gives numbers
 * that are not finite. Slow. */
void ln_set_check_numerics(bool on);
bool ln_checks_numerics(void);

/* ---- nets: graphs of layers ---------------------------------------------- */

typedef struct ln_net ln_net;

ln_status ln_net_new(ln_net **out);
void ln_net_free(ln_net *);

/* Values (inputs and outputs of layers) are numbered as they are added. */
ln_status ln_net_add_input(ln_net *, int64_t *value);
/* `label` is what errors call this use of the layer: "layer 3 (conv2d)". The
 * outputs of the layer are the values *first .. *first + outputs - 1. */
ln_status ln_net_add_layer(ln_net *, ln_instance *, const char *label,
                           const int64_t *inputs, int64_t n_inputs,
                           int64_t *first);
ln_status ln_net_set_outputs(ln_net *, const int64_t *values, int64_t n);

/* Infers all shapes, completes the instances. Shapes with the batch. */
ln_status ln_net_build(ln_net *, const ln_shape *inputs, int64_t n);
/* After a build. */
int64_t ln_net_n_inputs(const ln_net *);
int64_t ln_net_n_outputs(const ln_net *);
int64_t ln_net_n_layers(const ln_net *);
ln_instance *ln_net_layer(const ln_net *, int64_t node);
const ln_shape *ln_net_value_shape(const ln_net *, int64_t value);

/* What a window does to one axis: output o sees the inputs
 * o*stride - pad_before + i*dilation, i = 0 .. kernel - 1. */
typedef struct ln_axis {
  int64_t kernel, stride, pad_before, dilation;
} ln_axis;

typedef struct ln_node_info { /* of one use of a layer, after a build */
  const ln_shape *y;          /* of its first output */
  double flops, flops_backward;
  int64_t activation_bytes, saved_bytes, workspace_bytes;
  const char *method, *notice; /* notice NULL: none */
  int window_dims;             /* 0: the layer slides no window */
  const ln_axis *window;       /* of the last window_dims dims */
} ln_node_info;
ln_status ln_net_node_info(const ln_net *, int64_t node, ln_node_info *out);

/* Calls tell for each notice of a build or pass since the last call that its
 * layer has not told before, in any net. */
void ln_net_tell_notices(ln_net *,
                         void (*tell)(void *arg, const char *label,
                                      const char *notice),
                         void *arg);

/* Which gradients backward is to give. Default: no inputs, parameters. */
void ln_net_requires_grad(ln_net *, bool inputs);
/* Keeps what forward leaves, so that several backwards may follow one forward,
 * at the price of memory that is otherwise used again. Default: off. */
void ln_net_retain_graph(ln_net *, bool on);

/* x: one tensor an input. y: room for one tensor an output; each is new. */
ln_status ln_net_forward(ln_net *, ln_tensor *const *x, int64_t n,
                         ln_tensor **y);
ln_status ln_net_predict(ln_net *, ln_tensor *const *x, int64_t n,
                         ln_tensor **y);
/* dy: one an output (NULL: zeros). dx: one an input, NULL where no gradient
 * was asked for; may be NULL as a whole. Belongs to the latest forward. */
ln_status ln_net_backward(ln_net *, ln_tensor *const *dy, int64_t n,
                          ln_tensor **dx);

/* Watches a value: after each pass the tap holds copies of it and of its
 * gradient. `hook` may replace the gradient (dy is its copy, to be written). */
typedef struct ln_tap ln_tap;
ln_status ln_net_add_tap(ln_net *, int64_t value,
                         ln_status (*hook)(void *arg, ln_tensor *dy),
                         void *arg, ln_tap **out);
ln_tensor *ln_tap_output(const ln_tap *);   /* NULL before a forward */
ln_tensor *ln_tap_gradient(const ln_tap *); /* NULL before a backward */
void ln_net_remove_tap(ln_net *, ln_tap *);

/* Runs the latest forward (and with dy the backward) again with the same
 * random numbers and looks at every result. *node: the first whose output
 * (*backward false) or gradient (true) is not finite; -1: none. */
ln_status ln_net_find_nonfinite(ln_net *, ln_tensor *const *x, int64_t n,
                                ln_tensor *const *dy, int64_t n_dy,
                                int64_t *node, bool *backward);

/* ---- optimizers ---------------------------------------------------------- */

typedef struct ln_optimizer ln_optimizer;

/* rule: "sgd", "adam", "adamw", "rmsprop", "adagrad"; options as for layers. */
ln_status ln_optimizer_new(const char *rule, ln_tensor *const *values,
                           ln_tensor *const *grads, int64_t n,
                           const ln_named_value *options, int64_t n_options,
                           ln_optimizer **out);
void ln_optimizer_free(ln_optimizer *);
ln_status ln_optimizer_step(ln_optimizer *);
void ln_optimizer_zero_grad(ln_optimizer *);
double ln_optimizer_lr(const ln_optimizer *);
ln_status ln_optimizer_set_lr(ln_optimizer *, double lr);
int64_t ln_optimizer_steps(const ln_optimizer *);
void ln_optimizer_set_steps(ln_optimizer *, int64_t steps);
/* What a rule remembers for parameter p: the s-th buffer (NULL: no more). */
ln_tensor *ln_optimizer_buffer(const ln_optimizer *, int64_t p, int64_t s,
                               const char **name);
/* Scales all gradients so that their common norm is at most max_norm; gives
 * the norm before. NaN or infinite norms are left alone. */
ln_status ln_clip_grad_norm(ln_tensor *const *grads, int64_t n,
                            double max_norm, double *norm);

/* ---- data ---------------------------------------------------------------- */

/* Items of one shape, each with a class id (0 .. classes-1). Held as bytes
 * where they come as bytes: an item is then byte / divisor, in float32. */
typedef struct ln_dataset ln_dataset;

ln_status ln_dataset_from_tensors(ln_tensor *x, ln_tensor *labels,
                                  ln_dataset **out);
/* `bytes` and `labels` are copied. */
ln_status ln_dataset_from_bytes(const uint8_t *bytes, const uint8_t *labels,
                                int64_t count, const ln_shape *item,
                                float divisor, ln_dataset **out);
/* MNIST's format, plain or gzip: (N,1,H,W) = byte / 255. */
ln_status ln_dataset_read_idx(const char *images, const char *labels,
                              ln_dataset **out);
/* CIFAR-10's binary batches, plain or gzip: (N,3,32,32) = byte / 255. */
ln_status ln_dataset_read_cifar10(const char *const *paths, int64_t n,
                                  ln_dataset **out);
/* Items (N, ...) that stay in a .npy file and are read as batches want them;
 * bytes are divided by 255. labels: (N). */
ln_status ln_dataset_stream_npy(const char *path, ln_tensor *labels,
                                ln_dataset **out);
ln_dataset *ln_dataset_retain(ln_dataset *);
void ln_dataset_release(ln_dataset *);
int64_t ln_dataset_count(const ln_dataset *);
const ln_shape *ln_dataset_item_shape(const ln_dataset *);
/* The labels of items order[0..n): float32 (n). Reads no items. */
ln_status ln_dataset_labels(const ln_dataset *, const int64_t *order,
                            int64_t n, ln_tensor **out);
/* Items order[0..n) as one batch; labels as float32 (N). */
ln_status ln_dataset_gather(const ln_dataset *, const int64_t *order,
                            int64_t n, ln_tensor **x, ln_tensor **labels);

/* The batches of `order`, the next one prepared by a thread of its own. */
typedef struct ln_loader ln_loader;
ln_status ln_loader_new(ln_dataset *, const int64_t *order, int64_t n,
                        int64_t batch_size, bool drop_last, ln_loader **out);
/* At the end *x is NULL. */
ln_status ln_loader_next(ln_loader *, ln_tensor **x, ln_tensor **labels);
void ln_loader_free(ln_loader *);

/* ---- files --------------------------------------------------------------- */

/* A table name -> tensor, as .npz and .safetensors hold it. */
typedef struct ln_tensor_table {
  int64_t count;
  char **names;
  ln_tensor **tensors;
} ln_tensor_table;
void ln_tensor_table_free(ln_tensor_table *); /* the contents, too */

/* Reading refuses what is damaged: file, offset, expected, got. Writing is
 * atomic: temporary file beside it, fsync, rename. Equal content gives equal
 * bytes. */
ln_status ln_npy_read(const char *path, ln_tensor **out);
ln_status ln_npy_write(const char *path, const ln_tensor *t);
ln_status ln_npz_read(const char *path, ln_tensor_table *out);
ln_status ln_npz_write(const char *path, const ln_tensor_table *t);
/* metadata: the JSON text of __metadata__ (an object of texts), or NULL;
 * free() what read gives. */
ln_status ln_safetensors_read(const char *path, ln_tensor_table *out,
                              char **metadata);
ln_status ln_safetensors_write(const char *path, const ln_tensor_table *t,
                               const char *metadata);
/* (C,H,W) in 0..1, C = 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA; 8 or 16 bits
 * are read, 8 are written (clamped, rounded). */
ln_status ln_png_read(const char *path, ln_tensor **out);
ln_status ln_png_write(const char *path, const ln_tensor *t);
/* A whole file, unpacked if it is gzip; free() the bytes. */
ln_status ln_file_read(const char *path, uint8_t **bytes, size_t *size);
/* The same, of the first `most` bytes only: a look at a header. */
ln_status ln_file_read_first(const char *path, size_t most, uint8_t **bytes,
                             size_t *size);
ln_status ln_file_write(const char *path, const void *bytes, size_t size);

#endif
