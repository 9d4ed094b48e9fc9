// Vectors of floats as wide as the target's registers, and what the kernels do with them.
//
// Written with the vector extensions of GCC and Clang, so that one source serves AVX-512, AVX2 and
// the rest: the build compiles it once for each instruction set (see hatch_build.py).
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace phinery {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float Vector __attribute__((vector_size(4 * kLanes)));
typedef std::int32_t IntVector __attribute__((vector_size(4 * kLanes)));
typedef std::uint32_t Bits __attribute__((vector_size(4 * kLanes)));
typedef std::uint16_t HalfBits __attribute__((vector_size(2 * kLanes)));

// The upper half of a float's bits.
struct Bfloat16 {
  std::uint16_t bits;
};

inline long round_up(long value, long step) { return (value + step - 1) / step * step; }

inline Vector load(const float* from) {
  Vector vector;
  std::memcpy(&vector, from, sizeof vector);
  return vector;
}

inline Vector load(const Bfloat16* from) {
  HalfBits half;
  std::memcpy(&half, from, sizeof half);
  return reinterpret_cast<Vector>(__builtin_convertvector(half, Bits) << 16);
}

inline void store(float* to, Vector vector) { std::memcpy(to, &vector, sizeof vector); }

// Rounds to nearest, ties to even; NaN stays NaN.
inline void store(Bfloat16* to, Vector vector) {
  const Bits bits = reinterpret_cast<Bits>(vector);
  const Bits rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const Bits quiet = (bits >> 16) | 0x40u;
  const HalfBits half = __builtin_convertvector(vector == vector ? rounded : quiet, HalfBits);
  std::memcpy(to, &half, sizeof half);
}

// Words of two bfloat16, `first` in the lower half: what the dot product of pairs works on. They are
// kept in memory and vectors of floats, of which they have the size.
#if defined(__AVX512BF16__)
constexpr bool kHasPairs = true;
inline Vector pair_up(Vector first, Vector second) {
  const Bits low = reinterpret_cast<Bits>(first), high = reinterpret_cast<Bits>(second);
  const Bits low_rounded = (low + 0x7fffu + ((low >> 16) & 1u)) >> 16;
  const Bits high_rounded = (high + 0x7fffu + ((high >> 16) & 1u)) & 0xffff0000u;
  return reinterpret_cast<Vector>(low_rounded | high_rounded);
}
// sum + the dot product of one pair with each pair of `columns`, in float32.
inline Vector dot_pairs(Vector sum, const float* pair, Vector columns) {
  int word;
  std::memcpy(&word, pair, sizeof word);
  return reinterpret_cast<Vector>(_mm512_dpbf16_ps(
      reinterpret_cast<__m512>(sum), reinterpret_cast<__m512bh>(_mm512_set1_epi32(word)),
      reinterpret_cast<__m512bh>(columns)));
}
// Turns `count` floats, a multiple of two vectors or less padding, into count / 2 pairs of
// neighbours, in place.
inline void pair_neighbours(float* row, long count) {
  for (long i = 0; i < count; i += 2 * kLanes) {
    const auto second = reinterpret_cast<__m512>(load(row + i + kLanes));
    const auto first = reinterpret_cast<__m512>(load(row + i));
    store(row + i / 2, reinterpret_cast<Vector>(_mm512_cvtne2ps_pbh(second, first)));
  }
}
#else
constexpr bool kHasPairs = false;
inline Vector pair_up(Vector first, Vector) { return first; }
inline Vector dot_pairs(Vector sum, const float*, Vector) { return sum; }
inline void pair_neighbours(float*, long) {}
#endif

inline float load_one(const float* from) { return *from; }
inline float load_one(const Bfloat16* from) {
  const std::uint32_t bits = std::uint32_t{from->bits} << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline void store_one(float* to, float value) { *to = value; }
inline void store_one(Bfloat16* to, float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  to->bits = value == value ? (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16 : (bits >> 16) | 0x40u;
}

inline Vector splat(float value) { return value - Vector{}; }

inline IntVector count_from(int first) {
  IntVector numbers;
  for (int lane = 0; lane < kLanes; ++lane) numbers[lane] = first + lane;
  return numbers;
}

inline float sum(Vector vector) {
  float total = 0;
  for (int lane = 0; lane < kLanes; ++lane) total += vector[lane];
  return total;
}

inline float highest(Vector vector) {
  float result = vector[0];
  for (int lane = 1; lane < kLanes; ++lane) result = vector[lane] > result ? vector[lane] : result;
  return result;
}

inline Vector larger(Vector one, Vector other) { return one > other ? one : other; }

// Turns kLanes rows of kLanes floats into their columns: in log2(kLanes) rounds, each of which swaps
// off-diagonal blocks of twice the size.
inline void transpose_block(Vector* rows) {
#if defined(__clang__)
  Vector columns[kLanes];
  for (int r = 0; r < kLanes; ++r)
    for (int c = 0; c < kLanes; ++c) columns[c][r] = rows[r][c];
  for (int r = 0; r < kLanes; ++r) rows[r] = columns[r];
#else
#pragma GCC unroll 4
  for (int step = 1; step < kLanes; step *= 2) {
    IntVector lower, upper;
    for (int lane = 0; lane < kLanes; ++lane) {
      lower[lane] = lane & step ? kLanes + lane - step : lane;
      upper[lane] = lane & step ? kLanes + lane : lane + step;
    }
    for (int r = 0; r < kLanes; ++r) {
      if (r & step) continue;
      const Vector one = rows[r], other = rows[r + step];
      rows[r] = __builtin_shuffle(one, other, lower);
      rows[r + step] = __builtin_shuffle(one, other, upper);
    }
  }
#endif
}

// e^x within 2 units in the last place: 2^n e^r with |r| <= ln 2 / 2, e^r by its Taylor polynomial
// of degree 7. Below -87.3 it is 0, above 88.3 infinite.
inline Vector exponential(Vector x) {
  const Vector largest = splat(88.3f), least = splat(-87.3f);
  const auto overflows = x > largest, vanishes = x < least;
  x = overflows ? largest : x;
  x = vanishes ? least : x;
  const float magic = 12582912.0f;  // 1.5 x 2^23: adding it rounds to a whole number
  const Vector n = (x * 1.44269504f + magic) - magic;
  const Vector r = (x - n * 0.693359375f) + n * 2.12194440e-4f;  // ln 2 in two parts
  Vector p = r * (1.0f / 5040) + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const IntVector power = (__builtin_convertvector(n, IntVector) + 127) << 23;
  const Vector result = vanishes ? Vector{} : p * reinterpret_cast<Vector>(power);
  return overflows ? splat(__builtin_inff()) : result;
}

}  // namespace phinery
