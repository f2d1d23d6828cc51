/* session.c - the user's wish to stop, which a signal handler may utter. */
#include <lunet/lunet.h>

#include <stdatomic.h>

static atomic_int cancelled;
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "a signal handler may set it");

void ln_cancel(void) {
  atomic_store(&cancelled, 1);
}

bool ln_is_cancelled(void) {
  return atomic_load_explicit(&cancelled, memory_order_relaxed);
}

void ln_clear_cancel(void) {
  atomic_store(&cancelled, 0);
}
