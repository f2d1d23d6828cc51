/* instance.h - a layer with its options, weights and state: what the inside
 * of the core knows of it. The public functions are in lunet.h. */
#ifndef LUNET_HOST_INSTANCE_H
#define LUNET_HOST_INSTANCE_H

#include <pthread.h>

#include "base/random.h"
#include "base/text.h"
#include "host/library.h"
#include "host/options.h"

#define LN_PACKED_SLOTS 4

typedef struct ln_packed_weights {
  void *data;
  int64_t bytes;
  uint64_t version; /* sum of the weights' versions when it was packed */
  ln_pack pack;
} ln_packed_weights;

/* Memory that the author asked for in create. */
typedef struct ln_owned_memory {
  struct ln_owned_memory *next;
  void *data;
} ln_owned_memory;

/* How a parameter that does not exist yet is to begin. */
typedef struct ln_wish {
  struct ln_wish *next;
  char *parameter; /* NULL: all that have both fans */
  ln_initialiser how;
  bool fulfilled;
} ln_wish;

struct ln_instance {
  ln_instance *next, *previous; /* among all that live */
  int64_t references;
  const ln_known_layer *known;
  char *name;
  char *method; /* "auto" etc.; NULL: as ln_set_method says */
  void *self;   /* the author's struct */
  ln_kept_texts texts;
  ln_kept_texts told; /* notices that the user has seen */
  ln_owned_memory *owned;
  ln_host *host; /* its private_ points back here */

  uint64_t random_user; /* whose random numbers it draws */
  uint64_t step;        /* forwards so far */
  bool training, frozen, complete, created;

  int64_t n_parameters, n_weights, n_states;
  ln_parameter *parameters; /* in the order of declaration */
  ln_wish *wishes;          /* the latest first */

  int64_t n_x; /* inputs of the latest inference; 0: none yet */
  ln_shape x[LN_MAX_PORTS];

  pthread_mutex_t lock; /* for the two below: callbacks may run at once */
  ln_text failure;      /* the first sentence since the last look */
  ln_packed_weights packed[LN_PACKED_SLOTS];
};

/* The table of services, complete but for layer and private_. */
ln_host ln_host_services(void);

/* Takes the sentence that a callback left, puts it where ln_error finds it,
 * and returns `status` (LN_CANCELLED gets a sentence of its own). */
ln_status ln_instance_failed(ln_instance *, ln_status status);

/* The i-th weight or state among the parameters. */
const ln_parameter *ln_instance_weight(const ln_instance *, int64_t i);
const ln_parameter *ln_instance_state(const ln_instance *, int64_t i);

/* The method in force: the instance's own, else the session's. */
const char *ln_instance_method(const ln_instance *);

/* A layer of a plugin that the registry need not know. */
ln_status ln_instance_make(const ln_known_layer *, const char *name,
                           const ln_named_value *options, int64_t n_options,
                           uint64_t random_user, ln_instance **out);
/* i goes on with the code and the options of `made`, and keeps its tensors,
 * which have the names and shapes that `made` has. `made` is left with the old
 * code, to be released. */
void ln_instance_adopt(ln_instance *i, ln_instance *made);

/* initial.c: fills a new parameter, the index-th. */
ln_status ln_set_initial(const ln_instance *, int64_t index, ln_tensor *t,
                         const ln_declaration *);
/* Refuses wishes that no parameter has fulfilled. */
ln_status ln_wishes_check(const ln_instance *);
void ln_wishes_free(ln_instance *);

/* Is this notice new to the user? From now on it is not. */
bool ln_instance_is_news(ln_instance *, const char *notice);

/* Once all options are known: asks for weights and state, and makes them. */
ln_status ln_instance_make_parameters(ln_instance *);

#endif
