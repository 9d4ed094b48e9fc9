// Low-rank changes of single rows, in float32. A row's sums have one order: they don't depend on the
// batch.

#include "model.h"

namespace phinery {

int Model::add_adapter() {
  adapters_.push_back({std::vector<LowRank>(shape_.layers * 6)});
  return static_cast<int>(adapters_.size());
}

bool Model::set_adapter(int adapter, int layer, int module, int rank, const float* down,
                        const float* up) {
  if (adapter < 1 || adapter > static_cast<int>(adapters_.size())) return false;
  if (layer < 0 || layer >= shape_.layers || module < 0 || module >= 6 || rank < 1) return false;
  const long inputs = module == 5 ? shape_.mlp : shape_.width;
  const long outputs = module == 3 ? shape_.mlp : shape_.width;
  LowRank& change = adapters_[adapter - 1].modules[layer * 6 + module];
  change.rank = rank;
  change.down.assign(down, down + rank * inputs);
  change.up.assign(up, up + outputs * rank);
  return true;
}

void Model::prepare_changes(const std::vector<StepSpan>& spans, long rows) {
  any_adapter_ = false;
  adapter_of_row_.assign(rows, 0);
  long row = 0;
  for (const StepSpan& span : spans) {
    for (long r = 0; r < span.rows; ++r) adapter_of_row_[row++] = span.adapter;
    any_adapter_ |= span.adapter != 0;
  }
}

void Model::add_changes(long row, long layer, int first_module, int last_module, const float* inputs,
                        float* outputs) const {
  const std::int32_t adapter = adapter_of_row_[row];
  if (adapter == 0) return;
  for (int module = first_module; module <= last_module; ++module) {
    const LowRank& change = adapters_[adapter - 1].modules[layer * 6 + module];
    if (change.rank == 0) continue;
    const long width = shape_.width;
    const long count = module == 5 ? shape_.mlp : width, results = module == 3 ? shape_.mlp : width;
    // Columns of the reading matrix: query, key, value one after the other, then the MLP's.
    float* const to = outputs + (module < 3 ? module * width : module == 3 ? up_begin_ : 0);
    std::vector<float> inner(change.rank);
    for (long i = 0; i < change.rank; ++i) {
      const float* const down = &change.down[i * count];
      float total = 0;
      for (long k = 0; k < count; ++k) total += down[k] * inputs[k];
      inner[i] = total;
    }
    for (long n = 0; n < results; ++n) {
      float total = 0;
      for (long i = 0; i < change.rank; ++i) total += change.up[n * change.rank + i] * inner[i];
      to[n] += total;
    }
  }
}

}  // namespace phinery
