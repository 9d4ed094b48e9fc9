// Attention over paged keys and values.
//
// A row's arithmetic has one order, by position, whatever rows, spans and page sizes are beside it: up
// to four rows of a span share what is loaded, and nothing else.

#include "attention.h"

#include <algorithm>
#include <cmath>

namespace phinery {
namespace {

constexpr long kSharing = 4;      // rows that share what they load
constexpr long kRowsOfPiece = 16;  // of a span and head, for one thread
#if defined(__AVX512F__)
constexpr int kMostVectors = 6;  // of a head's elements that are summed at once
#else
constexpr int kMostVectors = 2;
#endif

void rotate(float* head, const Rotations& rotations, long position) {
  const long half = rotations.rotary / 2;
  const float* const cos = rotations.cos + position * half;
  const float* const sin = rotations.sin + position * half;
  for (long i = 0; i < half; ++i) {
    const float first = head[i], second = head[half + i];
    head[i] = first * cos[i] - second * sin[i];
    head[half + i] = second * cos[i] + first * sin[i];
  }
}

// The byte that stands for a value, and the scale of all of a head's elements.
float quantize(const float* values, long count, std::int8_t* to) {
  float greatest = 0;
  for (long i = 0; i < count; ++i) greatest = std::max(greatest, std::fabs(values[i]));
  const float inverse = greatest > 1e-30f ? 127 / greatest : 0;
  for (long i = 0; i < count; ++i) to[i] = static_cast<std::int8_t>(std::lrintf(values[i] * inverse));
  return greatest / 127;
}

// Writes one position's key and value of a head. Positions are written in order, and an even one clears
// the odd one after it, with which it shares the words that weights are multiplied with.
template <class Element, class Convert>
void put(const Pages& pages, std::uint8_t* head, long inside, const Convert& convert) {
  const long dim = pages.padded_dim, block = inside / kPositions, place = inside % kPositions;
  auto* const keys = reinterpret_cast<Element*>(head) + block * kPositions * dim;
  auto* const values = reinterpret_cast<Element*>(head) + (pages.page_size + block * kPositions) * dim;
  for (long i = 0; i < pages.head_dim; ++i) {
    keys[(i / 2 * kPositions + place) * 2 + i % 2] = convert(0, i);
    Element* const pair = values + (place / 2 * dim + i) * 2;
    pair[place % 2] = convert(1, i);
    if (place % 2 == 0) pair[1] = Element{};
  }
}

void put_position(const Pages& pages, std::uint8_t* head, long inside, const float* key,
                  const float* value) {
  if (!pages.in_bytes) {
    put<Bfloat16>(pages, head, inside, [&](int which, long i) {
      Bfloat16 element;
      store_one(&element, (which ? value : key)[i]);
      return element;
    });
    return;
  }
  thread_local std::vector<std::int8_t> bytes;
  bytes.resize(2 * pages.head_dim);
  auto* const scales = reinterpret_cast<float*>(head + 2 * pages.page_size * pages.padded_dim);
  scales[inside] = quantize(key, pages.head_dim, bytes.data());
  scales[pages.page_size + inside] = quantize(value, pages.head_dim, bytes.data() + pages.head_dim);
  put<std::int8_t>(pages, head, inside,
                   [&](int which, long i) { return bytes[which * pages.head_dim + i]; });
}

// 16 positions of keys or values as bfloat16: where they are, or widened into `room`.
const std::uint8_t* block_at(const Pages& pages, const std::uint8_t* head, long inside, bool is_value,
                             Bfloat16* room) {
  const long elements = (inside + (is_value ? pages.page_size : 0)) * pages.padded_dim;
  if (!pages.in_bytes) return head + 2 * elements;
  const auto* const bytes = reinterpret_cast<const std::int8_t*>(head) + elements;
  typedef std::int8_t Bytes __attribute__((vector_size(kLanes)));
  for (long i = 0; i < kPositions * pages.padded_dim; i += kLanes) {
    Bytes narrow;
    std::memcpy(&narrow, bytes + i, sizeof narrow);
    store(room + i, __builtin_convertvector(narrow, Vector));
  }
  return reinterpret_cast<const std::uint8_t*>(room);
}

struct Task {
  const Pages& pages;
  long layer, head;
  const Span& span;
  float* scores;    // [rows][length], then weights as bfloat16 in the same place
  long length;      // room of a row in `scores`, a multiple of 16
  Bfloat16* room;   // a block
  Bfloat16* queries;  // [rows][padded_dim], scaled

  const std::uint8_t* page(long position) const {
    return pages.at(layer, span.pages[position / pages.page_size], head);
  }
};

// Scores of kRows rows at positions first .. first + kRows - 1, and each row's greatest.
template <int kRows>
void score(const Task& task, long first, float* greatest) {
  const Pages& pages = task.pages;
  const long pairs = pages.padded_dim / 2;
  Vector highest_so_far[kRows];
  for (int r = 0; r < kRows; ++r) highest_so_far[r] = splat(-INFINITY);
  for (long begin = 0; begin < first + kRows; begin += kPositions) {
    const std::uint8_t* const head = task.page(begin);
    const long inside = begin % pages.page_size;
    const std::uint8_t* const keys = block_at(pages, head, inside, false, task.room);
    const auto* const scales =
        reinterpret_cast<const float*>(head + 2 * pages.page_size * pages.padded_dim) + inside;
    for (int v = 0; v < kPositions / kLanes; ++v) {
      // Four sums in turn, since one would wait for itself.
      Vector sums[kRows][4] = {};
      for (long i = 0; i < pairs; i += 4) {
#pragma GCC unroll 4
        for (int part = 0; part < 4; ++part) {
          const ByteVector key = load_bytes(keys + (i + part) * 4 * kPositions + v * 4 * kLanes);
#pragma GCC unroll 4
          for (int r = 0; r < kRows; ++r)
            sums[r][part] = dot_pair(sums[r][part], key,
                                     load_word(task.queries + r * pages.padded_dim + 2 * (i + part)));
        }
      }
      const IntVector position = count_from(static_cast<int>(begin) + v * kLanes);
      for (int r = 0; r < kRows; ++r) {
        Vector total = (sums[r][0] + sums[r][1]) + (sums[r][2] + sums[r][3]);
        if (pages.in_bytes) total *= load(scales + v * kLanes);
        total = position <= static_cast<int>(first + r) ? total : splat(-INFINITY);
        highest_so_far[r] = larger(highest_so_far[r], total);
        store(task.scores + r * task.length + begin + v * kLanes, total);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) greatest[r] = highest(highest_so_far[r]);
}

// Turns a row's scores into weights, bfloat16 in the same place; returns one over their sum.
float weigh(const Task& task, int r, long count, float greatest) {
  float* const scores = task.scores + r * task.length;
  auto* const weights = reinterpret_cast<Bfloat16*>(scores);
  const Pages& pages = task.pages;
  Vector sums[kPositions / kLanes] = {};
  for (long begin = 0; begin < count; begin += kPositions) {
    for (int v = 0; v < kPositions / kLanes; ++v) {
      const long at = begin + v * kLanes;
      Vector weight = exponential(load(scores + at) - greatest);
      sums[v] += weight;
      if (pages.in_bytes) {
        const long inside = begin % pages.page_size;
        weight *= load(reinterpret_cast<const float*>(task.page(begin) +
                                                      2 * pages.page_size * pages.padded_dim) +
                       pages.page_size + inside + v * kLanes);
      }
      store(weights + at, weight);
    }
  }
  float total = 0;
  for (int lane = 0; lane < kPositions; ++lane) total += sums[lane / kLanes][lane % kLanes];
  return 1 / total;
}

// Values under the weights of kRows rows, elements c .. c + kVectors * kLanes - 1.
template <int kRows, int kVectors>
void mix(const Task& task, long first, long c, const float* inverse, float* mixed, long mixed_width) {
  const Pages& pages = task.pages;
  Vector sums[kRows][kVectors] = {};
  for (long begin = 0; begin < first + kRows; begin += kPositions) {
    const std::uint8_t* values =
        block_at(pages, task.page(begin), begin % pages.page_size, true, task.room) + 4 * c;
    // All rows go as far as the last of them: weights of later positions are zero, and so are the values
    // that were not written yet in the last pair.
    const long pairs = std::min(kPositions, first + kRows - begin + 1) / 2;
    for (long pair = 0; pair < pairs; ++pair, values += 4 * pages.padded_dim) {
      ByteVector columns[kVectors];
#pragma GCC unroll 6
      for (int v = 0; v < kVectors; ++v) columns[v] = load_bytes(values + 4 * kLanes * v);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        const auto* const weights = reinterpret_cast<const Bfloat16*>(task.scores + r * task.length);
        const std::int32_t weight = load_word(weights + begin + 2 * pair);
#pragma GCC unroll 6
        for (int v = 0; v < kVectors; ++v) sums[r][v] = dot_pair(sums[r][v], columns[v], weight);
      }
    }
  }
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v) {
      alignas(64) float out[kLanes];
      store(out, sums[r][v] * inverse[r]);
      const long at = c + v * kLanes;
      const long wanted = std::min<long>(kLanes, pages.head_dim - at);
      if (wanted > 0) std::memcpy(mixed + r * mixed_width + at, out, 4 * wanted);
    }
}

template <int kRows, int kVectors>
void mix_from(const Task& task, long first, long c, int vectors, const float* inverse, float* mixed,
              long mixed_width) {
  if constexpr (kVectors > 0) {
    if (vectors == kVectors)
      return mix<kRows, kVectors>(task, first, c, inverse, mixed, mixed_width);
    mix_from<kRows, kVectors - 1>(task, first, c, vectors, inverse, mixed, mixed_width);
  }
}

template <int kRows>
void attend_rows(const Task& task, long first, const float* queries, long query_width, float* mixed,
                 long mixed_width) {
  const Pages& pages = task.pages;
  const float scale = 1 / std::sqrt(static_cast<float>(pages.head_dim));
  for (int r = 0; r < kRows; ++r) {
    Bfloat16* const to = task.queries + r * pages.padded_dim;
    for (long i = 0; i < pages.padded_dim; ++i)
      store_one(to + i, i < pages.head_dim ? queries[r * query_width + i] * scale : 0);
  }
  float greatest[kRows], inverse[kRows];
  score<kRows>(task, first, greatest);
  // Weights up to the last row's position: those of the other rows end in zeros.
  for (int r = 0; r < kRows; ++r) inverse[r] = weigh(task, r, first + kRows, greatest[r]);
  const int vectors = static_cast<int>(pages.padded_dim / kLanes);
  const int parts = (vectors + kMostVectors - 1) / kMostVectors;
  for (int part = 0, v = 0; part < parts; ++part) {
    const int count = (vectors - v + parts - part - 1) / (parts - part);
    mix_from<kRows, kMostVectors>(task, first, v * kLanes, count, inverse, mixed, mixed_width);
    v += count;
  }
}

}  // namespace

Pages::Pages(long layer_count, long head_count, long dim, long positions, long page_count, bool bytes)
    : layers(layer_count), heads(head_count), head_dim(dim), padded_dim(round_up(dim, 16)),
      page_size(positions), count(page_count), in_bytes(bytes),
      memory(static_cast<std::size_t>(layers) * count * heads * head_bytes()) {}

void AttentionScratch::prepare(const Pages& pages, int threads, long positions) {
  of_thread.resize(threads);
  const long length = round_up(positions, kPositions);
  const long needed = kSharing * length + (kSharing + kPositions) * pages.padded_dim / 2 + 64;
  for (std::vector<float>& scratch : of_thread)
    if (static_cast<long>(scratch.size()) < needed) scratch.resize(needed * 5 / 4);
}

void attend(Pool& pool, const Pages& pages, long layer, const std::vector<Span>& spans,
            const Rotations& rotations, const Projections& projections, AttentionScratch& scratch,
            float* mixed, long mixed_width) {
  const long heads = pages.heads, dim = pages.head_dim, width = heads * dim;
  long positions = 0;
  for (const Span& span : spans) positions = std::max(positions, span.start + span.rows);
  scratch.prepare(pages, pool.threads(), positions);

  const auto put_rows = [&](const Span& span, long head) {
    for (long r = 0; r < span.rows; ++r) {
      const long position = span.start + r;
      float* const query =
          projections.rows + (span.first_row + r) * projections.row_width + head * dim;
      rotate(query, rotations, position);
      rotate(query + width, rotations, position);
      put_position(pages, pages.at(layer, span.pages[position / pages.page_size], head),
                   position % pages.page_size, query + width, query + 2 * width);
    }
  };
  const auto attend_piece = [&](const Span& span, long head, long first, long count, int thread) {
    float* const memory = scratch.of_thread[thread].data();
    const long length = round_up(positions, kPositions);
    auto* const queries = reinterpret_cast<Bfloat16*>(memory + kSharing * length);
    const Task task{pages, layer, head, span, memory, length, queries + kSharing * pages.padded_dim,
                    queries};
    for (long r = first; r < first + count;) {
      const float* const query =
          projections.rows + (span.first_row + r) * projections.row_width + head * dim;
      float* const to = mixed + (span.first_row + r) * mixed_width + head * dim;
      const long position = span.start + r;
      if (first + count - r >= kSharing) {
        attend_rows<kSharing>(task, position, query, projections.row_width, to, mixed_width);
        r += kSharing;
      } else {
        attend_rows<1>(task, position, query, projections.row_width, to, mixed_width);
        r += 1;
      }
    }
  };

  struct Piece {
    long span, first, count;
  };
  std::vector<Piece> pieces;
  bool has_long = false;
  for (std::size_t s = 0; s < spans.size(); ++s) {
    has_long |= spans[s].rows > 1;
    for (long first = 0; first < spans[s].rows; first += kRowsOfPiece)
      pieces.push_back({static_cast<long>(s), first, std::min(kRowsOfPiece, spans[s].rows - first)});
  }
  // Rows of a prompt attend to each other: all of their keys must be there first.
  if (has_long)
    pool.run(static_cast<long>(spans.size()) * heads, [&](long task, int) {
      const Span& span = spans[task / heads];
      if (span.rows > 1) put_rows(span, task % heads);
    });
  // The longest rows last in a span would end last: begin with them.
  pool.run(static_cast<long>(pieces.size()) * heads, [&](long task, int thread) {
    const Piece& piece = pieces[pieces.size() - 1 - task / heads];
    const Span& span = spans[piece.span];
    if (span.rows == 1) put_rows(span, task % heads);
    attend_piece(span, task % heads, piece.first, piece.count, thread);
  });
}

}  // namespace phinery
