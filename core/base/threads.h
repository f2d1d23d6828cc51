/* threads.h - the pool of computing threads.
 *
 * Tasks are numbered; which thread runs a task is open, so results must not
 * depend on it. The pool is made at the first use, and made anew in a child
 * after fork. Workers spin for a moment before they sleep, and compute with
 * the caller's setting of denormals (see denormals.h). */
#ifndef LUNET_BASE_THREADS_H
#define LUNET_BASE_THREADS_H

#include <lunet/lunet.h>

enum { LN_MAX_THREADS = 256 };

/* slot: 0 .. ln_num_threads()-1, no two tasks at once on one slot; the caller
 * of ln_parallel has slot 0 (in a nested call: the slot it runs on). */
typedef void (*ln_task)(void *arg, int64_t index, int slot);

/* Runs tasks 0 .. n-1. Inside a task, or with one task or thread: on the
 * calling thread, in order. false: Ctrl-C came and tasks were left out. */
bool ln_parallel(int64_t n, ln_task task, void *arg);
/* The same for work that must not be left half done: Ctrl-C waits. */
void ln_parallel_all(int64_t n, ln_task task, void *arg);
/* Is the caller inside a task of ln_parallel? */
bool ln_in_parallel(void);
/* The slot of the calling thread; 0 outside. */
int ln_thread_slot(void);
/* Runs f as if inside a task: nested ln_parallel stay on this thread. */
void ln_serially(void (*f)(void *arg), void *arg);

#endif
