/* Damaged files: each small file of every format is cut at every length and
 * has every single bit flipped. It must load or be refused by a sentence that
 * names it; the sanitizers watch for the rest. */
#include <zlib.h>

#include "files_support.h"

typedef ln_status (*reader)(const char *path);

static ln_status read_npy(const char *path) {
  ln_tensor *t;
  ln_status status = ln_npy_read(path, &t);
  if (status == LN_OK) ln_tensor_release(t);
  return status;
}

static ln_status read_npz(const char *path) {
  ln_tensor_table t;
  ln_status status = ln_npz_read(path, &t);
  if (status == LN_OK) ln_tensor_table_free(&t);
  return status;
}

static ln_status read_safetensors(const char *path) {
  ln_tensor_table t;
  char *metadata;
  ln_status status = ln_safetensors_read(path, &t, &metadata);
  if (status != LN_OK) return status;
  ln_tensor_table_free(&t);
  free(metadata);
  return LN_OK;
}

static ln_status read_png(const char *path) {
  ln_tensor *t;
  ln_status status = ln_png_read(path, &t);
  if (status == LN_OK) ln_tensor_release(t);
  return status;
}

static ln_status read_idx(const char *path) {
  ln_dataset *d;
  ln_status status = strcmp(path, "bad-labels") == 0
                         ? ln_dataset_read_idx("images", path, &d)
                         : ln_dataset_read_idx(path, "labels", &d);
  if (status == LN_OK) ln_dataset_release(d);
  return status;
}

static ln_status read_cifar10(const char *path) {
  ln_dataset *d;
  ln_status status = ln_dataset_read_cifar10(&path, 1, &d);
  if (status == LN_OK) ln_dataset_release(d);
  return status;
}

/* ---- the two kinds of damage --------------------------------------------- */

/* Tells whether the file was accepted. */
static bool try_file(reader read, const char *path, const uint8_t *bytes,
                     size_t size, const char *what, size_t where) {
  put_file(path, bytes, size);
  if (read(path) == LN_OK) return true;
  ck_assert_msg(strstr(ln_error(), path) != NULL, "%s %zu: %s", what, where,
                ln_error());
  return false;
}

static void check_cuts(reader read, const char *path, const uint8_t *bytes,
                       size_t size) {
  for (size_t n = 0; n < size; n++)
    ck_assert_msg(!try_file(read, path, bytes, n, "cut at", n),
                  "%s cut at %zu of %zu was accepted", path, n, size);
}

/* Returns how many flips were not noticed. */
static size_t flip_bits(reader read, const char *path, uint8_t *bytes,
                        size_t size) {
  size_t accepted = 0;
  for (size_t bit = 0; bit < 8 * size; bit++) {
    uint8_t mask = (uint8_t)(1 << bit % 8);
    bytes[bit / 8] ^= mask;
    accepted += try_file(read, path, bytes, size, "bit", bit);
    bytes[bit / 8] ^= mask;
  }
  return accepted;
}

/* At most `most` of all flips may pass unnoticed. */
static void check_damage(reader read, const char *good, const char *bad,
                         size_t most) {
  uint8_t *bytes;
  size_t size;
  FILE *f = fopen(good, "rb");
  ck_assert_ptr_nonnull(f);
  bytes = malloc(100000);
  size = fread(bytes, 1, 100000, f);
  fclose(f);
  ck_assert(try_file(read, bad, bytes, size, "whole", size));
  check_cuts(read, bad, bytes, size);
  size_t accepted = flip_bits(read, bad, bytes, size);
  ck_assert_msg(accepted <= most, "%zu of %zu flips were accepted", accepted,
                8 * size);
  free(bytes);
}

/* ---- the formats --------------------------------------------------------- */

START_TEST(npy) {
  ln_tensor *t = make(LN_SHAPE(2, 3), NULL);
  ck_ok(ln_npy_write("good", t));
  /* The numbers have no checksum, and a newline may stand for a space. */
  check_damage(read_npy, "good", "bad", 8 * 24 + 8);
  ln_tensor_release(t);
}
END_TEST

START_TEST(npz) {
  ln_tensor *t = make(LN_SHAPE(2, 3), NULL);
  ln_tensor_table table = { 2, (char *[]){ "a", "b" },
                            (ln_tensor *[]){ t, t } };
  ck_ok(ln_npz_write("good", &table));
  /* Of two headers times, versions, attributes, and what stands in both. */
  check_damage(read_npz, "good", "bad", 800);
  ln_tensor_release(t);
}
END_TEST

START_TEST(safetensors) {
  ln_tensor *t = make(LN_SHAPE(2, 3), NULL);
  ln_tensor_table table = { 2, (char *[]){ "a", "b" },
                            (ln_tensor *[]){ t, t } };
  ck_ok(ln_safetensors_write("good", &table, "{\"k\":\"v\"}"));
  /* The numbers have no checksum, names may be others. */
  check_damage(read_safetensors, "good", "bad", 8 * 48 + 40);
  ln_tensor_release(t);
}
END_TEST

START_TEST(png) {
  ln_tensor *t = make(LN_SHAPE(3, 4, 4), NULL);
  for (int64_t i = 0; i < t->count; i++) t->data[i] = (float)(i % 7) / 7;
  ck_ok(ln_png_write("good", t));
  check_damage(read_png, "good", "bad", 0);
  ln_tensor_release(t);
}
END_TEST

static const uint8_t images[] = { 0,  0,  8,   3,   0,   0, 0, 2, 0, 0,
                                  0,  2,  0,   0,   0,   3, 0, 1, 2, 50,
                                  51, 52, 253, 254, 255, 7, 8, 9 };
static const uint8_t labels[] = { 0, 0, 8, 1, 0, 0, 0, 2, 3, 9 };

START_TEST(idx) {
  put_file("images", images, sizeof images);
  put_file("labels", labels, sizeof labels);
  check_damage(read_idx, "images", "bad", 8 * 12);
  check_damage(read_idx, "labels", "bad-labels", 8);
}
END_TEST

START_TEST(idx_in_gzip) {
  put_file("labels", labels, sizeof labels);
  gzFile z = gzopen("images.gz", "wb");
  gzwrite(z, images, sizeof images);
  gzclose(z);
  /* Time, system and level in the header of gzip mean nothing to us. */
  check_damage(read_idx, "images.gz", "bad", 8 * 6 + 8);
}
END_TEST

START_TEST(cifar10) {
  uint8_t *record = calloc(1, 3073);
  record[0] = 5;
  put_file("good", record, 3073);
  for (size_t n = 0; n < 3073; n += 64)
    ck_assert(!try_file(read_cifar10, "bad", record, n, "cut at", n));
  for (int bit = 0; bit < 8; bit++) {
    record[0] = (uint8_t)(5 ^ 1 << bit);
    ck_assert_int_eq(try_file(read_cifar10, "bad", record, 3073, "bit", 0),
                     record[0] < 10);
  }
  free(record);
}
END_TEST

RUN_IN_FOLDERS("files: damage", npy, npz, safetensors, png, idx, idx_in_gzip,
               cifar10)
