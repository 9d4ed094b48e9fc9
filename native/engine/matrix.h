// A weight matrix in panels, and the rows that it is multiplied with.
//
// A matrix has `columns` outputs and `depth` inputs: out[c] = sum over k of row[k] * weight[c][k].
// Panels of 64 columns follow each other. Within one, what a step of the product reads is together:
//
//   bfloat16   [depth / 2][64 columns][2]                    128 bytes for each k
//   8 bits     [depth / 4][64 columns][4] value + 128         64 bytes for each k; float scales beside
//   4 bits     [depth / 32]:                                  36 bytes for each k
//                [8 steps][2 halves][16 columns][4] two columns in a byte: of half h the low four
//                  bits are column 32 h + i, the high four column 32 h + 16 + i; value + 8
//                [64 columns] float16 scales
//
// Columns and depth are padded with zeros to whole panels, and to groups of 32. Depth is cut into
// blocks, so that the part of a panel which several tiles of rows read stays in the cache; sums go on
// from block to block, in the same order whatever the number of rows.
#pragma once

#include <cstdint>
#include <vector>

#include "../simd.h"
#include "memory.h"

namespace phinery {

enum class Format : int { kBfloat16 = 0, kInt8 = 1, kInt4 = 2 };

constexpr long kPanel = 64;   // columns
constexpr long kGroup = 32;   // elements of a row that share a scale
constexpr long kGroupBytes4 = kGroup * kPanel / 2 + 2 * kPanel;  // of a panel in four bits

// A part of the depth that one product goes through; 8-bit weights have a scale for each column and
// segment of the depth, since a segment is what was a matrix of its own in the model's file.
struct Block {
  long begin, end;
  int segment;
};

struct Matrix {
  Format format = Format::kBfloat16;
  long columns = 0, depth = 0;         // padded
  long panel_bytes = 0;
  std::vector<Block> blocks;
  Memory weights;
  Memory scales;                       // float [segments][columns], 8 bits only
  Memory bias;                         // float [columns]

  Matrix() = default;
  // `segments` are the padded depths of the matrices that stand one after the other in the depth.
  Matrix(Format format, long columns, const std::vector<long>& segments);

  long panels() const { return columns / kPanel; }
  std::size_t bytes() const { return weights.bytes() + scales.bytes() + bias.bytes(); }
  const std::uint8_t* panel(long number) const { return weights.data() + number * panel_bytes; }
  // Bytes of a panel before element k of the depth, a multiple of 32.
  long bytes_before(long k) const {
    switch (format) {
      case Format::kBfloat16: return 2 * kPanel * k;
      case Format::kInt8: return kPanel * k;
      default: return kGroupBytes4 * (k / kGroup);
    }
  }
};

// Rows to be multiplied, in the form that the matrix's format wants.
struct Rows {
  Format format = Format::kBfloat16;
  long depth = 0;
  Bfloat16* halves = nullptr;         // [rows][depth]
  std::int8_t* bytes = nullptr;       // [rows][depth]: value / scale, rounded
  float* scales = nullptr;            // [rows][depth / 32]
  std::int32_t* offsets = nullptr;    // [rows][depth / 32]: minus the weights' offset times the sum

  // Write elements first .. first + count - 1 of a row; both are multiples of 32.
  void write(long row, long first, long count, const float* values) const;
};

// Memory for Rows of any format, which grows as needed.
class RowBuffer {
 public:
  Rows reserve(Format format, long rows, long depth);

 private:
  Buffer<Bfloat16> halves_;
  Buffer<std::int8_t> bytes_;
  Buffer<float> scales_;
  Buffer<std::int32_t> offsets_;
};

// Where elements of a tensor go in a matrix, and what the tensor is made of.
enum class Source : int { kFloat32 = 0, kFloat16 = 1, kBfloat16 = 2, kInt8 = 3, kInt4 = 4 };
struct Tensor {
  const void* data;      // [columns][depth], row-major; 4 bits: two elements in a byte, groups of 32
  const void* scales;    // of quantised ones: float [columns], or float16 [columns][depth / 32]
  Source source;
  long columns, depth;
};

// A tensor's row as floats; the tensor is not a quantised one.
void read_floats(const Tensor& tensor, long row, float* to);

class Pool;
// Put a tensor at (first_column, first_k) of a matrix, rounding to the matrix's format. Returns false
// when the tensor is quantised in another format than the matrix's.
bool pack(Pool& pool, Matrix& matrix, const Tensor& tensor, long first_column, long first_k,
          int segment);

}  // namespace phinery
