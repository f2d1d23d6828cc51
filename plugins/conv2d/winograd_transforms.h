/* winograd_transforms.h - the small linear maps of Winograd's method.
 *
 * In one dimension: m outputs y of a filter g of R taps, from 6 pixels d with
 * m + R - 1 = 6, so F(4,3) or F(2,5). All are polynomials: y comes from the
 * product of two polynomials, and a product is cheap where both are known by
 * their values at some points. With B, G, A as in the papers:
 *
 *     y = A^T [ (G g) * (B^T d) ]            * number by number: 6 products
 *
 *   G g     the values of g at the points 0, +-5/8, +-3/2 and infinity,
 *           divided by what interpolation divides by
 *   B^T d   the pixels, combined to fit
 *   A^T q   row j sums point^j * q: back from values to numbers
 *
 * In two dimensions each is applied to the columns, then to the rows: 36
 * products for m x m outputs, where the sum itself takes m*m*R*R: 144 for a
 * 3x3 filter, 100 for 5x5. The points are a compromise: with 0, +-1, +-2 the
 * rounding errors are 2.2 times as large.
 *
 * The gradients are the transposes: A for dy, G^T for dw.
 *
 * Winograd 1980; Lavin, Gray 2016 (convolutional networks); the points after
 * Barabasz et al. 2020, who look for good ones. */
#ifndef WINOGRAD_TRANSFORMS_H
#define WINOGRAD_TRANSFORMS_H

#include <lunet/kernels/vector.h>

enum { POINTS = 6, FREQUENCIES = POINTS * POINTS };

#define S1 0.625f /* the points are 0, S1, -S1, S2, -S2, infinity */
#define S2 1.5f
#define Q1 (S1 * S1)
#define Q2 (S2 * S2)

/* A pair of points +-s shares its work: even powers have one sign, odd two. */

/* B^T d */
LN_INLINE void transform_input(const ln_vector d[6], ln_vector to[6]) {
  const ln_vector even1 = d[4] - Q2 * d[2], odd1 = S1 * (d[3] - Q2 * d[1]);
  const ln_vector even2 = d[4] - Q1 * d[2], odd2 = S2 * (d[3] - Q1 * d[1]);
  to[0] = d[4] - (Q1 + Q2) * d[2] + (Q1 * Q2) * d[0];
  to[1] = even1 + odd1;
  to[2] = even1 - odd1;
  to[3] = even2 + odd2;
  to[4] = even2 - odd2;
  to[5] = d[5] - (Q1 + Q2) * d[3] + (Q1 * Q2) * d[1];
}

/* A^T q: m numbers, 4 or 2 */
LN_INLINE void transform_output(const int m, const ln_vector q[6],
                                ln_vector to[4]) {
  const ln_vector even1 = q[1] + q[2], odd1 = q[1] - q[2];
  const ln_vector even2 = q[3] + q[4], odd2 = q[3] - q[4];
  to[0] = q[0] + even1 + even2;
  to[1] = S1 * odd1 + S2 * odd2;
  if (m == 2) {
    to[1] += q[5];
    return;
  }
  to[2] = Q1 * even1 + Q2 * even2;
  to[3] = (S1 * Q1) * odd1 + (S2 * Q2) * odd2 + q[5];
}

/* A dy */
LN_INLINE void transform_gradient(const int m, const ln_vector dy[4],
                                  ln_vector to[6]) {
  const ln_vector even1 = m == 4 ? dy[0] + Q1 * dy[2] : dy[0];
  const ln_vector even2 = m == 4 ? dy[0] + Q2 * dy[2] : dy[0];
  const ln_vector odd1 = S1 * (m == 4 ? dy[1] + Q1 * dy[3] : dy[1]);
  const ln_vector odd2 = S2 * (m == 4 ? dy[1] + Q2 * dy[3] : dy[1]);
  to[0] = dy[0];
  to[1] = even1 + odd1;
  to[2] = even1 - odd1;
  to[3] = even2 + odd2;
  to[4] = even2 - odd2;
  to[5] = dy[m - 1];
}

/* What interpolation divides the value at each point by: the product of its
 * differences to the others. */
#define PART0 (1 / (Q1 * Q2))
#define PART1 (1 / (2 * Q1 * (Q1 - Q2)))
#define PART2 (1 / (2 * Q2 * (Q2 - Q1)))

/* G g: R numbers, 3 or 5, become 6 */
LN_INLINE void transform_filter(const int R, const ln_vector g[5],
                                ln_vector to[6]) {
  ln_vector even1 = g[0] + Q1 * g[2], even2 = g[0] + Q2 * g[2];
  ln_vector odd1 = g[1], odd2 = g[1];
  if (R == 5) {
    even1 += (Q1 * Q1) * g[4], even2 += (Q2 * Q2) * g[4];
    odd1 += Q1 * g[3], odd2 += Q2 * g[3];
  }
  to[0] = PART0 * g[0];
  to[1] = PART1 * (even1 + S1 * odd1);
  to[2] = PART1 * (even1 - S1 * odd1);
  to[3] = PART2 * (even2 + S2 * odd2);
  to[4] = PART2 * (even2 - S2 * odd2);
  to[5] = g[R - 1];
}

/* G^T u: 6 numbers become R */
LN_INLINE void transform_filter_gradient(const int R, const ln_vector u[6],
                                         ln_vector to[5]) {
  const ln_vector even1 = PART1 * (u[1] + u[2]), odd1 = PART1 * (u[1] - u[2]);
  const ln_vector even2 = PART2 * (u[3] + u[4]), odd2 = PART2 * (u[3] - u[4]);
  to[0] = PART0 * u[0] + even1 + even2;
  to[1] = S1 * odd1 + S2 * odd2;
  to[2] = Q1 * even1 + Q2 * even2;
  if (R == 5) {
    to[3] = (S1 * Q1) * odd1 + (S2 * Q2) * odd2;
    to[4] = (Q1 * Q1) * even1 + (Q2 * Q2) * even2;
  }
  to[R - 1] += u[5];
}

/* ---- both dimensions ----------------------------------------------------- */

/* A tile of 6 x 6 vectors, whose rows are `row` floats apart, to 36 vectors
 * `step` floats apart. */
LN_INLINE void transform_input_tile(const float *from, ptrdiff_t row, float *to,
                                    ptrdiff_t step) {
  ln_vector half[6][6];
#pragma GCC unroll 6
  for (int x = 0; x < 6; x++) {
    ln_vector d[6], column[6];
#pragma GCC unroll 6
    for (int y = 0; y < 6; y++) d[y] = ln_load(from + y * row + x * LN_VECTOR);
    transform_input(d, column);
#pragma GCC unroll 6
    for (int y = 0; y < 6; y++) half[y][x] = column[y];
  }
#pragma GCC unroll 6
  for (int y = 0; y < 6; y++) {
    ln_vector all[6];
    transform_input(half[y], all);
#pragma GCC unroll 6
    for (int x = 0; x < 6; x++) ln_store(to + (y * 6 + x) * step, all[x]);
  }
}

/* A tile of m x m vectors of dy, likewise. */
LN_INLINE void transform_gradient_tile(const int m, const float *from,
                                       ptrdiff_t row, float *to,
                                       ptrdiff_t step) {
  ln_vector half[6][4];
#pragma GCC unroll 4
  for (int x = 0; x < m; x++) {
    ln_vector dy[4], column[6];
#pragma GCC unroll 4
    for (int y = 0; y < m; y++) dy[y] = ln_load(from + y * row + x * LN_VECTOR);
    transform_gradient(m, dy, column);
#pragma GCC unroll 6
    for (int y = 0; y < 6; y++) half[y][x] = column[y];
  }
#pragma GCC unroll 6
  for (int y = 0; y < 6; y++) {
    ln_vector all[6];
    transform_gradient(m, half[y], all);
#pragma GCC unroll 6
    for (int x = 0; x < 6; x++) ln_store(to + (y * 6 + x) * step, all[x]);
  }
}

/* 36 vectors `step` floats apart to m x m outputs, to[y * m + x]. */
LN_INLINE void transform_output_tile(const int m, const float *from,
                                     ptrdiff_t step, ln_vector *to) {
  ln_vector half[4][6];
#pragma GCC unroll 6
  for (int x = 0; x < 6; x++) {
    ln_vector q[6], column[4];
#pragma GCC unroll 6
    for (int y = 0; y < 6; y++) q[y] = ln_load(from + (y * 6 + x) * step);
    transform_output(m, q, column);
#pragma GCC unroll 4
    for (int y = 0; y < m; y++) half[y][x] = column[y];
  }
#pragma GCC unroll 4
  for (int y = 0; y < m; y++) {
    ln_vector all[4];
    transform_output(m, half[y], all);
#pragma GCC unroll 4
    for (int x = 0; x < m; x++) to[y * m + x] = all[x];
  }
}

/* R x R vectors of weights to 36 vectors `step` floats apart. */
LN_INLINE void transform_filter_tile(const int R, const ln_vector *w, float *to,
                                     ptrdiff_t step) {
  ln_vector half[6][5];
#pragma GCC unroll 5
  for (int x = 0; x < R; x++) {
    ln_vector g[5], column[6];
#pragma GCC unroll 5
    for (int y = 0; y < R; y++) g[y] = w[y * R + x];
    transform_filter(R, g, column);
#pragma GCC unroll 6
    for (int y = 0; y < 6; y++) half[y][x] = column[y];
  }
#pragma GCC unroll 6
  for (int y = 0; y < 6; y++) {
    ln_vector all[6];
    transform_filter(R, half[y], all);
#pragma GCC unroll 6
    for (int x = 0; x < 6; x++) ln_store(to + (y * 6 + x) * step, all[x]);
  }
}

/* And 36 vectors of its gradient back to R x R. */
LN_INLINE void transform_filter_gradient_tile(const int R, const float *from,
                                              ptrdiff_t step, ln_vector *to) {
  ln_vector half[5][6];
#pragma GCC unroll 6
  for (int x = 0; x < 6; x++) {
    ln_vector u[6], column[5];
#pragma GCC unroll 6
    for (int y = 0; y < 6; y++) u[y] = ln_load(from + (y * 6 + x) * step);
    transform_filter_gradient(R, u, column);
#pragma GCC unroll 5
    for (int y = 0; y < R; y++) half[y][x] = column[y];
  }
#pragma GCC unroll 5
  for (int y = 0; y < R; y++) {
    ln_vector all[5];
    transform_filter_gradient(R, half[y], all);
#pragma GCC unroll 5
    for (int x = 0; x < R; x++) to[y * R + x] = all[x];
  }
}

#endif
