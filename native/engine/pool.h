// Threads that share out numbered pieces of work.
//
// Pieces are taken one by one, so that a thread which the machine holds up does fewer of them, and a
// thread that has not woken up when the work is done is not waited for. Idle threads spin for a
// while, since the next work usually comes within microseconds, then sleep.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

namespace phinery {

class Pool {
 public:
  explicit Pool(int threads) {
    for (int number = 1; number < threads; ++number)
      workers_.emplace_back([this, number] { work(number); });
  }

  ~Pool() {
    stopping_ = true;
    round_.fetch_add(1);
    round_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls function(piece, thread) for each piece in 0 .. count - 1; thread is 0 .. threads() - 1.
  template <class Function>
  void run(long count, const Function& function) {
    if (workers_.empty() || count < 2) {
      for (long piece = 0; piece < count; ++piece) function(piece, 0);
      return;
    }
    call_ = [](const void* f, long piece, int thread) {
      (*static_cast<const Function*>(f))(piece, thread);
    };
    function_ = &function;
    count_ = count;
    next_.store(0);
    open_.store(true);
    round_.fetch_add(1);
    round_.notify_all();
    drain(0);
    open_.store(false);
    // Whoever entered before the door closed may still be at a piece; nobody enters after it.
    while (inside_.load() != 0) pause();
  }

 private:
  static constexpr int kSpins = 20000;  // some 200 microseconds

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    std::this_thread::yield();
#endif
  }

  void drain(int thread) {
    for (long piece; (piece = next_.fetch_add(1, std::memory_order_relaxed)) < count_;)
      call_(function_, piece, thread);
  }

  void work(int thread) {
    unsigned seen = 0;
    for (;;) {
      unsigned round;
      int spins = 0;
      while ((round = round_.load(std::memory_order_acquire)) == seen) {
        if (++spins < kSpins)
          pause();
        else
          round_.wait(seen);
      }
      if (stopping_) return;
      seen = round;
      inside_.fetch_add(1);
      if (open_.load()) drain(thread);
      inside_.fetch_sub(1);
    }
  }

  std::vector<std::thread> workers_;
  void (*call_)(const void*, long, int) = nullptr;
  const void* function_ = nullptr;
  long count_ = 0;
  std::atomic<bool> stopping_{false};
  alignas(64) std::atomic<long> next_{0};
  alignas(64) std::atomic<bool> open_{false};
  alignas(64) std::atomic<int> inside_{0};
  alignas(64) std::atomic<unsigned> round_{0};
};

}  // namespace phinery
