// Rows times a matrix in panels.
//
// A tile is a few rows by the 64 columns of a panel. Its sums stay in registers through a block of the
// depth, each weight is loaded once for all rows of the tile, and each row's sums are taken in the
// same order whatever rows are beside it: a row's result never depends on the batch.
#pragma once

#include <algorithm>

#include "matrix.h"
#include "pool.h"
#include "products.h"

namespace phinery {

#if defined(__AVX512F__)
constexpr int kHalfRows = 6, kByteRows = 6;      // of a tile; with 4 vectors of columns
constexpr int kManyVectors = 4, kOneVectors = 4;  // of columns that are worked on at once
#else
constexpr int kHalfRows = 4, kByteRows = 4;
constexpr int kManyVectors = 2, kOneVectors = 8;
#endif
constexpr int kMaxRows = 6;

// The panel that comes next, to be loaded into the second-level cache while this one is worked on.
struct Ahead {
  const std::uint8_t* from = nullptr;
  long lines_per_step = 0;  // cache lines of 64 bytes at each step
  inline void step() {
    if (lines_per_step == 0) return;
    __builtin_prefetch(from, 0, 2);
    for (long line = 1; line < lines_per_step; ++line) __builtin_prefetch(from + 64 * line, 0, 2);
    from += 64 * lines_per_step;
  }
};

// What a tile works on: `rows` begin at its first row and at the block's first element.
struct Tile {
  const Matrix* matrix;
  const Rows* rows;
  long row;
  Block block;
  const std::uint8_t* weights;  // of the panel, at the block
  const float* scales;          // of the panel's columns, 8 bits only
  float* sums;                  // [rows][64]
  bool go_on;                   // from the sums of the blocks before
  Ahead ahead;
};

template <int kRows, int kVectors>
inline void tile_bfloat16(const Tile& tile) {
  Ahead ahead = tile.ahead;  // in registers
  const long depth = tile.rows->depth, steps = (tile.block.end - tile.block.begin) / 2;
  const Bfloat16* const first = tile.rows->halves + tile.row * depth + tile.block.begin;
  for (int c = 0; c < kPanel; c += kVectors * kLanes) {
    Vector sums[kRows][kVectors];
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v)
        sums[r][v] = tile.go_on ? load(tile.sums + r * kPanel + c + v * kLanes) : Vector{};
    const std::uint8_t* weights = tile.weights + 4 * c;
    for (long k = 0; k < steps; ++k, weights += 4 * kPanel) {
      ByteVector columns[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) columns[v] = load_bytes(weights + 4 * kLanes * v);
      if (c == 0) ahead.step();
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const std::int32_t pair = load_word(first + r * depth + 2 * k);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sums[r][v] = dot_pair(sums[r][v], columns[v], pair);
      }
    }
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v) store(tile.sums + r * kPanel + c + v * kLanes, sums[r][v]);
  }
}

template <int kRows, int kVectors>
inline void tile_int8(const Tile& tile) {
  Ahead ahead = tile.ahead;  // in registers
  const long depth = tile.rows->depth, groups = depth / kGroup;
  const long first_group = tile.block.begin / kGroup;
  const std::int8_t* const first = tile.rows->bytes + tile.row * depth + tile.block.begin;
  const float* const row_scales = tile.rows->scales + tile.row * groups + first_group;
  const std::int32_t* const offsets = tile.rows->offsets + tile.row * groups + first_group;
  const long count = (tile.block.end - tile.block.begin) / kGroup;
  for (int c = 0; c < kPanel; c += kVectors * kLanes) {
    Vector sums[kRows][kVectors];
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v) sums[r][v] = Vector{};
    const std::uint8_t* weights = tile.weights + 4 * c;
    for (long g = 0; g < count; ++g) {
      IntVector group[kRows][kVectors];
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v)
          group[r][v] = first_sum<Width::kEight>(offsets[r * groups + g]);
#pragma GCC unroll 8
      for (int step = 0; step < kGroup / 4; ++step, weights += 4 * kPanel) {
        ByteVector columns[kVectors];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) columns[v] = load_bytes(weights + 4 * kLanes * v);
        if (c == 0) ahead.step();
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) {
          const std::int32_t quad = load_word(first + r * depth + g * kGroup + 4 * step);
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v)
            group[r][v] = dot_quad<Width::kEight>(group[r][v], columns[v], quad);
        }
      }
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v)
          sums[r][v] += __builtin_convertvector(group[r][v], Vector) * row_scales[r * groups + g];
    }
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v) {
        float* const to = tile.sums + r * kPanel + c + v * kLanes;
        const Vector before = tile.go_on ? load(to) : Vector{};
        store(to, before + sums[r][v] * load(tile.scales + c + v * kLanes));
      }
  }
}

// Columns of low and high four bits alternate: vector 2 i and 2 i + 1 come from the same bytes.
template <int kRows, int kVectors>
inline void tile_int4(const Tile& tile) {
  Ahead ahead = tile.ahead;  // in registers
  static_assert(kVectors % 2 == 0);
  constexpr int kParts = 16 / kLanes, kLoads = kVectors / 2;
  const long depth = tile.rows->depth, groups = depth / kGroup;
  const long first_group = tile.block.begin / kGroup;
  const std::int8_t* const first = tile.rows->bytes + tile.row * depth + tile.block.begin;
  const float* const row_scales = tile.rows->scales + tile.row * groups + first_group;
  const std::int32_t* const offsets = tile.rows->offsets + tile.row * groups + first_group;
  const long count = (tile.block.end - tile.block.begin) / kGroup;
  for (int begin = 0; begin < 2 * kParts; begin += kLoads) {
    int place[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      const int number = begin + v / 2;
      place[v] = number / kParts * 32 + number % kParts * kLanes + v % 2 * 16;
    }
    Vector sums[kRows][kVectors];
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v)
        sums[r][v] = tile.go_on ? load(tile.sums + r * kPanel + place[v]) : Vector{};
    const std::uint8_t* weights = tile.weights;
    for (long g = 0; g < count; ++g, weights += kGroupBytes4) {
      IntVector group[kRows][kVectors];
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v)
          group[r][v] = first_sum<Width::kFour>(offsets[r * groups + g]);
#pragma GCC unroll 8
      for (int step = 0; step < kGroup / 4; ++step) {
        ByteVector columns[kVectors];
#pragma GCC unroll 8
        for (int i = 0; i < kLoads; ++i) {
          const ByteVector both = load_bytes(weights + 128 * step + 4 * kLanes * (begin + i));
          const Bits words = reinterpret_cast<Bits>(both);
          columns[2 * i] = reinterpret_cast<ByteVector>(words & 0x0f0f0f0fu);
          columns[2 * i + 1] = reinterpret_cast<ByteVector>((words >> 4) & 0x0f0f0f0fu);
        }
        if (begin == 0) ahead.step();
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) {
          const std::int32_t quad = load_word(first + r * depth + g * kGroup + 4 * step);
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v)
            group[r][v] = dot_quad<Width::kFour>(group[r][v], columns[v], quad);
        }
      }
      const auto* const halves = reinterpret_cast<const std::uint16_t*>(weights + kGroup * kPanel / 2);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        const Vector scale = from_half(halves + place[v]);
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r)
          sums[r][v] += __builtin_convertvector(group[r][v], Vector) *
                        (scale * row_scales[r * groups + g]);
      }
    }
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v) store(tile.sums + r * kPanel + place[v], sums[r][v]);
  }
}

template <int kRows>
inline void run_tile(const Tile& tile) {
  constexpr int kVectors = kRows == 1 ? kOneVectors : kManyVectors;
  // Sums of integers and of floats take twice the registers.
  constexpr int kByteVectors = std::min(kVectors, 4);
  switch (tile.matrix->format) {
    case Format::kBfloat16: return tile_bfloat16<kRows, std::min<int>(kVectors, kPanel / kLanes)>(tile);
    case Format::kInt8:
      if constexpr (kRows <= kByteRows) tile_int8<kRows, kByteVectors>(tile);
      return;
    case Format::kInt4:
      if constexpr (kRows <= kByteRows) tile_int4<kRows, kByteVectors>(tile);
  }
}

void run_tile(int rows, const Tile& tile);  // gemm.cpp

// The product of `count` rows with a matrix, panel by panel over the pool's threads. For every row and
// panel, finish(row, first_column, sums) is called with 64 sums, the bias not in them.
template <class Finish>
void multiply(Pool& pool, const Matrix& matrix, const Rows& rows, long count, Buffer<float>& scratch,
              const Finish& finish) {
  const int most = matrix.format == Format::kBfloat16 ? kHalfRows : kByteRows;
  const long tiles = (count + most - 1) / most;
  const bool in_blocks = matrix.blocks.size() > 1;
  const long kept = kPanel * (in_blocks ? count : kMaxRows);  // sums of a thread
  float* const all_sums = scratch.reserve(kept * pool.threads());
  pool.run(matrix.panels(), [&](long panel, int thread) {
    float* const sums = all_sums + thread * kept;
    const std::uint8_t* const weights = matrix.panel(panel);
    // While several tiles go through this panel, the next one of this thread is loaded.
    const bool is_ahead = tiles > 1 && panel + pool.threads() < matrix.panels();
    const std::uint8_t* ahead = is_ahead ? matrix.panel(panel + pool.threads()) : nullptr;
    const std::uint8_t* const ahead_end = ahead + matrix.panel_bytes;
    for (const Block& block : matrix.blocks) {
      const bool is_last = block.end == matrix.depth;
      const long block_bytes = matrix.bytes_before(block.end) - matrix.bytes_before(block.begin);
      const long steps = (block.end - block.begin) / (matrix.format == Format::kBfloat16 ? 2 : 4);
      const long lines_per_step = is_ahead ? (block_bytes / 64 / tiles + steps - 1) / steps : 0;
      for (long row = 0, tile_number = 0; row < count; ++tile_number) {
        const long left = tiles - tile_number;
        const int tall = static_cast<int>((count - row + left - 1) / left);
        Tile tile{&matrix, &rows, row, block, weights + matrix.bytes_before(block.begin),
                  matrix.scales.as<float>() + block.segment * matrix.columns + panel * kPanel,
                  sums + (in_blocks ? row * kPanel : 0), block.begin > 0, {}};
        if (ahead && ahead + lines_per_step * steps * 64 <= ahead_end) {
          tile.ahead = {ahead, lines_per_step};
          ahead += lines_per_step * steps * 64;
        }
        run_tile(tall, tile);
        if (is_last)
          for (int r = 0; r < tall; ++r) finish(row + r, panel * kPanel, tile.sums + r * kPanel);
        row += tall;
      }
    }
  });
}

}  // namespace phinery
