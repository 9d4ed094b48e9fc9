// Memory for weights, caches and buffers: zeroed, aligned to cache lines, in huge pages when large.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace phinery {

class Memory {
 public:
  Memory() = default;
  // `bytes` of zeros, which take no memory until they are written. Throws std::bad_alloc.
  explicit Memory(std::size_t bytes) : bytes_(bytes) {
    if (bytes == 0) return;
    // With room to begin at a huge page's edge.
    mapped_ = bytes + kHugePage;
    void* const start = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) throw std::bad_alloc();
    start_ = start;
    const auto address = reinterpret_cast<std::uintptr_t>(start);
    data_ = reinterpret_cast<std::uint8_t*>((address + kHugePage - 1) / kHugePage * kHugePage);
#if defined(MADV_HUGEPAGE)
    if (bytes >= kHugePage) madvise(data_, bytes, MADV_HUGEPAGE);
#endif
  }
  Memory(Memory&& other) noexcept { swap(other); }
  Memory& operator=(Memory&& other) noexcept {
    swap(other);
    return *this;
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() {
    if (start_) munmap(start_, mapped_);
  }

  std::size_t bytes() const { return bytes_; }
  std::uint8_t* data() const { return data_; }
  template <class Element>
  Element* as() const {
    return reinterpret_cast<Element*>(data_);
  }

 private:
  static constexpr std::size_t kHugePage = std::size_t{1} << 21;

  void swap(Memory& other) {
    std::swap(bytes_, other.bytes_);
    std::swap(mapped_, other.mapped_);
    std::swap(start_, other.start_);
    std::swap(data_, other.data_);
  }

  std::size_t bytes_ = 0, mapped_ = 0;
  void* start_ = nullptr;
  std::uint8_t* data_ = nullptr;
};

// A buffer that grows and never shrinks; what was in it is lost when it grows.
template <class Element>
class Buffer {
 public:
  Element* reserve(std::size_t count) {
    if (count * sizeof(Element) > memory_.bytes())
      memory_ = Memory(count * sizeof(Element) * 5 / 4);
    return memory_.as<Element>();
  }
  Element* data() const { return memory_.as<Element>(); }

 private:
  Memory memory_;
};

}  // namespace phinery
