/* Tensors: what is shared and what is copied, shapes of every kind, memory
 * that is lent again, and the sentences of refusals. */
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>

#include "core_support.h"
#include "tensor/storage.h"

static void press(int number) {
  (void)number;
  ln_cancel();
}

/* Ctrl-C in 1 to 128 ms while t is copied the slow way. It may have come before
 * or after the copying, and is tried again. */
static ln_status turn_until_stopped(const ln_tensor *t, ln_tensor **turned) {
  struct itimerval never = { 0 };
  ln_status status = LN_OK;
  signal(SIGALRM, press);
  for (int i = 0; i < 1000 && status == LN_OK; i++) {
    struct itimerval once = { .it_value = { 0, 1000 << i % 8 } };
    ck_assert_int_eq(setitimer(ITIMER_REAL, &once, NULL), 0);
    status = ln_tensor_transpose(t, 0, 1, turned);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
    if (status == LN_OK) ln_tensor_release(*turned);
  }
  return status;
}

START_TEST(ctrl_c_stops_a_copy) {
  ln_tensor *t, *turned;
  ck_ok(ln_tensor_full(&LN_SHAPE(2000, 2000), 3, &t));
  ck_assert_int_eq(turn_until_stopped(t, &turned), LN_CANCELLED);
  ck_ok(ln_tensor_transpose(t, 0, 1, &turned)); /* whole once more */
  int64_t same = 0;
  for (int64_t i = 0; i < turned->count; i++) same += turned->data[i] == 3;
  ck_assert_int_eq(same, turned->count);
  ln_tensor_release(turned);
  ln_tensor_release(t);
}
END_TEST

START_TEST(views_share_and_raise_the_version) {
  ln_tensor *t = make(LN_SHAPE(2, 3), NULL), *v, *row, *part;
  ln_shape shape = LN_SHAPE(3, -1);
  ck_ok(ln_tensor_view(t, &shape, &v));
  ck_ok(ln_tensor_select(t, 1, &row));
  ck_ok(ln_tensor_narrow(t, 1, 1, 2, &part));
  ck_assert(ln_tensor_same_storage(t, part) && !ln_tensor_is_dense(part));
  uint64_t version = ln_tensor_version(t);
  ck_ok(ln_tensor_fill(part, 9));
  ck_assert_uint_gt(ln_tensor_version(t), version);
  EXPECT(t, LN_SHAPE(2, 3), 1, 9, 9, 4, 9, 9);
  EXPECT(v, LN_SHAPE(3, 2), 1, 9, 9, 4, 9, 9);
  EXPECT(row, LN_SHAPE(3), 4, 9, 9);
  EXPECT(part, LN_SHAPE(2, 2), 9, 9, 9, 9);
}
END_TEST

START_TEST(copies_do_not_share) {
  ln_tensor *t = make(LN_SHAPE(2, 3), NULL), *turned, *clone, *part, *dense;
  ck_ok(ln_tensor_transpose(t, 0, 1, &turned));
  ck_ok(ln_tensor_clone(t, &clone));
  ck_ok(ln_tensor_narrow(t, 1, 0, 2, &part));
  ck_ok(ln_tensor_dense(part, &dense));
  ck_ok(ln_tensor_fill(t, 0));
  EXPECT(turned, LN_SHAPE(3, 2), 1, 4, 2, 5, 3, 6);
  EXPECT(clone, LN_SHAPE(2, 3), 1, 2, 3, 4, 5, 6);
  EXPECT(dense, LN_SHAPE(2, 2), 1, 2, 4, 5);
  ln_tensor_release(t), ln_tensor_release(part);
}
END_TEST

START_TEST(a_view_outlives_its_tensor) {
  ln_tensor *t = make(LN_SHAPE(4), NULL), *part;
  ck_ok(ln_tensor_narrow(t, 0, 2, 2, &part));
  ln_tensor_release(t);
  EXPECT(part, LN_SHAPE(2), 3, 4);
}
END_TEST

START_TEST(copy_broadcasts_and_may_overlap) {
  ln_tensor *t = make(LN_SHAPE(2, 3), NULL), *row = MAKE(LN_SHAPE(3), 7, 8, 9);
  ln_tensor *v = make(LN_SHAPE(3, 2), NULL), *column, *to, *from;
  ck_ok(ln_tensor_copy(t, row));
  ck_refused(ln_tensor_copy(row, t), "copy: shape (2,3) is larger");
  EXPECT(t, LN_SHAPE(2, 3), 7, 8, 9, 7, 8, 9);
  ck_ok(ln_tensor_narrow(v, 1, 0, 1, &column));
  ck_ok(ln_tensor_narrow(column, 0, 1, 2, &to));
  ck_ok(ln_tensor_narrow(column, 0, 0, 2, &from));
  ck_ok(ln_tensor_copy(to, from));
  EXPECT(v, LN_SHAPE(3, 2), 1, 2, 1, 4, 3, 6);
  ln_tensor_release(row), ln_tensor_release(column);
  ln_tensor_release(to), ln_tensor_release(from);
}
END_TEST

START_TEST(no_dims_and_no_elements) {
  ln_shape number = LN_NO_DIMS, none = LN_SHAPE(0, 3), open = LN_SHAPE(-1);
  ln_tensor *t, *e, *v, *part;
  ck_ok(ln_tensor_full(&number, 4, &t));
  ck_ok(ln_tensor_view(t, &open, &v));
  EXPECT(v, LN_SHAPE(1), 4);
  EXPECT(t, LN_NO_DIMS, 4);
  ck_ok(ln_tensor_full(&none, 4, &e));
  ck_assert_int_eq(e->count, 0);
  ck_ok(ln_tensor_fill(e, 1));
  ck_ok(ln_tensor_narrow(e, 1, 2, 1, &part));
  EXPECT(part, LN_SHAPE(0, 1), 0);
  ck_ok(ln_tensor_view(e, &open, &v));
  EXPECT(v, LN_SHAPE(0), 0);
  EXPECT(e, LN_SHAPE(0, 3), 0);
}
END_TEST

START_TEST(refusals_say_the_numbers) {
  ln_tensor *t = make(LN_SHAPE(2, 3), NULL), *part, *out;
  ln_shape four = LN_SHAPE(4, -1), twice = LN_SHAPE(-1, -1);
  ln_shape negative = LN_SHAPE(2, -3), huge = LN_SHAPE(1ll << 40, 1ll << 40);
  ck_refused(ln_tensor_select(t, 2, &out),
             "index 3 is out of range: dim 1 of shape (2,3) has the places 1 "
             "to 2");
  ck_refused(ln_tensor_narrow(t, 1, 1, 3, &out),
             "narrow: 3 places from 2 on are not in dim 2, which has the "
             "places 1 to 3");
  ck_refused(ln_tensor_narrow(t, 2, 0, 1, &out), "there is no dim 3");
  ck_refused(ln_tensor_transpose(t, 0, 5, &out), "there is no dim 6");
  ck_refused(ln_tensor_view(t, &four, &out),
             "view: 6 elements of shape (2,3) do not fill shape (4,-1)");
  ck_refused(ln_tensor_view(t, &twice, &out), "only one size may be -1");
  ck_refused(ln_tensor_new(&negative, &out),
             "shape (2,-3): size -3 of dim 2 is negative");
  ck_refused(ln_tensor_new(&huge, &out), "more elements than memory");
  ck_ok(ln_tensor_narrow(t, 1, 0, 2, &part));
  ck_refused(ln_tensor_view(part, &(LN_SHAPE(4)), &out), "try clone() first");
  ln_tensor_release(t), ln_tensor_release(part);
}
END_TEST

START_TEST(memory_is_counted_and_lent_again) {
  ln_shape shape = LN_SHAPE(1000);
  ln_tensor *t;
  int64_t alive = ln_tensor_bytes_alive(), made = ln_tensor_bytes_made();
  ck_ok(ln_tensor_new(&shape, &t));
  float *data = t->data;
  ck_assert_uint_eq((uintptr_t)data % 64, 0);
  ck_assert_int_eq(ln_tensor_bytes_alive(), alive + 4000);
  ln_tensor_release(t);
  ck_assert_int_eq(ln_tensor_bytes_alive(), alive);
  ck_ok(ln_tensor_new(&shape, &t));
  ck_assert_ptr_eq(t->data, data);
  ck_assert_int_eq(ln_tensor_bytes_made(), made + 8000);
  ln_tensor_release(t);
  ln_storage_pool_clear();
}
END_TEST

static void make_and_release(int64_t count) {
  ln_shape shape = LN_SHAPE(count);
  ln_tensor *t;
  ck_ok(ln_tensor_new(&shape, &t));
  ln_tensor_release(t);
}

/* Sizes that never come again, of 1 MB to 80 MB. After all of them there is
 * room for one that does. */
START_TEST(big_temporaries_do_not_pile_up) {
  ln_shape shape = LN_SHAPE(10 << 20);
  ln_tensor *t;
  for (int64_t i = 1; i <= 80; i++) {
    make_and_release(i << 18);
    ck_assert_int_le(ln_storage_bytes_kept(), 64 << 20);
  }
  make_and_release(10 << 20);
  int64_t kept = ln_storage_bytes_kept();
  ck_ok(ln_tensor_new(&shape, &t));
  ck_assert_int_le(ln_storage_bytes_kept(), kept - (40 << 20));
  ln_tensor_release(t);
  ln_storage_pool_clear();
  ck_assert_int_eq(ln_storage_bytes_kept(), 0);
}
END_TEST

START_TEST(every_size_has_room) {
  for (int64_t n = 0; n < 3000; n++) {
    ln_shape shape = LN_SHAPE(n);
    ln_tensor *t;
    ck_ok(ln_tensor_full(&shape, 1, &t)); /* a sanitizer sees a short one */
    ln_tensor_release(t);
    ln_storage_pool_clear();
  }
}
END_TEST

RUN_TESTS("tensors: sharing and shapes", views_share_and_raise_the_version,
          copies_do_not_share, a_view_outlives_its_tensor,
          copy_broadcasts_and_may_overlap, no_dims_and_no_elements,
          refusals_say_the_numbers, memory_is_counted_and_lent_again,
          big_temporaries_do_not_pile_up, every_size_has_room,
          ctrl_c_stops_a_copy)
