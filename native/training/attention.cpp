// Causal attention with rotary positions for training, forward and backward.
//
// Queries, keys and values come as the projections write them, (batch, seq, heads x width), and so
// go the result and the gradients: rotation and change of layout happen while a head is copied into
// the caches. Arithmetic is in float32, except that products of bfloat16 are those of pairs where the
// processor has them (AVX512-BF16): factors rounded to bfloat16, sums in float32. A head is one
// thread's from start to end, in a fixed order, so results do not depend on the number of threads.
//
// For one head (seq x width, widths padded to whole vectors) a block of kQueries queries at a time:
//   scores (queries x keys) = queries x keys^T, softmax over each row's visible keys,
//   result = weights x values.
// The whole row of scores is there at once (kQueries x seq x 4 bytes, in the second-level cache up
// to 2,048 keys or so), hence no running rescaling, and the backward pass needs nothing but queries,
// keys and values again: it computes scores and weights anew. Keys after the block, and before the
// first document that the block's queries see, are never touched.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <type_traits>
#include <vector>

#include <omp.h>

#include "multiply.h"

namespace phinery {
namespace {

constexpr long kQueries = 48;  // a multiple of the tile's rows
constexpr long kAlignment = 64;

struct Shape {
  long batch, seq, heads, width, half;  // half: rotated pairs of a head
  long rotation_batch;                  // floats between the angles of two batch entries, or 0
};

// Where a head's rows lie in (batch, seq, heads x width).
struct HeadRows {
  long first, step;
};

HeadRows rows_of(const Shape& shape, long batch, long head) {
  const long step = shape.heads * shape.width;
  return {batch * shape.seq * step + head * shape.width, step};
}

// Copies a row of a head into float32, rotated by (cos, sin), times `scale`; zeros fill the padding.
template <typename T>
void take_row(const T* from, float* to, long width, long padded, long half, const float* cos,
              const float* sin, float scale) {
  for (long d = 0; d < half; ++d) {
    const float first = load_one(from + d), second = load_one(from + half + d);
    to[d] = (first * cos[d] - second * sin[d]) * scale;
    to[half + d] = (second * cos[d] + first * sin[d]) * scale;
  }
  for (long d = 2 * half; d < width; ++d) to[d] = load_one(from + d) * scale;
  for (long d = width; d < padded; ++d) to[d] = 0;
}

// The transpose of `take_row`: rotates a gradient back.
template <typename T>
void give_row(const float* from, T* to, long width, long half, const float* cos, const float* sin,
              float scale) {
  for (long d = 0; d < half; ++d) {
    const float first = from[d] * scale, second = from[half + d] * scale;
    store_one(to + d, first * cos[d] + second * sin[d]);
    store_one(to + half + d, second * cos[d] - first * sin[d]);
  }
  for (long d = 2 * half; d < width; ++d) store_one(to + d, from[d] * scale);
}

// to (width x to_row) = transpose of from (to_row x width, rows from_row apart), both counts being
// whole vectors.
void transpose(const float* from, long from_row, long width, float* to, long to_row) {
  for (long start = 0; start < to_row; start += kLanes)
    for (long d = 0; d < width; d += kLanes) {
      Vector block[kLanes];
      for (int r = 0; r < kLanes; ++r) block[r] = load(from + (start + r) * from_row + d);
      transpose_block(block);
      for (int r = 0; r < kLanes; ++r) store(to + (d + r) * to_row + start, block[r]);
    }
}

// Row pairs of from (rows x row) become rows of pairs in `to`; what an odd last row lacks is zero.
void pair_rows(const float* from, long row, long rows, long width, float* to) {
  for (long r = 0; r < rows; r += 2)
    for (long d = 0; d < width; d += kLanes) {
      const Vector second = r + 1 < rows ? load(from + (r + 1) * row + d) : Vector{};
      store(to + r / 2 * row + d, pair_up(load(from + r * row + d), second));
    }
}

// first[i]: the first position of i's document, which identifies it.
void label_documents(const std::int64_t* documents, long seq, std::int32_t* first) {
  std::vector<std::int32_t> starts;
  for (long i = 0; i < seq; ++i) {
    if (i > 0 && documents[i] == documents[i - 1]) {
      first[i] = first[i - 1];
      continue;
    }
    const auto same = std::find_if(starts.begin(), starts.end(), [&](std::int32_t start) {
      return documents[start] == documents[i];
    });
    if (same != starts.end()) {
      first[i] = *same;
    } else {
      first[i] = static_cast<std::int32_t>(i);
      starts.push_back(first[i]);
    }
  }
}

// Memory of one thread. A matrix of rows x padded is kept in up to three forms, as the products want
// it: `plain`; `transposed`; and `stacked`, which is plain, or pairs of rows where the products work
// on pairs. `panel` rows are a vector longer than needed: else rows of 4,096 bytes fall into the same
// few cache sets.
struct Scratch {
  long keys, padded, panel;  // seq and width in whole vectors; floats of a panel's row
  float *plain_keys, *transposed_keys, *stacked_keys;
  float *plain_values, *transposed_values, *stacked_values;
  float *grad_keys, *grad_values;
  float *queries, *stacked_queries, *results, *stacked_results;
  float *weights, *stacked_weights, *grad_scores, *stacked_grad_scores;
  float* inverse;
  std::int32_t* first;

  // Whole pairs of vectors, so that a row of floats turns into whole vectors of pairs.
  static long padded_width(const Shape& shape) { return round_up(shape.width, 2 * kLanes); }
  static long padded_keys(const Shape& shape) { return round_up(shape.seq, 2 * kLanes); }

  static long floats(const Shape& shape) {
    const long keys = padded_keys(shape), padded = padded_width(shape);
    return 8 * keys * padded + 4 * kQueries * padded + 4 * kQueries * (keys + kLanes) +
           round_up(kQueries, kLanes) + keys;
  }

  Scratch(const Shape& shape, bool paired, float* memory)
      : keys(padded_keys(shape)), padded(padded_width(shape)), panel(keys + kLanes) {
    const auto take = [&](long count) {
      float* const start = memory;
      memory += count;
      return start;
    };
    const auto stacked = [&](float* plain, long count) { return paired ? take(count) : plain; };
    plain_keys = take(keys * padded);
    transposed_keys = take(keys * padded);
    stacked_keys = stacked(plain_keys, keys * padded);
    plain_values = take(keys * padded);
    transposed_values = take(keys * padded);
    stacked_values = stacked(plain_values, keys * padded);
    grad_keys = take(keys * padded);
    grad_values = take(keys * padded);
    queries = take(kQueries * padded);
    stacked_queries = stacked(queries, kQueries * padded);
    results = take(kQueries * padded);
    stacked_results = stacked(results, kQueries * padded);
    weights = take(kQueries * panel);
    stacked_weights = stacked(weights, kQueries * panel);
    grad_scores = take(kQueries * panel);
    stacked_grad_scores = stacked(grad_scores, kQueries * panel);
    inverse = take(round_up(kQueries, kLanes));
    first = reinterpret_cast<std::int32_t*>(take(keys));
  }
};

// One call's inputs and what every head's work needs.
template <typename T>
struct Task {
  // Whether products work on pairs of bfloat16, and the number of pairs, or else of floats, in `n`.
  static constexpr bool kPaired = kHasPairs && std::is_same_v<T, Bfloat16>;
  static long words(long n) { return kPaired ? n / 2 : n; }

  Shape shape;
  const T *query, *key, *value;
  const float *cos, *sin;
  const std::int64_t* documents;  // (batch, seq), or null: one document a row

  float scale() const { return 1.0f / std::sqrt(static_cast<float>(shape.width)); }
  const float* angles(const float* table, long batch, long position) const {
    return table + batch * shape.rotation_batch + position * shape.half;
  }
};

// The part of the keys that a block of queries meets, in whole vectors.
struct Block {
  long start, rows, from, length;
};

Block block_at(const Scratch& scratch, long start, long seq, bool packed) {
  const long rows = std::min(kQueries, seq - start);
  long from = 0;
  if (packed) {
    from = *std::min_element(scratch.first + start, scratch.first + start + rows);
    from = from / (2 * kLanes) * (2 * kLanes);
  }
  return {start, rows, from, round_up(start + rows, 2 * kLanes) - from};
}

// Rows from `from` on, `count` of them and zeros up to `all`.
template <typename T>
void take_plain(const T* from, float* to, const Scratch& s, const Shape& shape, long count, long all,
                HeadRows rows) {
  for (long i = 0; i < count; ++i)
    take_row(from + rows.first + i * rows.step, to + i * s.padded, shape.width, s.padded, 0, nullptr,
             nullptr, 1.0f);
  std::fill(to + count * s.padded, to + all * s.padded, 0.0f);
}

// From the plain form of a matrix the other two; the plain one becomes pairs, if products want them.
template <typename T>
void arrange(float* plain, float* transposed, float* stacked, long rows, const Scratch& s) {
  if (Task<T>::kPaired) {
    if (stacked != nullptr) pair_rows(plain, s.padded, rows, s.padded, stacked);
    for (long r = 0; r < rows; ++r) pair_neighbours(plain + r * s.padded, s.padded);
  }
  if (transposed != nullptr)
    transpose(plain, s.padded, round_up(Task<T>::words(s.padded), kLanes), transposed, s.keys);
}

template <typename T>
void take_keys(const Task<T>& task, Scratch& s, long batch, HeadRows rows) {
  const Shape& shape = task.shape;
  for (long i = 0; i < shape.seq; ++i)
    take_row(task.key + rows.first + i * rows.step, s.plain_keys + i * s.padded, shape.width,
             s.padded, shape.half, task.angles(task.cos, batch, i), task.angles(task.sin, batch, i),
             1.0f);
  std::fill(s.plain_keys + shape.seq * s.padded, s.plain_keys + s.keys * s.padded, 0.0f);
  arrange<T>(s.plain_keys, s.transposed_keys, s.stacked_keys, s.keys, s);
}

// Queries of the block, rotated and scaled; then the exponentials of their scores less each row's
// highest, 0 where a query may not look, and the inverse of each row's sum.
template <typename T>
void weigh(const Task<T>& task, Scratch& s, const Block& block, long batch, HeadRows rows) {
  const Shape& shape = task.shape;
  for (long r = 0; r < block.rows; ++r) {
    const long i = block.start + r;
    take_row(task.query + rows.first + i * rows.step, s.queries + r * s.padded, shape.width,
             s.padded, shape.half, task.angles(task.cos, batch, i), task.angles(task.sin, batch, i),
             task.scale());
  }
  arrange<T>(s.queries, nullptr, s.stacked_queries, block.rows, s);
  multiply<Task<T>::kPaired>(block.rows, block.length, task.words(s.padded),
                             {s.queries, s.padded, 1}, s.transposed_keys + block.from, s.keys,
                             s.weights, s.panel, false);
  const bool packed = task.documents != nullptr;
  for (long r = 0; r < block.rows; ++r) {
    float* const row = s.weights + r * s.panel;
    const std::int32_t last = static_cast<std::int32_t>(block.start + r);
    const std::int32_t document = packed ? s.first[last] : 0;
    Vector best = splat(-INFINITY);
    for (long k = 0; k < block.length; k += kLanes) {
      const int key = static_cast<int>(block.from + k);
      IntVector visible = count_from(key) <= last;
      if (packed) {
        IntVector labels;
        std::memcpy(&labels, s.first + key, sizeof labels);
        visible &= labels == document;
      }
      const Vector score = visible ? load(row + k) : splat(-INFINITY);
      store(row + k, score);
      best = larger(score, best);
    }
    const Vector top = splat(highest(best));
    Vector total = {};
    for (long k = 0; k < block.length; k += kLanes) {
      const Vector weight = exponential(load(row + k) - top);
      store(row + k, weight);
      total += weight;
    }
    s.inverse[r] = 1.0f / sum(total);
  }
}

template <typename T>
void forward_head(const Task<T>& task, Scratch& s, long batch, long head, T* mixed) {
  const Shape& shape = task.shape;
  const HeadRows rows = rows_of(shape, batch, head);
  const bool packed = task.documents != nullptr;
  if (packed) label_documents(task.documents + batch * shape.seq, shape.seq, s.first);
  take_keys(task, s, batch, rows);
  take_plain(task.value, s.plain_values, s, shape, shape.seq, s.keys, rows);
  arrange<T>(s.plain_values, nullptr, s.stacked_values, s.keys, s);
  for (long start = 0; start < shape.seq; start += kQueries) {
    const Block block = block_at(s, start, shape.seq, packed);
    weigh(task, s, block, batch, rows);
    if (task.kPaired)
      for (long r = 0; r < block.rows; ++r) pair_neighbours(s.weights + r * s.panel, block.length);
    multiply<Task<T>::kPaired>(block.rows, s.padded, task.words(block.length),
                               {s.weights, s.panel, 1},
                               s.stacked_values + task.words(block.from) * s.padded, s.padded,
                               s.results, s.padded, false);
    for (long r = 0; r < block.rows; ++r)
      give_row(s.results + r * s.padded, mixed + rows.first + (start + r) * rows.step, shape.width, 0,
               nullptr, nullptr, s.inverse[r]);
  }
}

template <typename T>
void backward_head(const Task<T>& task, Scratch& s, long batch, long head, const T* grad_mixed,
                   T* grad_query, T* grad_key, T* grad_value) {
  const Shape& shape = task.shape;
  const HeadRows rows = rows_of(shape, batch, head);
  const bool packed = task.documents != nullptr;
  if (packed) label_documents(task.documents + batch * shape.seq, shape.seq, s.first);
  take_keys(task, s, batch, rows);
  take_plain(task.value, s.plain_values, s, shape, shape.seq, s.keys, rows);
  arrange<T>(s.plain_values, s.transposed_values, nullptr, s.keys, s);
  std::fill_n(s.grad_keys, s.keys * s.padded, 0.0f);
  std::fill_n(s.grad_values, s.keys * s.padded, 0.0f);
  constexpr bool kPaired = Task<T>::kPaired;
  for (long start = 0; start < shape.seq; start += kQueries) {
    const Block block = block_at(s, start, shape.seq, packed);
    weigh(task, s, block, batch, rows);
    const HeadRows grad_rows = {rows.first + start * rows.step, rows.step};
    take_plain(grad_mixed, s.results, s, shape, block.rows, block.rows, grad_rows);
    arrange<T>(s.results, nullptr, s.stacked_results, block.rows, s);
    multiply<kPaired>(block.rows, block.length, task.words(s.padded), {s.results, s.padded, 1},
                      s.transposed_values + block.from, s.keys, s.grad_scores, s.panel, false);
    for (long r = 0; r < block.rows; ++r) {
      // gradient of the scores = weights x (gradient of the weights - its mean under the weights)
      float* const weights = s.weights + r * s.panel;
      float* const gradient = s.grad_scores + r * s.panel;
      Vector total = {};
      for (long k = 0; k < block.length; k += kLanes) {
        const Vector weight = load(weights + k) * s.inverse[r];
        store(weights + k, weight);
        total += weight * load(gradient + k);
      }
      const float mean = sum(total);
      for (long k = 0; k < block.length; k += kLanes)
        store(gradient + k, load(weights + k) * (load(gradient + k) - mean));
    }
    if (kPaired) {
      pair_rows(s.weights, s.panel, block.rows, block.length, s.stacked_weights);
      pair_rows(s.grad_scores, s.panel, block.rows, block.length, s.stacked_grad_scores);
      for (long r = 0; r < block.rows; ++r)
        pair_neighbours(s.grad_scores + r * s.panel, block.length);
    }
    const long depth = kPaired ? (block.rows + 1) / 2 : block.rows;
    multiply<kPaired>(block.length, s.padded, depth, {s.stacked_weights, 1, s.panel},
                      s.stacked_results, s.padded, s.grad_values + block.from * s.padded, s.padded,
                      true);
    multiply<kPaired>(block.length, s.padded, depth, {s.stacked_grad_scores, 1, s.panel},
                      s.stacked_queries, s.padded, s.grad_keys + block.from * s.padded, s.padded,
                      true);
    multiply<kPaired>(block.rows, s.padded, task.words(block.length), {s.grad_scores, s.panel, 1},
                      s.stacked_keys + task.words(block.from) * s.padded, s.padded, s.results,
                      s.padded, false);
    for (long r = 0; r < block.rows; ++r)
      give_row(s.results + r * s.padded, grad_query + rows.first + (start + r) * rows.step,
               shape.width, shape.half, task.angles(task.cos, batch, start + r),
               task.angles(task.sin, batch, start + r), task.scale());
  }
  for (long i = 0; i < shape.seq; ++i) {
    const long at = rows.first + i * rows.step;
    give_row(s.grad_keys + i * s.padded, grad_key + at, shape.width, shape.half,
             task.angles(task.cos, batch, i), task.angles(task.sin, batch, i), 1.0f);
    give_row(s.grad_values + i * s.padded, grad_value + at, shape.width, 0, nullptr, nullptr, 1.0f);
  }
}

// Calls work(scratch, batch, head) for every head, on `threads` threads. False without memory.
template <typename Work>
bool for_every_head(const Shape& shape, bool paired, int threads, const Work& work) {
  const long each = round_up(Scratch::floats(shape) * static_cast<long>(sizeof(float)), kAlignment);
  char* const memory = static_cast<char*>(std::aligned_alloc(kAlignment, each * threads));
  if (memory == nullptr) return false;
#pragma omp parallel num_threads(threads)
  {
    float* const mine = reinterpret_cast<float*>(memory + each * omp_get_thread_num());
    Scratch scratch(shape, paired, mine);
#pragma omp for schedule(dynamic)
    for (long task = 0; task < shape.batch * shape.heads; ++task)
      work(scratch, task / shape.heads, task % shape.heads);
  }
  std::free(memory);
  return true;
}

template <typename T>
Task<T> task_of(const Shape& shape, const void* query, const void* key, const void* value,
                const float* cos, const float* sin, const std::int64_t* documents) {
  return {shape, static_cast<const T*>(query), static_cast<const T*>(key),
          static_cast<const T*>(value), cos, sin, documents};
}

template <typename T>
bool forward(const Task<T>& task, int threads, void* mixed) {
  return for_every_head(task.shape, task.kPaired, threads, [&](Scratch& scratch, long batch, long head) {
    forward_head(task, scratch, batch, head, static_cast<T*>(mixed));
  });
}

template <typename T>
bool backward(const Task<T>& task, int threads, const void* grad_mixed, void* grad_query,
              void* grad_key, void* grad_value) {
  return for_every_head(task.shape, task.kPaired, threads, [&](Scratch& scratch, long batch, long head) {
    backward_head(task, scratch, batch, head, static_cast<const T*>(grad_mixed),
                  static_cast<T*>(grad_query), static_cast<T*>(grad_key),
                  static_cast<T*>(grad_value));
  });
}

}  // namespace
}  // namespace phinery

// Arrays of `bfloat16` elements when that is 1, of floats otherwise: query, key, value, mixed and
// their gradients are (batch, seq, heads, width), contiguous. cos and sin are (seq, half), `half`
// pairs of a head being rotated, with `rotation_batch` floats from one batch entry to the next (0:
// all share them). documents is (batch, seq) or null. Both return 1, or 0 when memory is exhausted.
extern "C" {

int phinery_attention_forward(int bfloat16, int threads, long batch, long seq, long heads,
                              long width, long half, long rotation_batch, const void* query,
                              const void* key, const void* value, const float* cos,
                              const float* sin, const std::int64_t* documents, void* mixed) {
  using namespace phinery;
  const Shape shape = {batch, seq, heads, width, half, rotation_batch};
  return bfloat16 ? forward(task_of<Bfloat16>(shape, query, key, value, cos, sin, documents),
                            threads, mixed)
                  : forward(task_of<float>(shape, query, key, value, cos, sin, documents), threads,
                            mixed);
}

int phinery_attention_backward(int bfloat16, int threads, long batch, long seq, long heads,
                               long width, long half, long rotation_batch, const void* query,
                               const void* key, const void* value, const float* cos,
                               const float* sin, const std::int64_t* documents,
                               const void* grad_mixed, void* grad_query, void* grad_key,
                               void* grad_value) {
  using namespace phinery;
  const Shape shape = {batch, seq, heads, width, half, rotation_batch};
  return bfloat16 ? backward(task_of<Bfloat16>(shape, query, key, value, cos, sin, documents),
                             threads, grad_mixed, grad_query, grad_key, grad_value)
                  : backward(task_of<float>(shape, query, key, value, cos, sin, documents), threads,
                             grad_mixed, grad_query, grad_key, grad_value);
}
}
