// A Phi ready to run: packed weights, pages of keys and values, buffers, threads.
#pragma once

#include <memory>
#include <vector>

#include "attention.h"
#include "matrix.h"
#include "pool.h"

namespace phinery {

struct Shape {
  std::int32_t vocabulary, width, layers, heads, rotary, mlp, positions;
  std::int32_t format, head_format;  // Format
  std::int32_t page_size, pages, keys_in_bytes, threads;
};

// The tensors of a model's file, by the numbers that the C interface gives them.
enum class Name : int {
  kEmbedding, kFinalGain, kFinalShift, kHead, kHeadBias,
  kGain, kShift, kQuery, kKey, kValue, kDense, kUp, kDown,
  kQueryBias, kKeyBias, kValueBias, kDenseBias, kUpBias, kDownBias,
};

// A block's two matrices: what reads the LayerNorm's output (queries, keys, values, then from a panel's
// edge on the MLP's first matrix), and what adds to the residual stream (attention's and the MLP's
// output, one after the other in the depth).
struct Layer {
  std::vector<float> gain, shift;  // padded with zeros
  Matrix reading, writing;
};

// Low-rank changes of a block's six matrices (LoRA, arXiv 2106.09685): out += up (down row).
struct LowRank {
  long rank = 0;
  std::vector<float> down;  // [rank][inputs]
  std::vector<float> up;    // [outputs][rank], the scale in it
};
struct Adapter {
  std::vector<LowRank> modules;  // [layers][6]: query, key, value, up, dense, down
};

struct StepSpan {
  std::int32_t rows, start, adapter;
  const std::int32_t* pages;
};

class Model {
 public:
  Model(const Shape& shape, float epsilon, const float* cos, const float* sin);

  // Returns false when the tensor is not of this model.
  bool set(int layer, Name name, const Tensor& tensor);
  // Steps of a few rows, which wait for the memory, use so many threads; others use all.
  void set_threads_of_few(int threads);
  int add_adapter();
  bool set_adapter(int adapter, int layer, int module, int rank, const float* down, const float* up);

  // Runs `spans` of tokens and writes the logits [logit_count][vocabulary] of the rows asked for.
  void step(const std::vector<StepSpan>& spans, const std::int32_t* tokens, const std::int32_t* logit_rows,
            int logit_count, float* logits);

  std::size_t weight_bytes() const;
  const Shape& shape() const { return shape_; }

 private:
  void normalize(const float* row, const float* gain, const float* shift, float* to) const;
  template <class Function>
  void for_rows(long rows, const Function& function);
  void run_layer(Layer& layer, long number, long rows, const std::vector<Span>& spans);
  bool set_vector(std::vector<float>& to, const Tensor& tensor, long count) const;
  bool set_bias(Matrix& matrix, long first, const Tensor& tensor, long count) const;
  void prepare_changes(const std::vector<StepSpan>& spans, long rows);
  const LowRank* change_of(long row, long layer, int module) const;
  void add_changes(long row, long layer, int first_module, int last_module, const float* inputs,
                   float* outputs) const;

  Shape shape_;
  float epsilon_;
  long width_, depth_, mlp_depth_;         // padded: of the residual stream; inputs of the matrices
  long heads_end_, up_begin_;              // columns of `reading`
  std::vector<float> cos_, sin_;
  std::unique_ptr<Pool> all_threads_, few_threads_;
  Pool* pool_;  // one of them
  std::vector<Layer> layers_;
  Memory embedding_;                       // bfloat16 [vocabulary][width]
  std::vector<float> final_gain_, final_shift_;
  Matrix head_;
  std::unique_ptr<Pages> pages_;
  std::vector<Adapter> adapters_;
  std::vector<std::int32_t> adapter_of_row_;
  bool any_adapter_ = false;

  RowBuffer reading_rows_, writing_rows_;
  Buffer<float> residual_, projections_, mixed_, scratch_, changes_, activations_;
  AttentionScratch attention_;
};

}  // namespace phinery
