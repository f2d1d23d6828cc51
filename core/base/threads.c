/* threads.c - see threads.h.
 *
 * One job at a time: the caller describes it in `pool.job`, opens the gate,
 * works along, closes the gate when all tasks are taken, and waits until the
 * workers inside have left. A worker that wakes too late finds the gate
 * closed and is not waited for.
 *
 * Invariant: `pool.job` and the shares are set up only while the gate is
 * closed and nobody is inside; so whoever is inside may read them.
 * `pool.gate` says both in one word: bit 0 is set while it is open, the rest
 * counts who is inside.
 *
 * Before a thread sleeps it says so (`sleepers`, `caller_waits`), then looks
 * at the gate again; who changes the gate looks at these afterwards. One of
 * the two sees the other, so nobody sleeps through a change. */
#include "base/threads.h"
#include "base/clock.h"
#include "base/denormals.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

enum { OPEN = 1, ONE_INSIDE = 2, SPIN_NANOSECONDS = 60000 };

typedef struct job {
  ln_task task;
  void *arg;
  int64_t n;
  bool cancellable;
  uint64_t denormals;
} job;

/* A thread's share of the tasks, on a line of the cache of its own. */
typedef struct share {
  _Alignas(128) _Atomic int64_t next; /* the first that nobody has taken */
  int64_t end;
} share;

static struct {
  job job;
  share shares[LN_MAX_THREADS];
  atomic_uint gate, jobs; /* `jobs` counts the openings of the gate */
  atomic_int sleepers, caller_waits;
  atomic_bool left_out; /* a task, because of Ctrl-C */
  atomic_bool stop, busy;
  pthread_mutex_t lock;
  pthread_cond_t opened, emptied;
  int threads; /* for which it was made; 0: not made */
  int workers; /* that run; the caller is not among them */
  bool spins;  /* before it sleeps */
  pthread_t thread[LN_MAX_THREADS];
} pool = {
  .lock = PTHREAD_MUTEX_INITIALIZER,
  .opened = PTHREAD_COND_INITIALIZER,
  .emptied = PTHREAD_COND_INITIALIZER,
};

static int wanted_threads; /* 0: not yet asked for */
static _Thread_local bool in_task;
static _Thread_local int slot;

bool ln_in_parallel(void) {
  return in_task;
}

int ln_thread_slot(void) {
  return slot;
}

void ln_serially(void (*f)(void *arg), void *arg) {
  bool before = in_task;
  in_task = true;
  f(arg);
  in_task = before;
}

/* ---- spinning ------------------------------------------------------------ */

static void pause_briefly(void) {
  for (int i = 0; i < 32; i++) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
  }
}

/* Waits a moment for `ready`. */
static bool spin_until(bool (*ready)(unsigned seen), unsigned seen) {
  if (!pool.spins) return ready(seen);
  for (int64_t end = ln_nanoseconds() + SPIN_NANOSECONDS; !ready(seen);
       pause_briefly())
    if (ln_nanoseconds() > end) return false;
  return true;
}

/* ---- the gate ------------------------------------------------------------ */

static bool job_came(unsigned seen) {
  return atomic_load(&pool.jobs) != seen || atomic_load(&pool.stop);
}

static bool nobody_inside(unsigned unused) {
  (void)unused;
  return atomic_load(&pool.gate) == 0;
}

static bool enter(void) {
  unsigned gate = atomic_load(&pool.gate);
  while (gate & OPEN)
    if (atomic_compare_exchange_weak(&pool.gate, &gate, gate + ONE_INSIDE))
      return true;
  return false;
}

static void leave(void) {
  unsigned before = atomic_fetch_sub(&pool.gate, ONE_INSIDE);
  if (before != ONE_INSIDE || !atomic_load(&pool.caller_waits)) return;
  pthread_mutex_lock(&pool.lock);
  pthread_cond_signal(&pool.emptied);
  pthread_mutex_unlock(&pool.lock);
}

static void open_gate(void) {
  atomic_fetch_or(&pool.gate, OPEN);
  atomic_fetch_add(&pool.jobs, 1);
  if (!atomic_load(&pool.sleepers)) return;
  pthread_mutex_lock(&pool.lock);
  pthread_cond_broadcast(&pool.opened);
  pthread_mutex_unlock(&pool.lock);
}

static void close_gate(void) {
  atomic_fetch_and(&pool.gate, ~(unsigned)OPEN);
  if (spin_until(nobody_inside, 0)) return;
  pthread_mutex_lock(&pool.lock);
  atomic_store(&pool.caller_waits, 1);
  while (!nobody_inside(0)) pthread_cond_wait(&pool.emptied, &pool.lock);
  atomic_store(&pool.caller_waits, 0);
  pthread_mutex_unlock(&pool.lock);
}

static void wait_for_job(unsigned seen) {
  if (spin_until(job_came, seen)) return;
  pthread_mutex_lock(&pool.lock);
  atomic_fetch_add(&pool.sleepers, 1);
  while (!job_came(seen)) pthread_cond_wait(&pool.opened, &pool.lock);
  atomic_fetch_sub(&pool.sleepers, 1);
  pthread_mutex_unlock(&pool.lock);
}

/* ---- work ---------------------------------------------------------------- */

static bool wants_to_stop(const job *j) {
  return j->cancellable && ln_is_cancelled();
}

/* Each thread has a share of neighbouring tasks, the same in each job: what it
 * wrote in one job it mostly finds in its own cache in the next. */
static void share_out(int64_t n) {
  const int64_t each = n / pool.threads, rest = n % pool.threads;
  int64_t next = 0;
  for (int i = 0; i < pool.threads; i++) {
    atomic_store(&pool.shares[i].next, next);
    pool.shares[i].end = next += each + (i < rest);
  }
}

static bool take_share(const job *j, share *s) {
  int64_t index;
  while ((index = atomic_fetch_add(&s->next, 1)) < s->end) {
    if (wants_to_stop(j)) return false;
    j->task(j->arg, index, slot);
  }
  return true;
}

/* Its own, then what others have not come to. */
static void take_tasks(const job *j) {
  for (int i = 0; i < pool.threads; i++) {
    if (take_share(j, &pool.shares[(slot + i) % pool.threads])) continue;
    atomic_store(&pool.left_out, true);
    return;
  }
}

/* `seen` is read before the gate is tried and raised after it was opened, so
 * an opening is at worst tried twice, but never missed. */
static void *worker(void *number) {
  slot = (int)(intptr_t)number;
  in_task = true;
  while (!atomic_load(&pool.stop)) {
    unsigned seen = atomic_load(&pool.jobs);
    if (enter()) {
      ln_restore_denormals(pool.job.denormals);
      take_tasks(&pool.job);
      leave();
    }
    wait_for_job(seen);
  }
  return NULL;
}

static bool run_here(const job *j) {
  bool before = in_task;
  int64_t index = 0;
  in_task = true;
  for (; index < j->n && !wants_to_stop(j); index++)
    j->task(j->arg, index, slot);
  in_task = before;
  return index == j->n;
}

static bool run_on_pool(const job *j) {
  pool.job = *j;
  share_out(j->n);
  atomic_store(&pool.left_out, false);
  in_task = true;
  open_gate();
  take_tasks(j);
  close_gate();
  in_task = false;
  return !atomic_load(&pool.left_out);
}

/* ---- the pool's life ----------------------------------------------------- */

static void stop_workers(void) {
  atomic_store(&pool.stop, true);
  pthread_mutex_lock(&pool.lock);
  pthread_cond_broadcast(&pool.opened);
  pthread_mutex_unlock(&pool.lock);
  for (int i = 0; i < pool.workers; i++) pthread_join(pool.thread[i], NULL);
  pool.workers = 0;
  atomic_store(&pool.stop, false);
}

/* The workers leave all signals to the threads of the user. Where the system
 * gives fewer threads, these do all the work. */
static void start_workers(int n) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (pool.workers = 0; pool.workers < n; pool.workers++)
    if (pthread_create(&pool.thread[pool.workers], NULL, worker,
                       (void *)(intptr_t)(pool.workers + 1)))
      break;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* A child has the memory of the pool, but none of its threads. */
static void forget_workers(void) {
  pool.lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
  pool.opened = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
  pool.emptied = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
  pool.workers = pool.threads = 0;
  atomic_store(&pool.gate, 0);
  atomic_store(&pool.sleepers, 0);
  atomic_store(&pool.caller_waits, 0);
  atomic_store(&pool.busy, false);
}

static void follow_forks(void) {
  pthread_atfork(NULL, NULL, forget_workers);
}

static int cores(void) {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n < 1 ? 1 : (int)n;
}

/* With more threads than cores, one that spins only takes time from those
 * that it waits for. */
static void make_pool(int threads) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, follow_forks);
  if (pool.workers > 0) stop_workers();
  pool.spins = threads <= cores();
  pool.threads = threads;
  start_workers(threads - 1);
}

/* Before the code of this library may vanish from memory (dlclose). */
__attribute__((destructor)) static void end_pool(void) {
  if (pool.workers > 0) stop_workers();
}

/* ---- what others call ---------------------------------------------------- */

ln_status ln_set_num_threads(int n) {
  if (n < 1 || n > LN_MAX_THREADS)
    return ln_set_error("number of threads: got %d, must be from 1 to %d", n,
                        LN_MAX_THREADS);
  if (in_task)
    return ln_set_error("the number of threads cannot change while they "
                        "compute; set it before");
  wanted_threads = n;
  return LN_OK;
}

int ln_num_threads(void) {
  if (wanted_threads == 0) {
    int n = cores();
    wanted_threads = n < LN_MAX_THREADS ? n : LN_MAX_THREADS;
  }
  return wanted_threads;
}

/* A second thread that computes at the same time works alone. */
static bool run(const job *j) {
  int threads = ln_num_threads();
  if (in_task || j->n <= 1 || threads == 1 || atomic_exchange(&pool.busy, true))
    return run_here(j);
  if (pool.threads != threads) make_pool(threads);
  bool complete = run_on_pool(j);
  atomic_store(&pool.busy, false);
  return complete;
}

bool ln_parallel(int64_t n, ln_task task, void *arg) {
  return run(&(job){ task, arg, n, true, ln_denormals_setting() });
}

void ln_parallel_all(int64_t n, ln_task task, void *arg) {
  run(&(job){ task, arg, n, false, ln_denormals_setting() });
}
