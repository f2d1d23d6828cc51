/* loader.c - the batches of an order, the next one prepared by a thread while
 * the caller computes.
 *
 * Who does what: the caller makes and releases all tensors, the thread only
 * writes numbers into the one batch that it was given. So what a batch holds
 * depends on the order alone. A loader belongs to the process that made it:
 * threads do not survive a fork. */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/dataset.h"

typedef enum { IDLE = 1, FILLING = 2, READY = 4, STOPPING = 8 } loader_state;

struct ln_loader {
  ln_dataset *dataset;
  int64_t *order;
  int64_t count, batch_size; /* items that will be given out; per batch */
  int64_t at;                /* the first item of the batch in the making */
  ln_tensor *x, *labels;     /* that batch; NULL: none */
  pid_t process;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  loader_state state; /* under the lock */
  char *failure;      /* why the batch could not be filled; NULL: it was */
};

static int64_t batch_length(const ln_loader *l) {
  int64_t left = l->count - l->at;
  return left < l->batch_size ? left : l->batch_size;
}

/* ---- the thread ---------------------------------------------------------- */

static void set_state(ln_loader *l, loader_state state) {
  pthread_mutex_lock(&l->lock);
  if (l->state != STOPPING) l->state = state;
  pthread_cond_broadcast(&l->changed);
  pthread_mutex_unlock(&l->lock);
}

/* Sleeps until the state is one of `wanted`, and returns it. */
static loader_state wait_for(ln_loader *l, unsigned wanted) {
  pthread_mutex_lock(&l->lock);
  while ((l->state & wanted) == 0) pthread_cond_wait(&l->changed, &l->lock);
  loader_state state = l->state;
  pthread_mutex_unlock(&l->lock);
  return state;
}

static void *prepare(void *arg) {
  ln_loader *l = arg;
  while (wait_for(l, FILLING | STOPPING) == FILLING) {
    if (ln_dataset_fill(l->dataset, l->order + l->at, batch_length(l),
                        l->x->data, l->labels->data) != LN_OK)
      l->failure = ln_copy_text(ln_error());
    set_state(l, READY);
  }
  return NULL;
}

/* Signals are for the threads of the caller. */
static ln_status start_thread(ln_loader *l) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_mutex_init(&l->lock, NULL);
  pthread_cond_init(&l->changed, NULL);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&l->thread, NULL, prepare, l);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error == 0) return LN_OK;
  pthread_cond_destroy(&l->changed);
  pthread_mutex_destroy(&l->lock);
  return ln_set_error("cannot start the thread that prepares batches: %s\n"
                      "  try `ulimit -u`: how many threads are allowed?",
                      strerror(error));
}

static void stop_thread(ln_loader *l) {
  set_state(l, STOPPING);
  pthread_join(l->thread, NULL);
  pthread_cond_destroy(&l->changed);
  pthread_mutex_destroy(&l->lock);
}

/* ---- the caller ---------------------------------------------------------- */

/* Gives the thread the next batch to prepare, if there is one. */
static ln_status begin_batch(ln_loader *l) {
  if (l->x != NULL || l->at == l->count) return LN_OK;
  if (ln_dataset_new_batch(l->dataset, batch_length(l), &l->x, &l->labels) !=
      LN_OK)
    return LN_FAILED;
  set_state(l, FILLING);
  return LN_OK;
}

static void free_memory(ln_loader *l) {
  ln_tensor_release(l->x);
  ln_tensor_release(l->labels);
  ln_dataset_release(l->dataset);
  ln_free(l->failure);
  ln_free(l->order);
  ln_free(l);
}

static ln_status new_loader(ln_dataset *d, const int64_t *order, int64_t n,
                            int64_t batch_size, ln_loader **out) {
  if (batch_size < 1)
    return ln_set_error("a batch has at least 1 item, got size = %" PRId64
                        "\n  try size = 64",
                        batch_size);
  if (ln_dataset_check_order(d, order, n) != LN_OK) return LN_FAILED;
  ln_loader *l = ln_alloc_zero(sizeof *l);
  if (l == NULL) return LN_FAILED;
  l->order = ln_alloc((size_t)n * sizeof *order);
  if (l->order == NULL) {
    ln_free(l);
    return LN_FAILED;
  }
  if (n > 0) memcpy(l->order, order, (size_t)n * sizeof *order);
  l->dataset = ln_dataset_retain(d);
  l->batch_size = batch_size;
  l->state = IDLE;
  l->process = getpid();
  *out = l;
  return LN_OK;
}

ln_status ln_loader_new(ln_dataset *d, const int64_t *order, int64_t n,
                        int64_t batch_size, bool drop_last, ln_loader **out) {
  ln_loader *l = NULL;
  if (new_loader(d, order, n, batch_size, &l) != LN_OK) return LN_FAILED;
  l->count = drop_last ? n - n % batch_size : n;
  if (start_thread(l) != LN_OK) {
    free_memory(l);
    return LN_FAILED;
  }
  if (begin_batch(l) != LN_OK) {
    ln_loader_free(l);
    return LN_FAILED;
  }
  *out = l;
  return LN_OK;
}

/* The thread's error becomes the caller's. The next call tries again. */
static ln_status pass_on_failure(ln_loader *l) {
  ln_set_error("%s", l->failure);
  ln_free(l->failure);
  l->failure = NULL;
  set_state(l, FILLING);
  return LN_FAILED;
}

/* The batch in the making, once it is ready, becomes the caller's. */
static ln_status take_batch(ln_loader *l, ln_tensor **x, ln_tensor **labels) {
  wait_for(l, READY);
  if (l->failure) return pass_on_failure(l);
  set_state(l, IDLE);
  l->at += batch_length(l);
  ln_tensor_touch(l->x);
  ln_tensor_touch(l->labels);
  *x = l->x;
  *labels = l->labels;
  l->x = l->labels = NULL;
  return LN_OK;
}

ln_status ln_loader_next(ln_loader *l, ln_tensor **x, ln_tensor **labels) {
  if (l->process != getpid())
    return ln_set_error("these batches were begun by process %ld, this is its "
                        "child %ld\n  try to begin them after the fork",
                        (long)l->process, (long)getpid());
  if (l->at == l->count) {
    *x = *labels = NULL;
    return LN_OK;
  }
  if (begin_batch(l) != LN_OK || take_batch(l, x, labels) != LN_OK)
    return LN_FAILED;
  /* No memory for the next batch is the next call's failure: it tries again. */
  begin_batch(l);
  return LN_OK;
}

void ln_loader_free(ln_loader *l) {
  if (l == NULL) return;
  if (l->process == getpid()) stop_thread(l);
  free_memory(l);
}
