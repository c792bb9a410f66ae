#include "build/emulators.h"

#include <chrono>
#include <cstdlib>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "build/emulator_image.h"
#include "qemu/self_test.h"
#include "runtime/private_binfmt.h"

namespace slipway {

namespace fs = std::filesystem;

namespace {

constexpr int kBenchRounds = 100000;  // 50 ms natively

EmulatorSearch base_search(const EmulatorOptions& options) {
  EmulatorSearch search = EmulatorSearch::from_environment();
  for (const fs::path& directory : options.directories)
    if (!fs::is_directory(directory))
      throw UsageError(concat("--qemu-dir: ", directory.native(), " is not a directory"));
  search.own_directories.insert(search.own_directories.begin(), options.directories.begin(),
                                options.directories.end());
  const char* image = std::getenv("SLIPWAY_QEMU_IMAGE");
  if (!options.host_table) search.ignore_host_binfmt = true;
  search.image_name = !options.image.empty() ? options.image : image ? image : "";
  return search;
}

}  // namespace

bool runs_by_hidden_entry(const Platform& platform, const fs::path& directory) {
  try {
    return SelfTest::has_program(platform) &&
           SelfTest(platform, directory).run_by_kernel_in_own_root().empty();
  } catch (const SystemError&) {  // nothing can be written there
    return false;
  }
}

Emulators::Emulators(const EmulatorOptions& options, Store& store, RegistryClient& registry,
                     std::stop_token stop)
    : private_table_(options.private_table),
      store_(store),
      registry_(registry),
      search_(base_search(options)),
      records_(store.root() / "emulators", store.logger()) {
  if (!search_.image_name.empty()) {
    ImageRef::parse(search_.image_name);  // told now, not when it is needed
    search_.image = [this, stop] { return image_directory(stop); };
  }
  search_.own_table_for_twins = private_table_;
  search_.test = [this](const Platform& platform, const Execution& execution) {
    // A failure may have been the machine's that day: it is found again, or not.
    if (const auto known = records_.find_test(platform, execution); known && known->empty())
      return std::string();
    return test(platform, execution);
  };
  search_.slowdown = [this](const Platform& platform) -> std::optional<double> {
    const auto measured = records_.find_slowdown(platform);
    return measured ? std::optional(measured->factor) : std::nullopt;
  };
  search_.runs_by_hidden_entry = [this](const Platform& platform) {
    return runs_by_hidden_entry(platform, store_.temp_directory());
  };
  search_.runs_here = [this](const Platform& platform) { return test_native(platform).empty(); };
}

fs::path Emulators::image_directory(std::stop_token stop) {
  if (!image_directory_)
    image_directory_ = extract_emulators(store_, registry_, ImageRef::parse(search_.image_name), stop);
  return *image_directory_;
}

std::string Emulators::test(const Platform& platform, const Execution& execution) {
  const std::string verdict = run_test(platform, execution);
  records_.put_test(platform, execution, verdict);
  return verdict;
}

std::string Emulators::run_test(const Platform& platform, const Execution& execution) const {
  if (!SelfTest::has_program(platform)) return "";
  const SelfTest test(platform, store_.temp_directory());
  if (execution.kind != Execution::Kind::PrivateBinfmt) return test.run_by_kernel();
  if (std::string verdict = test.run_by(execution.emulator->program); !verdict.empty() || !private_table_)
    return verdict;
  fs::create_directory(test.directory() / "binfmt");
  const PrivateBinfmt binfmt(test.directory() / "binfmt", execution);
  std::string verdict = test.run_by_kernel([&binfmt] { return binfmt.enter(); });
  binfmt.throw_if_failed();
  return verdict;
}

std::string Emulators::test_native(const Platform& platform) const {
  if (!SelfTest::has_program(platform)) return "";
  return SelfTest(platform, store_.temp_directory()).run_by_kernel();
}

std::optional<MeasuredSlowdown> Emulators::measure(const Platform& platform, const Execution& execution) {
  if (!SelfTest::has_program(platform) || !SelfTest::has_program(Platform::host())) return std::nullopt;
  const SelfTest native(Platform::host(), store_.temp_directory());
  const SelfTest emulated(platform, store_.temp_directory());
  const auto own = native.measure(std::nullopt, kBenchRounds);
  const auto& emulator = execution.emulator;
  const auto program =
      emulator ? std::optional(emulator->program) : std::nullopt;  // else the kernel knows it
  const auto theirs = emulated.measure(program, kBenchRounds);
  const auto start = emulated.measure_start(program);
  if (!own || !theirs || !start) return std::nullopt;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const MeasuredSlowdown slowdown{
      .factor = *theirs / *own,
      .start_ms = *start * 1000,
      .version = emulator ? concat(emulator->name, " ", emulator->version) : "the host's emulator",
      .measured = std::chrono::duration_cast<std::chrono::seconds>(now).count()};
  records_.put_slowdown(platform, slowdown);
  return slowdown;
}

}  // namespace slipway
