/* Datasets, their readers on tiny files, and the loader: every item once, in
 * the order that was asked for. */
#include <math.h>
#include <sys/wait.h>

#include "files_support.h"

/* Item i is (i, i + 100), its label i mod 3. */
static ln_dataset *make_dataset(int64_t n) {
  ln_tensor *x = make(LN_SHAPE(n, 2), NULL);
  ln_tensor *labels = make(LN_SHAPE(n), NULL);
  for (int64_t i = 0; i < n; i++) {
    x->data[2 * i] = (float)i;
    x->data[2 * i + 1] = (float)(i + 100);
    labels->data[i] = (float)(i % 3);
  }
  ln_dataset *d;
  ck_ok(ln_dataset_from_tensors(x, labels, &d));
  ln_tensor_fill(x, -1); /* the dataset has its own copy */
  ln_tensor_fill(labels, -1);
  ln_tensor_release(x);
  ln_tensor_release(labels);
  return d;
}

START_TEST(tensors_are_gathered) {
  ln_dataset *d = make_dataset(4);
  ck_assert_int_eq(ln_dataset_count(d), 4);
  ck_assert(ln_shape_equal(ln_dataset_item_shape(d), &LN_SHAPE(2)));
  ln_tensor *x, *labels;
  ck_ok(ln_dataset_gather(d, (int64_t[]){ 3, 0, 3 }, 3, &x, &labels));
  check_tensor(x, LN_SHAPE(3, 2), (float[]){ 3, 103, 0, 100, 3, 103 });
  check_tensor(labels, LN_SHAPE(3), (float[]){ 0, 0, 0 });
  ln_tensor_release(x);
  ln_tensor_release(labels);
  ck_ok(ln_dataset_gather(d, NULL, 0, &x, &labels));
  check_tensor(x, LN_SHAPE(0, 2), NULL);
  ln_tensor_release(x);
  ln_tensor_release(labels);
  ck_refused(ln_dataset_gather(d, (int64_t[]){ 4 }, 1, &x, &labels),
             "item 5 was asked for; this dataset has the items 1 to 4");
  ln_dataset_release(d);
}
END_TEST

START_TEST(bytes_are_divided_exactly) {
  uint8_t bytes[256], labels[256];
  int64_t order[256];
  for (int i = 0; i < 256; i++) {
    bytes[i] = labels[i] = (uint8_t)i;
    order[i] = i;
  }
  static const float divisors[] = { 255, 16, 1, 0.3f };
  for (size_t k = 0; k < 4; k++) {
    ln_dataset *d;
    ln_tensor *x, *ids;
    ck_ok(ln_dataset_from_bytes(bytes, labels, 256, &LN_SHAPE(1, 1, 1),
                                divisors[k], &d));
    ck_ok(ln_dataset_gather(d, order, 256, &x, &ids));
    ck_assert_int_eq(x->shape.rank, 4);
    for (int i = 0; i < 256; i++) {
      ck_assert(x->data[i] == (float)i / divisors[k]);
      ck_assert(ids->data[i] == (float)i);
    }
    ln_tensor_release(x);
    ln_tensor_release(ids);
    ln_dataset_release(d);
  }
}
END_TEST

START_TEST(what_is_no_dataset_is_refused) {
  ln_dataset *d;
  ln_tensor *x = make(LN_SHAPE(2, 3), NULL);
  ln_tensor *three = make(LN_SHAPE(3), NULL);
  ln_tensor *half = make(LN_SHAPE(2), (float[]){ 0, 0.5f });
  ln_tensor *below = make(LN_SHAPE(2), (float[]){ -1, 0 });
  ln_tensor *none = make(LN_SHAPE(2), (float[]){ 0, NAN });
  ln_tensor *wide = make(LN_SHAPE(2, 1), NULL);
  ck_refused(ln_dataset_from_tensors(x, three, &d),
             "x of shape (2,3) and labels of shape (3)");
  ck_refused(ln_dataset_from_tensors(x, wide, &d), "labels of shape (2,1)");
  ck_refused(ln_dataset_from_tensors(x, half, &d), "label 2 is 0.5");
  ck_refused(ln_dataset_from_tensors(x, below, &d), "label 1 is -1");
  ck_refused(ln_dataset_from_tensors(x, none, &d), "label 2 is nan");
  ck_refused(ln_dataset_from_bytes(NULL, NULL, 0, &LN_SHAPE(1), 0, &d),
             "a number above 0, got 0");
  ck_refused(ln_dataset_from_bytes(NULL, NULL, INT64_MAX, &LN_SHAPE(2), 1, &d),
             "do not fit in memory");
  ck_refused(ln_dataset_from_bytes(NULL, NULL, 0,
                                   &LN_SHAPE(1, 1, 1, 1, 1, 1, 1, 1), 1, &d),
             "an item has 8 dims");
  ln_tensor *all[] = { x, three, half, below, none, wide };
  for (int i = 0; i < 6; i++) ln_tensor_release(all[i]);
}
END_TEST

/* ---- readers ------------------------------------------------------------- */

static const char images[] = "\0\0\x8\3\0\0\0\2\0\0\0\1\0\0\0\3"
                             "\0\x33\xff\1\2\3";
static const char labels[] = "\0\0\x8\1\0\0\0\2\7\0";

START_TEST(idx_is_read) {
  ln_dataset *d;
  ln_tensor *x, *ids;
  put_file("i", images, 22);
  put_file("l", labels, 10);
  ck_ok(ln_dataset_read_idx("i", "l", &d));
  ck_assert(ln_shape_equal(ln_dataset_item_shape(d), &LN_SHAPE(1, 1, 3)));
  ck_ok(ln_dataset_gather(d, (int64_t[]){ 1, 0 }, 2, &x, &ids));
  check_tensor(x, LN_SHAPE(2, 1, 1, 3),
               (float[]){ 1.f / 255, 2.f / 255, 3.f / 255, 0, 0.2f, 1 });
  check_tensor(ids, LN_SHAPE(2), (float[]){ 0, 7 });
  ln_tensor_release(x);
  ln_tensor_release(ids);
  ln_dataset_release(d);
}
END_TEST

START_TEST(bad_idx_is_refused) {
  ln_dataset *d;
  put_file("i", images, 22);
  put_file("l", labels, 10);
  ck_refused(ln_dataset_read_idx("l", "i", &d),
             "l, offset 0: expected the magic number 00000803 (images), got "
             "00000801 (labels)\n  try to exchange images and labels");
  ck_refused(ln_dataset_read_idx("i", "absent", &d), "absent: cannot open");
  put_file("short", images, 21);
  ck_refused(ln_dataset_read_idx("short", "l", &d),
             "short, offset 21: expected 22 bytes (2 x 1 x 3 and a header of "
             "16), got the end");
  put_file("long", images, 23);
  ck_refused(ln_dataset_read_idx("long", "l", &d),
             "long, offset 22: expected the end after 2 x 1 x 3 bytes");
  put_file("one", "\0\0\x8\1\0\0\0\1\7", 9);
  ck_refused(ln_dataset_read_idx("i", "one", &d),
             "one, offset 4: expected 2 labels, one for each picture of i, "
             "got 1");
  put_file("ten", "\0\0\x8\1\0\0\0\2\7\xa", 10);
  ck_refused(ln_dataset_read_idx("i", "ten", &d),
             "ten, offset 9: expected a class from 0 to 9, got 10");
  put_file("huge", "\0\0\x8\3\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
           16);
  ck_refused(ln_dataset_read_idx("huge", "l", &d), "sizes that fit in memory");
  put_file("big", "\0\0\x8\3\0\xff\xff\xff\0\xff\xff\xff\0\0\0\1", 16);
  ck_refused(ln_dataset_read_idx("big", "l", &d), "offset 16: expected ");
}
END_TEST

static void put_cifar10(const char *path, int first, int count) {
  uint8_t *bytes = malloc((size_t)count * 3073);
  for (int i = 0; i < count * 3073; i++)
    bytes[i] = (uint8_t)(i % 3073 ? first + i / 3073 : (first + i / 3073) % 10);
  put_file(path, bytes, (size_t)count * 3073);
  free(bytes);
}

START_TEST(cifar10_is_read) {
  ln_dataset *d;
  ln_tensor *x, *ids;
  put_cifar10("one", 0, 2);
  put_cifar10("two", 2, 3);
  ck_ok(ln_dataset_read_cifar10((const char *[]){ "one", "two" }, 2, &d));
  ck_assert_int_eq(ln_dataset_count(d), 5);
  ck_assert(ln_shape_equal(ln_dataset_item_shape(d), &LN_SHAPE(3, 32, 32)));
  ck_ok(ln_dataset_gather(d, (int64_t[]){ 0, 1, 2, 3, 4 }, 5, &x, &ids));
  for (int i = 0; i < 5; i++) {
    ck_assert(ids->data[i] == (float)i);
    for (int k = 0; k < 3072; k++)
      ck_assert(x->data[3072 * i + k] == (float)i / 255);
  }
  ln_tensor_release(x);
  ln_tensor_release(ids);
  ln_dataset_release(d);
}
END_TEST

START_TEST(bad_cifar10_is_refused) {
  ln_dataset *d;
  const char *path = "a";
  ck_refused(ln_dataset_read_cifar10(NULL, 0, &d), "at least one batch");
  put_file(path, "", 0);
  ck_refused(ln_dataset_read_cifar10(&path, 1, &d), "got 0");
  put_cifar10(path, 0, 2);
  ck_assert_int_eq(truncate(path, 6000), 0);
  ck_refused(ln_dataset_read_cifar10(&path, 1, &d),
             "a, offset 3073: expected a record of 3073 bytes, got 2927");
  uint8_t *record = calloc(1, 3073);
  record[0] = 10;
  put_file(path, record, 3073);
  free(record);
  ck_refused(ln_dataset_read_cifar10(&path, 1, &d),
             "a, offset 0: expected a class from 0 to 9, got 10");
}
END_TEST

/* ---- loader -------------------------------------------------------------- */

/* Goes through all batches; returns how many items came. */
static int64_t check_batches(ln_loader *l, const int64_t *order, int64_t size) {
  int64_t seen = 0;
  for (;;) {
    ln_tensor *x, *ids;
    ck_ok(ln_loader_next(l, &x, &ids));
    if (x == NULL) {
      ck_assert_ptr_null(ids);
      return seen;
    }
    ck_assert_int_le(x->shape.dim[0], size);
    for (int64_t i = 0; i < x->shape.dim[0]; i++, seen++) {
      ck_assert(x->data[2 * i] == (float)order[seen]);
      ck_assert(x->data[2 * i + 1] == (float)(order[seen] + 100));
      ck_assert(ids->data[i] == (float)(order[seen] % 3));
    }
    ln_tensor_release(x);
    ln_tensor_release(ids);
  }
}

START_TEST(every_item_comes_once_and_in_order) {
  enum { N = 10 };
  ln_dataset *d = make_dataset(N);
  int64_t order[N];
  for (int i = 0; i < N; i++) order[i] = (7 * i + 3) % N;
  for (int64_t size = 1; size <= N + 1; size++)
    for (int drop = 0; drop < 2; drop++) {
      ln_loader *l;
      ck_ok(ln_loader_new(d, order, N, size, drop, &l));
      ck_assert_int_eq(check_batches(l, order, size), drop ? N - N % size : N);
      ck_assert_int_eq(check_batches(l, order, size), 0); /* still the end */
      ln_loader_free(l);
    }
  ln_dataset_release(d);
}
END_TEST

START_TEST(batches_stay_when_the_loader_is_gone) {
  ln_dataset *d = make_dataset(6);
  int64_t order[] = { 5, 4, 3, 2, 1, 0 };
  ln_loader *l;
  ln_tensor *x, *ids, *y, *more_ids;
  ck_ok(ln_loader_new(d, order, 6, 2, false, &l));
  ln_dataset_release(d);          /* the loader has its own hold */
  memset(order, 0, sizeof order); /* and its own order */
  ck_ok(ln_loader_next(l, &x, &ids));
  ck_ok(ln_loader_next(l, &y, &more_ids));
  ln_loader_free(l);
  check_tensor(x, LN_SHAPE(2, 2), (float[]){ 5, 105, 4, 104 });
  check_tensor(y, LN_SHAPE(2, 2), (float[]){ 3, 103, 2, 102 });
  ln_tensor *all[] = { x, ids, y, more_ids };
  for (int i = 0; i < 4; i++) ln_tensor_release(all[i]);
}
END_TEST

START_TEST(a_loader_may_be_freed_at_once) {
  ln_dataset *d = make_dataset(100);
  int64_t order[100] = { 0 }, before = ln_tensor_bytes_alive();
  for (int i = 0; i < 50; i++) {
    ln_loader *l;
    ck_ok(ln_loader_new(d, order, 100, 30, false, &l));
    ln_loader_free(l);
  }
  ln_loader_free(NULL);
  ck_assert_int_eq(ln_tensor_bytes_alive(), before);
  ln_dataset_release(d);
}
END_TEST

START_TEST(nothing_gives_nothing) {
  ln_dataset *d = make_dataset(0);
  ln_loader *l;
  ck_ok(ln_loader_new(d, NULL, 0, 4, false, &l));
  ck_assert_int_eq(check_batches(l, NULL, 4), 0);
  ln_loader_free(l);
  ck_refused(ln_loader_new(d, NULL, 0, 0, false, &l), "at least 1 item");
  ck_refused(ln_loader_new(d, (int64_t[]){ 0 }, 1, 1, false, &l),
             "item 1 was asked for");
  ln_dataset_release(d);
}
END_TEST

START_TEST(a_child_begins_its_own_batches) {
  enum { N = 9 };
  ln_dataset *d = make_dataset(N);
  int64_t order[N] = { 8, 7, 6, 5, 4, 3, 2, 1, 0 };
  ln_loader *l;
  ln_tensor *x, *ids;
  ck_ok(ln_loader_new(d, order, N, 2, false, &l));
  /* AddressSanitizer of gcc 12 hangs in a child forked while a thread starts;
   * after the first batch it surely runs. */
  ck_ok(ln_loader_next(l, &x, &ids));
  ln_tensor_release(x);
  ln_tensor_release(ids);
  pid_t child = fork();
  if (child == 0) {
    ck_refused(ln_loader_next(l, &x, &ids), "try to begin them after the fork");
    ln_loader_free(l);
    ck_ok(ln_loader_new(d, order, N, 2, false, &l));
    int64_t seen = check_batches(l, order, 2);
    ln_loader_free(l);
    ln_dataset_release(d);
    _exit(seen == N ? 0 : 1);
  }
  int status;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_int_eq(status, 0);
  ck_assert_int_eq(check_batches(l, order + 2, 2), N - 2);
  ln_loader_free(l);
  ln_dataset_release(d);
}
END_TEST

RUN_IN_FOLDERS("data", tensors_are_gathered, bytes_are_divided_exactly,
               what_is_no_dataset_is_refused, idx_is_read, bad_idx_is_refused,
               cifar10_is_read, bad_cifar10_is_refused,
               every_item_comes_once_and_in_order,
               batches_stay_when_the_loader_is_gone,
               a_loader_may_be_freed_at_once, nothing_gives_nothing,
               a_child_begins_its_own_batches)
