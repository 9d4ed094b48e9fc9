// The element-wise arithmetic of a training step: each function makes one pass over memory and
// computes in float32 whatever it reads and writes. Rows are shared out evenly, so that results do
// not depend on the number of threads.
#include <cmath>
#include <vector>

#include "../simd.h"

namespace phinery {
namespace {

// gelu_new(x) = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), arXiv 1606.08415, with
// (1 + tanh(z)) / 2 = sigmoid(2z).
constexpr float kSlope = 1.5957691216f;
constexpr float kCubic = 0.044715f;

inline Vector gelu_gate(Vector x) {
  return 1.0f / (1.0f + exponential(-kSlope * (x + kCubic * x * x * x)));
}

// Calls work(i) for every whole vector of `count` elements, and work with padded copies for the rest.
template <typename Work>
void for_every_vector(long count, int threads, const Work& work) {
  const long whole = count / kLanes;
#pragma omp parallel for num_threads(threads) schedule(static)
  for (long v = 0; v < whole; ++v) work(v * kLanes, kLanes);
  if (whole * kLanes < count) work(whole * kLanes, static_cast<int>(count - whole * kLanes));
}

template <typename T>
Vector load_some(const T* from, int lanes) {
  if (lanes == kLanes) return load(from);
  Vector vector = {};
  for (int lane = 0; lane < lanes; ++lane) vector[lane] = load_one(from + lane);
  return vector;
}

template <typename T>
void store_some(T* to, Vector vector, int lanes) {
  if (lanes == kLanes) return store(to, vector);
  for (int lane = 0; lane < lanes; ++lane) store_one(to + lane, vector[lane]);
}

template <typename T>
void gelu(long count, int threads, const T* pre, T* value) {
  for_every_vector(count, threads, [=](long i, int lanes) {
    const Vector x = load_some(pre + i, lanes);
    store_some(value + i, x * gelu_gate(x), lanes);
  });
}

template <typename T>
void gelu_backward(long count, int threads, const T* pre, T* grad, T* value) {
  for_every_vector(count, threads, [=](long i, int lanes) {
    const Vector x = load_some(pre + i, lanes);
    const Vector gate = gelu_gate(x);
    const Vector result = x * gate;
    const Vector slope = gate + result * (1.0f - gate) * (kSlope + 3.0f * kSlope * kCubic * x * x);
    store_some(value + i, result, lanes);
    store_some(grad + i, load_some(grad + i, lanes) * slope, lanes);
  });
}

template <typename T>
void add_branches(long count, int threads, const float* hidden, const T* attention, const T* mlp,
                  float* sum) {
  for_every_vector(count, threads, [=](long i, int lanes) {
    const Vector branches = load_some(attention + i, lanes) + load_some(mlp + i, lanes);
    store_some(sum + i, load_some(hidden + i, lanes) + branches, lanes);
  });
}

// One row of logits becomes its gradient. `row` is float32 memory for it, padded to whole vectors.
template <typename T>
float softmax_row(long vocab, T* logits, const float* bias, long target, float scale, float* row) {
  Vector best = splat(-INFINITY);
  for (long k = 0; k < vocab; k += kLanes) {
    const int lanes = static_cast<int>(vocab - k < kLanes ? vocab - k : kLanes);
    Vector logit = load_some(logits + k, lanes) + load_some(bias + k, lanes);
    for (int lane = lanes; lane < kLanes; ++lane) logit[lane] = -INFINITY;
    store(row + k, logit);
    best = larger(logit, best);
  }
  const float top = highest(best), at_target = row[target];
  Vector total = {};
  for (long k = 0; k < vocab; k += kLanes) {
    const Vector exponentials = exponential(load(row + k) - splat(top));
    store(row + k, exponentials);
    total += exponentials;
  }
  const float all = sum(total);
  const Vector factor = splat(scale / all);
  for (long k = 0; k < vocab; k += kLanes) {
    const int lanes = static_cast<int>(vocab - k < kLanes ? vocab - k : kLanes);
    store_some(logits + k, load(row + k) * factor, lanes);
  }
  store_one(logits + target, row[target] / all * scale - scale);
  return std::log(all) + (top - at_target);
}

template <typename T>
void softmax_gradient(long rows, long vocab, int threads, T* logits, const float* bias,
                      const std::int64_t* targets, const float* row_scale, float* nll) {
#pragma omp parallel num_threads(threads)
  {
    std::vector<float> row(round_up(vocab, kLanes));
#pragma omp for schedule(static)
    for (long r = 0; r < rows; ++r)
      nll[r] = softmax_row(vocab, logits + r * vocab, bias, targets[r], row_scale[r], row.data());
  }
}

}  // namespace
}  // namespace phinery

// Arrays are of bfloat16 elements when `bfloat16` is 1, of floats otherwise, and contiguous; those
// declared float are float32 always.
extern "C" {

// value = gelu_new(pre)
void phinery_gelu(int bfloat16, int threads, long count, const void* pre, void* value) {
  using namespace phinery;
  if (bfloat16)
    gelu(count, threads, static_cast<const Bfloat16*>(pre), static_cast<Bfloat16*>(value));
  else
    gelu(count, threads, static_cast<const float*>(pre), static_cast<float*>(value));
}

// grad, the gradient in gelu's value, becomes that in `pre`; value = gelu_new(pre) anew.
void phinery_gelu_backward(int bfloat16, int threads, long count, const void* pre, void* grad,
                           void* value) {
  using namespace phinery;
  if (bfloat16)
    gelu_backward(count, threads, static_cast<const Bfloat16*>(pre), static_cast<Bfloat16*>(grad),
                  static_cast<Bfloat16*>(value));
  else
    gelu_backward(count, threads, static_cast<const float*>(pre), static_cast<float*>(grad),
                  static_cast<float*>(value));
}

// sum = hidden + attention + mlp
void phinery_add_branches(int bfloat16, int threads, long count, const float* hidden,
                          const void* attention, const void* mlp, float* sum) {
  using namespace phinery;
  if (bfloat16)
    add_branches(count, threads, hidden, static_cast<const Bfloat16*>(attention),
                 static_cast<const Bfloat16*>(mlp), sum);
  else
    add_branches(count, threads, hidden, static_cast<const float*>(attention),
                 static_cast<const float*>(mlp), sum);
}

// Each row of logits (rows x vocab) becomes row_scale x the gradient of its cross-entropy, nll, of
// softmax(logits + bias) against its target.
void phinery_softmax_gradient(int bfloat16, int threads, long rows, long vocab, void* logits,
                              const float* bias, const std::int64_t* targets,
                              const float* row_scale, float* nll) {
  using namespace phinery;
  if (bfloat16)
    softmax_gradient(rows, vocab, threads, static_cast<Bfloat16*>(logits), bias, targets, row_scale,
                     nll);
  else
    softmax_gradient(rows, vocab, threads, static_cast<float*>(logits), bias, targets, row_scale,
                     nll);
}
}
