/* PNG: pictures go out and come back, and every kind that libpng can write is
 * read. */
#include <math.h>
#include <png.h>

#include "files_support.h"

START_TEST(what_is_written_is_read) {
  for (int64_t channels = 1; channels <= 4; channels++) {
    ln_tensor *t = make(LN_SHAPE(channels, 3, 5), NULL), *u;
    for (int64_t i = 0; i < t->count; i++)
      t->data[i] = (float)((i * 37) % 256) / 255;
    ck_ok(ln_png_write("a.png", t));
    ck_ok(ln_png_write("b.png", t));
    check_same_file("a.png", "b.png");
    ck_ok(ln_png_read("a.png", &u));
    check_tensor(u, LN_SHAPE(channels, 3, 5), t->data);
    ln_tensor_release(t);
    ln_tensor_release(u);
  }
}
END_TEST

START_TEST(brightnesses_are_clamped_and_rounded) {
  static const float out[] = {
    -1, 0, 0.49f / 255, 0.51f / 255, 1, 2, INFINITY
  };
  static const float in[] = { 0, 0, 0, 1.f / 255, 1, 1, 1 };
  ln_tensor *t = make(LN_SHAPE(1, 1, 7), out), *u;
  ck_ok(ln_png_write("a.png", t));
  ck_ok(ln_png_read("a.png", &u));
  check_tensor(u, LN_SHAPE(1, 1, 7), in);
  ln_tensor_release(t);
  ln_tensor_release(u);
}
END_TEST

START_TEST(what_is_no_picture_is_not_written) {
  static const ln_shape shapes[] = { { .rank = 0 },
                                     { .rank = 2, .dim = { 3, 3 } },
                                     { .rank = 3, .dim = { 5, 3, 3 } },
                                     { .rank = 3, .dim = { 0, 3, 3 } },
                                     { .rank = 3, .dim = { 1, 0, 3 } },
                                     { .rank = 3, .dim = { 1, 3, 0 } } };
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    ln_tensor *t = make(shapes[i], NULL);
    ck_refused(ln_png_write("a.png", t), "expected a picture (C,H,W)");
    ln_tensor_release(t);
  }
  ln_tensor *t = make(LN_SHAPE(2, 1, 2), (float[]){ 0, 0, 0, NAN });
  ck_refused(ln_png_write("a.png", t), "NaN in channel 2, row 1, column 2");
  ck_assert_int_eq(count_files("."), 0);
  ln_tensor_release(t);
}
END_TEST

/* ---- all kinds of pictures, written by libpng itself --------------------- */

enum { SIDE = 9 };

typedef struct kind {
  int color, depth, interlace, channels; /* channels as we read them */
} kind;

/* The sample that stands at (x, y) in channel c, before the file's depth. */
static int sample(const kind *k, int x, int y, int c) {
  int most = k->depth == 16 ? 65535 : (1 << k->depth) - 1;
  return (x * 4099 + y * 257 + c * 17) % (most + 1);
}

static void set_sample(const kind *k, uint8_t *row, int i, int value) {
  if (k->depth == 16) {
    row[2 * i] = (uint8_t)(value >> 8);
    row[2 * i + 1] = (uint8_t)value;
  } else {
    int bit = i * k->depth;
    row[bit / 8] = (uint8_t)(row[bit / 8] | value << (8 - k->depth - bit % 8));
  }
}

static int file_channels(const kind *k) {
  return k->color == PNG_COLOR_TYPE_PALETTE ? 1 : k->channels;
}

static void put_picture(const char *path, const kind *k) {
  png_structp png =
      png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
  png_infop info = png_create_info_struct(png);
  png_color palette[256];
  uint8_t alpha[256];
  uint8_t pixels[SIDE][SIDE * 8] = { { 0 } };
  png_bytep rows[SIDE];
  FILE *f = fopen(path, "wb");
  png_init_io(png, f);
  png_set_IHDR(png, info, SIDE, SIDE, k->depth, k->color, k->interlace, 0, 0);
  for (int i = 0; i < 256; i++)
    palette[i] = (png_color){ (uint8_t)i, (uint8_t)(255 - i), 7 };
  for (int i = 0; i < 256; i++) alpha[i] = (uint8_t)(3 * i);
  if (k->color == PNG_COLOR_TYPE_PALETTE)
    png_set_PLTE(png, info, palette, 1 << k->depth);
  if (k->color == PNG_COLOR_TYPE_PALETTE && k->channels == 4)
    png_set_tRNS(png, info, alpha, 1 << k->depth, NULL);
  for (int y = 0; y < SIDE; y++) {
    rows[y] = pixels[y];
    for (int i = 0; i < SIDE * file_channels(k); i++)
      set_sample(k, pixels[y], i,
                 sample(k, i / file_channels(k), y, i % file_channels(k)));
  }
  png_set_rows(png, info, rows);
  png_write_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
  png_destroy_write_struct(&png, &info);
  fclose(f);
}

static float expected(const kind *k, int x, int y, int c) {
  if (k->color == PNG_COLOR_TYPE_PALETTE) {
    int i = sample(k, x, y, 0);
    uint8_t values[] = { (uint8_t)i, (uint8_t)(255 - i), 7, (uint8_t)(3 * i) };
    return (float)values[c] / 255;
  }
  int most = (1 << k->depth) - 1;
  return (float)sample(k, x, y, c) / (float)most;
}

static void check_picture(const kind *k) {
  ln_tensor *t;
  put_picture("a.png", k);
  ck_ok(ln_png_read("a.png", &t));
  ck_assert_int_eq(t->shape.dim[0], k->channels);
  ck_assert_int_eq(t->count, k->channels * SIDE * SIDE);
  for (int c = 0; c < k->channels; c++)
    for (int y = 0; y < SIDE; y++)
      for (int x = 0; x < SIDE; x++)
        ck_assert_float_eq(t->data[(c * SIDE + y) * SIDE + x],
                           expected(k, x, y, c));
  ln_tensor_release(t);
}

START_TEST(all_kinds_of_pictures_are_read) {
  static const struct {
    int color, channels;
    const char *depths;
  } colors[] = {
    { PNG_COLOR_TYPE_GRAY, 1, "\1\2\4\10\20" },
    { PNG_COLOR_TYPE_GRAY_ALPHA, 2, "\10\20" },
    { PNG_COLOR_TYPE_PALETTE, 3, "\1\2\4\10" },
    { PNG_COLOR_TYPE_PALETTE, 4, "\1\2\4\10" },
    { PNG_COLOR_TYPE_RGB, 3, "\10\20" },
    { PNG_COLOR_TYPE_RGB_ALPHA, 4, "\10\20" },
  };
  for (size_t i = 0; i < sizeof colors / sizeof colors[0]; i++)
    for (const char *depth = colors[i].depths; *depth; depth++)
      for (int interlace = 0; interlace < 2; interlace++)
        check_picture(
            &(kind){ colors[i].color, *depth, interlace, colors[i].channels });
}
END_TEST

/* Without its damaged transparency the picture would look like another one. */
START_TEST(damaged_transparency_is_refused) {
  put_picture("a.png", &(kind){ PNG_COLOR_TYPE_PALETTE, 2, 0, 4 });
  uint8_t *bytes;
  size_t size;
  ln_tensor *t;
  ck_ok(ln_file_read("a.png", &bytes, &size));
  uint8_t *chunk = memmem(bytes, size, "tRNS", 4);
  ck_assert_ptr_nonnull(chunk);
  chunk[4] ^= 1;
  put_file("a.png", bytes, size);
  free(bytes);
  ck_refused(ln_png_read("a.png", &t), "CRC error");
}
END_TEST

/* ---- pictures that are none ---------------------------------------------- */

static const uint8_t head[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

/* The beginning of a picture of that size, with a right checksum. */
static void put_header(uint32_t width, uint32_t height) {
  uint8_t file[33];
  memcpy(file, head, 16);
  uint32_t numbers[] = { width, height };
  for (size_t i = 0; i < 8; i++)
    file[16 + i] = (uint8_t)(numbers[i / 4] >> (24 - 8 * (i % 4)));
  memcpy(file + 24, "\1\0\0\0\0", 5); /* one bit of grey */
  uint32_t crc = 0xffffffff;
  for (int i = 12; i < 29; i++) {
    crc ^= file[i];
    for (int bit = 0; bit < 8; bit++)
      crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
  }
  for (size_t i = 0; i < 4; i++) file[29 + i] = (uint8_t)(~crc >> (24 - 8 * i));
  uint8_t data[45];
  memcpy(data, file, 33);
  memcpy(data + 33, "\0\0\0\0IDAT\x35\xaf\x06\x1e", 12);
  put_file("a.png", data, 45);
}

START_TEST(what_is_no_picture_is_refused) {
  ln_tensor *t;
  put_file("a.png", "P6 1 1 255 rgb", 14);
  ck_refused(ln_png_read("a.png", &t), "offset 8: expected a PNG picture, got "
                                       "Not a PNG file");
  put_file("a.png", "", 0);
  ck_refused(ln_png_read("a.png", &t), "offset 0: expected a PNG picture, got "
                                       "the end of the file");
  put_header(0, 1);
  ck_refused(ln_png_read("a.png", &t), "zero in IHDR");
  put_header(2000000, 1);
  ck_refused(ln_png_read("a.png", &t), "user limit");
  put_header(1000000, 1000000);
  ck_refused(ln_png_read("a.png", &t), "too large for so small a file");
  put_header(1, 1);
  ck_refused(ln_png_read("a.png", &t), "a.png, offset ");
}
END_TEST

RUN_IN_FOLDERS("files: png", what_is_written_is_read,
               brightnesses_are_clamped_and_rounded,
               what_is_no_picture_is_not_written,
               all_kinds_of_pictures_are_read, damaged_transparency_is_refused,
               what_is_no_picture_is_refused)
