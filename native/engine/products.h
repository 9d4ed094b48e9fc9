// The three instructions that the engine's products are made of, for each instruction set.
//
// - dot_pair: two bfloat16 of a row times two of each of kLanes columns, added in float32.
// - dot_quad: four signed bytes of a row times four bytes of each of kLanes columns, added in int32.
// - from_half: kLanes float16 as floats.
//
// Weights of eight bits are kept as value + 128 and those of four bits as value + 8, since
// AVX512-VNNI multiplies unsigned by signed bytes; what the offset adds, the sum of the row's bytes
// times it, is taken off in the accumulators' first value (`first_sum`). All sets give the same
// integers.
#pragma once

#include <cstdint>
#include <cstring>

#include "../simd.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace phinery {

// As many bytes as there are in a Vector.
typedef std::uint8_t ByteVector __attribute__((vector_size(4 * kLanes)));

inline ByteVector load_bytes(const void* from) {
  ByteVector bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  return bytes;
}

inline std::int32_t load_word(const void* from) {
  std::int32_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

#if defined(__AVX512BF16__)
inline Vector dot_pair(Vector sum, ByteVector columns, std::int32_t pair) {
  return reinterpret_cast<Vector>(_mm512_dpbf16_ps(
      reinterpret_cast<__m512>(sum), reinterpret_cast<__m512bh>(columns),
      reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair))));
}
#else
inline Vector dot_pair(Vector sum, ByteVector columns, std::int32_t pair) {
  const Bits words = reinterpret_cast<Bits>(columns);
  float low, high;
  const std::uint32_t low_bits = static_cast<std::uint32_t>(pair) << 16;
  const std::uint32_t high_bits = static_cast<std::uint32_t>(pair) & 0xffff0000u;
  std::memcpy(&low, &low_bits, 4);
  std::memcpy(&high, &high_bits, 4);
  sum += reinterpret_cast<Vector>(words & 0xffff0000u) * high;
  return sum + reinterpret_cast<Vector>(words << 16) * low;
}
#endif

enum class Width { kEight, kFour };  // bits of a weight

#if defined(__AVX512VNNI__)
template <Width>
inline IntVector first_sum(std::int32_t offset) {
  return offset - IntVector{};
}
template <Width>
inline IntVector dot_quad(IntVector sum, ByteVector columns, std::int32_t quad) {
  return reinterpret_cast<IntVector>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sum),
                                                         reinterpret_cast<__m512i>(columns),
                                                         _mm512_set1_epi32(quad)));
}
#elif defined(__AVX2__) && !defined(__AVX512F__)
// Pairs of products are added in 16 bits with saturation, which must not happen: of eight-bit
// weights the signed value times the row's magnitude is at most 2 x 127 x 127 < 2^15.
template <Width width>
inline IntVector first_sum(std::int32_t offset) {
  return (width == Width::kEight ? 0 : offset) - IntVector{};
}
template <Width width>
inline IntVector dot_quad(IntVector sum, ByteVector columns, std::int32_t quad) {
  const __m256i row = _mm256_set1_epi32(quad);
  __m256i pairs;
  if constexpr (width == Width::kEight) {
    const __m256i values = _mm256_xor_si256(reinterpret_cast<__m256i>(columns), _mm256_set1_epi8(-128));
    pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(row), _mm256_sign_epi8(values, row));
  } else {
    pairs = _mm256_maddubs_epi16(reinterpret_cast<__m256i>(columns), row);
  }
  const __m256i quads = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
  return sum + reinterpret_cast<IntVector>(quads);
}
#else
template <Width>
inline IntVector first_sum(std::int32_t offset) {
  return offset - IntVector{};
}
template <Width>
inline IntVector dot_quad(IntVector sum, ByteVector columns, std::int32_t quad) {
  // The four bytes of a column stand in one word: take them out one after the other.
  const Bits words = reinterpret_cast<Bits>(columns);
  for (int byte = 0; byte < 4; ++byte) {
    const std::int32_t factor = static_cast<std::int8_t>(static_cast<std::uint32_t>(quad) >> (8 * byte));
    sum += reinterpret_cast<IntVector>((words >> (8 * byte)) & 255u) * factor;
  }
  return sum;
}
#endif

#if defined(__AVX512F__)
inline Vector from_half(const std::uint16_t* from) {
  return reinterpret_cast<Vector>(
      _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))));
}
#elif defined(__F16C__)
inline Vector from_half(const std::uint16_t* from) {
  return reinterpret_cast<Vector>(
      _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
}
#else
// Exponent and fraction moved into place; the exponents' bases differ by 2^112, which also makes
// subnormal numbers right. There are no infinite scales.
inline Vector from_half(const std::uint16_t* from) {
  HalfBits half;
  std::memcpy(&half, from, sizeof half);
  const Bits bits = __builtin_convertvector(half, Bits);
  const Vector magnitude = reinterpret_cast<Vector>((bits & 0x7fffu) << 13) * 0x1p112f;
  return reinterpret_cast<Vector>(reinterpret_cast<Bits>(magnitude) | ((bits & 0x8000u) << 16));
}
#endif

}  // namespace phinery
