/* The pool: every task once, nested calls, forks, Ctrl-C, slots. */
#include "core_support.h"
#include "base/denormals.h"
#include "base/threads.h"

#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TASKS = 1000 };
static atomic_int times[TASKS];

static void count_task(void *arg, int64_t index, int slot) {
  (void)arg;
  (void)slot;
  atomic_fetch_add(&times[index], 1);
}

static bool each_ran(int n, int expected) {
  bool right = true;
  for (int i = 0; i < n; i++)
    right = right && atomic_exchange(&times[i], 0) == expected;
  return right;
}

START_TEST(every_task_runs_once) {
  for (int threads = 1; threads <= 7; threads++) {
    ck_ok(ln_set_num_threads(threads));
    ck_assert_int_eq(ln_num_threads(), threads);
    for (int n = 0; n <= TASKS; n = n * 2 + 1) {
      ck_assert(ln_parallel(n, count_task, NULL));
      ck_assert(each_ran(n, 1));
    }
  }
}
END_TEST

/* Many short jobs: workers come late, leave early, sleep in between. */
START_TEST(many_jobs_lose_no_task) {
  ck_ok(ln_set_num_threads(3));
  for (int i = 0; i < 3000; i++) {
    ln_parallel_all(5, count_task, NULL);
    if (i % 1000 == 0) usleep(2000);
  }
  ck_assert(each_ran(5, 3000));
}
END_TEST

typedef struct owner {
  atomic_int inside[LN_MAX_THREADS];
  atomic_int clashes, out_of_range;
} owner;

static void own_slot(void *arg, int64_t index, int slot) {
  owner *o = arg;
  (void)index;
  if (slot < 0 || slot >= ln_num_threads() || slot != ln_thread_slot())
    atomic_fetch_add(&o->out_of_range, 1);
  if (atomic_fetch_add(&o->inside[slot], 1)) atomic_fetch_add(&o->clashes, 1);
  usleep(50);
  atomic_fetch_sub(&o->inside[slot], 1);
}

START_TEST(a_slot_has_one_task_at_a_time) {
  static owner o;
  ck_ok(ln_set_num_threads(4));
  ln_parallel_all(200, own_slot, &o);
  ck_assert_int_eq(o.clashes, 0);
  ck_assert_int_eq(o.out_of_range, 0);
}
END_TEST

static atomic_int wrong_slots;

enum { SHARES = 3 };

/* Waits until as many tasks have begun as there are threads. */
static void meet(void *arg, int64_t index, int slot) {
  atomic_int *begun = arg;
  if (slot != index) atomic_fetch_add(&wrong_slots, 1);
  atomic_fetch_add(begun, 1);
  while (atomic_load(begun) < SHARES) usleep(10);
}

/* So that a thread finds in its cache what it wrote there in the last job. */
START_TEST(a_thread_begins_with_the_same_share) {
  ck_ok(ln_set_num_threads(SHARES));
  for (int i = 0; i < 100; i++) {
    atomic_int begun = 0;
    ln_parallel_all(SHARES, meet, &begun);
  }
  ck_assert_int_eq(wrong_slots, 0);
}
END_TEST

static void same_slot(void *arg, int64_t index, int slot) {
  if (slot != *(int *)arg || !ln_in_parallel())
    atomic_fetch_add(&wrong_slots, 1);
  count_task(NULL, index, slot);
  usleep(100);
}

static void nest(void *arg, int64_t index, int slot) {
  (void)arg;
  (void)index;
  ln_parallel_all(10, same_slot, &slot);
}

START_TEST(nested_calls_stay_on_their_thread) {
  ck_ok(ln_set_num_threads(3));
  ck_assert(!ln_in_parallel());
  ck_assert(ln_parallel(20, nest, NULL));
  ck_assert(!ln_in_parallel());
  ck_assert(each_ran(10, 20));
  ck_assert_int_eq(wrong_slots, 0);
}
END_TEST

static void nest_serially(void *arg) {
  int slot = 0;
  (void)arg;
  ln_parallel_all(10, same_slot, &slot);
}

START_TEST(serially_means_as_in_a_task) {
  ck_ok(ln_set_num_threads(3));
  ln_serially(nest_serially, NULL);
  ck_assert(each_ran(10, 1));
  ck_assert_int_eq(wrong_slots, 0);
  ck_assert(!ln_in_parallel());
}
END_TEST

static atomic_int run_by_workers;

static void count_for_workers(void *arg, int64_t index, int slot) {
  count_task(arg, index, slot);
  if (slot > 0) atomic_fetch_add(&run_by_workers, 1);
  usleep(200);
}

static bool works_in_child(void) {
  atomic_store(&run_by_workers, 0);
  ln_parallel_all(TASKS, count_for_workers, NULL);
  return each_ran(TASKS, 1) && run_by_workers > 0;
}

START_TEST(a_child_makes_the_pool_anew) {
  ck_ok(ln_set_num_threads(3));
  ln_parallel_all(TASKS, count_task, NULL);
  ck_assert(each_ran(TASKS, 1));
  pid_t child = fork();
  if (child == 0) {
    alarm(20);
    _exit(works_in_child() ? 0 : 1);
  }
  int status;
  ln_parallel_all(TASKS, count_for_workers, NULL);
  ck_assert(each_ran(TASKS, 1));
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_int_eq(status, 0);
}
END_TEST

static void cancel_at_10(void *arg, int64_t index, int slot) {
  count_task(arg, index, slot);
  if (index == 10) ln_cancel();
}

static int how_many_ran(void) {
  int n = 0;
  for (int i = 0; i < TASKS; i++) n += atomic_exchange(&times[i], 0);
  return n;
}

START_TEST(cancel_leaves_tasks_out) {
  for (int threads = 1; threads <= 3; threads++) {
    ck_ok(ln_set_num_threads(threads));
    ck_assert(!ln_parallel(TASKS, cancel_at_10, NULL));
    ck_assert(ln_is_cancelled());
    int ran = how_many_ran();
    ck_assert(ran >= 1 && ran < TASKS);
    ln_clear_cancel();
    ck_assert(ln_parallel(TASKS, count_task, NULL));
    ck_assert(each_ran(TASKS, 1));
  }
}
END_TEST

START_TEST(work_that_must_be_whole_is) {
  for (int threads = 1; threads <= 3; threads++) {
    ck_ok(ln_set_num_threads(threads));
    ln_parallel_all(TASKS, cancel_at_10, NULL);
    ck_assert(each_ran(TASKS, 1));
    ln_clear_cancel();
  }
}
END_TEST

static void halve_smallest(void *arg, int64_t index, int slot) {
  volatile float smallest = 1.17549435e-38f;
  (void)slot;
  ((float *)arg)[index] = smallest / 2;
  usleep(100);
}

/* What the caller itself computes: on most machines 0 where it flushes. */
static void check_halves(void) {
  float alone, halves[64];
  halve_smallest(&alone, 0, 0);
  ln_parallel_all(64, halve_smallest, halves);
  for (int i = 0; i < 64; i++) ck_assert(halves[i] == alone);
}

START_TEST(tasks_have_the_callers_setting_of_denormals) {
  ck_ok(ln_set_num_threads(3));
  check_halves();
  uint64_t before = ln_flush_denormals();
  check_halves();
  ln_restore_denormals(before);
  check_halves();
}
END_TEST

START_TEST(numbers_of_threads_have_limits) {
  ck_refused(ln_set_num_threads(0), "got 0, must be from 1 to 256");
  ck_refused(ln_set_num_threads(257), "got 257, must be from 1 to 256");
}
END_TEST

RUN_TESTS("base: threads", every_task_runs_once, many_jobs_lose_no_task,
          a_slot_has_one_task_at_a_time, a_thread_begins_with_the_same_share,
          nested_calls_stay_on_their_thread, serially_means_as_in_a_task,
          a_child_makes_the_pool_anew, cancel_leaves_tasks_out,
          work_that_must_be_whole_is,
          tasks_have_the_callers_setting_of_denormals,
          numbers_of_threads_have_limits)
