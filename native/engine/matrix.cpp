// Weights into panels, rows into the form in which they are multiplied.

#include "matrix.h"

#include <algorithm>
#include <cmath>

#include "pool.h"
#include "products.h"

namespace phinery {
namespace {

constexpr long kBlock = 2048;  // elements of the depth: at most 256 KB of a panel

std::uint16_t half_bits(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, 4);
  const std::uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude >= 0x47800000u) return static_cast<std::uint16_t>(sign | 0x7c00u);
  if (magnitude < 0x38800000u) {  // subnormal: the sum's last bits are the result, rounded to even
    float sum;
    std::memcpy(&sum, &magnitude, 4);
    sum += 0.5f;
    std::memcpy(&bits, &sum, 4);
    return static_cast<std::uint16_t>(sign | (bits - 0x3f000000u));
  }
  const std::uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
  return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

float half_value(std::uint16_t half) {
  std::uint32_t bits = (half & 0x7fffu) << 13;
  float value;
  std::memcpy(&value, &bits, 4);
  if ((half & 0x7c00u) == 0x7c00u)  // infinite or no number
    value = (half & 0x3ffu) ? NAN : INFINITY;
  else
    value *= 0x1p112f;
  return half & 0x8000u ? -value : value;
}

// The row as the words (2 x bfloat16) of one column of a panel.
void pack_bfloat16(const float* row, long depth, std::uint8_t* column, long first_k) {
  for (long k = 0; k < depth; ++k)
    store_one(reinterpret_cast<Bfloat16*>(column + (first_k + k) / 2 * 4 * kPanel) + (first_k + k) % 2,
              row[k]);
}

void pack_bytes(const std::int8_t* row, long depth, std::uint8_t* column, long first_k) {
  for (long k = 0; k < depth; ++k)
    column[(first_k + k) / 4 * 4 * kPanel + (first_k + k) % 4] =
        static_cast<std::uint8_t>(row[k] + 128);
}

// Symmetric, to nearest; the scale is the greatest magnitude over 127.
float quantize_row(const float* row, long depth, std::int8_t* to) {
  float greatest = 0;
  for (long k = 0; k < depth; ++k) greatest = std::max(greatest, std::fabs(row[k]));
  const float scale = greatest / 127;
  const float inverse = scale > 0 ? 1 / scale : 0;
  for (long k = 0; k < depth; ++k)
    to[k] = static_cast<std::int8_t>(std::lrintf(std::clamp(row[k] * inverse, -127.0f, 127.0f)));
  return scale;
}

// As llama.cpp's Q4_0: the element of greatest magnitude becomes -8.
void quantize_group(const float* row, std::uint8_t* values, std::uint16_t* scale) {
  float extreme = 0;
  for (long k = 0; k < kGroup; ++k)
    if (std::fabs(row[k]) > std::fabs(extreme)) extreme = row[k];
  *scale = half_bits(extreme / -8);
  const float inverse = extreme != 0 ? -8 / extreme : 0;
  for (long k = 0; k < kGroup; ++k)
    values[k] = static_cast<std::uint8_t>(std::clamp(std::floor(row[k] * inverse + 8.5f), 0.0f, 15.0f));
}

void pack_nibbles(const std::uint8_t* values, std::uint16_t scale, std::uint8_t* group, long column) {
  const long half = column / 32, place = column % 16, shift = column % 32 < 16 ? 0 : 4;
  for (long k = 0; k < kGroup; ++k) {
    std::uint8_t& byte = group[(k / 4 * 2 + half) * 64 + place * 4 + k % 4];
    byte = static_cast<std::uint8_t>((byte & (0xf0 >> shift)) | values[k] << shift);
  }
  std::memcpy(group + kGroup * kPanel / 2 + 2 * column, &scale, 2);
}

}  // namespace

void read_floats(const Tensor& tensor, long row, float* to) {
  const long depth = tensor.depth;
  if (tensor.source == Source::kFloat32) {
    std::memcpy(to, static_cast<const float*>(tensor.data) + row * depth, 4 * depth);
  } else if (tensor.source == Source::kBfloat16) {
    const auto* const from = static_cast<const Bfloat16*>(tensor.data) + row * depth;
    for (long k = 0; k < depth; ++k) to[k] = load_one(from + k);
  } else {
    const auto* const from = static_cast<const std::uint16_t*>(tensor.data) + row * depth;
    for (long k = 0; k < depth; ++k) to[k] = half_value(from[k]);
  }
}

Matrix::Matrix(Format wanted, long wanted_columns, const std::vector<long>& segments)
    : format(wanted), columns(round_up(wanted_columns, kPanel)) {
  for (std::size_t s = 0; s < segments.size(); ++s) {
    const long end = depth + segments[s];
    for (; depth < end; depth = blocks.back().end)
      blocks.push_back({depth, std::min(depth + kBlock, end), static_cast<int>(s)});
  }
  panel_bytes = bytes_before(depth);
  weights = Memory(panels() * panel_bytes);
  bias = Memory(4 * columns);
  // Padding is zero: in 8 bits that is 128, in 4 bits the scales are zero.
  if (format == Format::kInt8) {
    scales = Memory(4 * columns * segments.size());
    std::memset(weights.data(), 128, weights.bytes());
  }
}

bool pack(Pool& pool, Matrix& matrix, const Tensor& tensor, long first_column, long first_k,
          int segment) {
  const bool is_int8 = tensor.source == Source::kInt8, is_int4 = tensor.source == Source::kInt4;
  if ((is_int8 && matrix.format != Format::kInt8) || (is_int4 && matrix.format != Format::kInt4))
    return false;
  const long first_panel = first_column / kPanel;
  const long last_panel = (first_column + tensor.columns - 1) / kPanel;
  std::vector<std::vector<float>> rows(pool.threads());
  pool.run(last_panel - first_panel + 1, [&](long piece, int thread) {
    const long number = first_panel + piece;
    const long begin = std::max(number * kPanel, first_column);
    const long end = std::min((number + 1) * kPanel, first_column + tensor.columns);
    std::uint8_t* const panel = matrix.weights.data() + number * matrix.panel_bytes;
    std::vector<float>& row = rows[thread];
    row.resize(round_up(tensor.depth, kGroup) + kGroup);
    std::fill(row.begin(), row.end(), 0.0f);
    std::vector<std::int8_t> bytes(matrix.format == Format::kInt8 ? tensor.depth : 0);
    for (long column = begin; column < end; ++column) {
      const long from = column - first_column, inside = column - number * kPanel;
      if (!is_int8 && !is_int4) read_floats(tensor, from, row.data());
      if (matrix.format == Format::kBfloat16) {
        pack_bfloat16(row.data(), tensor.depth, panel + 4 * inside, first_k);
      } else if (matrix.format == Format::kInt8) {
        const std::int8_t* values = bytes.data();
        float& scale = matrix.scales.as<float>()[segment * matrix.columns + column];
        if (is_int8) {
          values = static_cast<const std::int8_t*>(tensor.data) + from * tensor.depth;
          scale = static_cast<const float*>(tensor.scales)[from];
        } else {
          scale = quantize_row(row.data(), tensor.depth, bytes.data());
        }
        pack_bytes(values, tensor.depth, panel + 4 * inside, first_k);
      } else {
        const long groups = round_up(tensor.depth, kGroup) / kGroup;
        for (long g = 0; g < groups; ++g) {
          std::uint8_t values[kGroup];
          std::uint16_t scale;
          if (is_int4) {
            const auto* const stored =
                static_cast<const std::uint8_t*>(tensor.data) + (from * groups + g) * kGroup / 2;
            for (long k = 0; k < kGroup / 2; ++k) {
              values[k] = stored[k] & 15;
              values[k + kGroup / 2] = stored[k] >> 4;
            }
            scale = static_cast<const std::uint16_t*>(tensor.scales)[from * groups + g];
          } else {
            quantize_group(row.data() + g * kGroup, values, &scale);
          }
          pack_nibbles(values, scale, panel + (first_k / kGroup + g) * kGroupBytes4, inside);
        }
      }
    }
  });
  return true;
}

void Rows::write(long row, long first, long count, const float* values) const {
  if (format == Format::kBfloat16) {
    Bfloat16* const to = halves + row * depth + first;
    for (long k = 0; k < count; k += kLanes) store(to + k, load(values + k));
    return;
  }
  const std::int32_t offset = format == Format::kInt8 ? -128 : -8;
  for (long g = 0; g < count / kGroup; ++g) {
    const float* const group = values + g * kGroup;
    Vector greatest{};
    for (long k = 0; k < kGroup; k += kLanes) {
      const Vector value = load(group + k);
      greatest = larger(greatest, value < 0 ? -value : value);
    }
    const float limit = highest(greatest);
    const float inverse = limit > 1e-30f ? 127 / limit : 0;
    std::int8_t* const to = bytes + row * depth + first + g * kGroup;
    IntVector sum{};
    for (long k = 0; k < kGroup; k += kLanes) {
      // Adding 1.5 x 2^23 rounds to the nearest whole number and leaves it in the low bits.
      const Vector rounded = load(group + k) * inverse + 12582912.0f;
      const IntVector whole = reinterpret_cast<IntVector>(rounded) - 0x4b400000;
      sum += whole;
      typedef std::int8_t Bytes __attribute__((vector_size(kLanes)));
      const Bytes narrow = __builtin_convertvector(whole, Bytes);
      std::memcpy(to + k, &narrow, sizeof narrow);
    }
    std::int32_t total = 0;
    for (int lane = 0; lane < kLanes; ++lane) total += sum[lane];
    const long place = row * (depth / kGroup) + first / kGroup + g;
    scales[place] = limit / 127;
    offsets[place] = offset * total;
  }
}

Rows RowBuffer::reserve(Format format, long rows, long depth) {
  Rows result;
  result.format = format;
  result.depth = depth;
  if (format == Format::kBfloat16) {
    result.halves = halves_.reserve(rows * depth);
  } else {
    result.bytes = bytes_.reserve(rows * depth);
    result.scales = scales_.reserve(rows * (depth / kGroup));
    result.offsets = offsets_.reserve(rows * (depth / kGroup));
  }
  return result;
}

}  // namespace phinery
