/* The readers on the real sets, and the bundled sheet of digits against its
 * source. The sets do not come with Lunet: without them, skipped. */
#include <math.h>

#include "files_support.h"

/* A path below the folder of further material. */
static const char *shared(const char *path) {
  static char full[4][500];
  static int next;
  const char *folder = getenv("LUNET_SHARED");
  char *out = full[next++ % 4];
  snprintf(out, sizeof full[0], "%s/data/%s", folder ? folder : "../shared",
           path);
  return out;
}

typedef struct summary {
  int64_t classes[10];
  double mean[3], deviation[3]; /* by channel, over 255 */
} summary;

/* Goes through all items in batches, as a training does. */
static void summarize(const ln_dataset *d, ln_loader *l, summary *s) {
  int64_t channels = ln_dataset_item_shape(d)->dim[0];
  double sum[3] = { 0 }, squares[3] = { 0 }, n = 0;
  *s = (summary){ 0 };
  for (;;) {
    ln_tensor *x, *labels;
    ck_ok(ln_loader_next(l, &x, &labels));
    if (x == NULL) break;
    int64_t plane = x->shape.dim[2] * x->shape.dim[3];
    for (int64_t i = 0; i < x->count; i++) {
      double v = (double)x->data[i];
      sum[i / plane % channels] += v;
      squares[i / plane % channels] += v * v;
    }
    n += (double)(x->count / channels);
    for (int64_t i = 0; i < labels->count; i++)
      s->classes[(int)labels->data[i]]++;
    ln_tensor_release(x);
    ln_tensor_release(labels);
  }
  for (int64_t c = 0; c < channels; c++) {
    s->mean[c] = sum[c] / n;
    s->deviation[c] = sqrt(squares[c] / n - s->mean[c] * s->mean[c]);
  }
}

static void summarize_all(ln_dataset *d, summary *s) {
  int64_t n = ln_dataset_count(d);
  int64_t *order = malloc((size_t)n * sizeof *order);
  for (int64_t i = 0; i < n; i++) order[i] = n - 1 - i;
  ln_loader *l;
  ck_ok(ln_loader_new(d, order, n, 500, false, &l));
  summarize(d, l, s);
  ln_loader_free(l);
  free(order);
}

static void check_classes(const summary *s, const int64_t *expected) {
  for (int i = 0; i < 10; i++) ck_assert_int_eq(s->classes[i], expected[i]);
}

/* Published with four digits. */
static void check_near(double got, double expected) {
  ck_assert_double_eq_tol(got, expected, 0.00005 + 1e-9);
}

static void read_mnist(const char *images, const char *labels, summary *s) {
  ln_dataset *d;
  ck_ok(ln_dataset_read_idx(shared(images), shared(labels), &d));
  ck_assert(ln_shape_equal(ln_dataset_item_shape(d), &LN_SHAPE(1, 28, 28)));
  summarize_all(d, s);
  ln_dataset_release(d);
}

START_TEST(mnist_training) {
  summary s;
  read_mnist("mnist/train-images-idx3-ubyte.gz",
             "mnist/train-labels-idx1-ubyte.gz", &s);
  check_classes(&s, (int64_t[]){ 5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265,
                                 5851, 5949 });
  check_near(s.mean[0], 0.1307);
  check_near(s.deviation[0], 0.3081);
}
END_TEST

START_TEST(mnist_test) {
  summary s;
  read_mnist("mnist/t10k-images-idx3-ubyte.gz",
             "mnist/t10k-labels-idx1-ubyte.gz", &s);
  check_classes(
      &s, (int64_t[]){ 980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009 });
}
END_TEST

START_TEST(fashion_mnist) {
  summary s;
  read_mnist("fashion-mnist/train-images-idx3-ubyte.gz",
             "fashion-mnist/train-labels-idx1-ubyte.gz", &s);
  for (int i = 0; i < 10; i++) ck_assert_int_eq(s.classes[i], 6000);
  check_near(s.mean[0], 0.2860);
  check_near(s.deviation[0], 0.3530);
  read_mnist("fashion-mnist/t10k-images-idx3-ubyte.gz",
             "fashion-mnist/t10k-labels-idx1-ubyte.gz", &s);
  for (int i = 0; i < 10; i++) ck_assert_int_eq(s.classes[i], 1000);
}
END_TEST

static void read_cifar10(const char *path, summary *s) {
  ln_dataset *d;
  const char *full = shared(path);
  ck_ok(ln_dataset_read_cifar10(&full, 1, &d));
  ck_assert_int_eq(ln_dataset_count(d), 10000);
  summarize_all(d, s);
  ln_dataset_release(d);
}

START_TEST(cifar10) {
  static const double mean[] = { 0.4935, 0.4834, 0.4472 };
  static const double deviation[] = { 0.2476, 0.2446, 0.2626 };
  summary s;
  read_cifar10("cifar10/data_batch_1.bin.gz", &s);
  check_classes(&s, (int64_t[]){ 1005, 974, 1032, 1016, 999, 937, 1030, 1001,
                                 1025, 981 });
  for (int c = 0; c < 3; c++) {
    check_near(s.mean[c], mean[c]);
    check_near(s.deviation[c], deviation[c]);
  }
  read_cifar10("cifar10/test_batch.bin.gz", &s);
  for (int i = 0; i < 10; i++) ck_assert_int_eq(s.classes[i], 1000);
}
END_TEST

/* ---- the bundled digits -------------------------------------------------- */

enum { DIGITS = 1797, COLUMNS = 40, SIDE = 8 };

/* The next number of the source; *text moves behind it. */
static int next_number(char **text) {
  int n = (int)strtol(*text, text, 10);
  if (**text != 0) ++*text; /* the comma or newline */
  return n;
}

static int next_label(char **labels) {
  while (**labels == '\n') ++*labels;
  return *(*labels)++ - '0';
}

static char *read_text(const char *path) {
  uint8_t *bytes;
  size_t size;
  ck_ok(ln_file_read(path, &bytes, &size));
  char *text = calloc(1, size + 1);
  memcpy(text, bytes, size);
  free(bytes);
  return text;
}

START_TEST(the_sheet_of_digits_is_its_source) {
  ln_tensor *sheet;
  char *source = read_text(shared("digits/digits.csv.gz"));
  char *labels = read_text("scripts/lunet/digits/labels.txt");
  char *number = source, *label = labels;
  ck_ok(ln_png_read("scripts/lunet/digits/digits.png", &sheet));
  ck_assert(ln_shape_equal(&sheet->shape, &LN_SHAPE(1, 360, 320)));
  for (int i = 0; i < DIGITS; i++) {
    for (int k = 0; k < SIDE * SIDE; k++) {
      int y = i / COLUMNS * SIDE + k / SIDE, x = i % COLUMNS * SIDE + k % SIDE;
      float grey = (float)(15 * next_number(&number)) / 255;
      ck_assert_float_eq(sheet->data[y * COLUMNS * SIDE + x], grey);
    }
    ck_assert_int_eq(next_label(&label), next_number(&number));
  }
  ck_assert_str_eq(number, "");
  ck_assert_str_eq(label, "\n");
  ln_tensor_release(sheet);
  free(source);
  free(labels);
}
END_TEST

int main(void) {
  const TTest *tests[] = { mnist_training, mnist_test, fashion_mnist, cifar10,
                           the_sheet_of_digits_is_its_source };
  size_t n = sizeof tests / sizeof tests[0];
  if (access(shared(""), R_OK) == 0)
    return run("data: real sets", tests, n, false);
  printf("1..%zu\n", n);
  for (size_t i = 0; i < n; i++)
    printf("ok %zu - %s # SKIP no %s\n", i + 1, tests[i]->name, shared(""));
  return 0;
}
