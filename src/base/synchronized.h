#pragma once
// Data that can only be reached with its lock held: `auto plan = plan_.lock(); plan->add(step);`
// Never call out (callback, TBB, I/O) while a guard lives.
#include <mutex>
#include <utility>

namespace slipway {

template <class T>
class Synchronized {
 public:
  template <class... Args>
  explicit Synchronized(Args&&... args) : value_(std::forward<Args>(args)...) {}

  class Guard {
   public:
    T* operator->() { return value_; }
    T& operator*() { return *value_; }

   private:
    friend class Synchronized;
    Guard(std::mutex& mutex, T& value) : lock_(mutex), value_(&value) {}
    std::unique_lock<std::mutex> lock_;
    T* value_;
  };
  Guard lock() { return Guard(mutex_, value_); }

 private:
  std::mutex mutex_;
  T value_;
};

}  // namespace slipway
