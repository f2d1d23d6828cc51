/* signature.h - the line "x(N,in_channels,H,W)" of a layer, taken apart, and
 * matched with the shapes that really come. plugin.h gives the grammar. */
#ifndef LUNET_HOST_SIGNATURE_H
#define LUNET_HOST_SIGNATURE_H

#include <lunet/lunet.h>

typedef enum {
  LN_DIM_ANY,    /* ... */
  LN_DIM_NUMBER, /* 3 */
  LN_DIM_WORD,   /* H */
  LN_DIM_OPTION  /* in_channels: stands for `length` dims */
} ln_dim_kind;

typedef struct ln_dim {
  ln_dim_kind kind;
  int64_t number;
  char word[32];
  const ln_option *option;
} ln_dim;

typedef struct ln_port { /* one input or output of the line */
  char name[16];
  bool any_shape; /* no parentheses */
  bool repeats;   /* a star: one or more */
  int n_dims;
  ln_dim dims[LN_MAX_DIMS];
} ln_port;

#define LN_MAX_PORTS 16
typedef struct ln_signature {
  int n_ports;
  ln_port ports[LN_MAX_PORTS];
} ln_signature;

ln_status ln_signature_parse(const char *line, const ln_option *options,
                             int64_t n_options, ln_signature *out);
/* "x(N,in_channels,H,W)" again, for messages. */
void ln_signature_text(const ln_signature *s, char *buffer, size_t room);

/* What the words stand for in one call. */
typedef struct ln_bindings {
  int n_words;
  char words[32][32];
  int64_t sizes[32];
  bool has_rest; /* `...` has been seen */
  int rest_rank;
  int64_t rest[LN_MAX_DIMS];
} ln_bindings;

/* Compares inputs with the line; options of `self` that are LN_FROM_INPUT and
 * still open are filled. Errors begin with the rule. */
ln_status ln_signature_match(const ln_signature *s, const ln_shape *x,
                             int64_t n_x, void *self, ln_bindings *b);
/* Output `index` of the line as far as it is known; open dims are -1, and so
 * is the rank where the line says nothing of it ("y"). */
void ln_signature_output(const ln_signature *s, int index, const void *self,
                         const ln_bindings *b, ln_shape *y);

#endif
