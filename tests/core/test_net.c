/* A small net through the C API: passes, memory, training, fork. Its meaning
 * is tested from Lua; here it runs under Valgrind and the sanitizers. */
#include "core_support.h"

#include <math.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct net {
  ln_net *net;
  ln_instance *layers[5];
  ln_optimizer *optimizer;
  int64_t output;
} net;

static ln_value number(double v) {
  return (ln_value){ .kind = LN_VALUE_NUMBER, .number = v };
}

static ln_instance *new_layer(const char *word, const char *option, double v,
                              const char *other, double w) {
  ln_instance *layer = NULL;
  setenv("LUNET_PLUGIN_PATH", PLUGIN_FOLDER, 1);
  ln_named_value options[] = { { option, number(v) }, { other, number(w) } };
  int64_t n = (option != NULL) + (other != NULL);
  ln_status s = ln_instance_new(word, NULL, options, n, &layer);
  ck_assert_msg(s == LN_OK, "%s", ln_error());
  return layer;
}

/* conv 3x3 - relu - (the same twice, added) - flatten - linear */
static net new_net(void) {
  net n = { .layers = {
                new_layer("conv2d", "out_channels", 4, "kernel_size", 3),
                new_layer("relu", NULL, 0, NULL, 0),
                new_layer("add", NULL, 0, NULL, 0),
                new_layer("flatten", NULL, 0, NULL, 0),
                new_layer("linear", "out_features", 3, NULL, 0) } };
  int64_t x, v;
  ck_assert_int_eq(ln_net_new(&n.net), LN_OK);
  ck_assert_int_eq(ln_net_add_input(n.net, &x), LN_OK);
  for (int i = 0; i < 5; i++) {
    int64_t inputs[] = { x, x };
    int64_t count = i == 2 ? 2 : 1;
    ck_assert_int_eq(
        ln_net_add_layer(n.net, n.layers[i], "layer", inputs, count, &v),
        LN_OK);
    x = v;
  }
  ck_assert_int_eq(ln_net_set_outputs(n.net, &v, 1), LN_OK);
  const ln_shape shape = LN_SHAPE(1, 2, 6, 6);
  ck_assert_msg(ln_net_build(n.net, &shape, 1) == LN_OK, "%s", ln_error());
  n.output = v;
  return n;
}

static void free_net(net *n) {
  ln_optimizer_free(n->optimizer);
  ln_net_free(n->net);
  for (int i = 0; i < 5; i++) ln_instance_release(n->layers[i]);
}

static void add_optimizer(net *n) {
  ln_tensor *values[4], *grads[4];
  const ln_named_value options[] = { { "lr", number(0.002) },
                                     { "momentum", number(0.9) } };
  for (int i = 0; i < 4; i++) {
    const ln_parameter *p =
        ln_instance_parameter(n->layers[i < 2 ? 0 : 4], i % 2);
    values[i] = p->value;
    grads[i] = p->grad;
  }
  ck_assert_msg(ln_optimizer_new("sgd", values, grads, 4, options, 2,
                                 &n->optimizer) == LN_OK,
                "%s", ln_error());
}

/* One step towards y = 0; returns the sum of the squares of y. */
static double train(net *n, ln_tensor *x) {
  ln_tensor *y = NULL, *square = NULL;
  double sum = 0;
  ck_assert_msg(ln_net_forward(n->net, &x, 1, &y) == LN_OK, "%s", ln_error());
  ln_optimizer_zero_grad(n->optimizer);
  ck_assert_msg(ln_net_backward(n->net, &y, 1, NULL) == LN_OK, "%s",
                ln_error());
  ck_assert_int_eq(ln_optimizer_step(n->optimizer), LN_OK);
  ck_assert_int_eq(ln_tensor_binary(LN_OP_MUL, y, y, &square), LN_OK);
  ck_assert_int_eq(ln_tensor_reduce_all(LN_OP_SUM, square, &sum), LN_OK);
  ln_tensor_release(y);
  ln_tensor_release(square);
  return sum;
}

static ln_tensor *random_batch(int64_t n) {
  ln_tensor *x = NULL;
  const ln_shape shape = LN_SHAPE(n, 2, 6, 6);
  ck_assert_int_eq(ln_tensor_randn(&shape, &x), LN_OK);
  return x;
}

START_TEST(training_lowers_what_it_should) {
  ln_manual_seed(1);
  ck_assert_int_eq(ln_set_num_threads(2), LN_OK);
  net n = new_net();
  add_optimizer(&n);
  ln_tensor *x = random_batch(40), *few = random_batch(3);
  double first = train(&n, x) / 40;
  for (int i = 0; i < 20; i++) train(&n, i % 3 ? x : few);
  ck_assert_double_lt(train(&n, x) / 40, first / 4);
  ln_tensor_release(x);
  ln_tensor_release(few);
  free_net(&n);
}
END_TEST

START_TEST(a_steady_step_makes_no_new_storage_but_the_outputs) {
  ln_manual_seed(1);
  net n = new_net();
  ln_tensor *x = random_batch(16), *y = NULL;
  ck_assert_int_eq(ln_net_predict(n.net, &x, 1, &y), LN_OK);
  ln_tensor_release(y);
  int64_t made = ln_tensor_bytes_made();
  ck_assert_int_eq(ln_net_predict(n.net, &x, 1, &y), LN_OK);
  ck_assert_int_le(ln_tensor_bytes_made() - made, 16 * 3 * 4 + 64);
  ln_tensor_release(y);
  ln_tensor_release(x);
  free_net(&n);
}
END_TEST

START_TEST(a_refused_pass_leaves_the_net_usable) {
  ln_manual_seed(1);
  net n = new_net();
  ln_tensor *x = random_batch(8), *y = NULL, *wrong = NULL;
  const ln_shape shape = LN_SHAPE(8, 3, 6, 6);
  ck_assert_int_eq(ln_tensor_full(&shape, 1, &wrong), LN_OK);
  ck_assert_int_eq(ln_net_forward(n.net, &wrong, 1, &y), LN_FAILED);
  ck_assert_ptr_nonnull(strstr(ln_error(), "in_channels = 2, but x has 3"));
  ck_assert_int_eq(ln_net_forward(n.net, &x, 1, &y), LN_OK);
  ln_tensor_release(y);
  ln_tensor_release(x);
  ln_tensor_release(wrong);
  free_net(&n);
}
END_TEST

START_TEST(a_child_trains_after_fork_with_the_same_bits) {
  ln_manual_seed(1);
  ck_assert_int_eq(ln_set_num_threads(3), LN_OK);
  net n = new_net();
  add_optimizer(&n);
  ln_tensor *x = random_batch(64);
  train(&n, x);
  int ends[2];
  ck_assert_int_eq(pipe(ends), 0);
  pid_t child = fork();
  double here = train(&n, x), there = 0;
  ln_tensor_release(x);
  free_net(&n);
  if (child == 0) _exit(write(ends[1], &here, sizeof here) != sizeof here);
  int status = 1;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_int_eq(status, 0);
  ck_assert_int_eq(read(ends[0], &there, sizeof there), sizeof there);
  ck_assert(here == there);
  close(ends[0]);
  close(ends[1]);
}
END_TEST

START_TEST(a_node_tells_its_window) {
  net n = new_net();
  ln_node_info info;
  ck_assert_int_eq(ln_net_node_info(n.net, 0, &info), LN_OK);
  ck_assert_int_eq(info.window_dims, 2);
  ck_assert_int_eq(info.window[1].kernel, 3);
  ck_assert_int_eq(info.window[1].stride, 1);
  ck_assert_int_eq(info.window[1].pad_before, 0);
  ck_assert_int_eq(info.window[1].dilation, 1);
  ck_assert_int_eq(ln_net_node_info(n.net, 1, &info), LN_OK);
  ck_assert_int_eq(info.window_dims, 0);
  free_net(&n);
}
END_TEST

/* A rule given before the sizes are known, and one given afterwards. */
START_TEST(an_initialiser_waits_for_the_sizes) {
  const ln_initialiser rule = { LN_INIT_UNIFORM, LN_FAN_OF_OUTPUT, 1, 2 };
  const ln_shape x = LN_SHAPE(1, 2, 6, 6);
  ln_instance *early = new_layer("conv2d", "out_channels", 4, "kernel_size", 3);
  ck_assert_int_eq(ln_instance_initialise(early, NULL, &rule), LN_OK);
  ck_assert_int_eq(ln_instance_initialise(early, "bias", &rule), LN_OK);
  ln_net *graph = NULL;
  int64_t value;
  ck_assert_int_eq(ln_net_new(&graph), LN_OK);
  ck_assert_int_eq(ln_net_add_input(graph, &value), LN_OK);
  ck_assert_int_eq(ln_net_add_layer(graph, early, "conv", &value, 1, &value),
                   LN_OK);
  ck_assert_int_eq(ln_net_build(graph, &x, 1), LN_FAILED);
  ck_assert_str_eq(ln_error(), "conv: bias is drawn by its fan_out, which is 0 "
                               "and must be > 0: fan_in counts the inputs of "
                               "one output, fan_out the outputs that one input "
                               "reaches");
  const ln_initialiser ones = { .center = 1 };
  ck_assert_int_eq(ln_instance_initialise(early, "bias", &ones), LN_OK);
  ck_assert_msg(ln_net_build(graph, &x, 1) == LN_OK, "%s", ln_error());
  const ln_parameter *p = ln_instance_parameter(early, 0);
  ln_tensor *drawn = NULL;
  ck_assert_int_eq(ln_tensor_clone(p->value, &drawn), LN_OK);
  ck_assert_int_eq(ln_tensor_fill(p->value, 0), LN_OK);
  ck_assert_int_eq(ln_instance_initialise(early, NULL, &rule), LN_OK);
  for (int64_t i = 0; i < drawn->count; i++) {
    ck_assert(fabsf(drawn->data[i] - 1) <= 2 / 6.0f); /* fan_out is 4 * 9 */
    ck_assert(drawn->data[i] == p->value->data[i]);
  }
  ck_assert(ln_instance_parameter(early, 1)->value->data[3] == 1);
  ln_tensor_release(drawn);
  ln_net_free(graph);
  ln_instance_release(early);
}
END_TEST

RUN_TESTS("net", training_lowers_what_it_should, a_node_tells_its_window,
          an_initialiser_waits_for_the_sizes,
          a_steady_step_makes_no_new_storage_but_the_outputs,
          a_refused_pass_leaves_the_net_usable,
          a_child_trains_after_fork_with_the_same_bits)
