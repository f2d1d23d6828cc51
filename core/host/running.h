/* running.h - what the host adds to an ln_call while a layer computes. */
#ifndef LUNET_HOST_RUNNING_H
#define LUNET_HOST_RUNNING_H

#include "host/infer.h"

/* `call` must come first: services get its address. */
typedef struct ln_running {
  ln_call call;
  ln_instance *instance;
  const ln_inference *inference;
  const struct ln_activity *activity; /* the call as others see it */
  char *scratch;         /* of slot 0; one piece a slot */
  int64_t scratch_bytes; /* of one piece */
} ln_running;

#endif
