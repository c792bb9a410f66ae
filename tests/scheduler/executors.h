#pragma once
// Rows for tests that run over every executor. Their names appear in the test names, so a ThreadSanitizer run leaves
// the ones out that it cannot judge: --gtest_filter=-*TbbExecutor*
#include <memory>
#include <string>

#include "scheduler/executor.h"

namespace slipway {

struct ExecutorCase {
  const char* name;
  std::unique_ptr<Executor> (*make)();
};

inline const ExecutorCase kInline{"InlineExecutor",
                                  []() -> std::unique_ptr<Executor> { return std::make_unique<InlineExecutor>(); }};
inline const ExecutorCase kThread{"ThreadExecutor", []() -> std::unique_ptr<Executor> {
                                    return std::make_unique<ThreadExecutor>(
                                        ExecutorOptions{.blocking_threads = 8, .cpu_threads = 2});
                                  }};
inline const ExecutorCase kTbb{"TbbExecutor", []() -> std::unique_ptr<Executor> {
                                 return std::make_unique<TbbExecutor>(
                                     ExecutorOptions{.blocking_threads = 8, .cpu_threads = 2});
                               }};

inline std::string executor_name(const testing::TestParamInfo<ExecutorCase>& row) { return row.param.name; }
inline void PrintTo(const ExecutorCase& row, std::ostream* out) { *out << row.name; }

}  // namespace slipway
