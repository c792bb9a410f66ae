#pragma once
// This machine's emulators as a build uses them: found, if need be in an image, tried once before their first
// use, measured when somebody asks for it. qemu/ says how a search goes; here is what it needs of the store,
// of registries and of namespaces.
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "build/emulator_records.h"
#include "content/store.h"
#include "qemu/emulator.h"
#include "registry/client.h"

namespace slipway {

struct EmulatorOptions {
  std::vector<std::filesystem::path> directories;  ///< --qemu-dir
  std::string image;                               ///< --qemu-image, else SLIPWAY_QEMU_IMAGE; empty: none
  bool private_table = true;  ///< false: emulators are started by name, not by a binfmt_misc of our own
  bool host_table = true;     ///< false: what is registered with the host is of no use
};

/// Whether programs of the platform run by what is registered with the kernel, in any root: tried with a small
/// one, written into `directory`; if it cannot be, they do not.
bool runs_by_hidden_entry(const Platform& platform, const std::filesystem::path& directory);

/// Not for several threads at once.
class Emulators {
 public:
  /// All outlive it. Throws UsageError for a directory that is none, InvalidInput for a malformed image name.
  Emulators(const EmulatorOptions& options, Store& store, RegistryClient& registry, std::stop_token stop);

  Emulators(const Emulators&) = delete;
  Emulators& operator=(const Emulators&) = delete;

  /// Borrows this object.
  const EmulatorSearch& search() const { return search_; }
  EmulatorRecords& records() { return records_; }

  /// Runs the self-test whether or not its result is known, and keeps the result. Empty: it passed.
  std::string test(const Platform& platform, const Execution& execution);
  /// Runs the self-test as a program of the platform's runs natively. Empty: it passed.
  std::string test_native(const Platform& platform) const;
  /// Measures and keeps it; nothing if it cannot be measured here.
  std::optional<MeasuredSlowdown> measure(const Platform& platform, const Execution& execution);

 private:
  std::string run_test(const Platform& platform, const Execution& execution) const;
  std::filesystem::path image_directory(std::stop_token stop);

  const bool private_table_;
  Store& store_;
  RegistryClient& registry_;
  EmulatorSearch search_;
  EmulatorRecords records_;
  std::optional<std::filesystem::path> image_directory_;
};

}  // namespace slipway
