#pragma once
// The slots of this process for work that computes: packing, unpacking, digesting. As many threads are at it
// as TBB may use (scheduler/cpu_limit.h): the one that asks for the work is one of them, those that TBB lends
// to it are the others. Not for what waits for a network or another program, which would keep its slot.
// Internal to content.
#include <functional>
#include <optional>
#include <utility>

namespace slipway {

/// Does `work` in a slot, on this thread or on one of TBB's; waits for one if all are taken. What it starts
/// for TBB it must wait for, and gets nothing else to do meanwhile: another step of the build on top of this
/// one could need what this one holds. May be nested. Throws what `work` throws.
void run_in_cpu_slot(const std::function<void()>& work);

template <class Work>
auto in_cpu_slot(const Work& work) {
  std::optional<decltype(work())> result;
  run_in_cpu_slot([&] { result.emplace(work()); });
  return std::move(*result);
}

}  // namespace slipway
