// One step of a Phi: rows of tokens in, logits out.
//
// A block reads its weights once for all rows: LayerNorm; queries, keys, values and the MLP's first
// matrix in one product; attention; attention's and the MLP's last matrix in another product, added to
// the residual stream.

#include "model.h"

#include <cmath>

#include "gemm.h"

namespace phinery {
namespace {

constexpr long kRowsOfPiece = 4;  // of a pass over rows, for one thread
constexpr long kFewRows = 8;      // are done faster than threads are told of them

// gelu_new(x) = x / (1 + e^(-2 u)), u = sqrt(2 / pi) (x + 0.044715 x^3): the tanh form.
inline Vector gelu(Vector x) {
  const Vector twice = x * (1.5957691216f + 0.0713548163f * x * x);
  return x / (1.0f + exponential(Vector{} - twice));
}

}  // namespace

Model::Model(const Shape& shape, float epsilon, const float* cos, const float* sin)
    : shape_(shape), epsilon_(epsilon) {
  const long width = shape.width, half = shape.rotary / 2;
  width_ = round_up(width, kPanel);
  depth_ = round_up(width, kGroup);
  mlp_depth_ = round_up(shape.mlp, kPanel);
  heads_end_ = 3 * width;
  up_begin_ = round_up(heads_end_, kPanel);
  cos_.assign(cos, cos + shape.positions * half);
  sin_.assign(sin, sin + shape.positions * half);
  all_threads_ = std::make_unique<Pool>(shape.threads);
  pool_ = all_threads_.get();
  embedding_ = Memory(2 * static_cast<std::size_t>(shape.vocabulary) * width);
  final_gain_.assign(width_, 0);
  final_shift_.assign(width_, 0);
  const auto format = static_cast<Format>(shape.format);
  for (long number = 0; number < shape.layers; ++number)
    layers_.push_back({std::vector<float>(width_, 0), std::vector<float>(width_, 0),
                       Matrix(format, up_begin_ + mlp_depth_, {depth_}),
                       Matrix(format, width, {depth_, mlp_depth_})});
  head_ = Matrix(static_cast<Format>(shape.head_format), shape.vocabulary, {depth_});
  pages_ = std::make_unique<Pages>(shape.layers, shape.heads, width / shape.heads, shape.page_size,
                                   shape.pages, shape.keys_in_bytes != 0);
}

void Model::set_threads_of_few(int threads) {
  few_threads_.reset();
  if (threads < all_threads_->threads()) few_threads_ = std::make_unique<Pool>(threads);
}

bool Model::set_vector(std::vector<float>& to, const Tensor& tensor, long count) const {
  if (tensor.columns * tensor.depth != count || tensor.source == Source::kInt8 ||
      tensor.source == Source::kInt4)
    return false;
  read_floats({tensor.data, nullptr, tensor.source, 1, count}, 0, to.data());
  return true;
}

bool Model::set_bias(Matrix& matrix, long first, const Tensor& tensor, long count) const {
  std::vector<float> values(count);
  if (!set_vector(values, tensor, count)) return false;
  // Added, since attention's and the MLP's last matrix have a bias each.
  for (long i = 0; i < count; ++i) matrix.bias.as<float>()[first + i] += values[i];
  return true;
}

bool Model::set(int number, Name name, const Tensor& tensor) {
  const long width = shape_.width, mlp = shape_.mlp, vocabulary = shape_.vocabulary;
  const auto has = [&](long columns, long depth) {
    return tensor.columns == columns && tensor.depth == depth;
  };
  const auto put = [&](Matrix& matrix, long columns, long depth, long first_column, long first_k,
                       int segment) {
    return has(columns, depth) && pack(*all_threads_, matrix, tensor, first_column, first_k, segment);
  };
  switch (name) {
    case Name::kEmbedding: {
      if (!has(vocabulary, width)) return false;
      if (tensor.source == Source::kInt8 || tensor.source == Source::kInt4) return false;
      all_threads_->run(vocabulary, [&](long row, int) {
        std::vector<float> values(width);
        read_floats(tensor, row, values.data());
        for (long i = 0; i < width; ++i)
          store_one(embedding_.as<Bfloat16>() + row * width + i, values[i]);
      });
      return true;
    }
    case Name::kFinalGain: return set_vector(final_gain_, tensor, width);
    case Name::kFinalShift: return set_vector(final_shift_, tensor, width);
    case Name::kHead: return put(head_, vocabulary, width, 0, 0, 0);
    case Name::kHeadBias: return set_bias(head_, 0, tensor, vocabulary);
    default: break;
  }
  if (number < 0 || number >= shape_.layers) return false;
  Layer& layer = layers_[number];
  switch (name) {
    case Name::kGain: return set_vector(layer.gain, tensor, width);
    case Name::kShift: return set_vector(layer.shift, tensor, width);
    case Name::kQuery: return put(layer.reading, width, width, 0, 0, 0);
    case Name::kKey: return put(layer.reading, width, width, width, 0, 0);
    case Name::kValue: return put(layer.reading, width, width, 2 * width, 0, 0);
    case Name::kUp: return put(layer.reading, mlp, width, up_begin_, 0, 0);
    case Name::kDense: return put(layer.writing, width, width, 0, 0, 0);
    case Name::kDown: return put(layer.writing, width, mlp, 0, depth_, 1);
    case Name::kQueryBias: return set_bias(layer.reading, 0, tensor, width);
    case Name::kKeyBias: return set_bias(layer.reading, width, tensor, width);
    case Name::kValueBias: return set_bias(layer.reading, 2 * width, tensor, width);
    case Name::kUpBias: return set_bias(layer.reading, up_begin_, tensor, mlp);
    case Name::kDenseBias:
    case Name::kDownBias: return set_bias(layer.writing, 0, tensor, width);
    default: return false;
  }
}

std::size_t Model::weight_bytes() const {
  std::size_t bytes = head_.bytes();
  for (const Layer& layer : layers_) bytes += layer.reading.bytes() + layer.writing.bytes();
  return bytes;
}

// (row - mean) / sqrt(variance + epsilon) * gain + shift, zero beyond the width.
void Model::normalize(const float* row, const float* gain, const float* shift, float* to) const {
  const long width = shape_.width, whole = width / kLanes * kLanes;
  Vector sums{};
  for (long i = 0; i < whole; i += kLanes) sums += load(row + i);
  float total = sum(sums);
  for (long i = whole; i < width; ++i) total += row[i];
  const float mean = total / static_cast<float>(width);
  Vector squares{};
  for (long i = 0; i < whole; i += kLanes) {
    const Vector difference = load(row + i) - mean;
    squares += difference * difference;
  }
  total = sum(squares);
  for (long i = whole; i < width; ++i) total += (row[i] - mean) * (row[i] - mean);
  const float scale = 1 / std::sqrt(total / static_cast<float>(width) + epsilon_);
  for (long i = 0; i < depth_; i += kLanes)
    store(to + i, (load(row + i) - mean) * scale * load(gain + i) + load(shift + i));
}

template <class Function>
void Model::for_rows(long rows, const Function& function) {
  if (rows < kFewRows) {
    for (long row = 0; row < rows; ++row) function(row);
    return;
  }
  pool_->run((rows + kRowsOfPiece - 1) / kRowsOfPiece, [&](long piece, int) {
    const long end = std::min(rows, (piece + 1) * kRowsOfPiece);
    for (long row = piece * kRowsOfPiece; row < end; ++row) function(row);
  });
}

void Model::run_layer(Layer& layer, long number, long rows, const std::vector<Span>& spans) {
  float* const residual = residual_.data();
  const Rows reading = reading_rows_.reserve(layer.reading.format, rows, depth_);
  const long projected = up_begin_ + (any_adapter_ ? mlp_depth_ : 0);  // floats of a row
  float* const changes = any_adapter_ ? changes_.reserve(rows * projected) : nullptr;
  for_rows(rows, [&](long row) {
    thread_local std::vector<float> normal;
    normal.resize(depth_ + kLanes);
    normalize(residual + row * width_, layer.gain.data(), layer.shift.data(), normal.data());
    reading.write(row, 0, depth_, normal.data());
    if (changes) {
      std::fill_n(changes + row * projected, projected, 0.0f);
      add_changes(row, number, 0, 3, normal.data(), changes + row * projected);
    }
  });

  float* const projections = projections_.reserve(rows * up_begin_);
  const Rows writing = writing_rows_.reserve(layer.writing.format, rows, depth_ + mlp_depth_);
  float* const activations = any_adapter_ ? activations_.reserve(rows * mlp_depth_) : nullptr;
  const float* const bias = layer.reading.bias.as<float>();
  multiply(*pool_, layer.reading, reading, rows, scratch_, [&](long row, long column, float* sums) {
    const float* const change = changes ? changes + row * projected + column : nullptr;
    for (long i = 0; i < kPanel; i += kLanes) {
      Vector value = load(sums + i) + load(bias + column + i);
      if (change) value += load(change + i);
      store(sums + i, column < up_begin_ ? value : gelu(value));
    }
    if (column < up_begin_) {
      std::memcpy(projections + row * up_begin_ + column, sums, 4 * kPanel);
    } else {
      writing.write(row, depth_ + column - up_begin_, kPanel, sums);
      if (activations)
        std::memcpy(activations + row * mlp_depth_ + column - up_begin_, sums, 4 * kPanel);
    }
  });

  float* const mixed = mixed_.reserve(rows * depth_);
  attend(*pool_, *pages_, number, spans, {cos_.data(), sin_.data(), shape_.rotary},
         {projections, up_begin_}, attention_, mixed, depth_);
  for_rows(rows, [&](long row) {
    float* const from = mixed + row * depth_;
    std::fill(from + shape_.width, from + depth_, 0.0f);
    writing.write(row, 0, depth_, from);
    if (changes) {
      float* const to = residual + row * width_;
      add_changes(row, number, 4, 4, from, to);
      add_changes(row, number, 5, 5, activations + row * mlp_depth_, to);
    }
  });

  const float* const last_bias = layer.writing.bias.as<float>();
  multiply(*pool_, layer.writing, writing, rows, scratch_, [&](long row, long column, float* sums) {
    float* const to = residual + row * width_ + column;
    for (long i = 0; i < kPanel; i += kLanes)
      store(to + i, load(to + i) + (load(sums + i) + load(last_bias + column + i)));
  });
}

void Model::step(const std::vector<StepSpan>& step_spans, const std::int32_t* tokens,
                 const std::int32_t* logit_rows, int logit_count, float* logits) {
  std::vector<Span> spans;
  long rows = 0;
  for (const StepSpan& span : step_spans) {
    spans.push_back({rows, span.rows, span.start, span.pages});
    rows += span.rows;
  }
  pool_ = rows < kFewRows && few_threads_ ? few_threads_.get() : all_threads_.get();
  prepare_changes(step_spans, rows);
  const long width = shape_.width;
  float* const residual = residual_.reserve(rows * width_);
  for_rows(rows, [&](long row) {
    const Bfloat16* const from = embedding_.as<Bfloat16>() + static_cast<long>(tokens[row]) * width;
    float* const to = residual + row * width_;
    for (long i = 0; i < width; ++i) to[i] = load_one(from + i);
    std::fill(to + width, to + width_, 0.0f);
  });
  for (long number = 0; number < shape_.layers; ++number)
    run_layer(layers_[number], number, rows, spans);

  const Rows last = reading_rows_.reserve(head_.format, logit_count, depth_);
  for_rows(logit_count, [&](long place) {
    thread_local std::vector<float> normal;
    normal.resize(depth_ + kLanes);
    normalize(residual + logit_rows[place] * width_, final_gain_.data(), final_shift_.data(),
              normal.data());
    last.write(place, 0, depth_, normal.data());
  });
  const long vocabulary = shape_.vocabulary;
  const float* const bias = head_.bias.as<float>();
  multiply(*pool_, head_, last, logit_count, scratch_, [&](long row, long column, float* sums) {
    for (long i = 0; i < kPanel; i += kLanes) store(sums + i, load(sums + i) + load(bias + column + i));
    std::memcpy(logits + row * vocabulary + column, sums, 4 * std::min(kPanel, vocabulary - column));
  });
}

}  // namespace phinery
