// Keys and values in pages, and attention over them.
//
// A page holds `page_size` consecutive positions of one sequence, for every layer and head. For a
// layer, page and head, keys come first, then values, each in blocks of 16 positions:
//
//   keys    [head_dim / 2][16 positions][2]    a vector of them meets two elements of a query
//   values  [16 positions / 2][head_dim][2]    a vector of them meets two weights
//
// head_dim is padded with zeros to a multiple of 16. Elements are bfloat16; or bytes in the same
// order, with a float scale for each position after keys and values (first the keys' scales), which
// are widened to bfloat16, exactly, a block at a time. So both kinds go through the same products.
#pragma once

#include <vector>

#include "memory.h"
#include "pool.h"
#include "products.h"

namespace phinery {

constexpr long kPositions = 16;  // of a block

struct Pages {
  long layers, heads, head_dim, padded_dim, page_size, count;
  bool in_bytes;
  Memory memory;

  Pages(long layers, long heads, long head_dim, long page_size, long count, bool in_bytes);

  long head_bytes() const {
    return page_size * padded_dim * (in_bytes ? 2 : 4) + (in_bytes ? 8 * page_size : 0);
  }
  std::uint8_t* at(long layer, long page, long head) const {
    return memory.data() + ((layer * count + page) * heads + head) * head_bytes();
  }
};

// Consecutive tokens of one sequence, as rows of a step.
struct Span {
  long first_row, rows;
  long start;                  // position of the first row
  const std::int32_t* pages;   // page i holds positions i * page_size and so on
};

struct Rotations {
  const float* cos;  // [positions][rotary / 2]
  const float* sin;
  long rotary;
};

// Rows of queries, keys and values, one after the other in `row_width` floats, each [heads][head_dim].
struct Projections {
  float* rows;
  long row_width;
};

// Scores and weights of a thread, and blocks widened from bytes.
struct AttentionScratch {
  std::vector<std::vector<float>> of_thread;
  void prepare(const Pages& pages, int threads, long positions);
};

// Rotates queries and keys, puts keys and values of all rows into their pages, and writes what each row
// attends to, [heads][head_dim], to mixed + row * mixed_width.
void attend(Pool& pool, const Pages& pages, long layer, const std::vector<Span>& spans,
            const Rotations& rotations, const Projections& projections, AttentionScratch& scratch,
            float* mixed, long mixed_width);

}  // namespace phinery
