#pragma once
// A move-only `void()` callable: std::function wants copies, std::move_only_function is C++23.
#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace slipway {

class UniqueFunction {
 public:
  UniqueFunction() = default;
  template <class F>
  requires(!std::same_as<std::remove_cvref_t<F>, UniqueFunction> && std::invocable<F&>)
      UniqueFunction(F&& callable)  // NOLINT(google-explicit-constructor): a lambda is what people pass
      : call_(std::make_unique<Holder<std::decay_t<F>>>(std::forward<F>(callable))) {}

  explicit operator bool() const { return call_ != nullptr; }
  void operator()() { call_->run(); }

 private:
  struct Callable {
    virtual ~Callable() = default;
    virtual void run() = 0;
  };
  template <class F>
  struct Holder final : Callable {
    explicit Holder(F&& callable) : callable_(std::move(callable)) {}
    explicit Holder(const F& callable) : callable_(callable) {}
    void run() override { callable_(); }
    F callable_;
  };
  std::unique_ptr<Callable> call_;
};

}  // namespace slipway
