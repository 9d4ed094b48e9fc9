// The engine's C interface, called through ctypes. Every function that can fail returns 0 when it did:
// no exception leaves.

#include <chrono>
#include <exception>
#include <new>

#include "model.h"

using phinery::Model;
using phinery::Name;
using phinery::Shape;
using phinery::Source;
using phinery::StepSpan;

extern "C" {

// The best of the instruction sets that the engine is built for on this processor: 2 AVX-512 with
// bfloat16 and VNNI, 1 AVX2, 0 none of them.
int phinery_engine_instructions() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                        __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("f16c");
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512vl") &&
                          __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni");
  return has_avx512 ? 2 : has_avx2 ? 1 : 0;
#else
  return 0;
#endif
}

// `shape` holds the fields of Shape in their order; cos and sin are [positions][rotary / 2].
void* phinery_engine_new(const std::int32_t* shape, float epsilon, const float* cos, const float* sin) {
  try {
    Shape fields;
    static_assert(sizeof fields == 13 * sizeof(std::int32_t));
    std::memcpy(&fields, shape, sizeof fields);
    return new Model(fields, epsilon, cos, sin);
  } catch (const std::exception&) {
    return nullptr;
  }
}

void phinery_engine_delete(void* model) { delete static_cast<Model*>(model); }

int phinery_engine_set(void* model, int layer, int name, const void* data, const void* scales,
                       int source, long columns, long depth) {
  try {
    return static_cast<Model*>(model)->set(
        layer, static_cast<Name>(name), {data, scales, static_cast<Source>(source), columns, depth});
  } catch (const std::exception&) {
    return 0;
  }
}

// How many threads a step of fewer than 8 rows uses.
int phinery_engine_set_threads_of_few(void* model, int threads) {
  try {
    static_cast<Model*>(model)->set_threads_of_few(threads);
    return 1;
  } catch (const std::exception&) {
    return 0;
  }
}

int phinery_engine_add_adapter(void* model) {
  try {
    return static_cast<Model*>(model)->add_adapter();
  } catch (const std::exception&) {
    return 0;
  }
}

int phinery_engine_set_adapter(void* model, int adapter, int layer, int module, int rank,
                               const float* down, const float* up) {
  try {
    return static_cast<Model*>(model)->set_adapter(adapter, layer, module, rank, down, up);
  } catch (const std::exception&) {
    return 0;
  }
}

// `spans` holds for each span: rows, start, adapter, and where its page table begins in `pages`.
int phinery_engine_step(void* model, int span_count, const std::int32_t* spans,
                        const std::int32_t* pages, const std::int32_t* tokens,
                        const std::int32_t* logit_rows, int logit_count, float* logits) {
  try {
    std::vector<StepSpan> list;
    for (int i = 0; i < span_count; ++i, spans += 4)
      list.push_back({spans[0], spans[1], spans[2], pages + spans[3]});
    static_cast<Model*>(model)->step(list, tokens, logit_rows, logit_count, logits);
    return 1;
  } catch (const std::exception&) {
    return 0;
  }
}

long phinery_engine_weight_bytes(const void* model) {
  return static_cast<long>(static_cast<const Model*>(model)->weight_bytes());
}

// Bytes a second at which `threads` threads together read a memory area of `bytes` once: the most that
// weights can be read at.
double phinery_engine_read_rate(long bytes, int threads, int repeats) {
  try {
    phinery::Memory area(bytes);
    std::memset(area.data(), 1, bytes);
    phinery::Pool pool(threads);
    constexpr long kPiece = 1 << 18;
    std::vector<float> sink(threads * 16);
    double best = 0;
    for (int round = 0; round < repeats; ++round) {
      const auto begin = std::chrono::steady_clock::now();
      pool.run(bytes / kPiece, [&](long piece, int thread) {
        const auto* const from = reinterpret_cast<const float*>(area.data() + piece * kPiece);
        phinery::Vector sums[4] = {};
        for (long i = 0; i < kPiece / 4; i += 4 * phinery::kLanes)
          for (int v = 0; v < 4; ++v) sums[v] += phinery::load(from + i + v * phinery::kLanes);
        sink[thread * 16] += phinery::sum(sums[0] + sums[1] + sums[2] + sums[3]);
      });
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
      best = std::max(best, static_cast<double>(bytes / kPiece * kPiece) / seconds.count());
    }
    return sink[0] < 0 ? 0 : best;
  } catch (const std::exception&) {
    return 0;
  }
}

}  // extern "C"
