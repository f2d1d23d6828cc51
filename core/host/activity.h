/* activity.h - what each thread is doing for a layer just now, so that a crash
 * or a call without end can be put down to it. */
#ifndef LUNET_HOST_ACTIVITY_H
#define LUNET_HOST_ACTIVITY_H

#include <pthread.h>

#include "base/threads.h"
#include "host/instance.h"

/* A callback that runs. It lies on the stack of who called it. */
typedef struct ln_activity {
  const ln_instance *instance;
  const char *label;   /* "layer 3 (conv2d 'conv1')" */
  const char *pass;    /* "forward" */
  const ln_call *call; /* NULL: it has no tensors */
  pthread_t thread;
  const struct ln_activity *before; /* on the same thread slot */
} ln_activity;

/* A thread slot. `count` changes with each beginning and end, so a watcher that
 * sees it unchanged has seen one call. The watcher sets `held` while it looks;
 * a call that ends meanwhile waits, as what is looked at lies on its stack. */
typedef struct ln_station {
  _Alignas(64) const ln_activity *_Atomic now; /* NULL: nothing */
  _Atomic uint64_t count;
  _Atomic bool held;
} ln_station;
extern ln_station ln_stations[LN_MAX_THREADS];

void ln_activity_begin(ln_activity *);
void ln_activity_end(const ln_activity *);

/* Tells what it is in a few lines; safe in a signal handler. `address`: the one
 * that was touched, NULL: none. Returns the length. */
size_t ln_activity_text(const ln_activity *, const void *address, char *buffer,
                        size_t room);

#endif
