// A small matrix product, c (+)= a x b, for operands that fit the caches.
//
// b and c have contiguous rows whose length is a multiple of kLanes; a may be read in any strides, so
// that its transpose needs no copy. With `Paired` elements are pairs of bfloat16 along the depth (see
// simd.h), and depth and distances count pairs: twice the work for each instruction. A tile of c stays in registers over the whole depth: with AVX-512
// 6 x 64 floats (24 registers), for each of which one element of a is broadcast.
#pragma once

#include "../simd.h"

namespace phinery {

#if defined(__AVX512F__)
constexpr int kTileVectors = 4;
#else
constexpr int kTileVectors = 2;
#endif
constexpr int kTileRows = 6;

struct Operand {
  const float* data;
  long row;     // distance of neighbours in a column
  long column;  // distance of neighbours in a row
};

template <bool Paired, int Rows, int Vectors>
inline void multiply_tile(long depth, Operand a, const float* b, long b_row, float* c, long c_row,
                          bool accumulate) {
  Vector sums[Rows][Vectors];
  for (int r = 0; r < Rows; ++r)
    for (int v = 0; v < Vectors; ++v)
      sums[r][v] = accumulate ? load(c + r * c_row + v * kLanes) : Vector{};
  for (long k = 0; k < depth; ++k) {
    Vector columns[Vectors];
    for (int v = 0; v < Vectors; ++v) columns[v] = load(b + k * b_row + v * kLanes);
    const float* element = a.data + k * a.column;
    for (int r = 0; r < Rows; ++r) {
      const float* const factor = element + r * a.row;
      for (int v = 0; v < Vectors; ++v) {
        if constexpr (Paired)
          sums[r][v] = dot_pairs(sums[r][v], factor, columns[v]);
        else
          sums[r][v] += *factor * columns[v];
      }
    }
  }
  for (int r = 0; r < Rows; ++r)
    for (int v = 0; v < Vectors; ++v) store(c + r * c_row + v * kLanes, sums[r][v]);
}

template <bool Paired, int Vectors>
inline void multiply_columns(long rows, long depth, Operand a, const float* b, long b_row, float* c,
                             long c_row, bool accumulate) {
  long r = 0;
  for (; r + kTileRows <= rows; r += kTileRows)
    multiply_tile<Paired, kTileRows, Vectors>(depth, {a.data + r * a.row, a.row, a.column}, b, b_row,
                                      c + r * c_row, c_row, accumulate);
  for (; r < rows; ++r)
    multiply_tile<Paired, 1, Vectors>(depth, {a.data + r * a.row, a.row, a.column}, b, b_row, c + r * c_row,
                              c_row, accumulate);
}

// c (rows x columns) = a (rows x depth) x b (depth x columns), added to c when `accumulate`.
template <bool Paired>
inline void multiply(long rows, long columns, long depth, Operand a, const float* b, long b_row,
                     float* c, long c_row, bool accumulate) {
  long n = 0;
  for (; n + kTileVectors * kLanes <= columns; n += kTileVectors * kLanes)
    multiply_columns<Paired, kTileVectors>(rows, depth, a, b + n, b_row, c + n, c_row, accumulate);
  for (; n < columns; n += kLanes)
    multiply_columns<Paired, 1>(rows, depth, a, b + n, b_row, c + n, c_row, accumulate);
}

}  // namespace phinery
