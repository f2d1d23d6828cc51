/* pieces.h - memory that notices what is done to it: each piece stands flush
 * against a page that nobody may touch, has canaries on its other side, and
 * becomes untouchable when its call is over. */
#ifndef LUNET_CHECK_PIECES_H
#define LUNET_CHECK_PIECES_H

#include "base/guard.h"

typedef enum ln_piece_state {
  LN_PIECE_FREE,     /* never handed out */
  LN_PIECE_OPEN,     /* to be written */
  LN_PIECE_SEALED,   /* only to be read */
  LN_PIECE_WITHHELD, /* promised not to be looked at */
  LN_PIECE_RETIRED   /* its call has returned */
} ln_piece_state;

typedef struct ln_piece {
  char name[32]; /* "x", "dw (bias)", "the workspace" */
  char *room;    /* the pages, between two guards */
  char *data;
  int64_t bytes;
  bool floats; /* else plain bytes, which begin at a multiple of 64 */
  ln_piece_state state;
  ln_pages_access access; /* of its pages now */
} ln_piece;

/* Is there room for so many bytes in a piece? */
bool ln_piece_fits(int64_t bytes);
/* A piece filled with the word `fill`, whose end (left: whose beginning)
 * touches a guard. It lives until LN_MOST_PIECES more have been taken. */
enum { LN_MOST_PIECES = 256 };
ln_piece *ln_piece_take(const char *name, int64_t bytes, bool floats, bool left,
                        uint32_t fill);
void ln_piece_set(ln_piece *, ln_piece_state);
/* Relaxed, only the guards themselves and what is withheld are protected:
 * enough where numbers are the question, and several times as fast. Not in the
 * midst of a call. */
void ln_pieces_relax(bool relaxed);
/* What was taken since the mark is no longer looked at. Relaxed, the next
 * pieces take its memory, which is in the caches; else they go on in the ring,
 * so that what is used after its call stays closed for long. */
int ln_pieces_mark(void);
void ln_pieces_return(int mark);
/* Are the bytes around it as they were? Else the offset of one that is not. */
bool ln_piece_is_intact(const ln_piece *, int64_t *offset);
/* The piece that an address belongs to, guards included; NULL: none. */
const ln_piece *ln_piece_at(const void *address);

#endif
