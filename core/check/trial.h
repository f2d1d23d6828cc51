/* trial.h - one layer with drawn options, shapes and numbers, and its passes
 * run in guarded memory. Every pass sees fresh copies of what it may look at,
 * and nothing of it is left to touch when it has returned. */
#ifndef LUNET_CHECK_TRIAL_H
#define LUNET_CHECK_TRIAL_H

#include "check/checking.h"
#include "check/sample.h"
#include "host/infer.h"

enum { LN_MOST_TENSORS = 16, LN_MOST_SLICES = 8 };

typedef struct ln_numbers {
  ln_shape shape;
  int64_t count;
  float *at;
} ln_numbers;

/* How a pass is run. All 0: training, the whole batch, everything wanted. */
typedef struct ln_way {
  bool left;        /* tensors touch the guard in front of them */
  uint32_t fill;    /* what stands in tensors to be written */
  uint32_t garbage; /* what stands in the workspace and its kin */
  bool in_place;    /* y over x, dx over dy */
  bool withhold;    /* what is promised to be forgotten cannot be touched */
  bool evaluation;
  bool cancelled;  /* by a parallel_for that does nothing */
  bool together;   /* slices on several threads */
  bool without_dw; /* gradients that nobody wants */
  bool without_dx;
  bool step_by_step; /* see stepping.h */
  int32_t activation;
  const float *affine; /* of a layer behind, for rows without parts; or NULL */
  const ln_host *host; /* NULL: the instance's own */
} ln_way;

typedef struct ln_trial {
  ln_checking *checking;
  const ln_sample *sample;
  ln_instance *instance;
  ln_inference inference;
  int64_t items; /* of a slice; 0: the whole batch at once */
  int n_x, n_y, n_w, n_state;
  ln_numbers x[LN_MOST_TENSORS], y[LN_MOST_TENSORS], w[LN_MOST_TENSORS];
  ln_numbers dx[LN_MOST_TENSORS], dy[LN_MOST_TENSORS], dw[LN_MOST_TENSORS];
  ln_numbers state[LN_MOST_TENSORS], after[LN_MOST_TENSORS];
  char *saved, *partial, *shared; /* between the passes */
  uint64_t step;
  bool refused; /* the latest pass left a sentence, see ln_error */
} ln_trial;

/* Draws until the layer accepts; the number-th accepted sample of the run.
 * false: it accepts none. */
bool ln_trial_draw(ln_trial *, ln_checking *, ln_sample *, int number,
                   const char *method);
/* A trial with this very sample. false: refused, see ln_error. */
bool ln_trial_open(ln_trial *, ln_checking *, const ln_sample *,
                   const char *method);
/* Findings speak of this trial from now on. */
void ln_trial_describe(const ln_trial *, const char *method);
void ln_trial_close(ln_trial *);
/* Slices of so many items from now on, where the method can; 0: none. */
bool ln_trial_slice(ln_trial *, int64_t items);
/* Numbers for everything that passes read, as the traits want them. */
void ln_trial_fill(ln_trial *, uint64_t seed);
/* The same numbers, weights, state and step as another trial of the sample. */
void ln_trial_copy(ln_trial *to, const ln_trial *from);

bool ln_trial_forward(ln_trial *, const ln_way *);
bool ln_trial_backward(ln_trial *, const ln_way *);
bool ln_trial_has_backward(const ln_trial *);
/* Does this input get a gradient? */
bool ln_trial_gives_dx(const ln_trial *, int i);

/* How far apart the inputs of a layer with kinks are, where there are so
 * many: at least half of it from any other number that they may meet. */
double ln_trial_gap(int64_t count);

/* Copies of numbers, for comparing later. */
ln_numbers ln_numbers_copy(const ln_numbers *);
/* y = (x - mean[c]) * scale[c] + shift[c], c in dim 1, in place; `affine` is
 * mean[C], scale[C], shift[C]. */
void ln_numbers_apply_affine(ln_numbers *, const float *affine);
void ln_numbers_free(ln_numbers *);
/* The first place where the bits differ; -1: none. */
int64_t ln_numbers_differ(const ln_numbers *a, const ln_numbers *b);
/* The first place where they differ by more than the tolerance times their
 * size (that of the place and of the whole) and by more than the floor; -1:
 * none. NaN is near NaN only. */
int64_t ln_numbers_apart(const ln_numbers *a, const ln_numbers *b,
                         double tolerance, double floor);
double ln_numbers_largest(const ln_numbers *, int n); /* of n tensors */
/* The floor for dx and dw: where all gradients are next to nothing beside dy,
 * what is left are roundings. */
double ln_trial_gradient_floor(const ln_trial *, const ln_numbers *gradient);

/* The names of methods: 0 textbook, then the rows; NULL behind the last. The
 * trials to come run on a CPU that has what this row needs, and no more. */
const char *ln_trial_method(ln_checking *, int index);

#endif
