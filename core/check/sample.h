/* sample.h - options and input shapes drawn at random from what a layer says
 * of itself: its table of options and its line of inputs. */
#ifndef LUNET_CHECK_SAMPLE_H
#define LUNET_CHECK_SAMPLE_H

#include "base/text.h"
#include "host/library.h"

/* Small numbers that depend on the seed alone. */
typedef struct ln_dice {
  uint64_t state;
} ln_dice;
uint64_t ln_dice_next(ln_dice *);
int64_t ln_dice_between(ln_dice *, int64_t low, int64_t high);
double ln_dice_real(ln_dice *);   /* [0,1) */
double ln_dice_normal(ln_dice *); /* nearly so: mean 0, deviation 1, to 3.46 */

enum { LN_MOST_OPTIONS = 32 };

/* Points into itself: not to be copied. */
typedef struct ln_sample {
  int n_options;
  ln_named_value options[LN_MOST_OPTIONS];
  ln_value items[LN_MOST_OPTIONS][LN_MAX_DIMS];
  char words[LN_MOST_OPTIONS][64];
  int n_x;
  ln_shape x[LN_MAX_PORTS];
} ln_sample;

/* tame 0 .. 1: the nearer to 1, the more options keep their defaults and the
 * larger the images. */
void ln_sample_draw(const ln_known_layer *, uint64_t seed, double tame,
                    ln_sample *);
/* "nn.conv2d{ kernel_size = {2, 3} } on (2,3,5,7)" */
void ln_sample_text(const ln_known_layer *, const ln_sample *, char *buffer,
                    size_t room);

#endif
