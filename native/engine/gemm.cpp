// The tiles of every height, compiled once.

#include "gemm.h"

namespace phinery {

void run_tile(int rows, const Tile& tile) {
  switch (rows) {
    case 1: return run_tile<1>(tile);
    case 2: return run_tile<2>(tile);
    case 3: return run_tile<3>(tile);
    case 4: return run_tile<4>(tile);
    case 5: return run_tile<5>(tile);
    default: return run_tile<6>(tile);
  }
}

}  // namespace phinery
