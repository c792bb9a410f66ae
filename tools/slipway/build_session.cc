#include "slipway/build_session.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <optional>
#include <vector>

#include "base/strings.h"
#include "scheduler/executor.h"
#include "slipway/build_record.h"
#include "slipway/emulator_flags.h"
#include "slipway/open_store.h"
#include "slipway/progress_json.h"
#include "slipway/progress_plain.h"
#include "slipway/progress_tty.h"
#include "slipway/step_logs.h"

namespace slipway {

namespace {

/// The renderer that the mode asks for; Quiet and None render nothing.
class Renderer final : public ProgressSink {
 public:
  explicit Renderer(ProgressMode mode) : output_(STDERR_FILENO), terminal_(STDERR_FILENO) {
    if (mode == ProgressMode::Plain) plain_.emplace(output_);
    if (mode == ProgressMode::RawJson) json_.emplace(output_);
    if (mode == ProgressMode::Tty) tty_.emplace(terminal_, TtyOptions::from_environment());
  }
  void on_event(const Event& event) noexcept override {
    if (plain_) plain_->on_event(event);
    if (json_) json_->on_event(event);
    if (tty_) tty_->on_event(event);
  }
  void close() noexcept {
    if (plain_) plain_->flush();
    if (json_) json_->flush();
    if (tty_) tty_->close();
  }

 private:
  FdOutput output_;
  FdTerminal terminal_;
  std::optional<PlainProgress> plain_;
  std::optional<JsonProgress> json_;
  std::optional<TtyProgress> tty_;
};

/// The name of this build's logs, which are leased as long as it runs.
std::string leased_log_directory(Store& store) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  std::string name = concat("build-", std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  store.lease(LeaseKind::Log, name);
  return name;
}

/// Logs of the last builds are kept, older ones go. The names sort by time.
void prune_logs(const std::filesystem::path& directory) {
  constexpr std::size_t kKept = 50;
  std::error_code ignored;
  std::vector<std::filesystem::path> builds;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored))
    builds.push_back(entry.path());
  if (builds.size() <= kKept) return;
  std::ranges::sort(builds);
  builds.resize(builds.size() - kKept);
  for (const std::filesystem::path& old : builds) std::filesystem::remove_all(old, ignored);
}

/// Says at once and once what the user did not ask for.
CommandContext& said(CommandContext& context) {
  const Confinement& confinement = context.confinement;
  if (confinement.isolation != Isolation::Oci && !confinement.refusal.empty())
    context.logger.log(LogLevel::Warning, isolation_notice(confinement.isolation, confinement.refusal));
  return context;
}

}  // namespace

struct BuildSession::Impl {
  Impl(CommandContext& command, ProgressMode mode, const EmulatorOptions& options, std::string oci_runtime)
      : context(said(command)),
        runtime(std::move(oci_runtime)),
        renderer(mode),
        store(open_store_or_renew(command)),
        log_name(leased_log_directory(*store)),
        logs({.directory = store->log_directory() / log_name}, renderer),
        history(store->root()),
        progress({&renderer, &logs}),
        registry({}, docker_config_credentials(), command.logger),
        emulators(in_tier(options, command.confinement.isolation), *store, registry, command.stop) {
    prune_logs(store->log_directory());
  }

  Sandbox& sandbox_now() {
    std::call_once(sandbox_made, [&] {
      sandbox = make_sandbox(context.confinement.isolation, store->temp_directory() / "crun", context.logger,
                             runtime);
    });
    return *sandbox;
  }

  CommandContext& context;
  const std::string runtime;
  Renderer renderer;
  std::unique_ptr<Store> store;
  const std::string log_name;
  StepLogs logs;
  const HistoryDirectory history;
  TeeProgress progress;
  RegistryClient registry;
  Emulators emulators;
  std::once_flag sandbox_made;
  std::unique_ptr<Sandbox> sandbox;
  TbbExecutor executor;  // last: its threads end before what they use
};

BuildSession::BuildSession(CommandContext& context, ProgressMode mode, const EmulatorOptions& emulators,
                           std::string oci_runtime)
    : impl_(std::make_unique<Impl>(context, mode, emulators, std::move(oci_runtime))) {}

BuildSession::~BuildSession() { close(); }

BuildResult BuildSession::build(const BuildRequest& request) {
  const auto recorder = start_record(impl_->history, request, impl_->log_name, impl_->context.logger);
  TeeProgress progress({&impl_->progress, recorder.get()});
  BuildEnvironment environment{
      .store = *impl_->store,
      .registry = impl_->registry,
      .executor = impl_->executor,
      .progress = progress,
      .sandbox = [this]() -> Sandbox& { return impl_->sandbox_now(); },
      .emulators = impl_->emulators.search(),
      .log_tail = [this](const std::string& step) { return impl_->logs.tail(step); },
      .recorder = recorder.get(),
  };
  BuildRecorder::End end{
      .outcome = "failed", .error = {}, .image = {}, .log_of = [this](const std::string& id) {
        const std::string name = impl_->logs.file(id).filename().string();
        return name.substr(0, name.find('-'));
      }};
  try {
    BuildResult result = run_build(request, environment, impl_->context.stop);
    end.outcome = "succeeded";
    if (result.image) end.image = result.image->digest.str();
    recorder->finish(end);
    return result;
  } catch (const Cancelled&) {
    end.outcome = "cancelled";
    recorder->finish(end);
    throw;
  } catch (const std::exception& error) {
    end.error = error.what();
    recorder->finish(end);
    throw;
  }
}

void BuildSession::collect_garbage(const std::vector<GcPolicy>& policies) noexcept {
  if (policies.empty()) return;
  try {
    const GcResult result = slipway::collect_garbage(*impl_->store, policies, impl_->context.stop);
    if (result.removed > 0)
      impl_->context.logger.log(LogLevel::Info, concat("collected garbage: ", result.removed, " records, ",
                                                       human_bytes(result.freed)));
  } catch (const Cancelled&) {
    // the next build goes on with it
  } catch (const std::exception& e) {
    impl_->context.logger.log(LogLevel::Warning, concat("collecting garbage: ", std::string_view(e.what())));
  }
}

void BuildSession::close() { impl_->renderer.close(); }
Store& BuildSession::store() { return *impl_->store; }
RegistryClient& BuildSession::registry() { return impl_->registry; }
ProgressSink& BuildSession::progress() { return impl_->progress; }
Emulators& BuildSession::emulators() { return impl_->emulators; }

}  // namespace slipway
