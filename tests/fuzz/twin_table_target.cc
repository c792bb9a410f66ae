#include "fuzz/twin_table_target.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "accel/exec/decision.h"
#include "accel/exec/guard_check.h"

namespace slipway::testing {
namespace {

using namespace twin_file;

/// Of just this size, for sanitizers to watch its end.
std::unique_ptr<char[]> exact_copy(std::string_view bytes) {
  std::unique_ptr<char[]> copy(new char[bytes.size()]);
  bytes.copy(copy.get(), bytes.size());
  return copy;
}

void try_guards(const Table& table, const Entry& entry, const LoaderCache& cache) {
  if (entry.guards.count > 10'000) return;
  const auto is_same = [](const Guard& guard, const char* path) {
    std::uint64_t length = 0;
    while (path[length] != 0) ++length;
    return (guard.inode + length) % 8 != 0;
  };
  files_are_same(table, entry, is_same);
  cache_agrees(table, entry, cache, is_same);
}

void try_entry(const Table& table, const Entry& entry) {
  static const char* const kArguments[] = {"busybox", "-lm", "uname", "", "-O2", nullptr};
  static const char* const kEnvironment[] = {"A=b", "LANG=C.UTF-8", "LD_X=", nullptr};
  const Invocation wanted{.path = "/bin/busybox",
                          .argv0 = "-busybox",
                          .arguments = kArguments,
                          .count = 5,
                          .environment = kEnvironment};
  environment_allows(table, kEnvironment);
  names_allow(table, entry, wanted);
  Pointers needed;
  const bool fits = add_arguments(table, entry, wanted, needed);
  if (!fits || needed.count() > 100'000) return;
  std::vector<const char*> room(needed.count());
  Pointers arguments(room.data(), room.size());
  if (!add_arguments(table, entry, wanted, arguments) || !arguments.is_complete() || room.back() != nullptr)
    std::abort();
  std::uint64_t length = 0;
  for (std::size_t i = 0; i + 1 < room.size(); ++i)
    for (const char* c = room[i]; *c != 0; ++c) ++length;
  if (length > std::uint64_t{1} << 50) std::abort();
}

void try_table(const Table& table, const LoaderCache& cache) {
  if (!table.is_valid()) return;
  const Entry* entries;
  const List list = table.header().entries;
  if (!table.find(list, entries)) std::abort();
  for (std::uint32_t i = 0; i < list.count && i < 64; ++i) {
    const Entry& own = entries[i];
    if (const Entry* found = table.entry(own.inode, own.size, own.mtime_ns, own.ctime_ns))
      try_entry(table, *found);
    try_entry(table, own);
    try_guards(table, own, cache);
  }
}

}  // namespace

void try_twin_table(std::string_view input) {
  const std::size_t split = std::min(input.find("glibc-ld.so.cache"), input.size());
  const std::string_view bytes = input.substr(0, split), rest = input.substr(split);
  const auto cache_bytes = exact_copy(rest), copy = exact_copy(bytes);
  const LoaderCache cache(cache_bytes.get(), rest.size());
  const Table table(copy.get(), bytes.size());
  try_table(table, cache);
  if (bytes.size() < sizeof(Header)) return;
  // What nearly every change would spoil.
  auto* header = reinterpret_cast<Header*>(copy.get());
  header->magic = kMagic;
  header->size = bytes.size();
  try_table(table, cache);
}

}  // namespace slipway::testing
