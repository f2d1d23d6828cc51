/* png.c - pictures (C,H,W) in 0..1 from and to PNG; the only file that knows
 * libpng.
 *
 * libpng leaves a failed call by longjmp. All that must survive the jump lies
 * in the struct `job`, and the functions that call setjmp change no variables
 * of their own. */
#include <png.h>
#include <setjmp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files/file.h"
#include "tensor/tensor.h"

#define MOST_SIDE    1000000 /* libpng's own limit, too */
#define MOST_NUMBERS ((size_t)1 << 28)
#define MOST_RATIO   1032 /* deflate's best: 258 bytes for 2 bits */

typedef struct job {
  const char *path;
  png_structp png;
  png_infop info;
  char message[128]; /* libpng's, of the failure */
  char warning[128]; /* the latest one before it, which may tell why */
  /* reading */
  const uint8_t *bytes;
  size_t size, at;
  uint8_t *pixels;
  png_bytep *rows;
  /* writing */
  ln_new_file file;
  uint8_t *row;
} job;

static void on_error(png_structp png, png_const_charp message) {
  job *j = png_get_error_ptr(png);
  snprintf(j->message, sizeof j->message, "%s", message);
  png_longjmp(png, 1);
}

/* A picture with warnings alone is a good one. */
static void on_warning(png_structp png, png_const_charp message) {
  job *j = png_get_error_ptr(png);
  snprintf(j->warning, sizeof j->warning, ": %s", message);
}

/* ---- reading ------------------------------------------------------------- */

static void give_bytes(png_structp png, png_bytep out, size_t size) {
  job *j = png_get_io_ptr(png);
  if (size > j->size - j->at) png_error(png, "the end of the file");
  memcpy(out, j->bytes + j->at, size);
  j->at += size;
}

/* Chunks that do not change the pixels are skipped, broken ones never. */
static void set_rules(job *j) {
  png_set_read_fn(j->png, j, give_bytes);
  png_set_keep_unknown_chunks(j->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
  png_set_crc_action(j->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  png_set_benign_errors(j->png, false);
  png_set_user_limits(j->png, MOST_SIDE, MOST_SIDE);
}

/* Everything becomes 8 or 16 bits of grey or RGB, with alpha or without. */
static void set_transforms(job *j) {
  png_set_expand(j->png);
  png_set_interlace_handling(j->png);
  png_read_update_info(j->png, j->info);
}

/* Before a giant picture is believed: could so few bytes hold it? */
static void check_packed_size(job *j) {
  size_t height = png_get_image_height(j->png, j->info);
  size_t row = png_get_rowbytes(j->png, j->info);
  if (row * height / MOST_RATIO > j->size)
    png_error(j->png, "a picture too large for so small a file");
}

static void check_size(job *j) {
  size_t height = png_get_image_height(j->png, j->info);
  size_t width = png_get_image_width(j->png, j->info);
  size_t channels = png_get_channels(j->png, j->info);
  if (height * width * channels > MOST_NUMBERS)
    png_error(j->png, "a picture of more than 2^28 numbers");
}

static void make_rows(job *j) {
  size_t height = png_get_image_height(j->png, j->info);
  size_t row = png_get_rowbytes(j->png, j->info);
  j->pixels = malloc(row * height);
  j->rows = malloc(height * sizeof *j->rows);
  if (j->pixels == NULL || j->rows == NULL)
    png_error(j->png, "no memory for so large a picture");
  for (size_t y = 0; y < height; y++) j->rows[y] = j->pixels + y * row;
}

static bool read_pixels(job *j) {
  if (setjmp(png_jmpbuf(j->png))) return false;
  set_rules(j);
  png_read_info(j->png, j->info);
  check_packed_size(j);
  set_transforms(j);
  check_size(j);
  make_rows(j);
  png_read_image(j->png, j->rows);
  png_read_end(j->png, NULL);
  return true;
}

/* From pixels with their channels side by side to a plane a channel. */
static void split_channels(const job *j, bool deep, ln_tensor *t) {
  int64_t channels = t->shape.dim[0];
  int64_t height = t->shape.dim[1], width = t->shape.dim[2];
  float *out = t->data;
  for (int64_t c = 0; c < channels; c++)
    for (int64_t y = 0; y < height; y++)
      for (int64_t x = 0; x < width; x++) {
        const uint8_t *row = j->rows[y];
        int64_t i = x * channels + c;
        *out++ = deep ? (float)(row[2 * i] << 8 | row[2 * i + 1]) / 65535
                      : (float)row[i] / 255;
      }
}

static ln_status make_tensor(const job *j, ln_tensor **out) {
  ln_shape shape = LN_SHAPE(png_get_channels(j->png, j->info),
                            png_get_image_height(j->png, j->info),
                            png_get_image_width(j->png, j->info));
  ln_tensor *t;
  if (ln_tensor_new(&shape, &t) != LN_OK)
    return ln_prefix_error("%s: ", j->path);
  split_channels(j, png_get_bit_depth(j->png, j->info) == 16, t);
  ln_tensor_touch(t);
  *out = t;
  return LN_OK;
}

static ln_status read_picture(job *j, ln_tensor **out) {
  j->png =
      png_create_read_struct(PNG_LIBPNG_VER_STRING, j, on_error, on_warning);
  if (j->png != NULL) j->info = png_create_info_struct(j->png);
  ln_status status;
  if (j->info == NULL)
    status = ln_set_error("%s: no memory to read it", j->path);
  else if (read_pixels(j))
    status = make_tensor(j, out);
  else
    status = ln_set_error(
        "%s, offset %zu: expected a PNG picture, got %s%s" LN_TRY_NEW_COPY,
        j->path, j->at, j->message, j->warning);
  png_destroy_read_struct(&j->png, &j->info, NULL);
  free(j->rows);
  free(j->pixels);
  return status;
}

ln_status ln_png_read(const char *path, ln_tensor **out) {
  job j = { .path = path };
  uint8_t *bytes;
  if (ln_file_read_raw(path, &bytes, &j.size) != LN_OK) return LN_FAILED;
  j.bytes = bytes;
  ln_status status = read_picture(&j, out);
  free(bytes);
  return status;
}

/* ---- writing ------------------------------------------------------------- */

static void take_bytes(png_structp png, png_bytep bytes, size_t size) {
  job *j = png_get_io_ptr(png);
  ln_new_file_write(&j->file, bytes, size);
}

static void flush_nothing(png_structp png) {
  (void)png;
}

static uint8_t to_byte(float value) {
  return (uint8_t)lrintf(255 * fminf(fmaxf(value, 0), 1));
}

static void join_channels(const ln_tensor *t, int64_t y, uint8_t *row) {
  int64_t channels = t->shape.dim[0];
  int64_t height = t->shape.dim[1], width = t->shape.dim[2];
  for (int64_t x = 0; x < width; x++)
    for (int64_t c = 0; c < channels; c++)
      *row++ = to_byte(t->data[(c * height + y) * width + x]);
}

static void write_header(job *j, const ln_tensor *t) {
  static const int types[] = { PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA,
                               PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA };
  png_set_IHDR(j->png, j->info, (png_uint_32)t->shape.dim[2],
               (png_uint_32)t->shape.dim[1], 8, types[t->shape.dim[0] - 1],
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_write_info(j->png, j->info);
}

/* After Ctrl-C the file takes no bytes any more. */
static void write_rows(job *j, const ln_tensor *t) {
  for (int64_t y = 0; y < t->shape.dim[1]; y++) {
    if (ln_is_cancelled()) png_error(j->png, "interrupted");
    join_channels(t, y, j->row);
    png_write_row(j->png, j->row);
  }
}

static bool write_pixels(job *j, const ln_tensor *t) {
  if (setjmp(png_jmpbuf(j->png))) return false;
  png_set_write_fn(j->png, j, take_bytes, flush_nothing);
  write_header(j, t);
  write_rows(j, t);
  png_write_end(j->png, j->info);
  return true;
}

static ln_status check_shape(const char *path, const ln_tensor *t) {
  const int64_t *dim = t->shape.dim;
  if (t->shape.rank == 3 && dim[0] >= 1 && dim[0] <= 4 && dim[1] >= 1 &&
      dim[1] <= MOST_SIDE && dim[2] >= 1 && dim[2] <= MOST_SIDE)
    return LN_OK;
  char shape[200];
  return ln_set_error("%s: expected a picture (C,H,W) with C from 1 to 4 and H "
                      "and W from 1 to %d, got %s\n"
                      "  try x:view{1, H, W} for one plane of grey",
                      path, MOST_SIDE, ln_shape_text(&t->shape, shape));
}

static ln_status check_values(const char *path, const ln_tensor *t) {
  int64_t i = 0;
  while (i < t->count && !isnan(t->data[i])) i++;
  if (i == t->count) return LN_OK;
  int64_t plane = t->shape.dim[1] * t->shape.dim[2];
  return ln_set_error("%s: expected brightnesses from 0 to 1, got a NaN in "
                      "channel %" PRId64 ", row %" PRId64 ", column %" PRId64
                      "\n  try to find out which step made it",
                      path, i / plane + 1, i % plane / t->shape.dim[2] + 1,
                      i % t->shape.dim[2] + 1);
}

static ln_status cannot_write(const job *j) {
  if (ln_is_cancelled()) {
    ln_set_error("%s: interrupted", j->path);
    return LN_CANCELLED;
  }
  return ln_set_error("%s: cannot write the picture: %s%s\n"
                      "  try a smaller one",
                      j->path, j->message, j->warning);
}

static ln_status write_picture(job *j, const ln_tensor *t) {
  j->png =
      png_create_write_struct(PNG_LIBPNG_VER_STRING, j, on_error, on_warning);
  if (j->png != NULL) j->info = png_create_info_struct(j->png);
  j->row = malloc((size_t)(t->shape.dim[0] * t->shape.dim[2]));
  ln_status status = LN_OK;
  if (j->info == NULL || j->row == NULL)
    status = ln_set_error("%s: no memory to write it", j->path);
  else if (!write_pixels(j, t))
    status = cannot_write(j);
  png_destroy_write_struct(&j->png, &j->info);
  free(j->row);
  return status;
}

ln_status ln_png_write(const char *path, const ln_tensor *t) {
  ln_tensor *dense;
  if (check_shape(path, t) != LN_OK) return LN_FAILED;
  ln_status status = ln_tensor_dense(&ln_full(t)->view, &dense);
  if (status != LN_OK) return status;
  status = check_values(path, dense);
  if (status == LN_OK) {
    job j = { .path = path };
    ln_new_file_open(&j.file, path);
    status = write_picture(&j, dense);
    if (status == LN_OK)
      status = ln_new_file_commit(&j.file);
    else
      ln_new_file_discard(&j.file);
  }
  ln_tensor_release(dense);
  return status;
}
